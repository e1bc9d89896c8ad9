//! Each kind of breach, planted alone: `fsck` names it with its place, and repairs it if possible.

use super::{
    Site,
    fsck::{ALL, V1, V2, fsck, items, populate},
};
use crate::support::world::{edit, remove, sha256, write};
use sacker::{
    ledger::{Invariant, Repair},
    ops::Fsck,
    table::{Item, Key, Table},
};
use serde_json::{Value, json};

/// The damage that is planted.
#[derive(Clone)]
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

const V4: &str = "V#0000000000000004";
const A6: &str = "A#0000000000000006";
const E2: &str = "E#0000000000000002";

/// Returns the place of an item of `app` by its short name.
fn place(pk: &str, sk: &str) -> &'static str {
    match (pk, sk) {
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
    }
}

/// Edits of entries in both logs.
fn edited_entries() -> Vec<Case> {
    use By::{Edit, Remove};
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
    ]
}

/// Lost, unreadable and foreign entries of the logs.
fn lost_entries() -> Vec<Case> {
    use By::{Edit, Remove, Write};
    vec![
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
    ]
}

/// Heads of releases that contradict their log.
fn heads() -> Vec<Case> {
    use By::{Edit, Remove};
    vec![
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
    ]
}

/// Tags, and the head of tags, that contradict their log.
fn tags() -> Vec<Case> {
    use By::{Edit, Remove};
    vec![
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
    ]
}

/// Blobs and the directory that contradict the logs.
fn blobs_and_directory() -> Vec<Case> {
    use By::{Blob, NoBlob, Remove, Write};
    vec![
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

/// Breaches to be planted one at a time.
fn violations() -> Vec<Case> {
    [edited_entries(), lost_entries(), heads(), tags(), blobs_and_directory()].concat()
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
            let (checked, _) = fsck(&site, Fsck::new().repair(true).read_data(0)).await;
            assert_eq!(checked.repaired, 0, "{what}");
            assert_eq!(items(&site).await, planted, "{what}");
            continue;
        }
        assert!(found.iter().all(|it| it.repair == Repair::Possible), "{what}: {found:#?}");
        let (checked, repaired) = fsck(&site, Fsck::new().repair(true).read_data(0)).await;
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
