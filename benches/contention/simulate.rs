//! A server that is a table in memory with latencies, on a clock that is jumped forward.

use super::{
    Arguments, line,
    trial::{self, Trial, Writer},
};
use async_trait::async_trait;
use sacker::{
    fault::{Fault, FaultKind},
    model::Created,
    retry::{Cancellation, Pace, RetryPolicy},
    table::{Item, Key, Page, Query, Table, TransactError, Transaction, memory::MemoryTable},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// The properties of a server. Times are in milliseconds.
#[derive(Debug)]
pub struct Server {
    pub name: &'static str,
    /// On the way there, and again on the way back.
    way: u64,
    read: u64,
    /// A transaction, refused or not. There is one at a time.
    commit: u64,
    /// `true` if a transaction that comes while another is under way gets a conflict, as DynamoDB does; otherwise it
    /// waits.
    conflicts: bool,
    /// `true` if reads wait for their turn, too, as on a machine with one core.
    busy: bool,
}

pub const SERVERS: &[Server] = &[
    Server { name: "serial", way: 1, read: 1, commit: 5, conflicts: false, busy: false },
    Server { name: "one core", way: 0, read: 2, commit: 4, conflicts: false, busy: true },
    Server { name: "conflicts", way: 1, read: 3, commit: 10, conflicts: true, busy: false },
    Server { name: "far", way: 40, read: 3, commit: 10, conflicts: true, busy: false },
];

/// Simulates rounds of one writer and of all.
pub fn run(server: &'static Server, writers: usize, (name, pace): (&str, Pace), arguments: &Arguments) {
    let window = Duration::from_secs(arguments.seconds * arguments.rounds);
    let simulate = |count: usize| -> Trial {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap().block_on(async {
            let turns = Arc::new(Semaphore::new(1));
            let memory = Arc::new(MemoryTable::new());
            let mut random = fastrand::Rng::with_seed(arguments.seed);
            let mut writer = || {
                let simulated = Simulated { server, memory: Arc::clone(&memory), turns: Arc::clone(&turns) };
                let retry_policy =
                    RetryPolicy::seeded(trial::DEADLINE, Cancellation::new(), random.u64(..)).with_pace(pace);
                Writer::new(Arc::new(simulated), retry_policy, random.u64(..))
            };
            trial::run((0..count).map(|_| writer()).collect(), window).await
        })
    };
    println!("{}", line(server.name, name, writers, &simulate(1), &simulate(writers)));
}

#[derive(Debug)]
struct Simulated {
    server: &'static Server,
    memory: Arc<MemoryTable>,
    turns: Arc<Semaphore>,
}

async fn pass(millis: u64) {
    if millis > 0 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

impl Simulated {
    async fn read<T>(&self, read: impl Future<Output = T>) -> T {
        pass(self.server.way).await;
        let turn = if self.server.busy { self.turns.acquire().await.ok() } else { None };
        pass(self.server.read).await;
        let read = read.await;
        drop(turn);
        pass(self.server.way).await;
        read
    }
}

#[async_trait]
impl Table for Simulated {
    fn describe(&self) -> String {
        self.server.name.to_owned()
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.memory.create().await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.read(self.memory.get_many(keys)).await
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.read(self.memory.get_transact(keys)).await
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        self.read(self.memory.query(query)).await
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.read(self.memory.scan(after)).await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        pass(self.server.way).await;
        let turn = match self.turns.try_acquire() {
            Ok(turn) => Some(turn),
            Err(_) if self.server.conflicts => {
                pass(self.server.way).await;
                let conflict = Fault::new(FaultKind::Contended, "writing", "TransactionConflict");
                return Err(conflict.into());
            }
            Err(_) => self.turns.acquire().await.ok(),
        };
        pass(self.server.commit).await;
        let done = self.memory.transact(transaction).await;
        drop(turn);
        pass(self.server.way).await;
        done
    }
}
