//! `fsck --repair` of what follows from the events: states and labels of versions, tags, heads.

use super::{
    Site,
    fsck::{ALL, fsck},
};
use crate::{
    conformance::ledger::changing::{change, changing},
    support::{
        audit::audit,
        faulty_table::{Fate, Faulty},
        turns::{Interleaved, alone},
        world::{add_many, edit, of, read, retry_policy, tag, tagging, untagging, write},
    },
};
use futures_util::future::BoxFuture;
use sacker::{
    ledger::{Error, Invariant, Ledger, Repair, TableLedger, Violation},
    model::{Gate, Labels, ReleaseChange},
    ops::Fsck,
    store::memory::MemoryStore,
    table::{Item, Table, memory::MemoryTable},
};
use serde_json::{Value, json};
use std::sync::Arc;

const REPAIR: Fsck = Fsck::new().repair(true).read_data(0);
const V1: &str = "V#0000000000000001";
const V2: &str = "V#0000000000000002";
const V3: &str = "V#0000000000000003";
const V4: &str = "V#0000000000000004";
const V5: &str = "V#0000000000000005";

fn labels(pairs: &[&str]) -> ReleaseChange {
    ReleaseChange::Label(Labels::parse(pairs.iter().copied()).unwrap())
}

/// Four versions: active with labels, yanked, deleted, active. `live` was on 4 and is on 1.
async fn populate(site: &Site) {
    for content in ["one", "two", "three", "four"] {
        site.add("app", content).await;
    }
    let ledger = site.ledger();
    change(&*ledger, 1, labels(&["tests=passed"])).await;
    change(&*ledger, 2, ReleaseChange::Yank).await;
    change(&*ledger, 1, labels(&["scan=clean", "by=ci"])).await;
    site.delete("app", 3).await;
    change(&*ledger, 2, labels(&["why=slow"])).await;
    tag(&*ledger, "app", "4", "live").await;
    tag(&*ledger, "app", "1", "live").await;
}

fn named(found: &[Violation]) -> Vec<(Invariant, &str, Repair)> {
    found.iter().map(|it| (it.rule, it.place.split_once('/').unwrap().1, it.repair)).collect()
}

