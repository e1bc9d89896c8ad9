//! The ledgers that are tested, and short ways of using them.

use super::backends;
use sacker::{
    ledger::{AddRequest, Added, Author, Error, Ledger, Staged, TableLedger, TagRequest, UntagRequest},
    location::DEFAULT_REF,
    model::{Address, Blob, Digest, Generation, Mode, Release, TagMove, Version},
    retry::{Cancellation, RetryPolicy},
    table::{
        Action, Change, Condition, Item, Key, Order, Query, Table, Transaction, dynamodb::DynamoTable,
        git::GitTable, memory::MemoryTable, sqlite::SqliteTable,
    },
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::{fmt, sync::Arc, time::Duration};
use tempfile::TempDir;

/// An empty ledger of some kind.
pub trait World: Send + Sync {
    /// A handle of it, as another process would have.
    fn ledger(&self) -> Arc<dyn Ledger>;
}

/// A ledger over a table.
pub struct Tables {
    table: Box<dyn Fn() -> Arc<dyn Table> + Send + Sync>,
    /// The number of items that are cheap to write.
    pub many: u64,
    _dir: Option<TempDir>,
}

impl Tables {
    pub fn memory() -> Self {
        let table = Arc::new(MemoryTable::new());
        Self { table: Box::new(move || Arc::clone(&table) as Arc<dyn Table>), many: 1203, _dir: None }
    }

    pub fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        Self { table: Box::new(move || Arc::new(SqliteTable::open(&path))), many: 1203, _dir: Some(dir) }
    }

    /// Each handle is a table of its own, as another process would have.
    pub async fn git() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let open = move || GitTable::local(&path.join("ledger.git"), DEFAULT_REF, Some(&path));
        open().create().await.unwrap();
        Self { table: Box::new(move || Arc::new(open())), many: 120, _dir: Some(dir) }
    }

    /// One clone, as several processes of a machine share it.
    pub async fn git_http() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (url, path) = (super::git_http::repository(), dir.path().to_owned());
        let open = move || GitTable::remote(&url, DEFAULT_REF, Some(&path)).unwrap();
        open().create().await.unwrap();
        Self { table: Box::new(move || Arc::new(open())), many: 12, _dir: Some(dir) }
    }

    pub async fn dynamodb() -> Self {
        let client = backends::aws().dynamodb(&backends::at(backends::dynamodb())).await.unwrap();
        let name = backends::unique("ledger");
        let table = DynamoTable::new(client, name);
        retry_policy().run("making a table", || table.create()).await.unwrap();
        let table = Arc::new(table);
        Self { table: Box::new(move || Arc::clone(&table) as Arc<dyn Table>), many: 12, _dir: None }
    }

    /// Below a node of its own. Each handle has a session of its own.
    #[cfg(feature = "zookeeper")]
    pub async fn zookeeper() -> Self {
        let root = format!("/{}", backends::unique("ledger"));
        let table = move || sacker::table::zookeeper::ZookeeperTable::new(backends::zookeeper(), &root, None);
        retry_policy().run("making a table", || async { table().create().await }).await.unwrap();
        Self { table: Box::new(move || Arc::new(table())), many: 303, _dir: None }
    }

    #[cfg(feature = "postgres")]
    pub async fn postgres() -> Self {
        let table = Arc::new(super::postgres::shared().table(&super::postgres::name("ledger")));
        retry_policy().run("making a table", || table.create()).await.unwrap();
        Self { table: Box::new(move || Arc::clone(&table) as Arc<dyn Table>), many: 1203, _dir: None }
    }

    /// One in memory where others get their turn before, between and after the reads of a request, as a seed says.
    pub fn interleaved(seed: u64) -> Self {
        let table = Arc::new(super::turns::Interleaved::new(Arc::new(MemoryTable::new()), seed));
        Self { table: Box::new(move || Arc::clone(&table) as Arc<dyn Table>), many: 1203, _dir: None }
    }

    pub fn table(&self) -> Arc<dyn Table> {
        (self.table)()
    }
}

impl World for Tables {
    fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::new(TableLedger::new(self.table(), retry_policy()))
    }
}

/// The ledger that keeps no promise, on a bucket of its own.
#[cfg(feature = "weak-s3-ledger")]
pub struct Weak {
    objects: Arc<dyn sacker::aws::Objects>,
}

#[cfg(feature = "weak-s3-ledger")]
impl Weak {
    pub async fn new() -> Self {
        let client = backends::aws().s3(&backends::at(backends::s3())).await.unwrap();
        let bucket = backends::unique("weak");
        client.create_bucket().bucket(&bucket).send().await.unwrap();
        Self { objects: Arc::new(sacker::aws::S3Objects::new(client, bucket, "ledger")) }
    }

    pub fn objects(&self) -> Arc<dyn sacker::aws::Objects> {
        Arc::clone(&self.objects)
    }
}

#[cfg(feature = "weak-s3-ledger")]
impl World for Weak {
    fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::new(sacker::ledger::WeakS3Ledger::new(Arc::clone(&self.objects), retry_policy()))
    }
}

pub fn retry_policy() -> RetryPolicy {
    RetryPolicy::new(Duration::from_mins(2), Cancellation::new())
}

