//! The commands `tag` and `untag`.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

#[test]
fn a_tag_is_moved() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["tag", "app", "2", "stable"]), @"
    exit 0
    1| stable: none -> 2
    ");
    assert_snapshot!(sandbox.run(&["tag", "app", "canary", "live", "-q"]), @"
    exit 0
    1| live: 1 -> 2
    ");
    assert_snapshot!(sandbox.run(&["tag", "app", "latest", "live", "-q", "--json", "-m", "go"]), @r#"
    exit 0
    1| {"package":"app","tag":"live","version":3,"previous":2,"kind":"move","rev":5,"moved_at":"[TIME]","moved_by":"tester@host","message":"go"}
    "#);
    assert_snapshot!(sandbox.run(&["tag", "app", "3", "live", "-q"]), @"
    exit 0
    1| live: 3 -> 3
    ");
    assert_snapshot!(sandbox.run(&["tag", "app", "3", "live", "-q", "--json"]), @r#"
    exit 0
    1| {"package":"app","tag":"live","version":3,"previous":3,"kind":"move","rev":5,"moved_at":"[TIME]","moved_by":"tester@host","message":"go"}
    "#);
    assert_snapshot!(sandbox.run(&["tags", "app"]), @"
    exit 0
    1| TAG     VERSION
    1| latest        3
    1| canary        2
    1| live          3
    1| stable        2
    ");
}

#[test]
fn a_tag_is_removed() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["untag", "app", "live"]), @"
    exit 0
    1| live: 1 -> none
    ");
    assert_snapshot!(sandbox.run(&["untag", "app", "live", "-q"]), @"
    exit 0
    1| live: none -> none
    ");
    assert_snapshot!(sandbox.run(&["untag", "app", "live", "-q", "--json"]), @r#"
    exit 0
    1| {"package":"app","tag":"live","version":null,"previous":null,"kind":"untag","rev":3,"moved_at":"[TIME]","moved_by":"tester@host","message":null}
    "#);
    assert_snapshot!(sandbox.run(&["untag", "app", "canary", "-q", "--json", "--expect", "2", "-m", "done"]), @r#"
    exit 0
    1| {"package":"app","tag":"canary","version":null,"previous":2,"kind":"untag","rev":4,"moved_at":"[TIME]","moved_by":"tester@host","message":"done"}
    "#);
    assert_snapshot!(sandbox.run(&["untag", "app", "never", "-q"]), @"
    exit 4
    2| error: removing the tag never of app in file://[HOME]/.local/share/sacker/ledger: app has no tag never
    2| hint: `sacker tags app` lists its tags
    ");
    assert_snapshot!(sandbox.run(&["untag", "nosuch", "live", "-q"]), @"
    exit 4
    2| error: removing the tag live of nosuch in file://[HOME]/.local/share/sacker/ledger: there is no package nosuch
    2| hint: `sacker list --prefix n` lists packages with similar names
    ");
    assert_snapshot!(sandbox.run(&["tags", "app"]), @"
    exit 0
    1| TAG     VERSION
    1| latest        3
    ");
}

#[test]
fn a_tag_that_is_not_where_it_is_expected_stays() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["tag", "app", "3", "live", "--expect", "2", "-q"]), @"
    exit 5
    2| error: moving the tag live of app to 3 in file://[HOME]/.local/share/sacker/ledger: app live is on 1, not on 2; tester@host moved it at [TIME]
    2| hint: nothing was changed; `sacker info app live` shows its version
    ");
    assert_snapshot!(sandbox.run(&["tag", "app", "3", "live", "--expect", "none", "-q", "--json"]), @r#"
    exit 5
    2| {"error":{"kind":"conflict","message":"moving the tag live of app to 3 in file://[HOME]/.local/share/sacker/ledger: app live is on 1, not on none; tester@host moved it at [TIME]","hint":"nothing was changed; `sacker info app live` shows its version","exit_code":5}}
    "#);
    assert_snapshot!(sandbox.run(&["tag", "app", "3", "stable", "--expect", "1", "-q"]), @"
    exit 5
    2| error: moving the tag stable of app to 3 in file://[HOME]/.local/share/sacker/ledger: app stable is on none, not on 1
    2| hint: nothing was changed; `sacker tags app` lists its tags
    ");
    assert_snapshot!(sandbox.run(&["untag", "app", "live", "--expect", "2", "-q"]), @"
    exit 5
    2| error: removing the tag live of app in file://[HOME]/.local/share/sacker/ledger: app live is on 1, not on 2; tester@host moved it at [TIME]
    2| hint: nothing was changed; `sacker info app live` shows its version
    ");
    // Also where the tag is already at the target.
    assert_snapshot!(sandbox.run(&["tag", "app", "1", "live", "--expect", "2", "-q"]), @"
    exit 5
    2| error: moving the tag live of app to 1 in file://[HOME]/.local/share/sacker/ledger: app live is on 1, not on 2; tester@host moved it at [TIME]
    2| hint: nothing was changed; `sacker info app live` shows its version
    ");
    assert_snapshot!(sandbox.run(&["tag", "app", "3", "live", "--expect", "1", "-q"]), @"
    exit 0
    1| live: 1 -> 3
    ");
    assert_snapshot!(sandbox.run(&["tag", "app", "3", "stable", "--expect", "none", "-q"]), @"
    exit 0
    1| stable: none -> 3
    ");
}

#[test]
fn a_tag_is_only_put_on_what_is_there() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["tag", "app", "9", "live", "-q"]), @"
    exit 4
    2| error: moving the tag live of app to 9 in file://[HOME]/.local/share/sacker/ledger: app has no version 9; its last is 3
    2| hint: `sacker versions app` lists its versions
    ");
    assert_snapshot!(sandbox.run(&["tag", "app", "stable", "live", "-q"]), @"
    exit 4
    2| error: moving the tag live of app to stable in file://[HOME]/.local/share/sacker/ledger: app has no tag stable
    2| hint: `sacker tags app` lists its tags
    ");
    assert_snapshot!(sandbox.run(&["tag", "nosuch", "1", "live", "-q"]), @"
    exit 4
    2| error: moving the tag live of nosuch to 1 in file://[HOME]/.local/share/sacker/ledger: there is no package nosuch
    2| hint: `sacker list --prefix n` lists packages with similar names
    ");
    assert_snapshot!(sandbox.run(&["tag", "app", "1", "LATEST"]), @r#"
    exit 2
    2| error: invalid value 'LATEST' for '<TAG>': tag "LATEST" is reserved
    2|
    2| For more information, try '--help'.
    "#);
}

#[test]
fn a_repeat_with_the_same_key_changes_nothing() {
    let sandbox = Sandbox::with_app();
    assert_eq!(sandbox.ok(&["tag", "app", "2", "live", "--key", "go"]), "live: 1 -> 2\n");
    assert_eq!(sandbox.ok(&["tag", "app", "3", "live"]), "live: 2 -> 3\n");
    assert_eq!(sandbox.ok(&["tag", "app", "2", "live", "--key", "go"]), "live: 1 -> 2\n");
    assert_snapshot!(sandbox.run(&["tag", "app", "1", "live", "--key", "go", "-q"]), @r#"
    exit 5
    2| error: moving the tag live of app to 1 in file://[HOME]/.local/share/sacker/ledger: the key "go" was used for `tag 2 live`, not for `tag 1 live`
    2| hint: nothing was changed; a key identifies one change permanently: use a new key for another change
    "#);
    assert_eq!(sandbox.ok(&["untag", "app", "live", "--key", "off"]), "live: 3 -> none\n");
    assert_eq!(sandbox.ok(&["tag", "app", "1", "live"]), "live: none -> 1\n");
    assert_eq!(sandbox.ok(&["untag", "app", "live", "--key", "off"]), "live: 3 -> none\n");
    assert_snapshot!(sandbox.run(&["tags", "app"]), @"
    exit 0
    1| TAG     VERSION
    1| latest        3
    1| canary        2
    1| live          1
    ");
}