#[tokio::test]
async fn each_kind_of_damage_to_what_follows_from_the_events_is_repaired() {
    type Edits = Vec<(&'static str, &'static str, Value)>;
    let cases: Vec<(&str, Edits)> = vec![
        ("a label was lost", vec![("P#app", V1, json!({ "more_labels": { "tests": "passed" } }))]),
        ("all labels were lost", vec![("P#app", V1, json!({ "more_labels": null }))]),
        (
            "a label has another value",
            vec![("P#app", V1, json!({ "more_labels": { "tests": "failed", "scan": "clean", "by": "ci" } }))],
        ),
        ("there is a label that no event set", vec![("P#app", V4, json!({ "more_labels": { "a": "b" } }))]),
        ("a yanked version is active", vec![("P#app", V2, json!({ "state": "active" }))]),
        ("an active version is yanked", vec![("P#app", V4, json!({ "state": "yanked" }))]),
        ("an active version is deleted", vec![("P#app", V1, json!({ "state": "deleted" }))]),
        ("a deleted version is active", vec![("P#app", V3, json!({ "state": "active" }))]),
        (
            "a state and labels are wrong",
            vec![("P#app", V2, json!({ "state": "active", "more_labels": { "why": "fast" } }))],
        ),
        (
            "a tag is behind its log",
            vec![("T#app", "t#live", json!({ "version": 4, "set": 1, "previous": null, "back": null }))],
        ),
        (
            "heads are behind their logs, and all that they cover is wrong",
            vec![
                ("P#app", "H", json!({ "rev": 3, "n": 2, "latest": 2 })),
                ("T#app", "H", json!({ "rev": 1 })),
                ("P#app", V1, json!({ "more_labels": null })),
                ("P#app", V4, json!({ "state": "yanked" })),
                ("T#app", "t#live", json!({ "version": 4 })),
            ],
        ),
    ];
    for (what, edits) in cases {
        let site = Site::memory();
        populate(&site).await;
        let mut sound = Vec::new();
        for (pk, sk, changes) in &edits {
            sound.push(read(&*site.table(), pk, sk).await);
            edit(&*site.table(), pk, sk, changes.clone()).await;
        }
        let mut expected: Vec<_> = edits.iter().map(|(_, sk, _)| *sk).collect();
        expected.sort_unstable();
        for (repair, outcome) in [(false, Repair::Possible), (true, Repair::Done)] {
            let (_, found) = fsck(&site, Fsck::new().repair(repair).read_data(0)).await;
            let mut found = named(&found);
            // The count of its blob is wrong as long as a version's state is.
            found.retain(|(rule, ..)| repair || *rule != Invariant::Refs);
            let mut places: Vec<_> = found.iter().map(|(_, place, _)| *place).collect();
            places.sort_unstable();
            assert_eq!(places, expected, "{what}: {found:?}");
            assert!(found.iter().all(|it| it.2 == outcome), "{what}: {found:?}");
        }
        assert_eq!(fsck(&site, ALL).await.1, [], "{what}");
        audit(&*site.table(), "app").await;
        for ((pk, sk, _), before) in edits.iter().zip(sound) {
            let mut after = read(&*site.table(), pk, sk).await.unwrap();
            // No labels are written as no attribute or as an empty map.
            after.retain(|name, value| name != "more_labels" || *value != json!({}));
            let mut before = before.unwrap();
            if *sk == "H" {
                // A fence came after the repair.
                assert!(after["rev"].as_u64() > before["rev"].as_u64());
                for item in [&mut after, &mut before] {
                    item.retain(|name, _| !["rev", "chain", "when", "live"].contains(&name.as_str()));
                }
            }
            assert_eq!(after, before, "{what}: {pk}/{sk}");
        }
    }
}

/// Nothing in a log rests on an idempotency key or on a tag: one that can't be read keeps no repair back, nor its
/// fence.
#[tokio::test]
async fn damage_outside_a_log_does_not_block_its_repair() {
    let site = Site::memory();
    populate(&site).await;
    let table = site.table();
    write(&*table, "P#app", "K#job 7", json!({ "op": 7 })).await;
    edit(&*table, "P#app", "H", json!({ "latest": 1 })).await;
    write(&*table, "T#app", "t#broken", json!({ "version": "?" })).await;
    edit(&*table, "T#app", "t#live", json!({ "version": 4 })).await;
    let before = [read(&*table, "P#app", "H").await.unwrap(), read(&*table, "T#app", "H").await.unwrap()];
    let (_, found) = fsck(&site, REPAIR).await;
    let done = |place: &str| found.iter().any(|it| it.place == place && it.repair == Repair::Done);
    assert!(done("P#app/H") && done("T#app/t#live"), "{found:?}");
    let fenced = |log: &str, before: &Item, after: &Item| {
        assert!(after["rev"].as_u64() > before["rev"].as_u64(), "{log}: {found:?}");
    };
    fenced("P#app", &before[0], &read(&*table, "P#app", "H").await.unwrap());
    fenced("T#app", &before[1], &read(&*table, "T#app", "H").await.unwrap());
    let (_, found) = fsck(&site, ALL).await;
    let places: Vec<_> = found.iter().map(|it| it.place.as_str()).collect();
    assert_eq!(places, ["P#app/K#job 7", "T#app/t#broken"], "{found:?}");
}

