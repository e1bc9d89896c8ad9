//! The number of ledger requests of each command, counted from the calls that `-v` logs.

use crate::support::{sandbox::Sandbox, servers};
use insta::assert_snapshot;
use std::fmt::Write;

/// The calls of DynamoDB that a command made, by name. (What only reads makes several at once, of
/// which the first to be answered can spare another one.)
fn calls(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let mut all = vec!["-v"];
    all.extend(arguments);
    let shown = sandbox.run(&all);
    assert!(shown.starts_with("exit 0"), "{shown}");
    let mut called: Vec<_> =
        shown.lines().filter_map(|line| line.split_once("dynamodb.")?.1.split([' ', ':']).next()).collect();
    called.sort_unstable();
    format!("{}: {}\n", arguments.join(" "), called.join(", "))
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
        &["download", "app", "canary", "-o", "there"],
        &["download", "app", "1", "-o", "one-there"],
        &["info", "app", "1"],
        &["info", "app", "canary"],
        &["tags", "app"],
        &["versions", "app"],
        &["list"],
        &["history", "app", "live"],
    ] {
        write!(all, "{}", calls(&sandbox, arguments)).unwrap();
    }
    assert_snapshot!(all, @"
    add app one: BatchGetItem, TransactWriteItems
    add app two: BatchGetItem, TransactWriteItems
    add web two --tag canary: BatchGetItem, TransactWriteItems
    tag app 1 live: BatchGetItem, TransactWriteItems
    tag app 2 live: BatchGetItem, TransactWriteItems
    tag app live canary: TransactGetItems, TransactWriteItems
    tag app 1 live --require age:0s: BatchGetItem, TransactWriteItems
    rollback app live: BatchGetItem, BatchGetItem, TransactWriteItems
    rollback app live --to 1: BatchGetItem, GetItem, Query, TransactWriteItems
    apply plan.json: TransactGetItems, TransactWriteItems
    apply plan.json --undo: BatchGetItem, TransactGetItems, TransactWriteItems
    protect app live --confirm: BatchGetItem, TransactWriteItems
    unprotect app live: BatchGetItem, TransactWriteItems
    untag app live: BatchGetItem, TransactWriteItems
    download app canary -o there: BatchGetItem
    download app 1 -o one-there: BatchGetItem
    info app 1: BatchGetItem
    info app canary: BatchGetItem, GetItem
    tags app: BatchGetItem, Query
    versions app: BatchGetItem, Query
    list: GetItem, Query, Query, Query, Query
    history app live: GetItem, Query
    ");
}
