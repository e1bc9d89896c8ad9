use super::*;
use crate::{ledger::schema::encode, table::Item};
use serde_json::{Value, json};

/// The log of a package's tags, as events of `canary` and others: the version, and the time in seconds.
struct Log(Vec<Event>);

struct Event {
    tag: &'static str,
    version: Option<u64>,
    at: u64,
    clock: Option<u64>,
    top: Option<u64>,
}

const fn event(tag: &'static str, version: u64, at: u64) -> Event {
    Event { tag, version: Some(version), at, clock: None, top: None }
}

fn item(value: Value) -> Item {
    let Value::Object(mut item) = value else { unreachable!() };
    item.retain(|_, value| !value.is_null());
    item
}

impl Log {
    fn item_of(&self, rev: usize) -> Item {
        let Event { tag, version, at, clock, top } = &self.0[rev - 1];
        item(json!({
            "kind": if version.is_some() { "move" } else { "untag" }, "tag": tag, "version": version, "who": "me",
            "when": at * 1000, "clock": clock.map(|at| at * 1000), "top": top, "op": "0".repeat(32), "rev": rev,
            "chain": "",
        }))
    }

    /// Returns the stays of `canary` on a version at a time, and the numbers of entries that were read for it.
    fn stays(&self, version: u64, until: Until, now: u64, of_server: bool) -> (Stays, Vec<usize>) {
        let (package, tag) = ("app".parse().unwrap(), "canary".parse().unwrap());
        let now = Now { at: Timestamp::from_millis(now * 1000), of_server };
        let key = schema::tag_key(&package, &tag);
        let last = self.0.iter().rposition(|event| event.tag == "canary");
        let stored = last.map(|at| {
            let event: TagEvent = serde_json::from_value(self.item_of(at + 1).into()).unwrap();
            encode(&event.into_item(tag.clone(), None, Item::new()))
        });
        let mut seen = Snapshot::new(vec![key], vec![stored], false);
        let mut read = Vec::new();
        loop {
            match stays(&package, &tag, version.try_into().unwrap(), until, &seen, now).unwrap() {
                Lookup::Ready(stays) => return (stays, read),
                Lookup::Missing(keys) => {
                    read.push(keys.len());
                    seen.more(keys.into_iter().map(|key| {
                        let rev: usize = key.sk[2..].parse().unwrap();
                        (key, Some(self.item_of(rev)))
                    }));
                }
            }
        }
    }

    fn total(&self, version: u64, now: u64, of_server: bool) -> u64 {
        self.stays(version, Until::Total(Duration::MAX), now, of_server).0.total.as_secs()
    }
}

#[test]
fn all_stays_count() {
    let log = Log(vec![
        event("canary", 1, 100),
        event("live", 1, 105),
        event("canary", 2, 110),
        event("canary", 1, 130),
        Event { version: None, ..event("canary", 1, 135) },
        event("canary", 3, 140),
    ]);
    assert_eq!(log.total(1, 1000, true), 10 + 5);
    assert_eq!(log.total(2, 1000, true), 20);
    assert_eq!(log.total(3, 1000, true), 860);
    assert_eq!(log.stays(4, Until::Was, 1000, true).0, Stays::default());
    assert!(log.stays(1, Until::Was, 1000, true).0.was);
    assert_eq!(Log(Vec::new()).stays(1, Until::Was, 1000, true), (Stays::default(), vec![]));
}

#[test]
fn the_present_stay_needs_no_entry_of_the_log() {
    let log = Log((1..=100).map(|at| event("canary", at, at * 10)).collect());
    let (stays, read) = log.stays(100, Until::Total(Duration::from_secs(50)), 1050, true);
    assert_eq!((stays.total.as_secs(), read.len()), (50, 0));
    assert_eq!(log.stays(100, Until::Was, 1050, true).1, [0; 0]);
    // One second more is not there yet, and the log is followed.
    let (stays, read) = log.stays(100, Until::Total(Duration::from_secs(51)), 1050, true);
    assert_eq!(stays.total.as_secs(), 50);
    assert_eq!(read, [16, 48, 36]);
}

