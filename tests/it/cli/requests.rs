//! How many requests of the ledger each command makes, counted from what `-v` tells of each call.

use super::{sandbox::Sandbox, servers};
use insta::assert_snapshot;
use std::fmt::Write;

/// The calls of DynamoDB that a command made, in the order in which they were answered.
fn calls(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let mut all = vec!["-v"];
    all.extend(arguments);
    let shown = sandbox.run(&all);
    assert!(shown.starts_with("exit 0"), "{shown}");
    let called = shown.lines().filter_map(|line| line.split_once("dynamodb.")?.1.split([' ', ':']).next());
    format!("{}: {}\n", arguments.join(" "), called.collect::<Vec<_>>().join(", "))
}

#[test]
fn requests_of_each_command() {
    let sandbox = servers::sandbox();
    sandbox.write("one", "first");
    sandbox.write("two", "second");
    let plan = r#"{"moves": [{"package": "app", "tag": "live", "to": 2}, {"package": "web", "tag": "live", "to": "canary"}]}"#;
    sandbox.write("plan.json", plan);
    sandbox.run(&["init"]);
    let mut all = String::new();
    for arguments in [
        &["add", "app", "one"][..],
        &["add", "app", "two"],
        &["add", "web", "two", "--tag", "canary"],
        &["tag", "app", "1", "live"],
        &["tag", "app", "2", "live"],
        &["tag", "app", "live", "canary"],
        &["tag", "app", "1", "live", "--require", "age:0s"],
        &["rollback", "app", "live"],
        &["rollback", "app", "live", "--to", "1"],
        &["apply", "plan.json"],
        &["apply", "plan.json", "--undo"],
        &["protect", "app", "live", "--confirm"],
        &["unprotect", "app", "live"],
        &["untag", "app", "live"],
        &["info", "app", "1"],
        &["info", "app", "canary"],
        &["info", "app", "live~1"],
        &["download", "app", "canary", "-o", "there"],
        &["wait", "app", "canary"],
        &["history", "app"],
        &["history", "app", "live"],
        &["tags", "app"],
        &["versions", "app"],
    ] {
        write!(all, "{}", calls(&sandbox, arguments)).unwrap();
    }
    assert_snapshot!(all, @"");
}
