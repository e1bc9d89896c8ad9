//! The rest of what the rustdoc of `WeakS3Ledger` lists, line by line, each with the same schedule on DynamoDB.

use super::{Hold, Holding};
use crate::support::{
    audit::audit,
    world::{
        Tables, Weak, World, add, adding, adding_with_key, author, blob, of, retry_policy, tag, tagging,
        tags, try_add, version,
    },
};
use async_trait::async_trait;
use futures_util::{TryStreamExt, future::BoxFuture};
use sacker::{
    aws::Objects,
    fault::{Fault, FaultKind},
    ledger::{Conflict, Error, Ledger, PackageQuery, Refused, TableLedger, WeakS3Ledger},
    model::Created,
    retry::{Cancellation, RetryPolicy},
    table::{Item, Key, Page, Query, Table, TransactError, Transaction},
};
use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Semaphore;

/// Someone who has read everything and waits just before writing, until `go`.
struct Waiting {
    ledger: Arc<dyn Ledger>,
    reached: Arc<Semaphore>,
    go: Arc<Semaphore>,
}

fn waiting(world: &impl Holding) -> Waiting {
    let (reached, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let ledger = world.held(&Hold::Gate { reached: Arc::clone(&reached), go: Arc::clone(&go) });
    Waiting { ledger, reached, go }
}

/// Runs `late` up to its first write, then `early` as a whole, then the rest of `late`.
async fn overtaken<T: Send + 'static>(
    world: &impl Holding,
    late: impl FnOnce(Arc<dyn Ledger>) -> BoxFuture<'static, T>,
    early: impl Future<Output = ()>,
) -> T {
    let Waiting { ledger, reached, go } = waiting(world);
    let late = tokio::spawn(late(ledger));
    reached.acquire().await.unwrap().forget();
    early.await;
    go.add_permits(1);
    late.await.unwrap()
}

/// `live` is moved from 1 to 3 by someone who expects it on 1, while someone else moves it to 2.
async fn expecting(world: &impl Holding) -> (Result<(), Error>, String) {
    let ledger = world.ledger();
    for content in ["one", "two", "three"] {
        add(&*ledger, "app", content).await;
    }
    tag(&*ledger, "app", "1", "live").await;
    let request = tagging("app", "3", "live").expect(of("1"));
    let late = |ledger: Arc<dyn Ledger>| -> BoxFuture<'static, _> {
        Box::pin(async move { ledger.tag(&request).await.map(drop) })
    };
    let early = async { drop(tag(&*world.ledger(), "app", "2", "live").await) };
    (overtaken(world, late, early).await, tags(&*ledger, "app").await)
}

#[tokio::test]
async fn an_expectation_on_s3_holds_when_it_is_looked_at_and_not_when_it_is_acted_upon() {
    let (moved, tags) = expecting(&Weak::new().await).await;
    moved.unwrap();
    assert_eq!(tags, "latest=3 live=3");
}

#[tokio::test]
async fn an_expectation_on_dynamodb_holds_when_it_is_acted_upon() {
    let (moved, tags) = expecting(&Tables::dynamodb().await).await;
    assert!(matches!(moved, Err(Error::Conflict(Conflict::Tag { .. }))), "{moved:?}");
    assert_eq!(tags, "latest=3 live=2");
}

/// Returns `true` if version 1 is still `mine` after that was reported and seen; and the number of times a repeat with
/// its key adds it. The package is listed all the while.
async fn reported(world: &impl Holding) -> (bool, u64) {
    let ledger = world.ledger();
    let late = |ledger: Arc<dyn Ledger>| -> BoxFuture<'static, ()> {
        Box::pin(async move { drop(add(&*ledger, "app", "theirs").await) })
    };
    let mine = async {
        let (added, _) = try_add(&*ledger, &adding_with_key("app", "k"), "mine").await.unwrap();
        assert_eq!(added.version, version(1));
        let seen = world.ledger().release(&of("app"), &of("1")).await.unwrap();
        assert_eq!(seen.blob, blob("mine", 0));
    };
    overtaken(world, late, mine).await;
    let stays = world.ledger().release(&of("app"), &of("1")).await.unwrap().blob == blob("mine", 0);
    let listed: Vec<_> = world.ledger().packages(&PackageQuery::default()).try_collect().await.unwrap();
    assert_eq!(listed, [of("app")]);
    let (again, _) = try_add(&*ledger, &adding_with_key("app", "k"), "mine").await.unwrap();
    (stays, again.version.get())
}

