//! The command `wait`.

use crate::support::sandbox::{Sandbox, eventually};
use insta::assert_snapshot;
use std::process::Stdio;

#[test]
fn a_condition_already_met_is_not_waited_for() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["wait", "app", "live"]), @"
    exit 0
    1| package: app
    1| version: 1
    1| sha256: 2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806
    1| size: 4
    1| filename: one.txt
    1| mode: 0644
    1| label.commit: 1f3
    1| message: first
    1| state: active
    1| added_at: [TIME]
    1| added_by: tester@host
    1| tags: live
    1| rev: 1
    ");
    assert_snapshot!(sandbox.run(&["wait", "app", "latest", "--version", "3", "--newer-than", "2", "--json"]), @r#"
    exit 0
    1| {"package":"app","version":3,"sha256":"f7aefbdb2c63c7703a61fe46071993ecb2e76128596e894571e821777bfdf156","size":10,"filename":"three.txt","mode":"0644","labels":{},"message":null,"state":"active","added_at":"[TIME]","added_by":"tester@host","tags":["latest"]}
    "#);
    // What a deployer compares: it is that of `info`.
    assert_eq!(
        sandbox.ok(&["wait", "app", "canary", "--json"]),
        sandbox.ok(&["info", "app", "canary", "--json"])
    );
}

#[test]
fn the_time_runs_out() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["wait", "app", "live", "--version", "9", "--timeout", "10ms"]), @"
    exit 3
    2| error: waiting for app live to be on 9 in file://[HOME]/.local/share/sacker/ledger: the time is up, and app live is on 1
    2| hint: use a longer --timeout; `sacker info app live` shows the present version
    ");
    assert_snapshot!(sandbox.run(&["wait", "app", "live", "--newer-than", "1", "--timeout", "0s", "--json"]), @r#"
    exit 3
    2| {"error":{"kind":"timeout","message":"waiting for app live to be newer than 1 in file://[HOME]/.local/share/sacker/ledger: the time is up, and app live is on 1","hint":"use a longer --timeout; `sacker info app live` shows the present version","exit_code":3}}
    "#);
    assert_snapshot!(sandbox.run(&["wait", "app", "never", "--timeout", "0s"]), @"
    exit 3
    2| error: waiting for app never in file://[HOME]/.local/share/sacker/ledger: the time is up, and app never is not there
    2| hint: use a longer --timeout; `sacker info app never` shows the present version
    ");
    assert_snapshot!(sandbox.run(&["wait", "nosuch", "latest", "--timeout", "0s"]), @"
    exit 3
    2| error: waiting for nosuch latest in file://[HOME]/.local/share/sacker/ledger: the time is up, and nosuch latest is not there
    2| hint: use a longer --timeout; `sacker info nosuch latest` shows the present version
    ");
    assert_snapshot!(sandbox.run(&["wait", "app", "live", "--timeout", "soon"]), @"
    exit 2
    2| error: invalid value 'soon' for '--timeout <DURATION>': not a duration such as 90s, 2m or 1h 30m
    2|
    2| For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["wait", "app", "live", "--version", "0"]), @r#"
    exit 2
    2| error: invalid value '0' for '--version <N>': version "0" is not between 1 and 2^53
    2|
    2| For more information, try '--help'.
    "#);
}

#[test]
fn any_later_change_of_a_tag_is_seen_by_its_revision() {
    let sandbox = Sandbox::with_app();
    let after = |rev: &str| sandbox.run(&["wait", "app", "live", "--after-rev", rev, "--timeout", "0s"]);
    let rev = || {
        let shown = sandbox.ok(&["info", "app", "live"]);
        shown.lines().find_map(|line| line.strip_prefix("rev: ")).unwrap().to_owned()
    };
    let mut seen = rev();
    assert_snapshot!(after(&seen), @"
    exit 3
    2| error: waiting for app live to change after revision 1 in file://[HOME]/.local/share/sacker/ledger: the time is up, and app live is on 1
    2| hint: use a longer --timeout; `sacker info app live` shows the present version
    ");
    // On, back by a rollback, and the same version again: the number alone shows neither of the last two.
    for change in [&["tag", "app", "3", "live"][..], &["rollback", "app", "live"]] {
        sandbox.ok(change);
        assert!(after(&seen).starts_with("exit 0"), "{change:?}");
        seen = rev();
        assert!(after(&seen).starts_with("exit 3"), "{change:?}");
    }
    sandbox.ok(&["untag", "app", "live"]);
    assert_snapshot!(after(&seen), @"
    exit 4
    2| error: waiting for app live to change after revision 4 in file://[HOME]/.local/share/sacker/ledger: app live is on no version since revision 5
    2| hint: `sacker history app live` shows its moves
    ");
    // A wait for a later change than that, or for a version, goes on.
    assert!(after("5").starts_with("exit 3"));
    let other = ["wait", "app", "live", "--after-rev", &seen, "--version", "3", "--timeout", "0s"];
    assert!(sandbox.run(&other).starts_with("exit 3"));
    sandbox.ok(&["tag", "app", "1", "live"]);
    assert!(after(&seen).starts_with("exit 0"), "the same version, put on again");
    // Another tag's change is none of this one.
    seen = rev();
    sandbox.ok(&["tag", "app", "3", "canary"]);
    assert!(after(&seen).starts_with("exit 3"));
    // It must be on that version as well, where one is given.
    let both = ["wait", "app", "live", "--after-rev", "0", "--version", "3", "--timeout", "0s"];
    assert!(sandbox.run(&both).starts_with("exit 3"));
    for spec in ["latest", "1", "live~1"] {
        let shown = sandbox.run(&["wait", "app", spec, "--after-rev", "1"]);
        assert!(shown.starts_with("exit 2") && shown.contains("has no revision"), "{shown}");
    }
    assert_snapshot!(sandbox.run(&["wait", "app", "latest", "--after-rev", "1", "--json"]), @r#"
    exit 2
    2| {"error":{"kind":"invalid","message":"waiting for app latest to change after revision 1: spec \"latest\" has no revision: only a tag, such as live, can be waited for by its revision","hint":null,"exit_code":2}}
    "#);
}

#[test]
fn it_ends_when_the_tag_moves() {
    let sandbox = Sandbox::with_app();
    let mut waiting = sandbox
        .command(&["wait", "app", "live", "--newer-than", "1", "-v"])
        .stdout(Stdio::piped())
        .stderr(Stdio::from(std::fs::File::create(sandbox.path("trace")).unwrap()))
        .spawn()
        .unwrap();
    eventually("it has looked", || sandbox.read("trace").contains("reading the ledger"));
    assert!(waiting.try_wait().unwrap().is_none(), "it waits");
    sandbox.ok(&["tag", "app", "3", "live", "-q"]);
    let output = waiting.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().nth(1), Some("version: 3"));
}
