//! `prune`, `undelete`, and the warnings of `delete`.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

/// Six versions; `live` went from 2 over 3 and 4 to 5.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    for number in 1..=6 {
        sandbox.write("app.txt", format!("content {number}"));
        sandbox.ok(&["add", "app", "app.txt"]);
    }
    for number in ["2", "3", "4", "5"] {
        sandbox.ok(&["tag", "app", number, "live", "-q"]);
    }
    sandbox
}

#[test]
fn nothing_goes_without_delete() {
    let sandbox = sandbox();
    let report = sandbox.run(&["prune", "app", "--keep", "1", "--rollback-depth", "2"]);
    assert_snapshot!(report, @"
    exit 0
    1| app 6: keep (latest, newest:1)
    1| app 5: keep (tag:live)
    1| app 4: keep (rollback:live~1)
    1| app 3: keep (rollback:live~2)
    1| app 2: delete (not-newest:1)
    1| app 1: delete (not-newest:1)
    2| note: 2 versions can be deleted with --delete; 4 kept
    ");
    assert_eq!(sandbox.run(&["prune", "app", "--keep", "1", "--rollback-depth", "2"]), report);
    assert_snapshot!(sandbox.run(&["prune", "app", "--keep", "1", "--rollback-depth", "2", "--delete", "--json", "-q"]), @r#"
    exit 0
    1| {"package":"app","version":6,"action":"keep","reasons":["latest","newest:1"]}
    1| {"package":"app","version":5,"action":"keep","reasons":["tag:live"]}
    1| {"package":"app","version":4,"action":"keep","reasons":["rollback:live~1"]}
    1| {"package":"app","version":3,"action":"keep","reasons":["rollback:live~2"]}
    1| {"package":"app","version":2,"action":"deleted","reasons":["not-newest:1"]}
    1| {"package":"app","version":1,"action":"deleted","reasons":["not-newest:1"]}
    1| {"summary":{"command":"prune","kept":4,"deleted":2,"without_rule":0,"removed":true}}
    "#);
    let history = sandbox.ok(&["history", "app", "--limit", "2", "--json"]);
    assert_eq!(history.matches(r#""kind":"delete""#).count(), 2, "{history}");
    for _ in 0..2 {
        sandbox.ok(&["rollback", "app", "live", "-q"]);
    }
}

#[test]
fn a_limit_must_be_given() {
    let sandbox = sandbox();
    let missing = sandbox.run(&["prune", "app", "--delete"]);
    assert!(missing.starts_with("exit 2\n") && missing.contains("--keep <N>"), "{missing}");
    for arguments in [
        &["prune", "app", "--keep", "1", "--policy", "p"][..],
        &["prune", "app", "--keep", "1", "--prefix", "a"],
        &["prune", "--prefix", "a b", "--keep", "1"],
        &["prune", "app", "--keep", "1", "--label-keep", "a b"],
        &["prune", "app", "--policy", "none"],
    ] {
        let refused = sandbox.run(arguments);
        assert!(refused.starts_with("exit 2\n"), "{refused}");
    }
    assert_snapshot!(sandbox.run(&["prune", "nosuch", "--keep", "1"]), @"
    exit 4
    2| error: finding versions to prune in file://[HOME]/.local/share/sacker/ledger: there is no package nosuch
    2| hint: `sacker list --prefix n` lists packages with similar names
    ");
    sandbox.write("p", "{\"rules\": [\n  {\"prefix\": \"\", \"keeep\": 1}]}");
    let wrong = sandbox.run(&["prune", "--policy", "p"]);
    assert!(wrong.starts_with("exit 2\n") && wrong.contains("line 2") && wrong.contains("keeep"), "{wrong}");
    assert!(wrong.contains("`sacker prune --help` shows a policy"), "{wrong}");
    let versions = sandbox.ok(&["versions", "app"]);
    assert_eq!(versions.matches("active").count(), 6, "{versions}");
}

#[test]
fn the_policy_is_that_of_the_help() {
    let sandbox = sandbox();
    let help = sandbox.ok(&["prune", "--help"]);
    let (_, policy) = help.split_once("A policy:\n").unwrap();
    let (policy, _) = policy.split_once("\n\n").unwrap();
    sandbox.write("p", policy);
    let pruned = sandbox.run(&["prune", "--policy", "p"]);
    assert!(pruned.contains("1 version can be deleted with --delete; 5 kept"), "{pruned}");
    sandbox.write("p", r#"{"rules": [{"prefix": "b", "keep": 0}]}"#);
    assert_snapshot!(sandbox.run(&["prune", "--policy", "p"]), @"
    exit 0
    2| note: 0 versions can be deleted with --delete; 0 kept
    2| note: 1 package without a rule in the policy: all versions are kept
    ");
}

#[test]
fn a_deletion_warns_and_is_reversed() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run(&["delete", "app", "4", "-q"]), @"
    exit 6
    2| error: deleting app 4 in file://[HOME]/.local/share/sacker/ledger: app 4 is the rollback target of live
    2| hint: nothing was changed; to exclude it from rollbacks, run `sacker yank app 4` first; --force deletes it anyway
    ");
    assert_snapshot!(sandbox.run(&["delete", "app", "4", "--force"]), @"
    exit 0
    1| 4: active -> deleted
    2| warning: rollbacks can no longer go to app 4: it was live~1; `sacker undelete app 4` brings it back until it is collected
    ");
    assert_snapshot!(sandbox.run(&["delete", "app", "2"]), @"
    exit 0
    1| 2: active -> deleted
    2| warning: rollbacks can no longer go to app 2: it was live~2; `sacker undelete app 2` brings it back until it is collected
    ");
    assert_snapshot!(sandbox.run(&["delete", "app", "1"]), @"
    exit 0
    1| 1: active -> deleted
    ");
    assert_snapshot!(sandbox.run(&["info", "app", "4"]), @"
    exit 4
    2| error: reading app 4 in file://[HOME]/.local/share/sacker/ledger: app 4 was deleted
    2| hint: `sacker versions app` lists its versions; `sacker undelete app 4` brings it back until it is collected
    ");
    assert_snapshot!(sandbox.run(&["undelete", "app", "4", "--key", "back"]), @"
    exit 0
    1| 4: deleted -> active
    ");
    assert_snapshot!(sandbox.run(&["undelete", "app", "4", "--key", "back"]), @"
    exit 0
    1| 4: deleted -> active
    ");
    assert_snapshot!(sandbox.run(&["undelete", "app", "6"]), @"
    exit 0
    1| 6: active -> active
    ");
    assert_eq!(sandbox.ok(&["rollback", "app", "live", "-q"]), "live: 5 -> 4\n");
    sandbox.ok(&["gc", "--delete", "--min-age", "0s", "-q"]);
    assert_snapshot!(sandbox.run(&["undelete", "app", "2"]), @"
    exit 6
    2| error: undeleting app 2 in file://[HOME]/.local/share/sacker/ledger: the blob of app 2 was collected, so the version can't come back
    2| hint: nothing was changed; `sacker add app FILE` adds the file again, as a new version
    ");
    sandbox.ok(&["fsck", "--read-data", "-q"]);
}