#[tokio::test]
async fn an_acknowledged_change_on_s3_is_overwritten_with_its_key() {
    assert_eq!(reported(&Weak::new().await).await, (false, 2));
}

#[tokio::test]
async fn an_acknowledged_change_on_dynamodb_stays_and_so_does_its_key() {
    assert_eq!(reported(&Tables::dynamodb().await).await, (true, 1));
}

/// An action between a write and its answer, which is lost.
type Meanwhile = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// Does the first write of a package, and loses the answer; or all answers from then on.
struct Lossy<T, W> {
    inner: T,
    meanwhile: Mutex<Option<Meanwhile>>,
    /// The write, to be repeated when it is late.
    written: Mutex<Option<W>>,
    all: bool,
}

impl<T, W> fmt::Debug for Lossy<T, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lossy")
    }
}

impl<T, W: Clone> Lossy<T, W> {
    fn new(inner: T, all: bool, meanwhile: Meanwhile) -> Arc<Self> {
        Arc::new(Self { inner, meanwhile: Mutex::new(Some(meanwhile)), written: Mutex::new(None), all })
    }

    /// Decides if the answer to this write arrives.
    async fn answer(&self, write: W) -> Result<(), Fault> {
        let meanwhile = self.meanwhile.lock().unwrap().take();
        match meanwhile {
            Some(meanwhile) => {
                *self.written.lock().unwrap() = Some(write);
                meanwhile().await;
            }
            None if self.all => {}
            None => return Ok(()),
        }
        Err(Fault::new(FaultKind::Unavailable, "writing", "the answer was lost"))
    }

    fn late(&self) -> W {
        self.written.lock().unwrap().clone().unwrap()
    }
}

#[async_trait]
impl Objects for Lossy<Arc<dyn Objects>, (String, Vec<u8>)> {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        self.inner.get(name).await
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Fault> {
        self.inner.put(name, bytes.clone()).await?;
        if !name.starts_with("packages/") {
            return Ok(());
        }
        self.answer((name.to_owned(), bytes)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        self.inner.list(prefix).await
    }
}

#[async_trait]
impl Table for Lossy<Arc<dyn Table>, Transaction> {
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
        self.inner.transact(transaction).await?;
        if transaction.actions().iter().any(|action| action.key.pk.ends_with("#app")) {
            self.answer(transaction.clone()).await?;
        }
        Ok(())
    }
}

type LossyObjects = Lossy<Arc<dyn Objects>, (String, Vec<u8>)>;
type LossyTable = Lossy<Arc<dyn Table>, Transaction>;

/// Someone else moves `live` to 2.
fn moving(ledger: Arc<dyn Ledger>) -> Meanwhile {
    Box::new(move || {
        let ledger = Arc::clone(&ledger);
        Box::pin(async move { drop(tag(&*ledger, "app", "2", "live").await) })
    })
}

async fn populate(ledger: &dyn Ledger) {
    add(ledger, "app", "one").await;
    add(ledger, "app", "two").await;
    tag(ledger, "app", "1", "live").await;
}

