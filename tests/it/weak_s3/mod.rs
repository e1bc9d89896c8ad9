//! Losses of the ledger on plain S3 objects, which the one on DynamoDB does not have under the same schedule.
//!
//! That is why the former is in no build unless a cargo feature asks for it.

mod losses;

use crate::support::{
    audit::audit,
    world::{Tables, Weak, World, add, adding, of, retry_policy, tag, tagging, tags, try_add, version},
};
use async_trait::async_trait;
use futures_util::TryStreamExt;
use sacker::{
    aws::Objects,
    fault::Fault,
    ledger::{Ledger, TableLedger, WeakS3Ledger},
    model::{Created, Release, Version},
    table::{Item, Key, Page, Query, Table, TransactError, Transaction},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::{
    sync::{Barrier, Semaphore},
    task::JoinSet,
};

const ADDERS: usize = 16;

/// Holds back the first write of a package's data until it is let go.
#[derive(Debug)]
struct Held<T> {
    inner: T,
    hold: Hold,
    once: AtomicBool,
}

#[derive(Debug, Clone)]
enum Hold {
    /// Until as many writers as the barrier counts have come as far.
    Together(Arc<Barrier>),
    /// It says that it has come as far, and waits for a permit.
    Gate { reached: Arc<Semaphore>, go: Arc<Semaphore> },
}

impl<T> Held<T> {
    fn new(inner: T, hold: &Hold) -> Arc<Self> {
        Arc::new(Self { inner, hold: hold.clone(), once: AtomicBool::new(false) })
    }

    async fn wait(&self) {
        if self.once.swap(true, Ordering::Relaxed) {
            return;
        }
        match &self.hold {
            Hold::Together(barrier) => {
                barrier.wait().await;
            }
            Hold::Gate { reached, go } => {
                reached.add_permits(1);
                go.acquire().await.unwrap().forget();
            }
        }
    }
}

#[async_trait]
impl Objects for Held<Arc<dyn Objects>> {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        self.inner.get(name).await
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Fault> {
        if name.starts_with("packages/") {
            self.wait().await;
        }
        self.inner.put(name, bytes).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        self.inner.list(prefix).await
    }
}

#[async_trait]
impl Table for Held<Arc<dyn Table>> {
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
        self.inner.query(query).await
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.inner.scan(after).await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        if transaction.actions().iter().any(|action| action.key.pk.ends_with("#app")) {
            self.wait().await;
        }
        self.inner.transact(transaction).await
    }
}

/// Ledgers whose first writes are held back.
trait Holding: World {
    fn held(&self, hold: &Hold) -> Arc<dyn Ledger>;
}

impl Holding for Weak {
    fn held(&self, hold: &Hold) -> Arc<dyn Ledger> {
        Arc::new(WeakS3Ledger::new(Held::new(self.objects(), hold), retry_policy()))
    }
}

impl Holding for Tables {
    fn held(&self, hold: &Hold) -> Arc<dyn Ledger> {
        Arc::new(TableLedger::new(Held::new(self.table(), hold), retry_policy()))
    }
}

/// Sixteen additions, each of which has read all that it reads before the first of them writes: the numbers that
/// were printed, and the versions that are there.
async fn sixteen(world: &impl Holding) -> (Vec<Version>, Vec<Release>) {
    let hold = Hold::Together(Arc::new(Barrier::new(ADDERS)));
    let adders: JoinSet<Version> = (0..ADDERS)
        .map(|number| {
            let ledger = world.held(&hold);
            async move {
                let added = try_add(&*ledger, &adding("app"), &format!("content {number}")).await;
                added.unwrap().0.version
            }
        })
        .collect();
    let mut printed = adders.join_all().await;
    printed.sort_unstable();
    (printed, world.ledger().versions(&of("app")).try_collect().await.unwrap())
}

#[tokio::test]
async fn of_sixteen_additions_on_s3_one_is_left() {
    let (printed, there) = sixteen(&Weak::new().await).await;
    assert_eq!(printed, vec![version(1); ADDERS], "one number, given sixteen times");
    assert_eq!(there.len(), 1);
}

#[tokio::test]
async fn of_sixteen_additions_on_dynamodb_none_is_lost() {
    let world = Tables::dynamodb().await;
    let (printed, there) = sixteen(&world).await;
    assert_eq!(printed, (1..=ADDERS as u64).map(version).collect::<Vec<_>>());
    assert_eq!(there.len(), ADDERS);
    assert_eq!(audit(&*world.table(), "app").await.versions, ADDERS);
}

/// A tag is moved while an addition is about to write: where the tag is then.
async fn move_during_addition(world: &impl Holding) -> String {
    add(&*world.ledger(), "app", "one").await;
    add(&*world.ledger(), "app", "two").await;
    tag(&*world.ledger(), "app", "1", "live").await;
    let (reached, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let held = world.held(&Hold::Gate { reached: Arc::clone(&reached), go: Arc::clone(&go) });
    let adding = tokio::spawn(async move { add(&*held, "app", "three").await.version });
    reached.acquire().await.unwrap().forget();
    let moved = world.ledger().tag(&tagging("app", "2", "live")).await.unwrap();
    assert_eq!(moved.version, Some(version(2)));
    go.add_permits(1);
    assert_eq!(adding.await.unwrap(), version(3));
    tags(&*world.ledger(), "app").await
}

#[tokio::test]
async fn a_move_on_s3_is_silently_undone() {
    assert_eq!(move_during_addition(&Weak::new().await).await, "latest=3 live=1");
}

#[tokio::test]
async fn a_move_on_dynamodb_stays() {
    assert_eq!(move_during_addition(&Tables::dynamodb().await).await, "latest=3 live=2");
}
