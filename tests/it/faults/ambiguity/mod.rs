//! Requests and replies that are lost, late or refused: the outcome is found out, and nothing happens twice.
//!
//! All of it in tokio's paused time, over the table in memory.

mod deadlines;
mod lost;
mod moves;
mod races;
mod random;
mod stops;
mod waits;

use crate::support::{
    audit::{Audited, audit},
    faulty_table::{Fate, Faulty},
    world::{add, tag, tags},
};
use sacker::{
    ledger::TableLedger,
    retry::{Cancellation, RetryPolicy},
    table::{Table, Transaction, memory::MemoryTable},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

const DEADLINE: Duration = Duration::from_mins(1);

/// A table, and ways to it with faults and without.
struct Scene {
    table: Arc<dyn Table>,
    faulty: Arc<Faulty>,
    ledger: TableLedger,
    cancellation: Cancellation,
}

/// A retry policy whose identities are unique in this process.
fn retry_policy(cancellation: Cancellation) -> RetryPolicy {
    static SEED: AtomicU64 = AtomicU64::new(0);
    RetryPolicy::seeded(DEADLINE, cancellation, SEED.fetch_add(1, Ordering::Relaxed))
}

impl Scene {
    /// A ledger with the versions 1 and 2 of `app`, and `live` on 1; what is done to it through `ledger` meets the
    /// fates that `script` gives.
    async fn new(script: impl FnMut(usize, &Transaction) -> Fate + Send + 'static) -> Self {
        let table: Arc<dyn Table> = Arc::new(MemoryTable::new());
        let sound = TableLedger::new(Arc::clone(&table), retry_policy(Cancellation::new()));
        crate::support::world::add_many(&sound, "app", 2).await;
        crate::support::world::tag(&sound, "app", "1", "live").await;
        let faulty = Arc::new(Faulty::new(Arc::clone(&table), script));
        let rivals = Arc::clone(&table);
        faulty.set_rival(move |key| {
            let rival = TableLedger::new(Arc::clone(&rivals), retry_policy(Cancellation::new()));
            async move { compete(&rival, &key.pk).await }
        });
        let cancellation = Cancellation::new();
        let ledger =
            TableLedger::new(Arc::clone(&faulty) as Arc<dyn Table>, retry_policy(cancellation.clone()));
        Self { table, faulty, ledger, cancellation }
    }

    /// A handle without faults, as another process would have.
    fn sound(&self) -> TableLedger {
        TableLedger::new(Arc::clone(&self.table), retry_policy(Cancellation::new()))
    }

    /// The operation of another client that comes first.
    fn set_rival<F>(&self, rival: impl Fn(TableLedger) -> F + Send + Sync + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let table = Arc::clone(&self.table);
        self.faulty.set_rival(move |_| {
            rival(TableLedger::new(Arc::clone(&table), retry_policy(Cancellation::new())))
        });
    }

    async fn audit(&self) -> (usize, usize, usize) {
        let Audited { versions, moves, fences, revs } = audit(&*self.table, "app").await;
        // Each version is an entry of the log, and so is each fence that is not one of the tags'.
        assert!((versions..=versions + fences).contains(&usize::try_from(revs).unwrap()));
        (versions, moves, fences)
    }
}

/// The first `count` transactions meet `fate`, those after them arrive.
fn first(count: usize, fate: Fate) -> impl FnMut(usize, &Transaction) -> Fate + Send + 'static {
    move |number, _| if number < count { fate } else { Fate::Arrives }
}

/// Changes a log of `app`: adds a version, or moves a tag.
async fn compete(rival: &TableLedger, log: &str) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    if log == "P#app" {
        add(rival, "app", &format!("rival {number}")).await;
    } else {
        let there = tags(rival, "app").await.contains("rival=1");
        tag(rival, "app", if there { "2" } else { "1" }, "rival").await;
    }
}