#[tokio::test]
async fn on_s3_a_write_whose_answer_was_lost_and_one_that_is_late_undo_what_others_wrote() {
    let world = Weak::new().await;
    populate(&*world.ledger()).await;
    let lossy = LossyObjects::new(world.objects(), false, moving(world.ledger()));
    let ledger = WeakS3Ledger::new(Arc::clone(&lossy) as Arc<dyn Objects>, retry_policy());
    assert_eq!(add(&ledger, "app", "three").await.version, version(3));
    assert_eq!(tags(&*world.ledger(), "app").await, "latest=3 live=1", "the move is undone");
    tag(&*world.ledger(), "app", "2", "live").await;
    let (name, bytes) = lossy.late();
    world.objects().put(&name, bytes).await.unwrap();
    assert_eq!(tags(&*world.ledger(), "app").await, "latest=3 live=1", "and once more");
}

#[tokio::test]
async fn on_dynamodb_they_undo_nothing() {
    let world = Tables::dynamodb().await;
    populate(&*world.ledger()).await;
    let lossy = LossyTable::new(world.table(), false, moving(world.ledger()));
    let ledger = TableLedger::new(Arc::clone(&lossy) as Arc<dyn Table>, retry_policy());
    assert_eq!(add(&ledger, "app", "three").await.version, version(3));
    assert_eq!(tags(&*world.ledger(), "app").await, "latest=3 live=2");
    // As a copy from elsewhere, which DynamoDB does not know by its token any more.
    let mut late = Transaction::new(uuid::Uuid::new_v4().to_string());
    lossy.late().actions().iter().for_each(|action| late.push(action.clone()));
    assert!(matches!(world.table().transact(&late).await, Err(TransactError::Refused(_))));
    assert_eq!(tags(&*world.ledger(), "app").await, "latest=3 live=2");
    audit(&*world.table(), "app").await;
}

/// Nothing happens meanwhile.
fn nothing() -> Meanwhile {
    Box::new(|| Box::pin(async {}))
}

fn hurry() -> RetryPolicy {
    RetryPolicy::new(Duration::ZERO, Cancellation::new())
}

#[tokio::test]
async fn on_s3_a_change_that_was_made_is_called_one_that_was_not() {
    let world = Weak::new().await;
    let lossy = LossyObjects::new(world.objects(), true, nothing());
    let ledger = WeakS3Ledger::new(lossy as Arc<dyn Objects>, hurry());
    let error = try_add(&ledger, &adding("app"), "one").await.unwrap_err();
    assert!(matches!(error, Error::Fault(_)), "which means that nothing was changed: {error:?}");
    assert_eq!(tags(&*world.ledger(), "app").await, "latest=1");
}

#[tokio::test]
async fn on_dynamodb_it_is_found_out() {
    let world = Tables::dynamodb().await;
    let lossy = LossyTable::new(world.table(), true, nothing());
    let ledger = TableLedger::new(lossy as Arc<dyn Table>, hurry());
    assert_eq!(add(&ledger, "app", "one").await.version, version(1));
}

#[tokio::test]
async fn on_s3_nothing_can_be_collected_nor_checked_and_an_edit_by_hand_is_believed() {
    let world = Weak::new().await;
    let ledger = world.ledger();
    populate(&*ledger).await;
    let objects = world.objects();
    let document = objects.get("packages/app.json").await.unwrap().unwrap();
    let edited = String::from_utf8(document).unwrap().replace("someone@host", "nobody@else");
    objects.put("packages/app.json", edited.into_bytes()).await.unwrap();
    assert_eq!(ledger.release(&of("app"), &of("1")).await.unwrap().added_by.as_str(), "nobody@else");

    let unsupported =
        |error: Error| assert!(matches!(error, Error::Refused(Refused::Unsupported)), "{error:?}");
    let address = blob("one", 0).address;
    unsupported(ledger.blob_statuses(std::slice::from_ref(&address)).await.unwrap_err());
    unsupported(ledger.condemn(&address).await.unwrap_err());
    unsupported(ledger.audit(false, &mut |_| ()).await.unwrap_err());
    let change = sacker::model::ReleaseChange::Delete;
    let request = sacker::ledger::ChangeRequest::new(of("app"), version(2), change).author(author(None));
    unsupported(ledger.change(&request).await.unwrap_err());
}
