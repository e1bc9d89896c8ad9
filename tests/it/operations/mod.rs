//! Operations over a ledger and a store together: garbage collection, `fsck`, adoption, transfers.

mod adopt;
mod adopt_claimed;
mod around;
mod copy;
mod exporting;
mod fsck;
mod fsck_concurrent;
mod fsck_repair;
mod fsck_tags;
mod fsck_violations;
mod gc;
mod importing;
mod listing;
mod overview;
pub mod owner;
mod pruning;
mod race;
mod reading;
mod resume;
mod transfers;
mod uploads;
mod watching;

use crate::support::{
    backends,
    world::{adding, author, of, retry_policy, version},
};
use futures_util::TryStreamExt;
use sacker::{
    ledger::{ChangeRequest, Ledger, TableLedger},
    model::{Address, Release, ReleaseChange, Timestamp},
    ops::{AddInput, Client, Error, Garbage, GcOptions},
    store::{Content, Store, directory::DirectoryStore, memory::MemoryStore, s3::S3Store},
    table::{Table, dynamodb::DynamoTable, memory::MemoryTable, sqlite::SqliteTable},
};
use std::{fs, path::PathBuf, sync::Arc, time::Duration};
use tempfile::TempDir;

/// A ledger and its store, of some kind.
pub struct Site {
    table: Box<dyn Fn() -> Arc<dyn Table> + Send + Sync>,
    store: Box<dyn Fn() -> Arc<dyn Store> + Send + Sync>,
    pub dir: TempDir,
}

impl Site {
    pub fn memory() -> Self {
        Self::with_store(Arc::new(MemoryStore::new()), tempfile::tempdir().unwrap())
    }

    /// Makes a site in memory, with a store that tests can change directly.
    pub fn with_store(store: Arc<MemoryStore>, dir: TempDir) -> Self {
        let table = Arc::new(MemoryTable::new());
        Self {
            table: Box::new(move || Arc::clone(&table) as Arc<dyn Table>),
            store: Box::new(move || Arc::clone(&store) as Arc<dyn Store>),
            dir,
        }
    }

    pub fn local() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (ledger, store) = (dir.path().join("ledger"), dir.path().join("store"));
        Self {
            table: Box::new(move || Arc::new(SqliteTable::open(&ledger))),
            store: Box::new(move || Arc::new(DirectoryStore::new(&store))),
            dir,
        }
    }

    /// `DynamoDB` and a bucket, with versioning or without.
    pub async fn cloud(versioned: bool) -> Self {
        let client = backends::aws().dynamodb(&backends::at(backends::dynamodb())).await.unwrap();
        let table = Arc::new(DynamoTable::new(client, backends::unique("ledger")));
        retry_policy().run("making a table", || table.create()).await.unwrap();
        let client = backends::aws().s3(&backends::at(backends::s3())).await.unwrap();
        let bucket = backends::unique("collect");
        if !versioned {
            client.create_bucket().bucket(&bucket).send().await.unwrap();
        }
        let store = S3Store::new(client, bucket, "a/prefix", None);
        if versioned {
            store.create().await.unwrap();
        }
        Self {
            table: Box::new(move || Arc::clone(&table) as Arc<dyn Table>),
            store: Box::new(move || Arc::new(store.clone())),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn table(&self) -> Arc<dyn Table> {
        (self.table)()
    }

    pub fn store(&self) -> Arc<dyn Store> {
        (self.store)()
    }

    pub fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::new(TableLedger::new(self.table(), retry_policy()))
    }

    /// A client, as another process would have.
    pub fn client(&self) -> Client {
        self.with(self.ledger())
    }

    /// A client of the same store with another ledger.
    pub fn with(&self, ledger: Arc<dyn Ledger>) -> Client {
        Client::new(ledger, self.store(), retry_policy(), self.dir.path().to_owned())
    }

    pub fn file(&self, content: &str) -> PathBuf {
        let path = self.dir.path().join(uuid::Uuid::new_v4().to_string());
        fs::write(&path, content).unwrap();
        path
    }

    pub async fn add(&self, package: &str, content: &str) -> Release {
        self.try_add(package, content).await.unwrap()
    }

    pub async fn try_add(&self, package: &str, content: &str) -> Result<Release, Error> {
        self.add_by(&self.client(), package, content).await
    }

    /// Adds a version by some client.
    pub async fn add_by(&self, client: &Client, package: &str, content: &str) -> Result<Release, Error> {
        let request = adding(package);
        Ok(client.add(request, AddInput::file(self.file(content))).await?.0)
    }

    pub async fn delete(&self, package: &str, number: u64) {
        let change = ReleaseChange::Delete;
        let request = ChangeRequest::new(of(package), version(number), change).author(author(None));
        self.client().change(&request).await.unwrap();
    }

    /// Stores a blob as an addition that never gets to its commit.
    pub async fn put(&self, content: &str, generation: u64) -> Address {
        let content = Content::hash(&self.file(content), &|_| ()).unwrap();
        let address = Address { sha256: content.sha256().clone(), generation };
        self.store().put(&address, &content, false, &|_| ()).await.unwrap();
        address
    }

    pub async fn holds(&self, address: &Address) -> bool {
        self.store().stat(address).await.unwrap().is_some()
    }
}

pub fn collect(delete: bool) -> GcOptions {
    GcOptions::new().delete(delete).min_age(Duration::ZERO).now(Timestamp::now())
}

/// Returns the blobs that are collected, in the order of the reports.
pub async fn gc(client: &Client, collect: GcOptions) -> Result<Vec<(Address, u64)>, Error> {
    let garbage: Vec<Garbage> = client.gc(collect).try_collect().await?;
    let blobs = garbage.into_iter().filter_map(|garbage| match garbage {
        Garbage::Blob { address, size } => Some((address, size)),
        Garbage::Upload(_) => None,
    });
    Ok(blobs.collect())
}
