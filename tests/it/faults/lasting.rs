//! Every operation under every fault that lasts: it ends by its deadline with the right error and a bounded number of
//! requests, or resumes once the fault is over. In paused time.
//!
//! The bound is that of [`RetryPolicy::run`](sacker::retry::RetryPolicy::run): at most 40 tries of a run begin in any
//! minute, and one more at its deadline; and all runs together begin at most 64 retries and 30 more a minute, and one
//! each at the deadline.

mod requests;
mod schedule;

use requests::{OPERATIONS, perform, prepare};
use sacker::{
    fault::FaultKind,
    ledger::{self, TableLedger},
    ops::{Client, Error},
    retry::{Cancellation, Pace, RetryPolicy, pace},
    store::{Store, memory::MemoryStore},
    table::{Table, memory::MemoryTable},
};
use schedule::{Count, FaultSchedule, Lasting, Place, Under, What};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::time::Instant;

/// The most tries of one run until a deadline of a minute, the one at the deadline included.
const TRIES: usize = 41;
const MINUTE: Duration = Duration::from_mins(1);
/// The longest time for finding out an unknown outcome, and for a last try.
const SETTLING: Duration = Duration::from_secs(10);
const SLACK: Duration = Duration::from_secs(5);

/// One operation under one fault.
async fn run(
    name: &str,
    lasting: Option<Lasting>,
    deadline: Duration,
    dir: &Path,
    pace: Pace,
) -> (Result<(), Error>, Duration, Count) {
    let table: Arc<dyn Table> = Arc::new(MemoryTable::new());
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let client = |table, store: Arc<dyn Store>, seed| {
        let retry_policy = RetryPolicy::seeded(deadline, Cancellation::new(), seed).with_pace(pace);
        let ledger = TableLedger::new(table, retry_policy.clone());
        Client::new(Arc::new(ledger), store, retry_policy, std::env::temp_dir())
    };
    if name != "copy" {
        prepare(&client(Arc::clone(&table), Arc::clone(&store), 1), dir).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let fault_schedule = FaultSchedule::new(lasting);
    let table = Arc::new(Under { fault_schedule: Arc::clone(&fault_schedule), inner: table });
    let store = Arc::new(Under { fault_schedule: Arc::clone(&fault_schedule), inner: store });
    let began = Instant::now();
    let result = perform(name, &client(table, store, 2), dir).await;
    let count = std::mem::take(&mut *fault_schedule.count.lock().unwrap());
    (result, began.elapsed(), count)
}

fn lastings(lasts: Option<Duration>) -> Vec<Lasting> {
    let mut all = Vec::new();
    for what in [What::Refused, What::Silent, What::Unanswered, What::Throttled] {
        for of in [None, Some(Place::Table), Some(Place::Store)] {
            for from_change in [false, true] {
                all.push(Lasting { what, of, from_change, lasts });
            }
        }
    }
    all
}

fn files() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["1", "2", "3", "4", "5", "new"] {
        std::fs::write(dir.path().join(name), name).unwrap();
    }
    dir
}

/// The most requests of an operation that makes `sound` of them without faults: those, the tries of each run that is
/// active at the same time, and those of one more run, which finds out the outcome of a change.
fn bound(sound: usize, runs: usize, lasting: Lasting) -> usize {
    let all = 64 + 30 + 2 * runs;
    sound + all.min(TRIES * runs) + if lasting.from_change { TRIES } else { 0 }
}

/// Returns `true` if a fault without end may end an operation with this error.
fn is_right(error: &Error, lasting: Lasting) -> bool {
    let throttled = lasting.what == What::Throttled;
    match error {
        Error::Ledger(ledger::Error::Fault(fault)) | Error::Store(fault) => {
            fault.kind == if throttled { FaultKind::Throttled } else { FaultKind::Unavailable }
        }
        // Only of what was sent and not answered.
        Error::Ledger(ledger::Error::Unknown { .. }) => lasting.from_change && !throttled,
        _ => false,
    }
}

#[tokio::test(start_paused = true)]
async fn every_operation_ends_by_its_deadline_with_few_requests() {
    let (dir, mut wrong, mut cells) = (files(), Vec::new(), 0);
    for (name, runs) in OPERATIONS {
        let (result, _, sound) = run(name, None, MINUTE, dir.path(), pace).await;
        result.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let mut most = 0;
        for lasting in lastings(None) {
            let (result, took, count) = run(name, Some(lasting), MINUTE, dir.path(), pace).await;
            let of = format!("{name} under {lasting:?}: {result:?} after {took:?} and {count:?}");
            let ends_well = match &result {
                Ok(()) => count.met == 0,
                Err(error) => {
                    let in_time = took >= MINUTE && took <= MINUTE + SETTLING + SLACK;
                    cells += 1;
                    is_right(error, lasting) && count.met > 0 && in_time
                }
            };
            if !ends_well || count.requests > bound(sound.requests, runs, lasting) {
                wrong.push(of);
            }
            most = most.max(count.requests);
        }
        println!("{name}: {} requests where nothing fails, at most {most} where that lasts", sound.requests);
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cells > OPERATIONS.len() * 8, "only {cells} met their fault");
}

#[tokio::test(start_paused = true)]
async fn every_operation_resumes_after_a_fault_of_a_minute() {
    let (dir, deadline, mut wrong) = (files(), MINUTE + MINUTE / 2, Vec::new());
    for (name, runs) in OPERATIONS {
        let (_, _, sound) = run(name, None, MINUTE, dir.path(), pace).await;
        for lasting in lastings(Some(MINUTE)) {
            let (result, took, count) = run(name, Some(lasting), deadline, dir.path(), pace).await;
            let of = format!("{name} under {lasting:?}: {result:?} after {took:?} and {count:?}");
            // The longest sleep between two tries is 4 s.
            let in_time = took <= MINUTE + SLACK * 2;
            if result.is_err() || !in_time || count.requests > bound(2 * sound.requests, runs, lasting) {
                wrong.push(of);
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// A client that tries again every second breaks the bound.
#[tokio::test(start_paused = true)]
async fn a_hasty_client_makes_too_many_requests() {
    let (dir, hasty): (_, Pace) = (files(), |_, _| Duration::from_secs(1));
    let lasting = Lasting { what: What::Throttled, of: None, from_change: false, lasts: None };
    let (_, _, sound) = run("tag", None, MINUTE, dir.path(), hasty).await;
    let (_, _, count) = run("tag", Some(lasting), MINUTE, dir.path(), hasty).await;
    assert!(count.requests > bound(sound.requests, 1, lasting), "{count:?}");
}
