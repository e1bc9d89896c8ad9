//! A ledger over a table: its clock, its retries, and reading its items.

use super::{
    Error,
    clock::{Clock, Now},
    schema::{self, check_schema},
    snapshot::{Snapshot, coverage::Sealed},
};
use crate::{
    clock::ServerTime,
    fault::Fault,
    model::Timestamp,
    retry::RetryPolicy,
    table::{Key, Table, TransactError},
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::Mutex;

pub(super) const READING: &str = "reading the ledger";

/// A ledger that provides every guarantee of [`Ledger`](super::Ledger), over any [`Table`].
pub struct TableLedger {
    pub(super) table: Arc<dyn Table>,
    retry_policy: RetryPolicy,
    clock: Clock,
    schema_known: AtomicBool,
    asking: Mutex<()>,
}

impl fmt::Debug for TableLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableLedger").field("table", &self.table).finish_non_exhaustive()
    }
}

impl TableLedger {
    /// Creates a ledger over this table, with the clock of this machine.
    #[must_use]
    pub fn new(table: Arc<dyn Table>, retry_policy: RetryPolicy) -> Self {
        Self::with_clock(table, retry_policy, Arc::new(Timestamp::now))
    }

    /// Creates a ledger over this table, with another clock.
    #[must_use]
    pub fn with_clock(
        table: Arc<dyn Table>,
        retry_policy: RetryPolicy,
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Self {
        let clock = Clock::new(clock);
        Self { table, retry_policy, clock, schema_known: AtomicBool::new(false), asking: Mutex::new(()) }
    }

    /// Corrects the ledger's clock by the time of the server that has the table, as soon as one of its answers has
    /// stated it. The recorded time is then the server's, which all clients share.
    #[must_use]
    pub fn with_server_time(self, server: ServerTime) -> Self {
        Self { clock: self.clock.with_server(server), ..self }
    }

    pub(super) fn table(&self) -> &dyn Table {
        &*self.table
    }

    pub(super) fn retry_policy(&self) -> &RetryPolicy {
        &self.retry_policy
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    /// Reads items, each consistently, and the ledger's identity with them if it was not checked yet.
    pub(super) async fn read(&self, mut keys: Vec<Key>) -> Result<Snapshot, Error> {
        let meta = schema::meta_key();
        let asks = !self.schema_known.load(Ordering::Relaxed) && !keys.contains(&meta);
        // A concurrent caller that only needs the check waits for this one, and need not read.
        let _asking = asks.then(|| self.asking.try_lock());
        if asks {
            keys.push(meta);
        }
        self.retry_policy.run(READING, || self.read_once(keys.clone(), false)).await
    }

    /// Tries once to read items: as one snapshot, or each for itself. Checks the ledger's identity if it is among them.
    pub(super) async fn read_once(&self, keys: Vec<Key>, one: bool) -> Result<Snapshot, Error> {
        let items =
            if one { self.table.get_transact(&keys).await? } else { self.table.get_many(&keys).await? };
        let snapshot = Snapshot::new(keys, items, one);
        let meta = schema::meta_key();
        if snapshot.contains(&meta) {
            check_schema(snapshot.get(&meta)?.as_ref())?;
            self.schema_known.store(true, Ordering::Relaxed);
        }
        Ok(snapshot)
    }

    /// Checks that this program knows the ledger's schema, if that was not done yet.
    pub(super) async fn check_schema(&self) -> Result<(), Error> {
        if self.schema_known.load(Ordering::Relaxed) {
            return Ok(());
        }
        // Only one of several concurrent callers reads it.
        let _asking = self.asking.lock().await;
        if !self.schema_known.load(Ordering::Relaxed) {
            self.read(Vec::new()).await?;
        }
        Ok(())
    }

    /// Sends a transaction, once.
    pub(super) async fn send(&self, sealed: &Sealed) -> Result<(), TransactError> {
        sealed.send(self.table()).await
    }

    /// Tries a read until it succeeds or the deadline passes.
    pub(super) async fn retrying<T, F>(&self, read: impl FnMut() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        self.retry_policy.run(READING, read).await
    }
}
