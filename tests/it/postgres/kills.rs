//! `kill -9` of the program at each step of a change, and the same command again.

use crate::support::{
    audit::audit,
    postgres::{name, shared},
    sandbox::{Sandbox, eventually},
};
use std::{fs, os::unix::process::ExitStatusExt, process::Stdio};

/// The steps of a change on this back end. At `postgres-judged` the transaction holds its locks.
const STEPS: [&str; 3] = ["commit-planned", "postgres-judged", "commit-answered"];

/// Runs the program until it reaches a step, and kills it there.
fn killed_at(sandbox: &Sandbox, step: &str, arguments: &[&str]) {
    let sign = sandbox.path("sign");
    let mut command = sandbox.command(arguments);
    command.env("FAILPOINTS", format!("{step}=return({})", sign.display()));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually(step, || sign.exists() || child.try_wait().unwrap().is_some());
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(9), "{step} was not met: {}", sandbox.shown(&output));
    fs::remove_file(sign).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_of_changes() {
    let cluster = shared();
    let place = cluster.place(&name("killed"));
    let sandbox = cluster.sandbox_at(&place);
    sandbox.ok(&["init"]);
    sandbox.write("f", "content");
    sandbox.write("plan", r#"{"moves": [{"package": "other", "tag": "live", "to": "1"}]}"#);
    sandbox.ok(&["add", "other", "f"]);
    for (number, step) in STEPS.into_iter().enumerate() {
        let package = step;
        let changes: [(&[&str], &str); 5] = [
            (&["add", package, "f", "--tag", "live", "--key", "a"], "1\n"),
            (&["tag", package, "1", "canary", "--key", "t"], "canary: none -> 1\n"),
            (&["untag", package, "canary", "--key", "u"], "canary: 1 -> none\n"),
            (&["untag", package, "live", "--key", "v"], "live: 1 -> none\n"),
            (&["yank", package, "1", "--key", "y"], "1: active -> yanked\n"),
        ];
        for (change, printed) in changes {
            killed_at(&sandbox, step, change);
            // Again, and once more, as a pipeline does that never got the answer.
            for _ in 0..2 {
                assert_eq!(sandbox.ok(change), printed, "{step}");
            }
        }
        let audited = audit(&cluster.table(&place.table), package).await;
        assert_eq!((audited.versions, audited.moves, audited.fences), (1, 4, 0), "{step}");
        let key = format!("p{number}");
        if number > 0 {
            sandbox.ok(&["untag", "other", "live"]);
        }
        let apply = ["apply", "plan", "--key", &key];
        killed_at(&sandbox, step, &apply);
        assert_eq!(sandbox.ok(&apply), sandbox.ok(&apply), "{step}");
        assert_eq!(
            sandbox.ok(&["tags", "other"]),
            "TAG     VERSION\nlatest        1\nlive          1\n",
            "{step}"
        );
    }
    assert_eq!(sandbox.ok(&["fsck", "--read-data"]), "");
}

#[test]
fn each_step_of_init() {
    for step in ["table-made", "commit-planned"] {
        let cluster = shared();
        let sandbox = cluster.sandbox_at(&cluster.place(&name("init")));
        if step == "table-made" {
            killed_at(&sandbox, step, &["init"]);
        }
        sandbox.ok(&["init"]);
        sandbox.ok(&["init"]);
        assert_eq!(sandbox.ok(&["fsck"]), "", "{step}");
    }
}

#[test]
fn a_process_that_stops_with_its_locks_blocks_nobody_for_long() {
    let cluster = shared();
    let sandbox = cluster.sandbox_at(&cluster.place(&name("stopped")));
    sandbox.ok(&["init"]);
    sandbox.write("f", "content");
    let sign = sandbox.path("sign");
    let mut command = sandbox.command(&["add", "app", "f"]);
    command.env("FAILPOINTS", format!("postgres-judged=return({})", sign.display()));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the locks are held", || sign.exists());
    // The server ends the idle transaction, and then the other process has its turn.
    assert_eq!(sandbox.ok(&["add", "app", "f"]), "1\n");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(sandbox.ok(&["versions", "app"]).lines().count(), 2);
}
