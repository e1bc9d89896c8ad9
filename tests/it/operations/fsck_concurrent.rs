//! Audits while others write: `fsck` reports no false breach, and misses no true one.

use super::{Site, collect, fsck::fsck, gc};
use crate::{
    conformance::ledger::{
        changing::changing,
        plans::{applying, moving},
    },
    support::{
        audit::audit,
        turns::{Interleaved, alone},
        world::{
            add_many, adding_with_key, author, edit, of, read, retry_policy, tag, tagging, try_add, untagging,
        },
    },
};
use async_trait::async_trait;
use futures_util::{FutureExt, TryStreamExt};
use sacker::{
    fault::Fault,
    ledger::{ChangeRequest, Error, Invariant, Ledger, PackageQuery, Repair, TableLedger, Violation},
    model::{Created, Event, EventKind, Labels, ReleaseChange},
    ops::{Fsck, Listed},
    store::memory::MemoryStore,
    table::{Item, Key, Page, Query, Table, TransactError, Transaction, memory::MemoryTable},
};
use serde_json::json;
use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// The most items on a page of these tests, so that few items take several.
const PAGE: u32 = 7;

/// A table with small pages. After each page of a whole partition another client makes a change, if there is one.
struct SmallPages {
    inner: Arc<dyn Table>,
    other: Option<TableLedger>,
    changes: AtomicUsize,
}

impl fmt::Debug for SmallPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in small pages", self.inner)
    }
}

impl SmallPages {
    fn alone(inner: Arc<dyn Table>) -> Self {
        Self { inner, other: None, changes: AtomicUsize::new(0) }
    }

    fn with_writer(inner: Arc<dyn Table>) -> Self {
        let other = Some(TableLedger::new(Arc::clone(&inner), retry_policy()));
        Self { inner, other, changes: AtomicUsize::new(0) }
    }

    /// One change of many kinds, all of the versions from 31 on and of tags that begin with `moving`.
    async fn change(&self, ledger: &TableLedger) {
        let number = self.changes.fetch_add(1, Ordering::Relaxed);
        let change = |number, change| async move {
            ledger.change(&changing(number, change)).await.unwrap();
        };
        let tag = format!("moving-{}", number / 9 % 12);
        match number % 9 {
            0 => change(40, ReleaseChange::Yank).await,
            1 => drop(ledger.tag(&tagging("app", "latest", &tag)).await.unwrap()),
            2 => change(40, ReleaseChange::Unyank).await,
            3 => {
                let label = format!("round{}=done", number / 9 % 20);
                change(39, ReleaseChange::Label(Labels::parse([label.as_str()]).unwrap())).await;
            }
            4 => {
                let keyed = adding_with_key("app", &format!("key {number}"));
                drop(try_add(ledger, &keyed, &format!("content {number}")).await.unwrap());
            }
            5 => drop(ledger.tag(&tagging("app", "31", &tag)).await.unwrap()),
            6 => {
                let keyed = adding_with_key("app", &format!("other {number}"));
                let (added, _) = try_add(ledger, &keyed, "the same").await.unwrap();
                for to in [ReleaseChange::Delete, ReleaseChange::Undelete, ReleaseChange::Delete] {
                    change(added.version.get(), to).await;
                }
            }
            7 => {
                let request = changing(
                    38,
                    if number.is_multiple_of(2) { ReleaseChange::Yank } else { ReleaseChange::Unyank },
                )
                .author(author(Some(&format!("yank {number}"))));
                drop(ledger.change(&request).await.unwrap());
            }
            _ => drop(ledger.untag(&untagging("app", &tag)).await.unwrap()),
        }
    }
}

#[async_trait]
impl Table for SmallPages {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.inner.create().await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.inner.get_many(keys).await
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.inner.get_transact(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        let small = Query { limit: query.limit.min(PAGE), ..query.clone() };
        let page = self.inner.query(&small).await;
        if let Some(other) = self.other.as_ref().filter(|_| query.from == " ") {
            self.change(other).await;
        }
        page
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.inner.scan(after).await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        self.inner.transact(transaction).await
    }
}

