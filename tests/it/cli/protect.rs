//! `protect`, `unprotect` and `--confirm`; and gates.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

#[test]
fn a_tag_that_is_to_be_confirmed_moves_only_with_its_name() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["protect", "app", "live", "--confirm"]), @"
    exit 0
    1| live: confirm
    ");
    let moves: [&[&str]; 5] = [
        &["tag", "app", "2", "live", "-q"],
        &["untag", "app", "live", "-q"],
        &["rollback", "app", "live", "-q"],
        &["add", "app", "one.txt", "--tag", "live", "-q"],
        &["tag", "app", "2", "live", "-q", "--json"],
    ];
    let refused: String = moves.map(|arguments| sandbox.run(arguments)).concat();
    assert_snapshot!(refused, @r#"
    exit 6
    2| error: moving the tag live of app to 2 in file://[HOME]/.local/share/sacker/ledger: app live is protected (confirm)
    2| hint: nothing was changed; to confirm the move, add `--confirm live`, or `confirm` in a plan
    exit 6
    2| error: removing the tag live of app in file://[HOME]/.local/share/sacker/ledger: app live is protected (confirm)
    2| hint: nothing was changed; to confirm the move, add `--confirm live`, or `confirm` in a plan
    exit 4
    2| error: rolling back the tag live of app in file://[HOME]/.local/share/sacker/ledger: app live was on no version before
    2| hint: `sacker history app live` shows its moves
    exit 6
    2| error: adding one.txt to app in file://[HOME]/.local/share/sacker/ledger: app live is protected (confirm)
    2| hint: nothing was changed; to confirm the move, add `--confirm live`, or `confirm` in a plan
    exit 6
    2| {"error":{"kind":"refused","message":"moving the tag live of app to 2 in file://[HOME]/.local/share/sacker/ledger: app live is protected (confirm)","hint":"nothing was changed; to confirm the move, add `--confirm live`, or `confirm` in a plan","exit_code":6}}
    "#);
    assert_snapshot!(sandbox.run(&["tag", "app", "2", "live", "--confirm", "canary", "-q"]), @"
    exit 2
    2| error: --confirm canary: the tag to be moved is live
    2| hint: nothing was changed; `--confirm live`
    ");
    assert_snapshot!(sandbox.run(&["add", "app", "one.txt", "--tag", "live", "--confirm", "canary", "-q"]), @"
    exit 6
    2| error: adding one.txt to app in file://[HOME]/.local/share/sacker/ledger: app live is protected (confirm)
    2| hint: nothing was changed; to confirm the move, add `--confirm live`, or `confirm` in a plan
    ");
    // None of them did half of it.
    assert_eq!(
        sandbox.ok(&["tags", "app"]).split_whitespace().collect::<Vec<_>>().join(" "),
        "TAG VERSION latest 3 canary 2 live 1"
    );
    let confirmed = |arguments: &[&str]| sandbox.ok(&[arguments, &["--confirm", "live", "-q"]].concat());
    assert_eq!(confirmed(&["tag", "app", "2", "live"]), "live: 1 -> 2\n");
    assert_eq!(confirmed(&["rollback", "app", "live"]), "live: 2 -> 1\n");
    assert_eq!(confirmed(&["untag", "app", "live"]), "live: 1 -> none\n");
    assert_eq!(confirmed(&["add", "app", "one.txt", "--tag", "live"]), "4\n");
    // Where nothing has to move, nothing has to be confirmed.
    assert_eq!(sandbox.ok(&["tag", "app", "4", "live", "-q"]), "live: 4 -> 4\n");
}

#[test]
fn a_tag_that_is_written_once_stays() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["protect", "app", "v1.0", "--write-once", "-q", "--json", "-m", "released"]), @r#"
    exit 0
    1| {"package":"app","tag":"v1.0","version":null,"previous":null,"kind":"protect","rev":3,"moved_at":"[TIME]","moved_by":"tester@host","message":"released","protection":"write-once"}
    "#);
    assert_snapshot!(sandbox.run(&["tags", "app"]), @"
    exit 0
    1| TAG     VERSION
    1| latest        3
    1| canary        2
    1| live          1
    ");
    assert_eq!(sandbox.ok(&["tag", "app", "2", "v1.0", "-q"]), "v1.0: none -> 2\n");
    let moves: [&[&str]; 5] = [
        &["tag", "app", "3", "v1.0", "-q"],
        &["tag", "app", "3", "v1.0", "--confirm", "v1.0", "-q"],
        &["untag", "app", "v1.0", "-q"],
        &["rollback", "app", "v1.0", "-q"],
        &["add", "app", "one.txt", "--tag", "v1.0", "-q"],
    ];
    let refused: String = moves.map(|arguments| sandbox.run(arguments)).concat();
    assert_snapshot!(refused, @"
    exit 6
    2| error: moving the tag v1.0 of app to 3 in file://[HOME]/.local/share/sacker/ledger: app v1.0 is protected (write-once)
    2| hint: nothing was changed; to move it anyway, run `sacker unprotect app v1.0` first
    exit 6
    2| error: moving the tag v1.0 of app to 3 in file://[HOME]/.local/share/sacker/ledger: app v1.0 is protected (write-once)
    2| hint: nothing was changed; to move it anyway, run `sacker unprotect app v1.0` first
    exit 6
    2| error: removing the tag v1.0 of app in file://[HOME]/.local/share/sacker/ledger: app v1.0 is protected (write-once)
    2| hint: nothing was changed; to move it anyway, run `sacker unprotect app v1.0` first
    exit 6
    2| error: rolling back the tag v1.0 of app in file://[HOME]/.local/share/sacker/ledger: app v1.0 can't be rolled back: it was on no version before
    2| hint: nothing was changed; `sacker history app v1.0` shows its moves
    exit 6
    2| error: adding one.txt to app in file://[HOME]/.local/share/sacker/ledger: app v1.0 is protected (write-once)
    2| hint: nothing was changed; to move it anyway, run `sacker unprotect app v1.0` first
    ");
    assert_eq!(sandbox.ok(&["tag", "app", "2", "v1.0", "-q"]), "v1.0: 2 -> 2\n");
    assert_snapshot!(sandbox.run(&["unprotect", "app", "v1.0", "-q"]), @"
    exit 0
    1| v1.0: unprotected
    ");
    assert_eq!(sandbox.ok(&["tag", "app", "3", "v1.0", "-q"]), "v1.0: 2 -> 3\n");
}

#[test]
fn protection_is_changed_only_by_taking_it_away_first() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["protect", "app", "live", "--confirm", "--key", "p", "-q"]), @"
    exit 0
    1| live: confirm
    ");
    assert_snapshot!(sandbox.run(&["protect", "app", "live", "--confirm", "-q"]), @"
    exit 0
    1| live: confirm
    ");
    assert_snapshot!(sandbox.run(&["protect", "app", "live", "--write-once", "-q"]), @"
    exit 6
    2| error: protecting the tag live of app in file://[HOME]/.local/share/sacker/ledger: app live is protected (confirm)
    2| hint: nothing was changed; remove that protection first: `sacker unprotect app live`
    ");
    assert_snapshot!(sandbox.run(&["unprotect", "app", "live", "-q", "--json"]), @r#"
    exit 0
    1| {"package":"app","tag":"live","version":1,"previous":1,"kind":"unprotect","rev":4,"moved_at":"[TIME]","moved_by":"tester@host","message":null}
    "#);
    assert_snapshot!(sandbox.run(&["unprotect", "app", "live", "-q"]), @"
    exit 0
    1| live: unprotected
    ");
    assert_snapshot!(sandbox.run(&["protect", "app", "live", "--confirm", "--key", "p", "-q"]), @"
    exit 0
    1| live: confirm
    ");
    assert_snapshot!(sandbox.run(&["protect", "app", "canary", "--confirm", "--key", "p", "-q"]), @r#"
    exit 5
    2| error: protecting the tag canary of app in file://[HOME]/.local/share/sacker/ledger: the key "p" was used for `protect live --confirm`, not for `protect canary --confirm`
    2| hint: nothing was changed; a key identifies one change permanently: use a new key for another change
    "#);
    // That was but the outcome of the first; it is not protected any more.
    assert_eq!(sandbox.ok(&["tag", "app", "2", "live", "-q"]), "live: 1 -> 2\n");
    assert_snapshot!(sandbox.run(&["unprotect", "app", "never", "-q"]), @"
    exit 4
    2| error: unprotecting the tag never of app in file://[HOME]/.local/share/sacker/ledger: app has no tag never
    2| hint: `sacker tags app` lists its tags
    ");
    assert_snapshot!(sandbox.run(&["protect", "nosuch", "live", "--confirm", "-q"]), @"
    exit 4
    2| error: protecting the tag live of nosuch in file://[HOME]/.local/share/sacker/ledger: there is no package nosuch
    2| hint: `sacker list --prefix n` lists packages with similar names
    ");
    assert_snapshot!(sandbox.run(&["protect", "app", "latest", "--confirm", "-q"]), @r#"
    exit 2
    2| error: invalid value 'latest' for '<TAG>': tag "latest" is reserved
    2|
    2| For more information, try '--help'.
    "#);
    assert_snapshot!(sandbox.run(&["protect", "app", "live"]), @"
    exit 2
    2| error: the following required arguments were not provided:
    2|   <--write-once|--confirm|--require <GATE>>
    2|
    2| Usage: sacker protect [OPTIONS] <PACKAGE> <TAG>
    2|
    2| For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["protect", "app", "live", "--confirm", "--write-once"]), @"
    exit 2
    2| error: the argument '--confirm' cannot be used with '--write-once'
    2|
    2| Usage: sacker protect [OPTIONS] <PACKAGE> <TAG>
    2|
    2| For more information, try '--help'.
    ");
}

#[test]
fn protecting_a_tag_is_not_reported_as_moving_it() {
    let sandbox = Sandbox::with_app();
    sandbox.ok(&["protect", "app", "live", "--confirm", "-q"]);
    assert_snapshot!(sandbox.run(&["tag", "app", "3", "live", "--expect", "2", "--confirm", "live", "-q"]), @"
    exit 5
    2| error: moving the tag live of app to 3 in file://[HOME]/.local/share/sacker/ledger: app live is on 1, not on 2; tester@host protected it at [TIME]
    2| hint: nothing was changed; `sacker info app live` shows its version
    ");
}

#[test]
fn a_tag_moves_only_through_open_gates() {
    let sandbox = Sandbox::with_app();
    let promote = ["tag", "app", "3", "live", "--require", "label:tests=passed", "--require", "tag:canary"];
    let aged = [&promote[..], &["--require", "age:2h", "-q"]].concat();
    assert_snapshot!(sandbox.run(&aged), @"
    exit 6
    2| error: moving the tag live of app to 3 in file://[HOME]/.local/share/sacker/ledger: app 3 does not pass label:tests=passed (it has no label tests), tag:canary (canary is on 2), age:2h (it was added [N]s ago)
    2| hint: nothing was changed; `sacker info app 3` shows the version
    ");
    sandbox.ok(&["label", "app", "3", "tests=failed", "-q"]);
    assert_snapshot!(sandbox.run(&[&promote[..], &["-q", "--json"]].concat()), @r#"
    exit 6
    2| {"error":{"kind":"refused","message":"moving the tag live of app to 3 in file://[HOME]/.local/share/sacker/ledger: app 3 does not pass label:tests=passed (it has tests=failed), tag:canary (canary is on 2)","hint":"nothing was changed; `sacker info app 3` shows the version","exit_code":6}}
    "#);
    assert_eq!(sandbox.ok(&["info", "app", "live"]).lines().nth(1), Some("version: 1"));
    sandbox.ok(&["label", "app", "2", "tests=passed", "-q"]);
    let promote =
        ["tag", "app", "canary", "live", "--require", "label:tests=passed", "--require", "tag:canary"];
    assert_eq!(sandbox.ok(&[&promote[..], &["--require", "age:0s", "-q"]].concat()), "live: 1 -> 2\n");
    // It is there already; but the gates are asked all the same.
    assert_eq!(sandbox.ok(&[&promote[..], &["-q"]].concat()), "live: 2 -> 2\n");
    assert_snapshot!(sandbox.run(&["tag", "app", "2", "live", "--require", "age:2h", "-q"]), @"
    exit 6
    2| error: moving the tag live of app to 2 in file://[HOME]/.local/share/sacker/ledger: app 2 does not pass age:2h (it was added [N]s ago)
    2| hint: nothing was changed; `sacker info app 2` shows the version
    ");
    for gate in [
        "tests=passed",
        "label:tests",
        "label:",
        "tag:",
        "tag:latest",
        "age:",
        "age:-2h",
        "age:2h ago",
        "size:2",
        "soak:canary",
        "soak:canary=",
        "soak:latest=2h",
        "was:",
    ] {
        let shown = sandbox.run(&["tag", "app", "2", "live", "--require", gate]);
        assert!(shown.starts_with("exit 2\n"), "{shown}");
    }
    assert_snapshot!(sandbox.run(&["tag", "app", "2", "live", "--require", "tests=passed"]), @r#"
    exit 2
    2| error: invalid value 'tests=passed' for '--require <GATE>': gate "tests=passed" is not like label:NAME=VALUE, tag:TAG, age:2h, soak:TAG=2h or was:TAG
    2|
    2| For more information, try '--help'.
    "#);
}
