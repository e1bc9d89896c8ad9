//! `rollback`, and specs that name a tag's past.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

/// `live` went 1, 2, 3.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_app();
    sandbox.ok(&["tag", "app", "2", "live", "-q"]);
    sandbox.ok(&["tag", "app", "3", "live", "-q"]);
    sandbox
}

#[test]
fn repeated_rollbacks_go_further_back_and_never_forward() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run(&["rollback", "app", "live"]), @"
    exit 0
    1| live: 3 -> 2
    ");
    assert_snapshot!(sandbox.run(&["rollback", "app", "live", "-m", "bad build", "-q", "--json"]), @r#"
    exit 0
    1| {"package":"app","tag":"live","version":1,"previous":2,"kind":"rollback","rev":6,"moved_at":"[TIME]","moved_by":"tester@host","message":"bad build"}
    "#);
    assert_snapshot!(sandbox.run(&["rollback", "app", "live", "-q"]), @"
    exit 4
    2| error: rolling back the tag live of app in file://[HOME]/.local/share/sacker/ledger: app live was on no version before
    2| hint: `sacker history app live` shows its moves
    ");
    assert_eq!(sandbox.ok(&["tag", "app", "3", "live", "-q"]), "live: 1 -> 3\n");
    assert_eq!(sandbox.ok(&["untag", "app", "live", "-q"]), "live: 3 -> none\n");
    assert_eq!(sandbox.ok(&["rollback", "app", "live", "-q"]), "live: none -> 3\n");
    assert_eq!(sandbox.ok(&["rollback", "app", "live", "-q"]), "live: 3 -> 1\n");
}

#[test]
fn two_concurrent_rollbacks_move_the_tag_back_once() {
    let sandbox = sandbox();
    let back = ["rollback", "app", "live", "--expect", "3", "-q"];
    assert_eq!(sandbox.ok(&back), "live: 3 -> 2\n");
    assert_snapshot!(sandbox.run(&back), @"
    exit 5
    2| error: rolling back the tag live of app in file://[HOME]/.local/share/sacker/ledger: app live is on 2, not on 3; tester@host moved it at [TIME]
    2| hint: nothing was changed; `sacker info app live` shows its version
    ");
    assert_snapshot!(sandbox.run(&["rollback", "app", "live", "--expect", "3", "--to", "1", "-q", "--json"]), @r#"
    exit 5
    2| {"error":{"kind":"conflict","message":"rolling back the tag live of app in file://[HOME]/.local/share/sacker/ledger: app live is on 2, not on 3; tester@host moved it at [TIME]","hint":"nothing was changed; `sacker info app live` shows its version","exit_code":5}}
    "#);
    assert_eq!(sandbox.ok(&["tags", "app", "--json"]).matches(r#""tag":"live","version":2"#).count(), 1);
    sandbox.ok(&["untag", "app", "live", "-q"]);
    assert!(sandbox.run(&back).starts_with("exit 5"));
    assert_eq!(sandbox.ok(&["rollback", "app", "live", "--expect", "none", "-q"]), "live: none -> 2\n");
}

#[test]
fn a_tag_goes_back_to_any_version_that_it_was_on() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run(&["rollback", "app", "live", "--to", "1", "-q"]), @"
    exit 0
    1| live: 3 -> 1
    ");
    assert_snapshot!(sandbox.run(&["rollback", "app", "live", "--to", "1", "-q"]), @"
    exit 0
    1| live: 1 -> 1
    ");
    sandbox.ok(&["add", "app", "one.txt", "-q"]);
    assert_snapshot!(sandbox.run(&["rollback", "app", "live", "--to", "4", "-q"]), @"
    exit 4
    2| error: rolling back the tag live of app in file://[HOME]/.local/share/sacker/ledger: app live was never on 4
    2| hint: `sacker history app live` shows its moves
    ");
    assert_snapshot!(sandbox.run(&["rollback", "app", "live", "--to", "4", "-q", "--json"]), @r#"
    exit 4
    2| {"error":{"kind":"not_found","message":"rolling back the tag live of app in file://[HOME]/.local/share/sacker/ledger: app live was never on 4","hint":"`sacker history app live` shows its moves","exit_code":4}}
    "#);
    assert_snapshot!(sandbox.run(&["rollback", "app", "live", "--to", "canary"]), @r#"
    exit 2
    2| error: invalid value 'canary' for '--to <VERSION>': version "canary" is not a whole number
    2|
    2| For more information, try '--help'.
    "#);
    assert_snapshot!(sandbox.run(&["rollback", "app", "never", "-q"]), @"
    exit 4
    2| error: rolling back the tag never of app in file://[HOME]/.local/share/sacker/ledger: app has no tag never
    2| hint: `sacker tags app` lists its tags
    ");
    assert_snapshot!(sandbox.run(&["rollback", "nosuch", "live", "-q"]), @"
    exit 4
    2| error: rolling back the tag live of nosuch in file://[HOME]/.local/share/sacker/ledger: there is no package nosuch
    2| hint: `sacker list --prefix n` lists packages with similar names
    ");
}

#[test]
fn a_tag_does_not_go_back_to_a_version_that_is_gone() {
    let sandbox = sandbox();
    sandbox.ok(&["untag", "app", "canary", "-q"]);
    sandbox.ok(&["yank", "app", "2", "-q"]);
    assert_snapshot!(sandbox.run(&["rollback", "app", "live", "-q"]), @"
    exit 6
    2| error: rolling back the tag live of app in file://[HOME]/.local/share/sacker/ledger: app live can't be rolled back to 2, which is yanked
    2| hint: nothing was changed; the nearest active version: `sacker rollback app live --to 1`
    ");
    sandbox.ok(&["delete", "app", "2", "-q"]);
    assert_snapshot!(sandbox.run(&["rollback", "app", "live", "-q", "--json"]), @r#"
    exit 6
    2| {"error":{"kind":"refused","message":"rolling back the tag live of app in file://[HOME]/.local/share/sacker/ledger: app live can't be rolled back to 2, which is deleted","hint":"nothing was changed; the nearest active version: `sacker rollback app live --to 1`","exit_code":6}}
    "#);
    sandbox.ok(&["yank", "app", "1", "-q"]);
    assert_snapshot!(sandbox.run(&["rollback", "app", "live", "-q"]), @"
    exit 6
    2| error: rolling back the tag live of app in file://[HOME]/.local/share/sacker/ledger: app live can't be rolled back to 2, which is deleted
    2| hint: nothing was changed; `sacker history app live` shows its moves
    ");
    assert_snapshot!(sandbox.run(&["rollback", "app", "live", "--to", "2", "-q"]), @"
    exit 6
    2| error: rolling back the tag live of app in file://[HOME]/.local/share/sacker/ledger: app live can't be rolled back to 2, which is deleted
    2| hint: nothing was changed; `sacker history app live` shows its moves
    ");
    assert_snapshot!(sandbox.run(&["tags", "app"]), @"
    exit 0
    1| TAG     VERSION
    1| latest        3
    1| live          3
    ");
}

#[test]
fn a_repeat_with_the_same_key_goes_back_once() {
    let sandbox = sandbox();
    let back = ["rollback", "app", "live", "--key", "oops", "-q", "--json"];
    let first = sandbox.ok(&back);
    assert_eq!(sandbox.ok(&["tag", "app", "3", "live", "-q"]), "live: 2 -> 3\n");
    assert_eq!(sandbox.ok(&back), first);
    assert_snapshot!(sandbox.run(&["rollback", "app", "live", "--to", "1", "--key", "oops", "-q"]), @r#"
    exit 5
    2| error: rolling back the tag live of app in file://[HOME]/.local/share/sacker/ledger: the key "oops" was used for `rollback live`, not for `rollback live --to 1`
    2| hint: nothing was changed; a key identifies one change permanently: use a new key for another change
    "#);
    assert_snapshot!(sandbox.run(&["tags", "app"]), @"
    exit 0
    1| TAG     VERSION
    1| latest        3
    1| canary        2
    1| live          3
    ");
}

#[test]
fn a_spec_names_the_past_of_a_tag() {
    let sandbox = sandbox();
    let version = |spec: &str| sandbox.ok(&["info", "app", spec]).lines().nth(1).map(str::to_owned);
    assert_eq!(version("live~1").as_deref(), Some("version: 2"));
    assert_eq!(version("live~2").as_deref(), Some("version: 1"));
    // As far back as `rollback` goes: after it, there is one step less.
    sandbox.ok(&["rollback", "app", "live", "-q"]);
    assert_eq!(version("live~1").as_deref(), Some("version: 1"));
    assert_snapshot!(sandbox.run(&["info", "app", "live~2"]), @"
    exit 4
    2| error: reading app live~2 in file://[HOME]/.local/share/sacker/ledger: app live was on no version 2 moves ago
    2| hint: `sacker history app live` shows its moves
    ");
    assert_snapshot!(sandbox.run(&["tag", "app", "live~1", "stable", "-q"]), @"
    exit 0
    1| stable: none -> 1
    ");
    assert_snapshot!(sandbox.run(&["download", "app", "live~1"]), @"
    exit 0
    1| one.txt
    ");
    assert_snapshot!(sandbox.run(&["info", "app", "canary~1"]), @"
    exit 4
    2| error: reading app canary~1 in file://[HOME]/.local/share/sacker/ledger: app canary was on no version before
    2| hint: `sacker history app canary` shows its moves
    ");
    assert_snapshot!(sandbox.run(&["info", "app", "never~1"]), @"
    exit 4
    2| error: reading app never~1 in file://[HOME]/.local/share/sacker/ledger: app has no tag never
    2| hint: `sacker tags app` lists its tags
    ");
    for wrong in
        ["latest~1", "live~0", "live~", "live~1001", "live@yesterday", "live@{yesterday}", "live@{2h}"]
    {
        let shown = sandbox.run(&["info", "app", wrong]);
        assert!(shown.starts_with("exit 2\n"), "{shown}");
    }
    assert_snapshot!(sandbox.run(&["info", "app", "live@2h"]), @r#"
    exit 2
    2| error: invalid value 'live@2h' for '<SPEC>': version or tag "live@2h" does not give its time in braces: `live@{[TIME]}`, `live@{2h ago}`
    2|
    2| For more information, try '--help'.
    "#);
    assert_snapshot!(sandbox.run(&["info", "app", "live@{yesterday}"]), @r#"
    exit 2
    2| error: invalid value 'live@{yesterday}' for '<SPEC>': time "yesterday" is not like `[TIME]` or `2h ago`
    2|
    2| For more information, try '--help'.
    "#);
}

#[test]
fn a_spec_names_a_point_in_time() {
    let sandbox = sandbox();
    let events = sandbox.ok(&["history", "app", "live", "--json"]);
    let (mut versions, mut last) = (Vec::new(), String::new());
    for event in events.lines() {
        let event: serde_json::Value = serde_json::from_str(event).unwrap();
        last = event["at"].as_str().unwrap().to_owned();
        let then = sandbox.ok(&["info", "app", &format!("live@{{{last}}}")]);
        versions.push((event["version"].clone(), then.lines().nth(1).unwrap().to_owned()));
    }
    let versions: Vec<_> = versions.iter().map(|(version, then)| format!("{version} {then}")).collect();
    assert_eq!(versions, ["3 version: 3", "2 version: 2", "1 version: 1"]);
    assert_snapshot!(sandbox.run(&["info", "app", "live@{2020-01-01T00:00:00Z}"]), @"
    exit 4
    2| error: reading app live@{[TIME]} in file://[HOME]/.local/share/sacker/ledger: app live was on no version at [TIME]
    2| hint: `sacker history app live` shows its moves
    ");
    assert_snapshot!(sandbox.run(&["info", "app", "live@{3d ago}"]), @"
    exit 4
    2| error: reading app live@{72h ago} in file://[HOME]/.local/share/sacker/ledger: app live was on no version at [TIME]
    2| hint: `sacker history app live` shows its moves
    ");
    assert_snapshot!(sandbox.run(&["info", "app", "never@{3d ago}"]), @"
    exit 4
    2| error: reading app never@{72h ago} in file://[HOME]/.local/share/sacker/ledger: app has no tag never
    2| hint: `sacker tags app` lists its tags
    ");
    // An offset from UTC is one way of writing it.
    assert_eq!(sandbox.ok(&["tag", "app", &format!("live@{{{last}}}"), "old", "-q"]), "old: none -> 1\n");
    assert_eq!(
        sandbox.ok(&["tag", "app", "live@{2999-01-01T00:00:00+02:00}", "new", "-q"]),
        "new: none -> 3\n"
    );
}
