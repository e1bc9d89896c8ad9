//! Clocks that are a year off: the recorded times, and the decisions that rest on them.

use crate::support::world::{Tables, add, of, retry_policy, tag, tagging, version};
use sacker::{
    clock::ServerTime,
    ledger::{Error, Ledger, Refused, TableLedger, TagRequest},
    model::{Spec, Timestamp},
};
use std::{sync::Arc, time::Duration};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const SECOND: i64 = 1000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis().checked_add_signed(millis).unwrap())
}

/// The ledger as a client with this clock has it, where no server states a time.
fn by_clock(world: &Tables, millis: i64) -> TableLedger {
    TableLedger::with_clock(world.table(), retry_policy(), Arc::new(move || at(millis)))
}

/// The same, where the server states a time.
fn by_server(world: &Tables, clock: i64, server: i64) -> TableLedger {
    let time = ServerTime::default();
    time.note(at(server), Duration::ZERO);
    by_clock(world, clock).with_server_time(time)
}

fn gated(number: &str, length: &str) -> TagRequest {
    tagging("app", number, "gated").require(of(&format!("age:{length}")))
}

/// Returns the reason why a gate is shut.
async fn shut(ledger: &TableLedger, request: &TagRequest) -> String {
    match ledger.tag(request).await.unwrap_err() {
        Error::Refused(refused @ Refused::Gates { .. }) => refused.to_string(),
        other => panic!("{other:?}"),
    }
}

/// The version that a tag was on then, or the revision that is in doubt.
async fn then(ledger: &TableLedger, name: &str, millis: i64) -> Result<u64, u64> {
    let spec: Spec = of(&format!("{name}@{{{}}}", at(millis)));
    let request = tagging("app", &spec.to_string(), "found");
    let found = ledger.blob(&of("app"), &spec).await;
    match (found, ledger.release(&of("app"), &spec).await) {
        (Ok((found, _)), Ok(release)) => {
            assert_eq!(found, release.version);
            Ok(found.get())
        }
        (Err(Error::Refused(Refused::UncertainTime(uncertain))), Err(_)) => {
            // Nor is anything changed by it.
            let moved = ledger.tag(&request).await.unwrap_err();
            assert!(matches!(moved, Error::Refused(Refused::UncertainTime(_))), "{moved:?}");
            Err(uncertain.rev)
        }
        other => panic!("{other:?}"),
    }
}

pub async fn the_server_corrects_a_wrong_clock(world: &Tables) {
    for (number, wrong) in [(1, YEAR), (2, -YEAR), (3, 2 * HOUR)] {
        let ledger = by_server(world, wrong, i64::from(number) * DAY);
        let added = add(&ledger, "app", &number.to_string()).await.added_at;
        let moved = tag(&ledger, "app", &number.to_string(), "live").await.moved_at;
        // The test itself may take a while.
        for recorded in [added, moved] {
            let day = at(i64::from(number) * DAY);
            assert!(recorded >= day && recorded < day.later(Duration::from_hours(1)), "{recorded} {wrong}");
        }
    }
    // What is right to the second is left as it is.
    let ledger = by_server(world, 9 * DAY + 123, 9 * DAY);
    assert_eq!(add(&ledger, "app", "nine").await.added_at, at(9 * DAY + 123));
}

pub async fn one_wrong_clock_shuts_no_gate_where_the_server_states_the_time(world: &Tables) {
    add(&by_clock(world, -DAY), "app", "one").await;
    // By a release that does not ask the server.
    add(&by_clock(world, YEAR), "app", "two").await;
    let three = add(&by_server(world, YEAR, 0), "app", "three").await;
    assert!(three.added_at > at(YEAR), "times grow along a log");
    let why = shut(&by_server(world, 0, HOUR / 2), &gated("3", "1h")).await;
    assert!(why.contains("it was added 30m ago") || why.contains("it was added 29m"), "{why}");
    let why = shut(&by_server(world, 0, 2 * HOUR), &gated("2", "1h")).await;
    assert!(why.contains("its age is not known"), "{why}");
    for number in ["1", "3"] {
        let moved = by_server(world, -YEAR, 2 * HOUR).tag(&gated(number, "1h")).await.unwrap();
        assert_eq!(moved.version, Some(of(number)));
    }
}

pub async fn no_gate_opens_early_after_a_clock_was_behind(world: &Tables) {
    add(&by_clock(world, -DAY), "app", "one").await;
    let two = add(&by_clock(world, -YEAR), "app", "two").await;
    assert_eq!(two.added_at, at(-DAY + 1));
    // It may be a minute old.
    let why = shut(&by_clock(world, 0), &gated("2", "1h")).await;
    assert!(why.contains("its age is not known") && why.contains(&at(-YEAR).to_string()), "{why}");
    by_clock(world, 0).tag(&gated("1", "1h")).await.unwrap();
    // Nor does it open to a clock that is behind itself.
    let why = shut(&by_clock(world, -YEAR), &gated("1", "1h")).await;
    assert!(why.contains("its age is not known"), "{why}");
}

pub async fn the_past_is_not_guessed_after_a_clock_was_ahead(world: &Tables) {
    for (number, days) in [("1", -4), ("2", -3), ("3", -2)] {
        add(&by_clock(world, days * DAY), "app", number).await;
    }
    tag(&by_clock(world, -4 * DAY), "app", "1", "canary").await;
    tag(&by_clock(world, -3 * DAY), "app", "1", "live").await;
    tag(&by_clock(world, -2 * DAY), "app", "2", "live").await;
    tag(&by_clock(world, YEAR), "app", "3", "live").await;
    let now = by_clock(world, 0);
    assert_eq!(then(&now, "live", -DAY * 5 / 2).await, Ok(1));
    // It was moved at some time in between.
    assert_eq!(then(&now, "live", -HOUR).await, Err(4));
    // This one was not.
    assert_eq!(then(&now, "canary", -HOUR).await, Ok(1));
    tag(&now, "app", "2", "canary").await;
    assert_eq!(then(&now, "canary", -HOUR).await, Err(4));
    assert_eq!(then(&now, "canary", -DAY * 5 / 2).await, Ok(1));
    let found = now.blob(&of("app"), &of("live")).await.unwrap().0;
    assert_eq!(found, version(3));
    assert_eq!(then(&now, "live", 2 * YEAR).await, Ok(3));
}

pub async fn the_past_is_not_guessed_after_a_clock_was_behind(world: &Tables) {
    for number in ["1", "2", "3"] {
        add(&by_clock(world, -4 * DAY), "app", number).await;
    }
    tag(&by_clock(world, -3 * DAY), "app", "1", "live").await;
    tag(&by_clock(world, -YEAR), "app", "2", "live").await;
    tag(&by_clock(world, -YEAR), "app", "1", "other").await;
    let now = by_clock(world, 0);
    // All that is known is that it has happened by now.
    assert_eq!(then(&now, "live", -2 * DAY).await, Err(2));
    assert_eq!(then(&now, "live", -3 * DAY).await, Ok(1));
    // It has happened before what was recorded after it.
    tag(&by_clock(world, -DAY), "app", "1", "canary").await;
    assert_eq!(then(&now, "live", -HOUR).await, Ok(2));
    assert_eq!(then(&now, "live", -2 * DAY).await, Err(2));
}