/// A ledger of a package that takes several pages, with tags that stay.
async fn furnished() -> Arc<dyn Table> {
    let table: Arc<dyn Table> = Arc::new(MemoryTable::new());
    let ledger = TableLedger::new(Arc::clone(&table), retry_policy());
    add_many(&ledger, "app", 45).await;
    for number in 1..=12 {
        tag(&ledger, "app", &number.to_string(), &format!("stays-{number}")).await;
    }
    let labels = ReleaseChange::Label(Labels::parse(["tests=passed"]).unwrap());
    ledger.change(&changing(20, labels)).await.unwrap();
    ledger.change(&changing(21, ReleaseChange::Yank)).await.unwrap();
    table
}

async fn found(table: Arc<dyn Table>, repair: bool) -> Vec<Violation> {
    let ledger = TableLedger::new(table, retry_policy());
    let mut found = Vec::new();
    ledger.audit(repair, &mut |violation| found.push(violation)).await.unwrap();
    found
}

#[tokio::test]
async fn a_package_of_many_pages_that_changes_between_any_two_of_them_is_found_sound() {
    let table = furnished().await;
    let busy = Arc::new(SmallPages::with_writer(Arc::clone(&table)));
    for round in 0..12 {
        let found = found(Arc::clone(&busy) as Arc<dyn Table>, round % 2 == 1).await;
        // Blobs are counted by passes over the whole table, in which nothing changes here.
        assert_eq!(found, [], "round {round}");
    }
    assert!(busy.changes.load(Ordering::Relaxed) > 100);
    audit(&*table, "app").await;
}

#[tokio::test]
async fn damage_is_found_and_repaired_while_the_package_changes_between_any_two_pages() {
    const V20: &str = "V#0000000000000020";
    let damage = [
        ("P#app", V20, json!({ "more_labels": null }), Invariant::State),
        ("P#app", "V#0000000000000021", json!({ "state": "active" }), Invariant::State),
        ("T#app", "t#stays-3", json!({ "version": 4 }), Invariant::Tag),
        ("T#app", "t#stays-4", json!({ "blob": null }), Invariant::Tag),
    ];
    for (pk, sk, changes, rule) in damage {
        let table = furnished().await;
        let before = read(&*table, pk, sk).await;
        edit(&*table, pk, sk, changes).await;
        let busy = Arc::new(SmallPages::with_writer(Arc::clone(&table)));
        for (repair, outcome) in [(false, Repair::Possible), (true, Repair::Done)] {
            let found = found(Arc::clone(&busy) as Arc<dyn Table>, repair).await;
            let found: Vec<_> = found.iter().map(|it| (it.place.clone(), it.rule, it.repair)).collect();
            assert_eq!(found, [(format!("{pk}/{sk}"), rule, outcome)]);
        }
        assert_eq!(read(&*table, pk, sk).await, before, "{sk}");
        assert_eq!(found(table, false).await, []);
    }
}

/// An entry that contradicts the heads stays damage while others write.
#[tokio::test]
async fn an_edited_entry_is_found_while_the_package_changes_between_any_two_pages() {
    let table = furnished().await;
    edit(&*table, "P#app", "V#0000000000000002", json!({ "who": "someone else" })).await;
    edit(&*table, "T#app", "E#0000000000000003", json!({ "who": "someone else" })).await;
    let busy = Arc::new(SmallPages::with_writer(Arc::clone(&table)));
    let found = found(busy, true).await;
    let found: Vec<_> = found.iter().map(|it| (it.place.as_str(), it.rule, it.repair)).collect();
    let expected = [
        ("P#app/V#0000000000000002", Invariant::Chain),
        ("T#app/E#0000000000000003", Invariant::Chain),
        // The tag is a copy of that entry, and it is not known which of them is right.
        ("T#app/t#stays-3", Invariant::Tag),
    ];
    assert_eq!(found, expected.map(|(place, rule)| (place, rule, Repair::Impossible)));
}

const PACKAGES: [&str; 3] = ["app", "other", "third"];

/// An outcome that others may have caused; a fault or damage is none.
fn unless_refused<T>(outcome: Result<T, Error>) {
    match outcome {
        Ok(_) | Err(Error::Refused(_) | Error::Conflict(_) | Error::NotFound(_) | Error::Moves { .. }) => {}
        Err(other) => panic!("{other:?}"),
    }
}