/// Earlier releases accepted a second value where a concurrent command had lost the first.
#[tokio::test]
async fn of_two_values_of_a_label_the_first_stands() {
    let site = Site::memory();
    site.add("app", "one").await;
    let ledger = site.ledger();
    change(&*ledger, 1, labels(&["tests=failed", "by=ci"])).await;
    edit(&*site.table(), "P#app", V1, json!({ "more_labels": null })).await;
    change(&*ledger, 1, labels(&["tests=passed", "scan=clean"])).await;
    let (_, found) = fsck(&site, ALL).await;
    assert_eq!(named(&found), [(Invariant::State, V1, Repair::Possible)]);
    assert!(found[0].what.ends_with("by, tests"), "{found:?}");
    let (checked, found) = fsck(&site, REPAIR).await;
    assert_eq!(named(&found), [(Invariant::State, V1, Repair::Done)]);
    assert_eq!((checked.violations, checked.repaired), (1, 1));
    assert_eq!(fsck(&site, ALL).await.1, []);
    let release = ledger.release(&of("app"), &of("1")).await.unwrap();
    assert_eq!(release.labels, Labels::parse(["by=ci", "scan=clean", "tests=failed"]).unwrap());
    // A gate rests on the first value, and it is there for good.
    let require = |gate: &str| tagging("app", "1", "live").require(gate.parse::<Gate>().unwrap());
    assert!(matches!(ledger.tag(&require("label:tests=passed")).await, Err(Error::Refused(_))));
    ledger.tag(&require("label:tests=failed")).await.unwrap();
    let again = ledger.change(&changing(1, labels(&["tests=passed"]))).await;
    assert!(matches!(again, Err(Error::Refused(_))), "{again:?}");
}

#[tokio::test]
async fn labels_that_a_version_can_not_have_all_of_are_named_and_left_alone() {
    let site = Site::memory();
    site.add("app", "one").await;
    let ledger = site.ledger();
    let many = |kind: &str| {
        let pairs: Vec<_> = (0..20).map(|number| format!("{kind}{number}=x")).collect();
        ReleaseChange::Label(Labels::parse(pairs.iter().map(String::as_str)).unwrap())
    };
    change(&*ledger, 1, many("a")).await;
    edit(&*site.table(), "P#app", V1, json!({ "more_labels": null })).await;
    change(&*ledger, 1, many("b")).await;
    let before = read(&*site.table(), "P#app", V1).await;
    let (checked, found) = fsck(&site, REPAIR).await;
    assert_eq!(named(&found), [(Invariant::State, V1, Repair::Impossible)]);
    assert_eq!(checked.repaired, 0);
    assert_eq!(read(&*site.table(), "P#app", V1).await, before);
}

/// Nothing is derived from a log that is damaged itself.
#[tokio::test]
async fn nothing_is_derived_from_a_damaged_log() {
    for (sk, damage) in
        [("A#0000000000000006", json!({ "who": "someone else" })), ("H", json!({ "rev": 99 }))]
    {
        let site = Site::memory();
        populate(&site).await;
        edit(&*site.table(), "P#app", sk, damage).await;
        edit(&*site.table(), "P#app", V1, json!({ "more_labels": null, "state": "yanked" })).await;
        let before = read(&*site.table(), "P#app", V1).await;
        let (checked, found) = fsck(&site, REPAIR).await;
        assert!(named(&found).contains(&(Invariant::State, V1, Repair::Impossible)), "{found:?}");
        assert_eq!(checked.repaired, 0, "{found:?}");
        assert_eq!(read(&*site.table(), "P#app", V1).await, before);
    }
}