/// Reads a name, a tag, a spec …
pub fn of<T: std::str::FromStr<Err: fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub fn version(number: u64) -> Version {
    Version::try_from(number).unwrap()
}

pub fn sha256(content: &str) -> Digest {
    Digest::from(<[u8; 32]>::from(Sha256::digest(content)))
}

pub fn blob(content: &str, generation: Generation) -> Blob {
    Blob {
        address: Address { sha256: sha256(content), generation },
        size: content.len() as u64,
        filename: Some(of("app.tar.gz")),
        mode: Some(Mode::from(0o755)),
    }
}

pub fn author(key: Option<&str>) -> Author {
    {
        let mut it = Author::new(of("someone@host"));
        it.key = key.map(of);
        it
    }
}

pub fn adding(package: &str) -> AddRequest {
    AddRequest::new(of(package)).author(author(None))
}

pub fn adding_with_key(package: &str, key: &str) -> AddRequest {
    adding(package).author(author(Some(key)))
}

/// Adds as `sacker add` does, with a store that takes everything: the version, and whether it is new.
pub async fn try_add(
    ledger: &dyn Ledger,
    request: &AddRequest,
    content: &str,
) -> Result<(Release, bool), Error> {
    let sha256 = sha256(content);
    let mut draft = ledger.begin_add(request, Some(&sha256)).await?;
    let mut generation = match ledger.stage(request, &sha256, &mut draft).await? {
        Staged::Upload { generation, .. } => generation,
        Staged::NothingToStore => 0,
    };
    loop {
        match ledger.add(request, &blob(content, generation), &mut draft).await? {
            Added::Version { release, new } => return Ok((*release, new)),
            Added::Restage(other) => generation = other,
        }
    }
}

pub async fn add(ledger: &dyn Ledger, package: &str, content: &str) -> Release {
    try_add(ledger, &adding(package), content).await.unwrap().0
}

/// Adds versions 1 to `count`, the content of each its number.
pub async fn add_many(ledger: &dyn Ledger, package: &str, count: u64) {
    for number in 1..=count {
        assert_eq!(add(ledger, package, &number.to_string()).await.version, version(number));
    }
}

pub fn tagging(package: &str, spec: &str, tag: &str) -> TagRequest {
    TagRequest::new(of(package), of(spec), of(tag)).author(author(None))
}

pub fn untagging(package: &str, tag: &str) -> UntagRequest {
    UntagRequest::new(of(package), of(tag)).author(author(None))
}

pub async fn tag(ledger: &dyn Ledger, package: &str, spec: &str, tag: &str) -> TagMove {
    ledger.tag(&tagging(package, spec, tag)).await.unwrap()
}

pub async fn untag(ledger: &dyn Ledger, package: &str, tag: &str) -> TagMove {
    ledger.untag(&untagging(package, tag)).await.unwrap()
}

/// The tags that are on something: `latest=2 live=1`.
pub async fn tags(ledger: &dyn Ledger, package: &str) -> String {
    let tagged = ledger.tags(&of(package)).await.unwrap();
    let latest = tagged.latest.map(|latest| format!("latest={latest}"));
    let moved = tagged.tags.iter().map(|at| format!("{}={}", at.tag, at.version.unwrap()));
    latest.into_iter().chain(moved).collect::<Vec<_>>().join(" ")
}

/// An item, read past the ledger.
pub async fn read(table: &dyn Table, pk: &str, sk: &str) -> Option<Item> {
    table.get(&Key::new(pk, sk)).await.unwrap()
}

/// Writes an item by hand, past the ledger.
pub async fn write(table: &dyn Table, pk: &str, sk: &str, item: Value) {
    let Value::Object(item) = item else { panic!("no item: {item}") };
    let mut transaction = Transaction::new(uuid::Uuid::new_v4().to_string());
    transaction.push(Action {
        key: Key::new(pk, sk),
        condition: Condition::Always,
        change: Change::Put(item),
    });
    table.transact(&transaction).await.unwrap();
}

/// Changes some attributes of an item by hand.
pub async fn edit(table: &dyn Table, pk: &str, sk: &str, changes: Value) {
    let mut item = read(table, pk, sk).await.unwrap();
    let Value::Object(changes) = changes else { panic!("no attributes: {changes}") };
    item.extend(changes);
    item.retain(|_, value| !value.is_null());
    write(table, pk, sk, Value::Object(item)).await;
}

/// Removes an item by hand.
pub async fn remove(table: &dyn Table, pk: &str, sk: &str) {
    let mut transaction = Transaction::new(uuid::Uuid::new_v4().to_string());
    let key = Key::new(pk, sk);
    transaction.push(Action { key, condition: Condition::Present, change: Change::Delete });
    table.transact(&transaction).await.unwrap();
}

/// A whole partition, in order.
pub async fn partition(table: &dyn Table, pk: &str) -> Vec<(String, Item)> {
    let mut query = Query {
        pk: pk.to_owned(),
        from: " ".to_owned(),
        to: "~".to_owned(),
        order: Order::Ascending,
        limit: 100,
        after: None,
    };
    let mut items = Vec::new();
    loop {
        let page = table.query(&query).await.unwrap();
        items.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return items,
        }
    }
}
