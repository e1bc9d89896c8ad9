//! `watch`: its cursors, kept by the consumer in a file.

use crate::support::sandbox::{Sandbox, eventually};
use insta::assert_snapshot;
use std::{
    fs::File,
    io::{BufRead, BufReader},
    process::Stdio,
};

/// The cursors of the printed events.
fn cursors(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let printed = sandbox.ok(arguments);
    let cursor = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line.ends_with(&format!("\"cursor\":{}}}", event["cursor"])), "it is the last field: {line}");
        event["cursor"].as_str().unwrap().to_owned()
    };
    printed.lines().map(cursor).collect()
}

#[test]
fn a_package_that_is_not_there_is_noted() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["watch", "ap", "--once"]), @"
    exit 0
    2| note: there is no package ap yet; its events are printed when it appears
    ");
    assert_snapshot!(sandbox.run(&["watch", "ap", "live", "--once", "--cursor", "cursors"]), @"
    exit 0
    2| note: there is no package ap yet; its events are printed when it appears
    ");
    assert_snapshot!(sandbox.run(&["watch", "app", "--once"]), @"
    exit 0
    ");
    assert_snapshot!(sandbox.run(&["watch", "ap", "--once", "--after-rev", "0"]), @"
    exit 0
    ");
}

const FOLLOW: [&str; 6] = ["watch", "--prefix", "", "--cursor", "cursors", "--once"];

#[test]
fn a_file_keeps_the_cursors() {
    let sandbox = Sandbox::with_app();
    // The first run begins with what happens from now on, and makes the file.
    assert_eq!(cursors(&sandbox, &FOLLOW), [""; 0]);
    assert_eq!(sandbox.read("cursors"), "app=t2,r3\n");
    sandbox.ok(&["tag", "app", "3", "live"]);
    sandbox.ok(&["add", "new", "one.txt"]);
    let events = ["app=t3,r3", "new=t0,r1"];
    assert_eq!(cursors(&sandbox, &FOLLOW), events);
    // Nothing was kept, so they come again.
    assert_eq!(cursors(&sandbox, &FOLLOW), events);
    sandbox.write("cursors", "app=t2,r3\napp=t3,r3\nnew=t0,r");
    // An interrupted consumer has left half a line: that event comes again.
    assert_eq!(cursors(&sandbox, &FOLLOW), events[1..]);
    // And the file was shortened.
    assert_eq!(sandbox.read("cursors"), "app=t3,r3\n");
    sandbox.write("cursors", "app=t3,r3\nnew=t0,r1\n");
    assert_eq!(cursors(&sandbox, &FOLLOW), [""; 0]);
    sandbox.write("cursors", "app t3\n");
    assert_snapshot!(sandbox.run(&FOLLOW), @r#"
    exit 2
    2| error: reading the cursors cursors, line 1: cursor "app t3" is not like app=t7,r3
    2| hint: each line is a cursor as `watch` prints it, such as app=t7,r3
    "#);
    sandbox.write("cursors", "");
    assert_eq!(cursors(&sandbox, &FOLLOW).len(), 7, "an empty file is the beginning of everything");
}

#[test]
fn it_begins_after_any_revision() {
    let sandbox = Sandbox::with_app();
    let after = |rev: &str| cursors(&sandbox, &["watch", "app", "--after-rev", rev, "--once"]);
    assert_eq!(after("0"), ["app=t1", "app=t2"]);
    assert_eq!(after("t1"), ["app=t2"]);
    assert_eq!(after("r1"), ["app=r2", "app=r3"]);
    assert_eq!(after("app=t2,r2"), ["app=t2,r3"]);
    assert_eq!(after("t0,r0").len(), 5);
    assert_eq!(cursors(&sandbox, &["watch", "app", "canary", "--after-rev", "0", "--once"]), ["app=t2"]);
    assert_eq!(cursors(&sandbox, &["watch", "app", "--after-rev", "0", "--limit", "1"]), ["app=t1"]);
    for wrong in [
        &["watch"][..],
        &["watch", "app", "--after-rev", "x"],
        &["watch", "app", "--after-rev", "lib=t1", "--once"],
        &["watch", "app", "live", "--after-rev", "r1", "--once"],
        &["watch", "--prefix", "", "--after-rev", "1"],
        &["watch", "app", "--prefix", "a"],
    ] {
        assert!(sandbox.run(wrong).starts_with("exit 2"), "{wrong:?}");
    }
    assert_snapshot!(sandbox.run(&["watch", "app", "--after-rev", "t9", "--once"]), @r"
    exit 4
    2| error: watching app in file://[HOME]/.local/share/sacker/ledger: app has no revision t9: the log ends at t2
    2| hint: this ledger may be an older copy than the one that was followed; `sacker history app` shows its revisions
    ");
}

#[test]
fn it_prints_events_while_they_happen() {
    let sandbox = Sandbox::with_app();
    let mut watching = sandbox
        .command(&["watch", "app", "live", "--limit", "2"])
        .stdout(Stdio::piped())
        .stderr(File::create(sandbox.path("err")).unwrap())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    // A move before it has begun is not shown, so moves are made until one is.
    let first = std::thread::scope(|scope| {
        let reader = scope.spawn(|| lines.next().unwrap().unwrap());
        eventually("a move is printed", || {
            for version in ["2", "1"] {
                sandbox.ok(&["tag", "app", version, "live"]);
            }
            reader.is_finished()
        });
        reader.join().unwrap()
    });
    sandbox.ok(&["tag", "app", "3", "live"]);
    let revs = [first, lines.next().unwrap().unwrap()]
        .map(|line| serde_json::from_str::<serde_json::Value>(&line).unwrap()["rev"].as_u64().unwrap());
    assert_eq!(revs[1], revs[0] + 1);
    assert!(watching.wait().unwrap().success());
}