#[test]
fn the_log_is_followed_only_to_where_the_tag_was_on_no_version_as_high() {
    let tops = |at: u64| Event { top: Some(at), ..event("canary", at, at * 10) };
    let log = Log((1..=1000).map(tops).collect());
    // Never on so high a version: nothing is read.
    assert_eq!(log.stays(1001, Until::Was, 20_000, true), (Stays::default(), vec![]));
    // The entry of version 998 is enough, since the tag was on none above 998 by then.
    let (stays, read) = log.stays(999, Until::Total(Duration::MAX), 20_000, true);
    assert_eq!((stays.total.as_secs(), read), (10, vec![16]));
    // An older release did not record it: all is read, and the result is the same.
    let log = Log((1..=1000).map(|at| event("canary", at, at * 10)).collect());
    let (stays, read) = log.stays(999, Until::Total(Duration::MAX), 20_000, true);
    assert_eq!((stays.total.as_secs(), read.iter().sum::<usize>()), (10, 1000));
}

#[test]
fn a_log_is_followed_for_a_number_of_entries_at_most() {
    let mut events = vec![event("canary", 1, 1)];
    events.extend((0..=MOST).map(|at| event("live", 1, at + 2)));
    events.push(event("canary", 2, MOST + 10));
    let (stays, read) = Log(events).stays(1, Until::Was, MOST + 20, true);
    assert_eq!((stays.was, stays.cut), (false, true));
    assert!(read.iter().all(|count| *count as u64 <= MOST_AT_ONCE), "{read:?}");
    assert!(read.len() < 16, "{read:?}");
}

/// A clock that is ahead records a time that is later than now, and raises all that follow.
#[test]
fn a_stay_counts_only_if_both_times_are_known() {
    let year = 365 * 24 * 3600;
    let raised = |version, at, clock| Event { clock: Some(clock), ..event("canary", version, at) };
    let log = Log(vec![
        event("canary", 1, 100),
        event("live", 1, year),
        raised(2, year + 1, 110),
        raised(1, year + 2, 130),
        raised(3, year + 3, 135),
    ]);
    // By the server's time, each clock's time counts.
    assert_eq!(log.total(1, 1000, true), 15);
    assert_eq!(log.total(2, 1000, true), 20);
    // Without it, nothing is known after the first entry; and the first stay has no known end.
    for version in [1, 2] {
        let (stays, _) = log.stays(version, Until::Total(Duration::MAX), 1000, false);
        assert_eq!((stays.total, stays.unknown, stays.was), (Duration::ZERO, true, true), "{version}");
    }
    // A year later, when the wrong time is no longer ahead, the stay is no longer for that.
    assert_eq!(log.total(1, year + 100, false), 0);
}

/// A clock that is behind records a time just after the entry before, long before the stay began.
#[test]
fn the_present_stay_of_a_clock_that_was_behind_does_not_count() {
    let year = 365 * 24 * 3600;
    let late = Event { clock: Some(5), ..event("canary", 1, year + 1) };
    let log = Log(vec![event("live", 1, year), late]);
    let hour = Until::Total(Duration::from_hours(1));
    let (stays, _) = log.stays(1, hour, year + 4 * 3600, false);
    assert_eq!((stays.total, stays.unknown, stays.was), (Duration::ZERO, true, true));
    // A clock that was right counts without the server's time, too, after a look at the event.
    let log = Log(vec![event("live", 1, year), event("canary", 1, year + 1)]);
    let (stays, read) = log.stays(1, hour, year + 3601, false);
    assert_eq!((stays.total, read), (Duration::from_hours(1), vec![2]));
}

/// Times of corrected clocks may go back by a little: stays never overlap, so the sum is never more than the time since
/// the first.
#[test]
fn stays_never_overlap() {
    let clock = |version, clock| Event { clock: Some(clock), ..event("canary", version, 10_000 + clock) };
    let log = Log(vec![
        event("canary", 1, 100),
        event("canary", 2, 200),
        clock(1, 120),
        clock(2, 190),
        clock(1, 110),
        clock(2, 195),
    ]);
    assert!(log.total(1, 300, true) <= 200, "{}", log.total(1, 300, true));
    assert_eq!(log.total(1, 300, true) + log.total(2, 300, true), 200);
}
