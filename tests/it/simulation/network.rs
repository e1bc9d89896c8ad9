//! The network between a client and its table: latency, and every way in which a request can go wrong.
//!
//! A request that was sent goes its way whatever becomes of its sender: dropping a future does not call it back.

use super::history::Moment;
use async_trait::async_trait;
use sacker::{
    fault::{Fault, FaultKind},
    model::Created,
    table::{Item, Key, Page, Query, Table, TransactError, Transaction},
};
use std::{
    collections::BTreeSet,
    fmt,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// The milliseconds until a client gives up waiting for an answer.
const TIMEOUT: u64 = 2_000;
/// The time of a correct clock when a run begins, in milliseconds.
pub const BASE: u64 = 1_700_000_000_000;
/// After this nothing is under way any more.
pub const LATEST: Duration = Duration::from_mins(40);

/// The time that all clients share. No two events happen at the same instant, so that a run is the same every time even
/// though files are hashed on another thread.
#[derive(Debug)]
pub struct Time {
    start: Instant,
    taken: Mutex<BTreeSet<u64>>,
    ticks: AtomicU64,
}

impl Time {
    pub fn new() -> Self {
        Self { start: Instant::now(), taken: Mutex::default(), ticks: AtomicU64::new(1) }
    }

    /// Orders what is observed, finer than any clock.
    pub fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::Relaxed)
    }

    pub fn moment(&self) -> Moment {
        Moment { tick: self.tick(), millis: u64::try_from(self.elapsed().as_millis()).unwrap() }
    }

    /// Since the beginning, for the clocks of clients.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// A unique instant in about the given number of milliseconds.
    pub fn book(&self, millis: u64) -> Instant {
        let mut taken = self.taken.lock().unwrap();
        let mut at = u64::try_from(self.elapsed().as_millis()).unwrap() + millis.max(1);
        while !taken.insert(at) {
            at += 1;
        }
        self.start + Duration::from_millis(at)
    }

    pub async fn pass(&self, millis: u64) {
        tokio::time::sleep_until(self.book(millis)).await;
    }
}

/// The fate of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Arrives,
    RequestLost,
    ReplyLost,
    /// It arrives long after its sender has stopped waiting.
    Delayed,
    /// It arrives, and once more much later.
    Duplicated,
    Throttled,
    /// Someone else is changing the same: DynamoDB's `TransactionConflict`, S3's 409.
    Contended,
}

const FAULTS: [Fate; 6] =
    [Fate::RequestLost, Fate::ReplyLost, Fate::Delayed, Fate::Duplicated, Fate::Throttled, Fate::Contended];

/// A fault that lasts, for some links.
#[derive(Debug, Clone)]
pub struct Lasting {
    pub what: Lasts,
    /// Its start and its end, in milliseconds since the run began.
    pub when: Range<u64>,
    /// The clients that it is for; all, if there is none.
    pub clients: BTreeSet<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// Nothing arrives, or no answer does.
    Outage,
    Throttling,
}

/// One client's way to table and store, with its own luck.
#[derive(Debug)]
pub struct Link {
    pub time: Arc<Time>,
    lasting: Vec<Lasting>,
    random: Mutex<fastrand::Rng>,
    /// The percentage of requests that go wrong.
    percent: u32,
    /// The time until which nothing gets through.
    cut: Mutex<Instant>,
}

impl Link {
    pub fn new(time: &Arc<Time>, seed: u64, percent: u32, lasting: Vec<Lasting>) -> Arc<Self> {
        let random = Mutex::new(fastrand::Rng::with_seed(seed));
        let (time, cut) = (Arc::clone(time), Mutex::new(Instant::now()));
        Arc::new(Self { time, lasting, random, percent, cut })
    }

    fn below(&self, bound: u64) -> u64 {
        self.random.lock().unwrap().u64(0..bound)
    }

    pub fn fate(&self) -> Fate {
        let now = u64::try_from(self.time.elapsed().as_millis()).unwrap();
        match self.lasting.iter().find(|lasting| lasting.when.contains(&now)).map(|lasting| lasting.what) {
            Some(Lasts::Throttling) => return Fate::Throttled,
            Some(Lasts::Outage) => {
                return [Fate::RequestLost, Fate::RequestLost, Fate::ReplyLost, Fate::Delayed]
                    [usize::try_from(self.below(4)).unwrap()];
            }
            None => {}
        }
        let cut = *self.cut.lock().unwrap() > Instant::now();
        if self.percent == 0 || !cut && self.below(100) >= u64::from(self.percent) {
            return Fate::Arrives;
        }
        if cut {
            return [Fate::RequestLost, Fate::ReplyLost, Fate::Delayed]
                [usize::try_from(self.below(3)).unwrap()];
        }
        if self.below(40) == 0 {
            // For longer than any deadline, or not quite.
            let outage = Duration::from_secs(1 + self.below(120));
            *self.cut.lock().unwrap() = Instant::now() + outage;
        }
        FAULTS[usize::try_from(self.below(FAULTS.len() as u64)).unwrap()]
    }