/// A change that is planned from what is wrong, before a repair, and arrives after it, is planned again.
#[tokio::test(start_paused = true)]
async fn a_change_that_was_planned_before_a_repair_does_not_bring_the_damage_back() {
    type Changing = fn(&TableLedger) -> BoxFuture<'_, Result<(), Error>>;
    let cases: [(&str, &str, Value, Changing); 4] = [
        // `latest` would fall to what is yanked.
        ("P#app", V2, json!({ "state": "active" }), |ledger| {
            Box::pin(async { ledger.change(&changing(4, ReleaseChange::Yank)).await.map(drop) })
        }),
        // It would stay where it is.
        ("P#app", "H", json!({ "latest": 1 }), |ledger| {
            Box::pin(async { ledger.change(&changing(1, labels(&["more=x"]))).await.map(drop) })
        }),
        // The entry would say that it came from elsewhere.
        ("T#app", "t#live", json!({ "version": 4 }), |ledger| {
            Box::pin(async { ledger.untag(&untagging("app", "live")).await.map(drop) })
        }),
        // The head would go on to name a tag that is elsewhere.
        ("T#app", "H", json!({ "live": { "rev": 2, "count": 1, "on": { "live": 4 } } }), |ledger| {
            Box::pin(async { ledger.tag(&tagging("app", "1", "canary")).await.map(drop) })
        }),
    ];
    for (pk, sk, damage, change) in cases {
        let site = Site::memory();
        populate(&site).await;
        edit(&*site.table(), pk, sk, damage).await;
        let late = |number, _: &_| if number == 0 { Fate::ComesSecond } else { Fate::Arrives };
        let faulty = Arc::new(Faulty::new(site.table(), late));
        let table = site.table();
        faulty.set_rival(move |_| {
            let ledger = TableLedger::new(Arc::clone(&table), retry_policy());
            async move {
                let mut repaired = Vec::new();
                ledger.audit(true, &mut |violation| repaired.push(violation.repair)).await.unwrap();
                assert!(repaired.contains(&Repair::Done), "{repaired:?}");
            }
        });
        change(&TableLedger::new(faulty, retry_policy())).await.unwrap();
        assert_eq!(fsck(&site, ALL).await.1, [], "{pk}/{sk}");
        audit(&*site.table(), "app").await;
    }
}

/// A repair whose answer is lost is done all the same, and the log is fenced after it.
#[tokio::test(start_paused = true)]
async fn a_repair_without_an_answer_is_reported_as_done() {
    let site = Site::memory();
    populate(&site).await;
    edit(&*site.table(), "P#app", V2, json!({ "state": "active" })).await;
    let lost = |number, _: &_| if number == 0 { Fate::LosesReply } else { Fate::Arrives };
    let ledger = TableLedger::new(Arc::new(Faulty::new(site.table(), lost)), retry_policy());
    let mut found = Vec::new();
    ledger.audit(true, &mut |violation| found.push(violation)).await.unwrap();
    found.retain(|violation| violation.rule != Invariant::Refs);
    assert_eq!(named(&found), [(Invariant::State, V2, Repair::Done)]);
    let entry = read(&*site.table(), "P#app", "A#0000000000000010").await.unwrap();
    assert_eq!((&entry["kind"], &entry["who"]), (&json!("fence"), &json!("fsck --repair")));
}

/// A removal whose answer is lost is done all the same.
#[tokio::test(start_paused = true)]
async fn a_removal_without_an_answer_is_reported_as_done() {
    for number in 0..4 {
        let site = Site::memory();
        populate(&site).await;
        // In its own partition there is no such package, in the others it does not belong there.
        let pk = format!("D#{number}");
        write(&*site.table(), &pk, "ghost", json!({})).await;
        let lost = |number, _: &_| if number == 0 { Fate::LosesReply } else { Fate::Arrives };
        let ledger = TableLedger::new(Arc::new(Faulty::new(site.table(), lost)), retry_policy());
        let mut found = Vec::new();
        ledger.audit(true, &mut |violation| found.push(violation)).await.unwrap();
        assert_eq!(named(&found), [(Invariant::Directory, "ghost", Repair::Done)], "{pk}");
        assert_eq!(read(&*site.table(), &pk, "ghost").await, None);
    }
}

