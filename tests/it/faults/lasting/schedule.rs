//! A fault that lasts, and a table and a store under it.

use async_trait::async_trait;
use sacker::{
    fault::{Fault, FaultKind},
    model::{Address, Created, Grant, Setting, Trial},
    store::{Body, Content, Listing, Put, PutError, Sending, Stat, Store},
    table::{Access, Item, Key, Page, Query, Table, TransactError, Transaction},
};
use std::{
    fmt,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

/// The fate of each request while the fault lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The request is refused at once.
    Refused,
    /// The request is lost, and the client gives up after 2 s.
    Silent,
    /// The request is carried out, and its answer is lost.
    Unanswered,
    Throttled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Table,
    Store,
}

/// A fault that lasts.
#[derive(Debug, Clone, Copy)]
pub struct Lasting {
    pub what: What,
    /// Both places, or only one: then this client is cut off from it, and sees the other.
    pub of: Option<Place>,
    /// From the first change on that is sent, and not from the beginning.
    pub from_change: bool,
    /// `None`: without end.
    pub lasts: Option<Duration>,
}

/// The result of an operation under a fault.
#[derive(Debug, Default)]
pub struct Count {
    pub began: Option<Instant>,
    pub requests: usize,
    /// The number of requests that met the fault.
    pub met: usize,
}

pub struct FaultSchedule {
    pub lasting: Option<Lasting>,
    pub count: Mutex<Count>,
}

impl FaultSchedule {
    pub fn new(lasting: Option<Lasting>) -> Arc<Self> {
        let began = lasting.filter(|lasting| !lasting.from_change).map(|_| Instant::now());
        Arc::new(Self { lasting, count: Mutex::new(Count { began, ..Count::default() }) })
    }

    /// Returns the fault that a request meets now.
    pub fn meets(&self, place: Place, changes: bool) -> Option<What> {
        let mut count = self.count.lock().unwrap();
        count.requests += 1;
        let lasting = self.lasting?;
        if changes && count.began.is_none() {
            count.began = Some(Instant::now());
        }
        let began = count.began?;
        let lasts = lasting.lasts.is_none_or(|lasts| began.elapsed() < lasts);
        let meets = lasts && lasting.of.is_none_or(|of| of == place);
        count.met += usize::from(meets);
        meets.then_some(lasting.what)
    }

    pub async fn send<T, E: From<Fault>>(
        &self,
        place: Place,
        changes: bool,
        arrive: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let fault = |kind| Err(Fault::new(kind, "testing", "a fault that lasts").into());
        let (quickly, timeout) = (Duration::from_millis(5), Duration::from_secs(2));
        match self.meets(place, changes) {
            None => {
                tokio::time::sleep(quickly).await;
                arrive.await
            }
            Some(What::Refused) => {
                tokio::time::sleep(quickly).await;
                fault(FaultKind::Unavailable)
            }
            Some(What::Silent) => {
                tokio::time::sleep(timeout).await;
                fault(FaultKind::Unavailable)
            }
            Some(What::Unanswered) => {
                drop(arrive.await);
                tokio::time::sleep(timeout).await;
                fault(FaultKind::Unavailable)
            }
            Some(What::Throttled) => {
                tokio::time::sleep(quickly).await;
                fault(FaultKind::Throttled)
            }
        }
    }

    pub async fn read<T>(
        &self,
        place: Place,
        arrive: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        self.send(place, false, arrive).await
    }
}

/// A table or a store under this fault.
pub struct Under<T: ?Sized> {
    pub fault_schedule: Arc<FaultSchedule>,
    pub inner: Arc<T>,
}

impl<T: ?Sized> fmt::Debug for Under<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Under")
    }
}

#[async_trait]
impl Table for Under<dyn Table> {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.fault_schedule.send(Place::Table, true, self.inner.create()).await
    }

    async fn settings(&self) -> Result<Vec<Setting>, Fault> {
        self.fault_schedule.read(Place::Table, self.inner.settings()).await
    }

    async fn grants(&self, accesses: &[(Access, Key)]) -> Result<Vec<Grant>, Fault> {
        let writes = [Access::Put, Access::Update, Access::Check];
        let changes = accesses.iter().any(|(access, _)| writes.contains(access));
        self.fault_schedule.send(Place::Table, changes, self.inner.grants(accesses)).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.fault_schedule.read(Place::Table, self.inner.get_many(keys)).await
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.fault_schedule.read(Place::Table, self.inner.get_transact(keys)).await
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        self.fault_schedule.read(Place::Table, self.inner.query(query)).await
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.fault_schedule.read(Place::Table, self.inner.scan(after)).await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        self.fault_schedule.send(Place::Table, true, self.inner.transact(transaction)).await
    }
}

#[async_trait]
impl Store for Under<dyn Store> {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.fault_schedule.send(Place::Store, true, self.inner.create()).await
    }

    async fn settings(&self) -> Result<Vec<Setting>, Fault> {
        self.fault_schedule.read(Place::Store, self.inner.settings()).await
    }

    async fn probe(&self, owner: &str) -> Result<Vec<Setting>, Fault> {
        self.fault_schedule.send(Place::Store, true, self.inner.probe(owner)).await
    }

    async fn grants(&self, trial: Trial) -> Result<Vec<Grant>, Fault> {
        self.fault_schedule.send(Place::Store, trial == Trial::Writes, self.inner.grants(trial)).await
    }

    async fn owner(&self) -> Result<Option<String>, Fault> {
        self.fault_schedule.read(Place::Store, self.inner.owner()).await
    }

    async fn claim(&self, ledger: &str) -> Result<String, Fault> {
        self.fault_schedule.send(Place::Store, true, self.inner.claim(ledger)).await
    }

    async fn replace_owner(&self, from: &str, to: &str) -> Result<String, Fault> {
        self.fault_schedule.send(Place::Store, true, self.inner.replace_owner(from, to)).await
    }

    async fn stat(&self, at: &Address) -> Result<Option<Stat>, Fault> {
        self.fault_schedule.read(Place::Store, self.inner.stat(at)).await
    }

    async fn put(
        &self,
        at: &Address,
        content: &Content,
        expected: bool,
        sent: Sending<'_>,
    ) -> Result<Put, PutError> {
        self.fault_schedule.send(Place::Store, true, self.inner.put(at, content, expected, sent)).await
    }

    async fn get(&self, at: &Address, range: Range<u64>, etag: Option<&str>) -> Result<Option<Body>, Fault> {
        self.fault_schedule.read(Place::Store, self.inner.get(at, range, etag)).await
    }

    async fn delete(&self, at: &Address) -> Result<(), Fault> {
        self.fault_schedule.send(Place::Store, true, self.inner.delete(at)).await
    }

    async fn list(&self, after: Option<&str>) -> Result<Listing, Fault> {
        self.fault_schedule.read(Place::Store, self.inner.list(after)).await
    }
}
