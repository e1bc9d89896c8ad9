//! A table that loses requests and replies, delivers late, and refuses, as a script decides.

use async_trait::async_trait;
use futures_util::future::{BoxFuture, FutureExt};
use sacker::{
    fault::{Fault, FaultKind},
    model::Created,
    table::{Change, Item, Key, Page, Query, Table, TransactError, Transaction},
};
use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// The fate of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Arrives,
    /// It arrives, and the answer does not.
    LosesReply,
    /// It does not arrive, but may later: see [`Faulty::deliver_late`].
    IsDelayed,
    IsThrottled,
    MeetsContention,
    /// A rival is first.
    ComesSecond,
}

/// The time until a client gives up waiting for an answer.
const TIMEOUT: Duration = Duration::from_secs(2);

type Script = dyn FnMut(usize, &Transaction) -> Fate + Send;
type Rival = Arc<dyn Fn(Key) -> BoxFuture<'static, ()> + Send + Sync>;

/// A table with faults.
pub struct Faulty {
    inner: Arc<dyn Table>,
    script: Mutex<Box<Script>>,
    rival: Mutex<Option<Rival>>,
    torn: Mutex<Option<usize>>,
    torn_later: Mutex<Option<usize>>,
    unreachable: AtomicBool,
    denies: AtomicBool,
    sent: Mutex<Vec<Transaction>>,
    late: Mutex<Vec<Transaction>>,
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

/// Returns `true` if a transaction is a fence.
pub fn is_fence(transaction: &Transaction) -> bool {
    transaction.actions().iter().any(|action| match &action.change {
        Change::Put(item) => item.get("kind").is_some_and(|kind| kind == "fence"),
        _ => false,
    })
}

impl Faulty {
    /// `script` returns the fate of each transaction, given the number of those before.
    pub fn new(
        inner: Arc<dyn Table>,
        script: impl FnMut(usize, &Transaction) -> Fate + Send + 'static,
    ) -> Self {
        Self {
            inner,
            script: Mutex::new(Box::new(script)),
            rival: Mutex::default(),
            torn: Mutex::default(),
            torn_later: Mutex::default(),
            unreachable: AtomicBool::new(false),
            denies: AtomicBool::new(false),
            sent: Mutex::default(),
            late: Mutex::default(),
        }
    }

    /// Sets the operation of a rival that comes first. It gets the first item of the transaction or of the rest of the
    /// read.
    pub fn set_rival<F>(&self, rival: impl Fn(Key) -> F + Send + Sync + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        *self.rival.lock().unwrap() = Some(Arc::new(move |key| rival(key).boxed()));
    }

    /// Lets the rival come between the items of the next [`Table::get_many`], after `after` of them.
    pub fn tear_next_read(&self, after: usize) {
        *self.torn.lock().unwrap() = Some(after);
    }

    /// Does the same for the read after the next one.
    pub fn tear_read_after_next(&self, after: usize) {
        *self.torn_later.lock().unwrap() = Some(after);
    }

    async fn rival(&self, key: &Key) {
        let rival = self.rival.lock().unwrap().clone().expect("there is no rival");
        rival(key.clone()).await;
    }

    /// Cuts the table off from now on, for reads and transactions; or connects it again.
    pub fn set_unreachable(&self, unreachable: bool) {
        self.unreachable.store(unreachable, Ordering::Relaxed);
    }

    /// Denies each read from now on, as after a grant was taken away.
    pub fn deny_reads(&self) {
        self.denies.store(true, Ordering::Relaxed);
    }

    /// Every transaction that was sent, in order.
    pub fn sent(&self) -> Vec<Transaction> {
        self.sent.lock().unwrap().clone()
    }

    /// Delivers what was delayed, in order; returns how many of them changed anything.
    pub async fn deliver_late(&self) -> usize {
        assert!(!self.late.lock().unwrap().is_empty(), "nothing was delayed");
        self.deliver_any().await
    }

    /// As [`deliver_late`](Self::deliver_late), if there is anything.
    pub async fn deliver_any(&self) -> usize {
        let late = std::mem::take(&mut *self.late.lock().unwrap());
        let mut landed = 0;
        for transaction in late {
            landed += usize::from(self.inner.transact(&transaction).await.is_ok());
        }
        landed
    }

    async fn reach(&self) -> Result<(), Fault> {
        if self.unreachable.load(Ordering::Relaxed) {
            tokio::time::sleep(TIMEOUT).await;
            return Err(fault(FaultKind::Unavailable));
        }
        if self.denies.load(Ordering::Relaxed) {
            return Err(fault(FaultKind::Denied));
        }
        Ok(())
    }
}

fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, "testing", "a fault that was asked for")
}

#[async_trait]
impl Table for Faulty {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.reach().await?;
        self.inner.create().await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.reach().await?;
        let later = self.torn_later.lock().unwrap().take();
        let torn = std::mem::replace(&mut *self.torn.lock().unwrap(), later);
        let torn = torn.filter(|torn| *torn < keys.len());
        let Some(torn) = torn else { return self.inner.get_many(keys).await };
        let mut items = self.inner.get_many(&keys[..torn]).await?;
        self.rival(&keys[torn]).await;
        items.extend(self.inner.get_many(&keys[torn..]).await?);
        Ok(items)
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.reach().await?;
        self.inner.get_transact(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        self.reach().await?;
        self.inner.query(query).await
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.reach().await?;
        self.inner.scan(after).await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        // The ledger's identity is not what these tests are about.
        if transaction.actions().iter().any(|action| action.key.pk == "M") {
            return self.inner.transact(transaction).await;
        }
        let number = {
            let mut sent = self.sent.lock().unwrap();
            sent.push(transaction.clone());
            sent.len() - 1
        };
        let fate = (self.script.lock().unwrap())(number, transaction);
        if self.unreachable.load(Ordering::Relaxed) || fate == Fate::IsDelayed {
            self.late.lock().unwrap().push(transaction.clone());
            tokio::time::sleep(TIMEOUT).await;
            return Err(fault(FaultKind::Unavailable).into());
        }
        match fate {
            Fate::Arrives | Fate::IsDelayed => self.inner.transact(transaction).await,
            Fate::LosesReply => {
                // Whatever it was, it is not known.
                let _ = self.inner.transact(transaction).await;
                tokio::time::sleep(TIMEOUT).await;
                Err(fault(FaultKind::Unavailable).into())
            }
            Fate::IsThrottled => Err(fault(FaultKind::Throttled).into()),
            Fate::MeetsContention => Err(fault(FaultKind::Contended).into()),
            Fate::ComesSecond => {
                self.rival(&transaction.actions()[0].key).await;
                self.inner.transact(transaction).await
            }
        }
    }
}