/// Repairs run into each other and into writers of the same versions: no label and no state of theirs is lost.
async fn crowd(table: Arc<dyn Table>, others: impl Fn() -> Arc<dyn Table>, clients: usize) {
    let ledger = TableLedger::new(Arc::clone(&table), retry_policy());
    add_many(&ledger, "app", 6).await;
    change(&ledger, 1, labels(&["first=1", "second=2"])).await;
    change(&ledger, 2, ReleaseChange::Yank).await;
    tag(&ledger, "app", "1", "live").await;
    tag(&ledger, "app", "3", "live").await;
    edit(&*table, "P#app", V1, json!({ "more_labels": { "second": "2" } })).await;
    edit(&*table, "P#app", V2, json!({ "state": "active" })).await;
    edit(&*table, "P#app", V3, json!({ "more_labels": { "no": "event" } })).await;
    edit(&*table, "P#app", V5, json!({ "state": "yanked" })).await;
    edit(&*table, "T#app", "t#live", json!({ "version": 1 })).await;
    let at_work = (0..clients).map(|number| {
        let ledger = TableLedger::new(others(), retry_policy());
        async move {
            if number % 3 == 0 {
                ledger.audit(true, &mut |_| ()).await.unwrap();
                return;
            }
            let label = format!("client{number}=x");
            for version in [1, 3] {
                change(&ledger, version, labels(&[&label])).await;
            }
            // While it is yanked, `latest` falls to a version below it that is active.
            for to in [ReleaseChange::Yank, ReleaseChange::Unyank] {
                change(&ledger, 6, to).await;
            }
            tag(&ledger, "app", "1", "canary").await;
        }
    });
    futures_util::future::join_all(at_work).await;
    // What no repair got to is repaired now.
    ledger
        .audit(true, &mut |violation| assert_eq!(violation.repair, Repair::Done, "{violation:?}"))
        .await
        .unwrap();
    ledger.audit(false, &mut |violation| panic!("{violation:?}")).await.unwrap();
    audit(&*table, "app").await;
    let mut expected: Vec<_> =
        (0..clients).filter(|number| number % 3 > 0).map(|number| format!("client{number}=x")).collect();
    let labels_of = async |version: &str| ledger.release(&of("app"), &of(version)).await.unwrap().labels;
    assert_eq!(labels_of("3").await, Labels::parse(expected.iter().map(String::as_str)).unwrap());
    expected.extend(["first=1".to_owned(), "second=2".to_owned()]);
    assert_eq!(labels_of("1").await, Labels::parse(expected.iter().map(String::as_str)).unwrap());
}

#[test]
fn repairs_among_writers_change_nothing_that_is_right_in_memory() {
    for seed in 0..40 {
        alone(async {
            let table: Arc<dyn Table> = Arc::new(MemoryTable::new());
            let turns: Arc<dyn Table> = Arc::new(Interleaved::new(Arc::clone(&table), seed));
            crowd(table, || Arc::clone(&turns), 8).await;
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repairs_among_writers_change_nothing_that_is_right_in_the_cloud() {
    let site = Site::cloud(false).await;
    crowd(site.table(), || site.table(), 6).await;
}

/// A repair is not made where a newer release says that this one may not write.
#[tokio::test]
async fn what_only_a_newer_release_may_write_is_not_repaired() {
    let newer = json!({ "write": "99.0.0" });
    for (pk, sk) in [("P#app", "H"), ("T#app", "H"), ("P#app", V1)] {
        let site = Site::with_store(Arc::new(MemoryStore::new()), tempfile::tempdir().unwrap());
        populate(&site).await;
        edit(&*site.table(), pk, sk, json!({ "needs": newer })).await;
        edit(&*site.table(), "P#app", V1, json!({ "more_labels": null })).await;
        let before = read(&*site.table(), "P#app", V1).await;
        let (checked, found) = fsck(&site, REPAIR).await;
        assert_eq!(checked.repaired, 0, "{found:?}");
        assert!(named(&found).contains(&(Invariant::State, V1, Repair::Impossible)), "{found:?}");
        assert_eq!(read(&*site.table(), "P#app", V1).await, before);
    }
    // Nor anything at all in a ledger that says so.
    let site = Site::memory();
    populate(&site).await;
    edit(&*site.table(), "M", "M", json!({ "schema": 2, "needs": { "read": "0.1.0", "write": "99.0.0" } }))
        .await;
    let refused = site.ledger().audit(true, &mut |_| ()).await;
    assert!(matches!(refused, Err(Error::Newer { .. })), "{refused:?}");
    site.ledger().audit(false, &mut |violation| panic!("{violation:?}")).await.unwrap();
}
