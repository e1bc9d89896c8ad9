//! Removed tags stay in the ledger as items, and no command may cost more because of them.

use crate::{
    conformance::ledger::changing::changing,
    support::{
        audit::audit,
        world::{
            Tables, World, add, adding, edit, of, read, retry_policy, tag, tags, try_add, untag, version,
        },
    },
};
use async_trait::async_trait;
use futures_util::TryStreamExt;
use sacker::{
    fault::Fault,
    ledger::{Ledger, TableLedger},
    model::{Created, Labels, ReleaseChange},
    table::{Action, Change, Condition, Item, Key, Page, Query, Table, TransactError, Transaction},
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The number of dead tags.
const MANY: usize = 10_000;
/// As many items a page of all tags may have before `tags` looks only for those that are on a version.
const PAGE: usize = 250;

/// A table that counts the items that are read.
#[derive(Debug)]
struct Counting(Arc<dyn Table>, Arc<AtomicUsize>);

impl Counting {
    fn count(&self, items: usize) {
        self.1.fetch_add(items, Ordering::Relaxed);
    }
}

#[async_trait]
impl Table for Counting {
    fn describe(&self) -> String {
        self.0.describe()
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.0.create().await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.count(keys.len());
        self.0.get_many(keys).await
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.count(keys.len());
        self.0.get_transact(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        let page = self.0.query(query).await?;
        self.count(page.items.len());
        Ok(page)
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        let page = self.0.scan(after).await?;
        self.count(page.items.len());
        Ok(page)
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        self.0.transact(transaction).await
    }
}

/// Makes removed tags directly in the table, as if they were old.
async fn remove_tags(table: &dyn Table, package: &str, many: usize) {
    let names: Vec<_> = (0..many).map(|number| format!("dead-{number:05}")).collect();
    for names in names.chunks(100) {
        let mut transaction = Transaction::new(uuid::Uuid::new_v4().to_string());
        for name in names {
            let item = json!({
                "tag": name, "previous": 1, "kind": "untag", "set": 1, "who": "someone@host", "when": 1,
            });
            transaction.push(Action {
                key: Key::new(format!("T#{package}"), format!("t#{name}")),
                condition: Condition::Absent,
                change: Change::Put(item.as_object().unwrap().clone()),
            });
        }
        table.transact(&transaction).await.unwrap();
    }
}

/// Returns the number of items that each command reads, in a ledger of its own where it was done before.
async fn reads(world: &Tables, dead: usize) -> Vec<(&'static str, usize)> {
    let ledger = world.ledger();
    for content in ["one", "two", "three", "four"] {
        add(&*ledger, "app", content).await;
    }
    for (name, spec) in [("live", "2"), ("canary", "2"), ("old", "1")] {
        tag(&*ledger, "app", spec, name).await;
    }
    untag(&*ledger, "app", "old").await;
    remove_tags(&*world.table(), "app", dead).await;
    let read = Arc::<AtomicUsize>::default();
    // As another process each time.
    let fresh = || {
        read.store(0, Ordering::Relaxed);
        TableLedger::new(Arc::new(Counting(world.table(), Arc::clone(&read))), retry_policy())
    };
    let mut found = Vec::new();
    let mut note = |what| found.push((what, read.load(Ordering::Relaxed)));
    for (what, spec, names) in [
        ("info 2", "2", &["canary", "live"][..]),
        ("info live", "live", &["canary", "live"]),
        ("info latest", "latest", &["latest"]),
        ("info old~1", "old~1", &[]),
    ] {
        let release = fresh().release(&of("app"), &of(spec)).await.unwrap();
        note(what);
        assert_eq!(release.tags, names, "{what}");
    }
    let shown: Vec<_> = fresh().versions(&of("app")).try_collect().await.unwrap();
    note("versions");
    assert_eq!(shown[2].tags, ["canary", "live"]);
    assert_eq!(tags(&fresh(), "app").await, "latest=4 canary=2 live=2");
    note("tags");
    for (what, to) in [
        ("label", ReleaseChange::Label(Labels::parse(["a=b"]).unwrap())),
        ("yank", ReleaseChange::Yank),
        ("unyank", ReleaseChange::Unyank),
        ("delete", ReleaseChange::Delete),
    ] {
        fresh().change(&changing(3, to)).await.unwrap();
        note(what);
    }
    let tagged = fresh().change(&changing(2, ReleaseChange::Yank)).await.unwrap_err();
    note("yank, tagged");
    assert!(tagged.to_string().contains("canary, live"), "{tagged}");
    let unchanged = adding("app").if_changed(true);
    try_add(&fresh(), &unchanged, "four").await.unwrap();
    note("add --if-changed");
    tag(&fresh(), "app", "1", "live").await;
    note("tag");
    untag(&fresh(), "app", "live").await;
    note("untag");
    assert_eq!(tags(&*ledger, "app").await, "latest=4 canary=2");
    found
}

async fn dead_tags_cost_nothing(worlds: [Tables; 2], dead: usize) {
    let [without, with] = worlds;
    let (without, with) = (reads(&without, 0).await, reads(&with, dead).await);
    for ((what, least), (_, most)) in without.iter().zip(&with) {
        // A page of all tags is looked at first, where there may be few.
        let more = if *what == "tags" { PAGE.min(dead) } else { 0 };
        // Reads that are made at once may each look at the ledger's identity, or spare one another that.
        let more = more + 2;
        assert!(*most <= least + more, "{what} reads {most} items instead of {least}");
    }
}

#[tokio::test]
async fn in_memory_dead_tags_cost_nothing() {
    dead_tags_cost_nothing([Tables::memory(), Tables::memory()], MANY).await;
}

#[tokio::test]
async fn on_an_embedded_ledger_dead_tags_cost_nothing() {
    dead_tags_cost_nothing([Tables::sqlite(), Tables::sqlite()], MANY).await;
}

#[tokio::test]
async fn on_dynamodb_dead_tags_cost_nothing() {
    dead_tags_cost_nothing([Tables::dynamodb().await, Tables::dynamodb().await], 600).await;
}

async fn head(world: &Tables) -> Value {
    Value::Object(read(&*world.table(), "T#app", "H").await.unwrap())
}

/// A release that does not know of it leaves it as it is, or drops it.
#[tokio::test]
async fn live_tags_of_another_revision_are_ignored() {
    let world = Tables::memory();
    let ledger = world.ledger();
    add(&*ledger, "app", "one").await;
    add(&*ledger, "app", "two").await;
    tag(&*ledger, "app", "1", "live").await;
    let stale = head(&world).await["live"].clone();
    tag(&*ledger, "app", "2", "live").await;
    tag(&*ledger, "app", "1", "canary").await;
    for said in [stale, Value::Null, json!("a word"), json!({ "rev": 3, "count": "two" })] {
        edit(&*world.table(), "T#app", "H", json!({ "live": said })).await;
        assert_eq!(ledger.release(&of("app"), &of("2")).await.unwrap().tags, ["latest", "live"]);
        assert_eq!(ledger.release(&of("app"), &of("canary")).await.unwrap().tags, ["canary"]);
        let refused = ledger.change(&changing(1, ReleaseChange::Yank)).await.unwrap_err();
        assert!(refused.to_string().contains("canary"), "{refused}");
        // The next change says it again.
        tag(&*ledger, "app", "1", "other").await;
        untag(&*ledger, "app", "other").await;
        let head = head(&world).await;
        assert_eq!(head["live"], json!({ "rev": head["rev"], "count": 2, "on": { "canary": 1, "live": 2 } }));
    }
    audit(&*world.table(), "app").await;
}

#[tokio::test]
async fn of_too_many_live_tags_the_head_says_only_how_many() {
    let world = Tables::memory();
    let ledger = world.ledger();
    add(&*ledger, "app", "one").await;
    let name = |number: u32| format!("tag-{number:03}-{}", "x".repeat(50));
    for number in 0..150 {
        tag(&*ledger, "app", "1", &name(number)).await;
    }
    let said = head(&world).await["live"].clone();
    assert_eq!((said["count"].as_u64(), said["on"].as_object()), (Some(150), None));
    assert!(said.to_string().len() < 100);
    assert_eq!(ledger.release(&of("app"), &of("1")).await.unwrap().tags.len(), 151);
    for number in 50..150 {
        untag(&*ledger, "app", &name(number)).await;
    }
    let said = head(&world).await["live"].clone();
    assert_eq!(
        (said["count"].as_u64(), said["on"].as_object().map(serde_json::Map::len)),
        (Some(50), Some(50))
    );
    assert_eq!(ledger.release(&of("app"), &of("1")).await.unwrap().tags.len(), 51);
    assert!(ledger.tags(&of("app")).await.unwrap().tags.iter().all(|at| at.version == Some(version(1))));
}
