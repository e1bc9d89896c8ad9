//! `fsck` accepts sound ledgers; it names each kind of breach with its place, and repairs what can be derived.

use super::{Site, collect, gc};
use crate::{
    conformance::ledger::changing::change,
    support::world::{adding, author, edit, of, read, sha256, tag, try_add, untag, version},
};
use sacker::{
    ledger::{ChangeRequest, Invariant, Repair, Violation},
    model::{Address, Labels, ReleaseChange},
    ops::{Fsck, FsckReport},
    store::{Store, memory::MemoryStore},
    table::{Item, Key},
};
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

pub const V1: &str = "V#0000000000000001";
pub const V2: &str = "V#0000000000000002";

pub const ALL: Fsck = Fsck::new().read_data(100);

pub async fn fsck(site: &Site, fsck: Fsck) -> (FsckReport, Vec<Violation>) {
    let mut violations = Vec::new();
    let checked = site.client().fsck(fsck, &mut |violation| violations.push(violation)).await.unwrap();
    assert_eq!(checked.violations + checked.unjudged, violations.len() as u64);
    assert_eq!(checked.repaired, violations.iter().filter(|it| it.repair == Repair::Done).count() as u64);
    (checked, violations)
}

/// Everything that a ledger can hold: two packages, all states, labels, keys, tags that moved and that are off.
pub async fn populate(site: &Site) {
    for content in ["one", "two", "three", "shared"] {
        site.add("app", content).await;
    }
    site.add("other", "shared").await;
    site.delete("app", 3).await;
    let ledger = site.ledger();
    change(&*ledger, 2, ReleaseChange::Yank).await;
    change(&*ledger, 2, ReleaseChange::Unyank).await;
    change(&*ledger, 2, ReleaseChange::Label(Labels::parse(["a=b"]).unwrap())).await;
    change(&*ledger, 4, ReleaseChange::Yank).await;
    for (spec, name) in [("1", "live"), ("2", "live"), ("1", "canary")] {
        tag(&*ledger, "app", spec, name).await;
    }
    untag(&*ledger, "app", "canary").await;
    let change = ReleaseChange::Label(Labels::parse(["c=d"]).unwrap());
    let keyed = ChangeRequest::new(of("app"), version(1), change).author(author(Some("job 7")));
    ledger.change(&keyed).await.unwrap();
    let tagged = adding("other").tags([of("a"), of("b")]);
    site.put("tagged", 0).await;
    try_add(&*ledger, &tagged, "tagged").await.unwrap();
}

pub async fn items(site: &Site) -> Vec<(Key, Item)> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = site.table().scan(after.as_ref()).await.unwrap();
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            all.sort_by(|a, b| a.0.cmp(&b.0));
            return all;
        }
    }
}

async fn sound(site: &Site) {
    populate(site).await;
    gc(&site.client(), collect(true)).await.unwrap();
    let before = items(site).await;
    let (checked, violations) = fsck(site, ALL).await;
    assert_eq!(violations, []);
    let expected = FsckReport {
        packages: 2,
        versions: 6,
        blobs: 4,
        read: 4,
        unread: 0,
        violations: 0,
        repaired: 0,
        unjudged: 0,
    };
    assert_eq!(checked, expected);
    let (checked, _) = fsck(site, Fsck::new().repair(true).read_data(0)).await;
    assert_eq!(checked, FsckReport { read: 0, ..expected });
    assert_eq!(items(site).await, before);
}

#[tokio::test]
async fn a_sound_ledger_is_found_sound_in_memory() {
    sound(&Site::memory()).await;
}

#[tokio::test]
async fn a_sound_ledger_is_found_sound_locally() {
    sound(&Site::local()).await;
}

#[tokio::test]
async fn a_sound_ledger_is_found_sound_in_the_cloud() {
    sound(&Site::cloud(true).await).await;
}

#[tokio::test]
async fn nothing_at_all_is_sound() {
    assert_eq!(fsck(&Site::memory(), ALL).await, (FsckReport::default(), vec![]));
}

#[tokio::test]
async fn an_operation_that_was_done_twice_is_named() {
    let site = Site::memory();
    populate(&site).await;
    let first = read(&*site.table(), "P#app", V1).await.unwrap();
    edit(&*site.table(), "P#app", V2, json!({ "op": first["op"] })).await;
    let (_, found) = fsck(&site, ALL).await;
    let rules: Vec<_> = found.iter().map(|it| it.rule).collect();
    assert_eq!(rules, [Invariant::Chain, Invariant::Op]);
}

#[tokio::test]
async fn what_the_store_lacks_or_has_wrong_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::new());
    let site = Site::with_store(Arc::clone(&store), dir);
    for content in ["gone", "short", "wrong", "right"] {
        site.add("app", content).await;
    }
    let at = |content: &str| Address { sha256: sha256(content), generation: 0 };
    store.delete(&at("gone")).await.unwrap();
    store.plant(&at("short"), "sho");
    store.plant(&at("wrong"), "gnorw");
    for (read_data, expected) in [
        (0, vec![(Invariant::Missing, at("gone")), (Invariant::Size, at("short"))]),
        (
            100,
            vec![
                (Invariant::Missing, at("gone")),
                (Invariant::Size, at("short")),
                (Invariant::Bytes, at("wrong")),
            ],
        ),
    ] {
        for repair in [false, true] {
            let (_, found) = fsck(&site, Fsck::new().repair(repair).read_data(read_data)).await;
            let mut named: Vec<_> = found.into_iter().map(|it| (it.rule, it.place)).collect();
            named.sort();
            let expected: Vec<_> = expected.iter().map(|(rule, at)| (*rule, at.to_string())).collect();
            assert_eq!(named, expected);
        }
    }
}

/// Checks that no false breach is reported while many write, delete and collect, and that a repair does no harm.
async fn concurrently_with_writers(site: Site, rounds: u64) {
    let (site, over) = (Arc::new(site), Arc::new(AtomicBool::new(false)));
    site.add("app", "first").await;
    let mut writers = tokio::task::JoinSet::new();
    for package in ["app", "other", "third"] {
        let site = Arc::clone(&site);
        writers.spawn(async move {
            for round in 0..rounds {
                let release = site.add(package, &format!("content {}", round % 3)).await;
                let spec = release.version.to_string();
                tag(&*site.ledger(), package, &spec, "live").await;
                untag(&*site.ledger(), package, "live").await;
                site.delete(package, release.version.get()).await;
            }
        });
    }
    let (checking, until) = (Arc::clone(&site), Arc::clone(&over));
    let checks = tokio::spawn(async move {
        let mut checks = 0;
        while !until.load(Ordering::Relaxed) {
            for repair in [false, true] {
                assert_eq!(fsck(&checking, Fsck::new().repair(repair).read_data(100)).await.1, []);
                checks += 1;
            }
            gc(&checking.client(), collect(true)).await.unwrap();
        }
        checks
    });
    writers.join_all().await;
    over.store(true, Ordering::Relaxed);
    assert!(checks.await.unwrap() > 0);
    assert_eq!(fsck(&site, ALL).await.1, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_looks_wrong_concurrently_with_writers_in_memory() {
    concurrently_with_writers(Site::memory(), 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_looks_wrong_concurrently_with_writers_locally() {
    concurrently_with_writers(Site::local(), 12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_looks_wrong_concurrently_with_writers_in_the_cloud() {
    concurrently_with_writers(Site::cloud(false).await, 5).await;
}