/// All kinds of changes of one package, and plans over all of them.
async fn write(site: &Site, package: &str, rounds: u64) {
    let ledger = site.ledger();
    for round in 0..rounds {
        let release = site.add(package, &format!("content {}", round % 4)).await;
        let change = |change| {
            let request = ChangeRequest::new(of(package), release.version, change).author(author(None));
            let ledger = &ledger;
            async move { unless_refused(ledger.change(&request).await) }
        };
        let label = format!("round=r{round}");
        change(ReleaseChange::Label(Labels::parse([label.as_str()]).unwrap())).await;
        let spec = release.version.to_string();
        unless_refused(ledger.tag(&tagging(package, &spec, "canary")).await);
        let plan = PACKAGES.map(|package| (package, "live", r#""latest""#, ""));
        let plan = moving(&plan);
        unless_refused(ledger.apply(&applying(&plan)).await);
        unless_refused(ledger.untag(&untagging(package, "canary")).await);
        change(ReleaseChange::Yank).await;
        change(ReleaseChange::Unyank).await;
        if round % 3 > 0 {
            unless_refused(ledger.untag(&untagging(package, "live")).await);
            change(ReleaseChange::Delete).await;
            // A collection may have been faster.
            change(ReleaseChange::Undelete).await;
        }
        if round % 3 == 1 {
            change(ReleaseChange::Delete).await;
        }
    }
}

/// All reads: none fails, and what they yield is in order and without holes.
async fn look(site: &Site) {
    for repair in [false, true] {
        assert_eq!(fsck(site, Fsck::new().repair(repair).read_data(100)).await.1, []);
    }
    let client = site.client();
    gc(&client, collect(true)).await.unwrap();
    let query = PackageQuery::new().prefix(String::new());
    let listed: Vec<Listed> = client.list_long(&query, 100).try_collect().await.unwrap();
    assert_eq!(listed.len(), PACKAGES.len());
    for package in PACKAGES {
        let versions: Vec<_> = client.versions(&of(package), None).try_collect().await.unwrap();
        let numbers: Vec<_> = versions.iter().map(|release| release.version.get()).collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).rev().collect::<Vec<_>>());
        let events: Vec<_> = client.history(&of(package), None).try_collect().await.unwrap();
        assert!(events.is_sorted_by(|newer, older| newer.at >= older.at));
        let of_releases = |event: &&Event| {
            use EventKind::{Add, Delete, Label, Undelete, Unyank, Yank};
            matches!(event.kind, Add | Delete | Undelete | Label | Unyank | Yank)
        };
        let revs: Vec<_> = events.iter().filter(of_releases).map(|event| event.rev).collect();
        assert_eq!(revs, (1..=revs.len() as u64).rev().collect::<Vec<_>>());
    }
}

/// Everything that writes and everything that reads, at the same time.
async fn crowd(site: Arc<Site>, rounds: u64) {
    for package in PACKAGES {
        site.add(package, "first").await;
    }
    let over = AtomicBool::new(false);
    let mut looks = 0;
    let reading = async {
        while !over.load(Ordering::Relaxed) {
            look(&site).await;
            looks += 1;
            // In paused time no one's sleep ends before all others wait.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    let writing = async {
        let each = PACKAGES.map(|package| write(&site, package, rounds));
        // A writer that fails must end the readers.
        let written = AssertUnwindSafe(futures_util::future::join_all(each)).catch_unwind().await;
        over.store(true, Ordering::Relaxed);
        if let Err(why) = written {
            std::panic::resume_unwind(why);
        }
    };
    futures_util::future::join(reading, writing).await;
    assert!(looks > 0);
    look(&site).await;
    for package in PACKAGES {
        audit(&*site.table(), package).await;
    }
}

fn small_pages(mut site: Site) -> Arc<Site> {
    let table: Arc<dyn Table> = Arc::new(SmallPages::alone(site.table()));
    site.table = Box::new(move || Arc::clone(&table));
    Arc::new(site)
}

#[test]
fn all_reads_concurrently_with_all_changes_in_memory() {
    for seed in 0..6 {
        let mut site = Site::with_store(Arc::new(MemoryStore::new()), tempfile::tempdir().unwrap());
        let table: Arc<dyn Table> = Arc::new(Interleaved::new(site.table(), seed));
        site.table = Box::new(move || Arc::clone(&table));
        alone(crowd(small_pages(site), 8));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_reads_concurrently_with_all_changes_locally() {
    crowd(small_pages(Site::local()), 6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_reads_concurrently_with_all_changes_in_the_cloud() {
    crowd(small_pages(Site::cloud(false).await), 4).await;
}
