//! Outages of the real servers during a job: the exit codes 7 and 9 are tried again under the same key.

use super::{job, outcome, path, versions};
use crate::support::{
    backends,
    proxy::{Fate, Proxy},
    sandbox::Sandbox,
    servers,
};
use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

/// In the place of `sleep`: the outage ends when the job pauses.
const SLEEP: &str = r#"echo "$1" >>"$HOME/pauses""#;

/// Runs the job behind a proxy to DynamoDB Local that is broken until the job pauses, then once more. Returns what the first
/// run printed on stderr.
async fn through(fate: impl Fn(&str, &AtomicBool) -> Fate + Send + Sync + 'static) -> String {
    let sandbox = servers::sandbox();
    sandbox.write("f", "the build");
    sandbox.ok(&["init"]);
    let (pauses, began) = (sandbox.path("pauses"), AtomicBool::new(false));
    let proxy = Proxy::new(&backends::dynamodb(), move |request| {
        if Path::exists(&pauses) { Fate::Passes } else { fate(&request.kind(), &began) }
    })
    .await;
    let ledger = sandbox.variable("SACKER_LEDGER").replace(&backends::dynamodb(), &proxy.url);
    tokio::task::spawn_blocking(move || publish(&sandbox, &ledger)).await.unwrap()
}

fn publish(sandbox: &Sandbox, ledger: &str) -> String {
    let path = path(sandbox, &[("sleep", SLEEP)]);
    let variables =
        [("SACKER_CI_LEDGER", ledger), ("SACKER_CI_DEADLINE", "1s"), ("SACKER_CI_TAGS", "canary")];
    let store = sandbox.variable("SACKER_STORE").to_owned();
    let run = || {
        let output = job(sandbox, &path, &variables).env("SACKER_CI_STORE", &store).output().unwrap();
        assert_eq!(outcome(sandbox, &output), (0, "1\n".to_owned()), "{}", sandbox.shown(&output));
        String::from_utf8(output.stderr).unwrap()
    };
    let printed = run();
    assert_eq!(sandbox.read("pauses"), "5\n", "{printed}");
    run();
    assert_eq!(versions(sandbox, "app"), 1);
    let history = sandbox.ok(&["history", "app", "canary", "--json"]);
    assert_eq!(history.lines().filter(|line| line.contains("\"kind\":\"move\"")).count(), 1, "{history}");
    assert_eq!(sandbox.ok(&["fsck"]), "");
    printed
}

/// The change is made, its answer is lost, and so is everything after it: the outcome is unknown.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_unknown_outcome_is_found_out_by_the_next_attempt() {
    let printed = through(|kind, began| match (kind, began.load(Ordering::SeqCst)) {
        (_, true) => Fate::IsLost,
        ("TransactWriteItems", false) => {
            began.store(true, Ordering::SeqCst);
            Fate::LosesReply
        }
        _ => Fate::Passes,
    })
    .await;
    assert!(printed.contains("note: exit code 9; attempt 2 of 5 follows in 5 s"), "{printed}");
}

/// The change never arrives, and neither does anything after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_that_never_arrived_is_made_by_the_next_attempt() {
    let printed = through(|kind, began| {
        let lost = began.load(Ordering::SeqCst) || kind == "TransactWriteItems";
        began.store(lost, Ordering::SeqCst);
        if lost { Fate::IsLost } else { Fate::Passes }
    })
    .await;
    assert!(printed.contains("note: exit code 9; attempt 2 of 5 follows in 5 s"), "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_ledger_that_is_away_is_tried_again() {
    let printed = through(|_, _| Fate::IsLost).await;
    assert!(printed.contains("note: exit code 7; attempt 2 of 5 follows in 5 s"), "{printed}");
}

/// The version is published, and the ledger is away when the job asks for its checksum: the job has made no second change.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_outage_after_the_change_is_waited_for() {
    let printed = through(|kind, began| match (kind, began.load(Ordering::SeqCst)) {
        ("TransactWriteItems", false) => {
            began.store(true, Ordering::SeqCst);
            Fate::Passes
        }
        (_, false) => Fate::Passes,
        (_, true) => Fate::IsLost,
    })
    .await;
    assert!(printed.contains("note: exit code 7; attempt 2 of 5 follows in 5 s"), "{printed}");
}
