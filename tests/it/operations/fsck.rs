//! `fsck` accepts sound ledgers; it names each kind of breach with its place, and repairs what can be derived.

use super::{Site, collect, gc, silent};
use crate::{
    conformance::ledger::changing::change,
    support::world::{adding, author, edit, of, read, remove, sha256, tag, try_add, untag, version, write},
};
use sacker::{
    ledger::{AddRequest, ChangeRequest, Invariant, Repair, Violation},
    model::{Address, Labels, ReleaseChange},
    ops::{Fsck, FsckReport},
    store::{Store, memory::MemoryStore},
    table::{Item, Key, Table},
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

pub const ALL: Fsck = Fsck { repair: false, read_data: 100 };

pub async fn fsck(site: &Site, fsck: Fsck) -> (FsckReport, Vec<Violation>) {
    let mut violations = Vec::new();
    let checked =
        site.client().fsck(fsck, &silent(), &mut |violation| violations.push(violation)).await.unwrap();
    assert_eq!(checked.violations + checked.unjudged, violations.len() as u64);
    assert_eq!(checked.repaired, violations.iter().filter(|it| it.repair == Repair::Done).count() as u64);
    (checked, violations)
}

/// Everything that a ledger can hold: two packages, all states, labels, keys, tags that moved and that are off.
async fn populate(site: &Site) {
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
    let keyed =
        ChangeRequest { package: of("app"), version: version(1), change, author: author(Some("job 7")) };
    ledger.change(&keyed).await.unwrap();
    let tagged = AddRequest { tags: vec![of("a"), of("b")], ..adding("other") };
    site.put("tagged", 0).await;
    try_add(&*ledger, &tagged, "tagged").await.unwrap();
}

async fn items(site: &Site) -> Vec<(Key, Item)> {
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
    let (checked, _) = fsck(site, Fsck { repair: true, read_data: 0 }).await;
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

enum By {
    /// Attributes of an item are changed; null takes one away.
    Edit(&'static str, &'static str, Value),
    /// An item is put where there should be none.
    Write(&'static str, &'static str, Value),
    Remove(&'static str, &'static str),
    /// The item of a blob.
    Blob(&'static str, Value),
    NoBlob(&'static str),
}

impl By {
    async fn plant(&self, table: &dyn Table) {
        match self {
            By::Edit(pk, sk, changes) => edit(table, pk, sk, changes.clone()).await,
            By::Write(pk, sk, item) => write(table, pk, sk, item.clone()).await,
            By::Remove(pk, sk) => remove(table, pk, sk).await,
            By::Blob(content, changes) => {
                edit(table, &format!("B#{}", sha256(content)), "B", changes.clone()).await;
            }
            By::NoBlob(content) => remove(table, &format!("B#{}", sha256(content)), "B").await,
        }
    }
}

/// One case: the damage, the rules that are named with their places, and `true` if all is repaired.
type Case = (&'static str, By, Vec<(Invariant, &'static str)>, bool);

const V1: &str = "V#0000000000000001";
const V2: &str = "V#0000000000000002";
const V4: &str = "V#0000000000000004";
const A6: &str = "A#0000000000000006";
const E2: &str = "E#0000000000000002";

/// Breaches to be planted one at a time.
#[expect(clippy::too_many_lines, reason = "a table")]
fn violations() -> Vec<Case> {
    use By::{Blob, Edit, NoBlob, Remove, Write};
    let place = |pk, sk| match (pk, sk) {
        ("P", "H") => "P#app/H",
        ("P", V1) => "P#app/V#0000000000000001",
        ("P", V2) => "P#app/V#0000000000000002",
        ("P", V4) => "P#app/V#0000000000000004",
        ("P", A6) => "P#app/A#0000000000000006",
        ("P", "A7") => "P#app/A#0000000000000007",
        ("T", "H") => "T#app/H",
        ("T", E2) => "T#app/E#0000000000000002",
        ("T", "live") => "T#app/t#live",
        ("T", "canary") => "T#app/t#canary",
        other => panic!("{other:?}"),
    };
    vec![
        (
            "a version is edited",
            Edit("P#app", V1, json!({ "who": "no one" })),
            vec![(Invariant::Chain, place("P", V1))],
            false,
        ),
        (
            "an event is edited",
            Edit("P#app", A6, json!({ "message": "so" })),
            vec![(Invariant::Chain, place("P", A6))],
            false,
        ),
        (
            "a tag event is edited",
            Edit("T#app", E2, json!({ "message": "so" })),
            vec![(Invariant::Chain, place("T", E2))],
            false,
        ),
        (
            "a version's state is edited",
            Edit("P#app", V1, json!({ "state": "yanked" })),
            vec![(Invariant::State, place("P", V1))],
            true,
        ),
        (
            "a version's labels are edited",
            Edit("P#app", V1, json!({ "more_labels": { "x": "y" } })),
            vec![(Invariant::State, place("P", V1))],
            true,
        ),
        (
            "a version is gone",
            Remove("P#app", V2),
            vec![
                (Invariant::Dense, "P#app/V#0000000000000003"),
                (Invariant::Dense, "P#app/V#0000000000000003"),
                (Invariant::State, place("P", A6)),
                (Invariant::Tag, place("T", "live")),
            ],
            false,
        ),
        ("an event is gone", Remove("P#app", A6), vec![(Invariant::Dense, place("P", "A7"))], false),
        (
            "a tag event is gone",
            Remove("T#app", E2),
            vec![(Invariant::Dense, "T#app/E#0000000000000003")],
            false,
        ),
        (
            "the end of a log is gone",
            Remove("T#app", "E#0000000000000004"),
            vec![(Invariant::Dense, place("T", "H")), (Invariant::Tag, place("T", "canary"))],
            false,
        ),
        (
            "time stands still",
            Edit("P#app", V2, json!({ "when": 1 })),
            vec![(Invariant::Time, place("P", V2)), (Invariant::Chain, place("P", V2))],
            false,
        ),
        (
            "an entry cannot be read",
            Edit("P#app", V4, json!({ "sha256": "?" })),
            vec![(Invariant::Form, place("P", V4))],
            false,
        ),
        (
            "an entry is where another belongs",
            Edit("P#app", V4, json!({ "n": 9 })),
            vec![(Invariant::Form, place("P", V4))],
            false,
        ),
        (
            "a key leads nowhere",
            Edit("P#app", "K#job 7", json!({ "entry": "A#9" })),
            vec![(Invariant::Key, "P#app/K#job 7")],
            false,
        ),
        ("there is something else", Write("X", "y", json!({})), vec![(Invariant::Newer, "X/y")], false),
        (
            "there is something else in a package",
            Write("P#app", "Z#1", json!({})),
            vec![(Invariant::Newer, "P#app/Z#1")],
            false,
        ),
        (
            "a tag was never moved",
            Write("T#app", "t#ghost", json!({ "tag": "ghost" })),
            vec![(Invariant::Tag, "T#app/t#ghost")],
            false,
        ),
        (
            "latest is another",
            Edit("P#app", "H", json!({ "latest": 1 })),
            vec![(Invariant::Head, place("P", "H"))],
            true,
        ),
        (
            "latest has another blob",
            Edit("P#app", "H", json!({ "blob": null })),
            vec![(Invariant::Head, place("P", "H"))],
            true,
        ),
        (
            "the last number is another",
            Edit("P#app", "H", json!({ "n": 3 })),
            vec![(Invariant::Head, place("P", "H"))],
            true,
        ),
        (
            "the head's chain is another",
            Edit("P#app", "H", json!({ "chain": "00" })),
            vec![(Invariant::Head, place("P", "H"))],
            true,
        ),
        (
            "the head's time is another",
            Edit("P#app", "H", json!({ "when": 1 })),
            vec![(Invariant::Head, place("P", "H"))],
            true,
        ),
        (
            "the head's rev is lower",
            Edit("P#app", "H", json!({ "rev": 2 })),
            vec![(Invariant::Head, place("P", "H"))],
            true,
        ),
        (
            "the head's rev is higher",
            Edit("P#app", "H", json!({ "rev": 99 })),
            vec![(Invariant::Dense, place("P", "H"))],
            false,
        ),
        ("the head is gone", Remove("P#app", "H"), vec![(Invariant::Head, place("P", "H"))], true),
        (
            "the tags' head is another",
            Edit("T#app", "H", json!({ "chain": "00" })),
            vec![(Invariant::Head, place("T", "H"))],
            true,
        ),
        ("the tags' head is gone", Remove("T#app", "H"), vec![(Invariant::Head, place("T", "H"))], true),
        (
            "a tag is elsewhere",
            Edit("T#app", "t#live", json!({ "version": 1 })),
            vec![(Invariant::Tag, place("T", "live"))],
            true,
        ),
        (
            "a tag has another blob",
            Edit("T#app", "t#live", json!({ "blob": null })),
            vec![(Invariant::Tag, place("T", "live"))],
            true,
        ),
        ("a tag is gone", Remove("T#app", "t#live"), vec![(Invariant::Tag, place("T", "live"))], true),
        (
            "a tag that is off is gone",
            Remove("T#app", "t#canary"),
            vec![(Invariant::Tag, place("T", "canary"))],
            true,
        ),
        (
            "too few are counted",
            Blob("shared", json!({ "refs": 1 })),
            vec![(Invariant::Refs, "B#shared")],
            true,
        ),
        ("too many are counted", Blob("one", json!({ "refs": 5 })), vec![(Invariant::Refs, "B#one")], true),
        (
            "none should be counted",
            Blob("three", json!({ "refs": 1 })),
            vec![(Invariant::Refs, "B#three")],
            true,
        ),
        ("a blob has no item", NoBlob("shared"), vec![(Invariant::Refs, "B#shared")], true),
        (
            "a needed blob is condemned",
            Blob("one", json!({ "state": "condemned", "refs": 0 })),
            vec![(Invariant::Refs, "B#one")],
            false,
        ),
        (
            "a blob is kept at another generation",
            Blob("one", json!({ "gen": 3 })),
            vec![(Invariant::Refs, "B#one")],
            false,
        ),
        ("a package is not listed", Remove("D#app", "app"), vec![(Invariant::Directory, "D#app")], true),
        (
            "a package is listed that is not there",
            Write("D#ghost", "ghost", json!({})),
            vec![(Invariant::Directory, "D#ghost")],
            true,
        ),
        (
            "a package is listed twice",
            Write("D#else", "app", json!({})),
            vec![(Invariant::Directory, "D#else")],
            true,
        ),
    ]
}

fn partition_of(name: &str, off: u8) -> String {
    use sha2::{Digest, Sha256};
    format!("D#{}", (Sha256::digest(name)[0] + off) % 4)
}

/// Returns the full place of a short name in the table above.
fn real(place: &str) -> String {
    match place.split_once('#') {
        Some(("B", content)) => format!("B#{}/B", sha256(content)),
        Some(("D", "else")) => format!("{}/app", partition_of("app", 1)),
        Some(("D", name)) => format!("{}/{name}", partition_of(name, 0)),
        _ => place.to_owned(),
    }
}

#[tokio::test]
async fn each_violation_is_named_and_repaired_if_possible() {
    for (what, by, expected, repairable) in violations() {
        let site = Site::memory();
        populate(&site).await;
        let sound = items(&site).await;
        let table = site.table();
        match &by {
            By::Remove("D#app", name) => remove(&*table, &partition_of(name, 0), name).await,
            By::Write("D#ghost", name, item) => {
                write(&*table, &partition_of(name, 0), name, item.clone()).await;
            }
            By::Write("D#else", name, item) => {
                write(&*table, &partition_of(name, 1), name, item.clone()).await;
            }
            by => by.plant(&*table).await,
        }
        let planted = items(&site).await;
        assert_ne!(planted, sound, "{what}");
        let (_, found) = fsck(&site, ALL).await;
        let mut named: Vec<_> = found.iter().map(|it| (it.rule, it.place.clone())).collect();
        let mut expected: Vec<_> = expected.into_iter().map(|(rule, place)| (rule, real(place))).collect();
        // What follows from damage to a log itself is not listed one by one.
        if !repairable {
            named.retain(|it| expected.contains(it));
        }
        named.sort();
        named.dedup();
        expected.sort();
        expected.dedup();
        assert_eq!(named, expected, "{what}: {found:#?}");
        assert_eq!(items(&site).await, planted, "{what}: reporting it changed something");
        if !repairable {
            let (checked, _) = fsck(&site, Fsck { repair: true, read_data: 0 }).await;
            assert_eq!(checked.repaired, 0, "{what}");
            assert_eq!(items(&site).await, planted, "{what}");
            continue;
        }
        assert!(found.iter().all(|it| it.repair == Repair::Possible), "{what}: {found:#?}");
        let (checked, repaired) = fsck(&site, Fsck { repair: true, read_data: 0 }).await;
        assert_eq!(checked.repaired, repaired.len() as u64, "{what}: {repaired:#?}");
        assert_eq!(fsck(&site, ALL).await.1, [], "{what}");
        let [found, expected] = [items(&site).await, sound].map(unfenced);
        assert_eq!(found, expected, "{what}");
    }
}

/// The items without the fences that follow repairs, and heads without what fences advance.
fn unfenced(mut items: Vec<(Key, Item)>) -> Vec<(Key, Item)> {
    items.retain(|(_, item)| item.get("kind").is_none_or(|kind| kind != "fence"));
    for (_, item) in items.iter_mut().filter(|(key, _)| key.sk == "H") {
        item.retain(|name, _| !["rev", "chain", "when", "live"].contains(&name.as_str()));
    }
    items
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
            let (_, found) = fsck(&site, Fsck { repair, read_data }).await;
            let mut named: Vec<_> = found.into_iter().map(|it| (it.rule, it.place)).collect();
            named.sort();
            let expected: Vec<_> = expected.iter().map(|(rule, at)| (*rule, at.to_string())).collect();
            assert_eq!(named, expected);
        }
    }
}

/// While many write, delete and collect, nothing looks wrong that is not, and a repair does no harm.
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
                assert_eq!(fsck(&checking, Fsck { repair, read_data: 100 }).await.1, []);
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
