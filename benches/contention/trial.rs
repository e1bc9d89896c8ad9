//! Writers that add to one package for a fixed time.

use async_trait::async_trait;
use sacker::{
    fault::Fault,
    ledger::{AddRequest, Added, Author, Ledger, Staged, TableLedger},
    model::{Address, Blob, Created, Digest, Spec},
    retry::RetryPolicy,
    table::{Item, Key, Page, Query, Table, TransactError, Transaction},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// The command line's own default.
pub const DEADLINE: Duration = Duration::from_mins(1);

const PACKAGE: &str = "app";

/// The result of one round or of several.
#[derive(Default)]
pub struct Trial {
    pub seconds: f64,
    /// Additions that ended within the round.
    timely: usize,
    /// In milliseconds, ascending.
    pub latencies: Vec<f64>,
    pub attempts: u64,
    pub requests: u64,
    pub failed: usize,
    pub fewest: usize,
    pub most: usize,
}

impl Trial {
    pub fn add(&mut self, other: Self) {
        self.fewest = if self.seconds == 0.0 { other.fewest } else { self.fewest.min(other.fewest) };
        self.most = self.most.max(other.most);
        self.seconds += other.seconds;
        self.timely += other.timely;
        self.latencies.extend(other.latencies);
        self.latencies.sort_by(f64::total_cmp);
        self.attempts += other.attempts;
        self.requests += other.requests;
        self.failed += other.failed;
    }

    #[expect(clippy::cast_precision_loss, reason = "there are not that many")]
    pub fn rate(&self) -> f64 {
        self.timely as f64 / self.seconds
    }

    /// The latency that this percentage of additions does not exceed.
    pub fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.latencies.len() * percent).div_ceil(100).max(1);
        self.latencies.get(rank - 1).copied().unwrap_or_default()
    }
}

/// One writer.
pub struct Writer {
    ledger: TableLedger,
    counted: Arc<Counts>,
    random: fastrand::Rng,
}

impl Writer {
    pub fn new(table: Arc<dyn Table>, retry_policy: RetryPolicy, seed: u64) -> Self {
        let counted = Arc::new(Counts::default());
        let table = Arc::new(Counting { table, counts: Arc::clone(&counted) });
        Self {
            ledger: TableLedger::new(table, retry_policy),
            counted,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Adds until the time is up; the latencies of its additions, how many ended in time, and how many failed.
    async fn write(&mut self, until: Instant) -> (Vec<f64>, usize, usize) {
        let (mut latencies, mut timely, mut failed) = (Vec::new(), 0, 0);
        while Instant::now() < until {
            let began = Instant::now();
            match self.add().await {
                Ok(()) => {
                    latencies.push(began.elapsed().as_secs_f64() * 1e3);
                    timely += usize::from(Instant::now() <= until);
                }
                Err(error) => {
                    eprintln!("failed after {:?}: {error}", began.elapsed());
                    failed += 1;
                }
            }
        }
        (latencies, timely, failed)
    }

    async fn add(&mut self) -> Result<(), sacker::ledger::Error> {
        let mut sha256 = [0; 32];
        self.random.fill(&mut sha256);
        let request =
            AddRequest::new(PACKAGE.parse().unwrap()).author(Author::new("bench@host".parse().unwrap()));
        let sha256 = Digest::from(sha256);
        let mut draft = self.ledger.begin_add(&request, None).await?;
        let staged = self.ledger.stage(&request, &sha256, &mut draft).await?;
        let Staged::Upload { generation, .. } = staged else { unreachable!("it is another blob each time") };
        let filename = Some("app.tar.gz".parse().unwrap());
        let blob = Blob { address: Address { sha256, generation }, size: 1 << 20, filename, mode: None };
        match self.ledger.add(&request, &blob, &mut draft).await? {
            Added::Version { new: true, .. } => Ok(()),
            other => unreachable!("{other:?}"),
        }
    }
}

/// Lets all writers add for a fixed time, and checks the result.
pub async fn run(mut writers: Vec<Writer>, window: Duration) -> Trial {
    // Table, identity and the first version are there before time is taken, and so are the connections.
    writers[0].ledger.create().await.unwrap();
    writers[0].add().await.unwrap();
    for writer in &writers {
        writer.ledger.tags(&PACKAGE.parse().unwrap()).await.unwrap();
    }
    let counted: Vec<_> = writers.iter().map(|writer| Arc::clone(&writer.counted)).collect();
    let sum = |of: fn(&Counts) -> &AtomicU64| -> u64 {
        counted.iter().map(|counts| of(counts).load(Ordering::Relaxed)).sum()
    };
    let before = (sum(|counts| &counts.attempts), sum(|counts| &counts.requests));
    let until = Instant::now() + window;
    let write = |mut writer: Writer| async move { (writer.write(until).await, writer) };
    let tasks: Vec<_> = writers.drain(..).map(|writer| tokio::spawn(write(writer))).collect();
    let mut trial = Trial { seconds: window.as_secs_f64(), fewest: usize::MAX, ..Trial::default() };
    for task in tasks {
        let ((latencies, timely, failed), writer) = task.await.unwrap();
        trial.fewest = trial.fewest.min(latencies.len());
        trial.most = trial.most.max(latencies.len());
        trial.latencies.extend(latencies);
        trial.timely += timely;
        trial.failed += failed;
        writers.push(writer);
    }
    trial.latencies.sort_by(f64::total_cmp);
    trial.attempts = sum(|counts| &counts.attempts) - before.0;
    trial.requests = sum(|counts| &counts.requests) - before.1;
    let latest = writers[0].ledger.blob(&PACKAGE.parse().unwrap(), &Spec::Latest).await.unwrap();
    let versions = usize::try_from(latest.0.get()).unwrap();
    assert!(versions == 1 + trial.latencies.len() || trial.failed > 0, "versions were lost or doubled");
    trial
}

#[derive(Debug, Default)]
struct Counts {
    attempts: AtomicU64,
    requests: AtomicU64,
}

/// A table that counts its requests.
#[derive(Debug)]
struct Counting {
    table: Arc<dyn Table>,
    counts: Arc<Counts>,
}

impl Counting {
    fn asked(&self) -> &dyn Table {
        self.counts.requests.fetch_add(1, Ordering::Relaxed);
        &*self.table
    }
}

#[async_trait]
impl Table for Counting {
    fn describe(&self) -> String {
        self.table.describe()
    }

    async fn home(&self) -> Result<Option<String>, Fault> {
        self.table.home().await
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.table.create().await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.asked().get_many(keys).await
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.asked().get_transact(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        self.asked().query(query).await
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.asked().scan(after).await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        self.counts.attempts.fetch_add(1, Ordering::Relaxed);
        self.asked().transact(transaction).await
    }
}