    /// Pauses, now and then for longer than anyone waits.
    pub async fn stall(&self) {
        match self.below(8) {
            0 => self.time.pass(60_000 + self.below(400_000)).await,
            1..=3 => self.time.pass(1 + self.below(2_000)).await,
            _ => {}
        }
    }

    /// Draws the latency of a message, in milliseconds.
    pub fn latency(&self) -> u64 {
        1 + self.below(8)
    }

    /// Draws the latency of a message that everyone has given up on: up to far past every deadline.
    fn lateness(&self) -> u64 {
        let longest = [100, 4_000, 30_000, 1_200_000][usize::try_from(self.below(4)).unwrap()];
        2_000 + self.below(longest)
    }

    /// Sends a change. Returns the answer, unless that or the request is lost.
    pub async fn send<T, F>(&self, arrive: impl Fn() -> F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let fate = self.fate();
        let arrivals = match fate {
            Fate::Throttled | Fate::Contended => {
                self.time.pass(self.latency()).await;
                let throttled = fate == Fate::Throttled;
                return Err(fault(if throttled { FaultKind::Throttled } else { FaultKind::Contended }));
            }
            Fate::RequestLost => vec![],
            Fate::Arrives | Fate::ReplyLost => vec![self.latency()],
            Fate::Delayed => vec![self.lateness()],
            Fate::Duplicated => vec![self.latency(), self.lateness()],
        };
        let (answer, answered) = oneshot::channel();
        let mut answer = Some(answer).filter(|_| matches!(fate, Fate::Arrives | Fate::Duplicated));
        for millis in arrivals {
            let (at, arrival, answer) = (self.time.book(millis), arrive(), answer.take());
            tokio::spawn(async move {
                tokio::time::sleep_until(at).await;
                let result = arrival.await;
                if let Some(answer) = answer {
                    // Its sender may be gone.
                    let _ = answer.send(result);
                }
            });
        }
        drop(answer);
        if let Ok(result) = answered.await {
            self.time.pass(self.latency()).await;
            return Ok(result);
        }
        self.time.pass(TIMEOUT).await;
        Err(fault(FaultKind::Unavailable))
    }

    /// Sends a read. Returns `true` if it arrives.
    pub async fn ask(&self) -> Result<(), Fault> {
        match self.fate() {
            Fate::RequestLost | Fate::ReplyLost | Fate::Delayed => {
                self.time.pass(TIMEOUT).await;
                Err(fault(FaultKind::Unavailable))
            }
            Fate::Throttled => {
                self.time.pass(self.latency()).await;
                Err(fault(FaultKind::Throttled))
            }
            Fate::Arrives | Fate::Duplicated | Fate::Contended => {
                self.time.pass(self.latency()).await;
                Ok(())
            }
        }
    }
}

fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, "simulating", "a fault that was asked for")
}

/// A table at the end of a link.
pub struct Remote {
    pub link: Arc<Link>,
    pub inner: Arc<dyn Table>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remote")
    }
}

#[async_trait]
impl Table for Remote {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn home(&self) -> Result<Option<String>, Fault> {
        self.inner.home().await
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.link.ask().await?;
        self.inner.create().await
    }

    /// Reads with the least guarantees that the interface allows: each item by itself, in any order.
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.link.ask().await?;
        let mut order: Vec<_> = (0..keys.len()).collect();
        self.link.random.lock().unwrap().shuffle(&mut order);
        let mut items = vec![None; keys.len()];
        for at in order {
            items[at] = self.inner.get(&keys[at]).await?;
            if self.link.below(3) == 0 {
                self.link.time.pass(self.link.latency()).await;
            }
        }
        Ok(items)
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.link.ask().await?;
        let items = self.inner.get_transact(keys).await?;
        self.link.time.pass(self.link.latency()).await;
        Ok(items)
    }

    /// Pages may be shorter than asked for, and are.
    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        self.link.ask().await?;
        let limit = query.limit.min(1 + u32::try_from(self.link.below(4)).unwrap());
        self.inner.query(&Query { limit, ..query.clone() }).await
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.link.ask().await?;
        self.inner.scan(after).await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        self.link
            .send(|| {
                let (table, transaction) = (Arc::clone(&self.inner), transaction.clone());
                async move { table.transact(&transaction).await }
            })
            .await?
    }
}

/// Faults of about a minute, of table and store: for all clients, or for some, so that they part from the others.
pub fn faults_that_last(random: &mut fastrand::Rng, clients: u64) -> [Vec<Lasting>; 2] {
    let mut faults = [Vec::new(), Vec::new()];
    for _ in 0..random.u32(1..4) {
        let what = random.choice([Lasts::Outage, Lasts::Throttling]).unwrap();
        let from = random.u64(0..20_000);
        let when = from..from + random.u64(30_000..90_000);
        let all = random.bool();
        let clients = (0..clients).filter(|_| !all && random.bool()).collect();
        let fault = Lasting { what, when, clients };
        // Of the table, of the store, or of both.
        let of = random.u8(0..3);
        for (at, faults) in (0..).zip(&mut faults) {
            if of == 2 || of == at {
                faults.push(fault.clone());
            }
        }
    }
    faults
}
