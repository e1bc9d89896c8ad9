//! Every command, on a ledger in PostgreSQL with a store in a directory.

use crate::support::{
    audit::audit,
    postgres::{name, sandbox, shared},
};

#[test]
fn every_command_works() {
    let sandbox = sandbox();
    sandbox.ok(&["init"]);
    for (file, content) in [("one", "one\n"), ("two", "second\n"), ("three", "the third\n")] {
        sandbox.write(file, content);
    }
    let ok = |arguments: &[&str]| sandbox.ok(arguments);
    assert_eq!(ok(&["add", "app", "one", "--tag", "live", "--label", "commit=1f3"]), "1\n");
    assert_eq!(ok(&["add", "app", "two", "--key", "k"]), "2\n");
    assert_eq!(ok(&["add", "app", "two", "--key", "k"]), "2\n");
    assert_eq!(ok(&["add", "web/front", "three"]), "1\n");
    assert_eq!(ok(&["list"]), "app\nweb/front\n");
    assert_eq!(ok(&["versions", "app"]).lines().count(), 3);
    assert_eq!(ok(&["tag", "app", "2", "live", "--expect", "1"]), "live: 1 -> 2\n");
    assert_eq!(ok(&["rollback", "app", "live"]), "live: 2 -> 1\n");
    assert_eq!(ok(&["tag", "app", "2", "canary"]), "canary: none -> 2\n");
    assert_eq!(ok(&["untag", "app", "canary"]), "canary: 2 -> none\n");
    assert_eq!(ok(&["tags", "app"]), "TAG     VERSION\nlatest        2\nlive          1\n");
    assert!(ok(&["history", "app"]).lines().count() >= 5);
    assert!(ok(&["info", "app", "live"]).contains("version: 1\n"));
    ok(&["download", "app", "live", "-o", "got"]);
    assert_eq!(sandbox.read("got"), "one\n");
    ok(&["label", "app", "2", "tests=passed"]);
    ok(&["protect", "app", "live", "--confirm"]);
    ok(&["unprotect", "app", "live"]);
    ok(&["yank", "app", "2"]);
    ok(&["unyank", "app", "2"]);
    sandbox.write(
        "plan.json",
        r#"{"moves": [{"package": "app", "tag": "live", "to": "2"}, {"package": "web/front", "tag": "live", "to": "1"}]}"#,
    );
    ok(&["apply", "plan.json"]);
    ok(&["apply", "plan.json", "--undo"]);
    ok(&["wait", "app", "live", "--timeout", "5s"]);
    ok(&["delete", "app", "2"]);
    assert_eq!(ok(&["gc", "--min-age", "0s", "--delete"]).lines().count(), 1);
    assert_eq!(ok(&["fsck", "--read-data"]), "");
    ok(&["audit"]);
    let doctor = ok(&["doctor", "--probe"]);
    for part in ["server_fsync", "server_synchronous_standby", "table_logged", "grant:INSERT"] {
        assert!(doctor.contains(part), "{part} in {doctor}");
    }
}

#[test]
fn a_ledger_there_is_exported_copied_and_adopted() {
    let sandbox = sandbox();
    sandbox.ok(&["init"]);
    sandbox.write("one", "one\n");
    sandbox.ok(&["add", "app", "one", "--tag", "live"]);
    sandbox.ok(&["export", "-o", "exported"]);
    let cluster = shared();
    let copy = cluster.place(&name("copy")).to_string();
    let store = format!("file://{}/other", sandbox.home().display());
    let there = ["--ledger", &copy, "--store", &store];
    let on_copy = |arguments: &[&str]| sandbox.ok(&[&there[..], arguments].concat());
    let [ledger, blobs] = ["SACKER_LEDGER", "SACKER_STORE"].map(|name| sandbox.variable(name).to_owned());
    on_copy(&["init"]);
    on_copy(&["copy", "--from-ledger", &ledger, "--from-store", &blobs]);
    assert_eq!(on_copy(&["fsck", "--read-data"]), "");
    assert_eq!(on_copy(&["tags", "app"]), "TAG     VERSION\nlatest        1\nlive          1\n");
    // Another ledger than the store's own.
    let refused = sandbox.run(&["--ledger", &copy, "add", "app", "one"]);
    assert!(refused.starts_with("exit 2\n") && refused.contains("belongs to another ledger"), "{refused}");
    sandbox.ok(&["--ledger", &copy, "init", "--adopt-store"]);
    assert_eq!(sandbox.ok(&["--ledger", &copy, "add", "app", "one"]), "2\n");
    assert!(sandbox.run(&["add", "app", "one"]).starts_with("exit 2\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_the_table_is_no_home() {
    let cluster = shared();
    let (original, copy) = (cluster.place(&name("original")), cluster.place(&name("copied")));
    let sandbox = cluster.sandbox_at(&original);
    sandbox.ok(&["init"]);
    sandbox.write("one", "one\n");
    sandbox.ok(&["add", "app", "one"]);
    let (from, to) = (original.quoted(), copy.quoted());
    cluster
        .sql(&format!("CREATE TABLE {to} (LIKE {from} INCLUDING ALL); INSERT INTO {to} SELECT * FROM {from}"))
        .await;
    let refused = sandbox.run(&["--ledger", &copy.to_string(), "add", "app", "one"]);
    assert!(refused.starts_with("exit 2\n") && refused.contains("(a copy of "), "{refused}");
    sandbox.ok(&["add", "app", "one"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_add_at_once_all_succeed() {
    const PROCESSES: usize = 16;
    let (cluster, sandbox) = (shared(), sandbox());
    sandbox.ok(&["init"]);
    sandbox.add_at_once(PROCESSES, &["-q", "--tag", "live"]);
    let url = sandbox.variable("SACKER_LEDGER");
    let table = url.split_once("table=").unwrap().1.split('&').next().unwrap();
    let audited = audit(&cluster.table(table), "app").await;
    assert_eq!((audited.versions, audited.moves, audited.fences), (PROCESSES, PROCESSES, 0));
}
