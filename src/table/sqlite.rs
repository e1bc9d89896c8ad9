//! The embedded table: one SQLite database in a directory, for any number of processes on one machine.
//!
//! A change is durable on return: write-ahead log, `synchronous=FULL`, and a full flush if the system has one
//! ([SQLite's pragmas](https://sqlite.org/pragma.html#pragma_synchronous)). SQLite's own waiting for a busy database
//! can starve a process for seconds, so writers and openers also queue for an advisory lock on a file next to the
//! database. Not for network file systems: their locks are unreliable.

mod database;

use super::{
    Created, Item, Key, Order, Page, Query, Table, TransactError, Transaction, canonical::canonical, decide,
};
use crate::{
    failpoint::reach,
    fault::{Fault, FaultKind},
};
use async_trait::async_trait;
use database::{Access, Database, QueueTicket};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, named_params, params};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The maximum time that a writer queues for the others before it reports contention.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
const SCAN_PAGE: u32 = 500;

/// A table in a directory of this machine.
///
/// If there is no database, a read does not create one: everything is absent.
pub struct SqliteTable {
    shared: Arc<Shared>,
}

struct Shared {
    dir: PathBuf,
    database: Mutex<Option<Database>>,
}

impl fmt::Debug for SqliteTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteTable").field("dir", &self.shared.dir).finish_non_exhaustive()
    }
}

impl SqliteTable {
    /// Opens the table in `dir`, as the file `ledger.db`. Touches nothing yet: the first read that finds a database
    /// opens it, and the first change creates whatever is missing, including the directory with its parents (mode
    /// 0700).
    #[must_use]
    pub fn open(dir: &Path) -> Self {
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        Self { shared: Arc::new(Shared { dir, database: Mutex::new(None) }) }
    }

    fn reading(&self) -> String {
        format!("reading the ledger in `{}`", self.shared.dir.display())
    }

    fn writing(&self) -> String {
        format!("writing to the ledger in `{}`", self.shared.dir.display())
    }

    /// Runs `read` on one snapshot, or returns `absent` if there is no database.
    async fn read<T: Send + 'static>(
        &self,
        absent: T,
        read: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, Fault> {
        let shared = Arc::clone(&self.shared);
        blocking(self.reading(), move |ticket, doing| {
            let mut held = shared.database.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(database) = Database::ensure(&mut held, &shared.dir, Access::Existing, ticket, doing)?
            else {
                return Ok(absent);
            };
            ticket.start(doing)?;
            database
                .connection
                .transaction_with_behavior(TransactionBehavior::Deferred)
                .and_then(|snapshot| read(&snapshot))
                .map_err(|error| database::fault(doing, error))
        })
        .await
    }
}

/// Runs blocking work on a thread of its own. While it is queued it can be dropped, and times out: then it is never
/// done.
#[tracing::instrument(level = "debug", name = "sqlite", skip(work))]
async fn blocking<T: Send + 'static, E: From<Fault> + Send + 'static>(
    doing: String,
    work: impl FnOnce(&QueueTicket, &str) -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let ticket = QueueTicket::default();
    let _dropped = ticket.leave_on_drop();
    let mut task = tokio::task::spawn_blocking({
        let (ticket, doing) = (ticket.clone(), doing.clone());
        move || work(&ticket, &doing)
    });
    let done = match tokio::time::timeout(LOCK_TIMEOUT, &mut task).await {
        Ok(done) => done,
        Err(_) if ticket.leave() => {
            let waited = format!("another process has kept it locked for {} s", LOCK_TIMEOUT.as_secs());
            return Err(Fault::new(FaultKind::Contended, doing, waited).into());
        }
        Err(_) => task.await,
    };
    match done {
        Ok(done) => done,
        Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
        // The runtime is shutting down.
        Err(stopped) => Err(Fault::new(FaultKind::Unavailable, doing, stopped).into()),
    }
}

#[async_trait]
impl Table for SqliteTable {
    fn describe(&self) -> String {
        let dir = &self.shared.dir;
        url::Url::from_file_path(dir).map_or_else(|()| format!("file://{}", dir.display()), String::from)
    }

    async fn create(&self) -> Result<Created, Fault> {
        let shared = Arc::clone(&self.shared);
        blocking(self.writing(), move |ticket, doing| {
            let mut held = shared.database.lock().unwrap_or_else(PoisonError::into_inner);
            let open = held.is_some();
            let database = Database::ensure(&mut held, &shared.dir, Access::Make, ticket, doing)?;
            let made = !open && database.is_some_and(|database| database.made);
            Ok(if made { Created::Made } else { Created::Present })
        })
        .await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.get_transact(keys).await
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        let (absent, keys) = (vec![None; keys.len()], keys.to_vec());
        self.read(absent, move |snapshot| keys.iter().map(|key| get(snapshot, key)).collect()).await
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        let query = query.clone();
        self.read(Page { items: Vec::new(), next: None }, move |snapshot| {
            // The query uses one range, because SQLite would otherwise read all rows before it.
            let (mut from, mut to) = ((">=", query.from), ("<=", query.to));
            let order = match query.order {
                Order::Ascending => "ASC",
                Order::Descending => "DESC",
            };
            match (query.after, query.order) {
                (Some(after), Order::Ascending) if after >= from.1 => from = (">", after),
                (Some(after), Order::Descending) if after <= to.1 => to = ("<", after),
                _ => {}
            }
            let mut select = snapshot.prepare_cached(&format!(
                "SELECT sk, item FROM items WHERE pk = :pk AND sk {} :from AND sk {} :to \
                 ORDER BY sk {order} LIMIT :limit",
                from.0, to.0
            ))?;
            let rows = select.query_map(
                named_params! {
                    ":pk": query.pk, ":from": from.1, ":to": to.1, ":limit": i64::from(query.limit) + 1,
                },
                |row| Ok((row.get(0)?, item(row, 1)?)),
            )?;
            page(rows, query.limit)
        })
        .await
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        let after = after.cloned();
        self.read(Page { items: Vec::new(), next: None }, move |snapshot| {
            let mut select = snapshot.prepare_cached(
                "SELECT pk, sk, item FROM items WHERE (pk, sk) > (:pk, :sk) ORDER BY pk, sk LIMIT :limit",
            )?;
            // No sort key is empty, so nothing is before this.
            let after = after.unwrap_or_else(|| Key::new("", ""));
            let rows = select.query_map(
                named_params! {":pk": after.pk, ":sk": after.sk, ":limit": SCAN_PAGE + 1},
                |row| Ok((Key { pk: row.get(0)?, sk: row.get(1)? }, item(row, 2)?)),
            )?;
            page(rows, SCAN_PAGE)
        })
        .await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        let (shared, transaction) = (Arc::clone(&self.shared), transaction.clone());
        blocking(self.writing(), move |ticket, doing| {
            let mut held = shared.database.lock().unwrap_or_else(PoisonError::into_inner);
            let failed = |error| TransactError::from(database::fault(doing, error));
            let Some(database) = Database::ensure(&mut held, &shared.dir, Access::Make, ticket, doing)?
            else {
                unreachable!("a missing database is created");
            };
            let _lock = database.lock(ticket, doing)?;
            let change = database
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(failed)?;
            for (key, after) in decide(&transaction, |key| get(&change, key).map_err(failed))? {
                put(&change, &key, after).map_err(failed)?;
            }
            reach("sqlite-written");
            change.commit().map_err(|error| database::commit_fault(doing, error).into())
        })
        .await
    }
}

fn get(connection: &Connection, key: &Key) -> Result<Option<Item>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT item FROM items WHERE pk = ? AND sk = ?")?
        .query_row(params![key.pk, key.sk], |row| item(row, 0))
        .optional()
}

fn put(connection: &Connection, key: &Key, item: Option<Item>) -> Result<(), rusqlite::Error> {
    match item {
        Some(item) => connection
            .prepare_cached("INSERT OR REPLACE INTO items (pk, sk, item) VALUES (?, ?, ?)")?
            .execute(params![key.pk, key.sk, canonical(&serde_json::Value::Object(item))])?,
        None => connection
            .prepare_cached("DELETE FROM items WHERE pk = ? AND sk = ?")?
            .execute(params![key.pk, key.sk])?,
    };
    Ok(())
}

fn item(row: &rusqlite::Row<'_>, column: usize) -> Result<Item, rusqlite::Error> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// Returns a page from at most one row more than it may have.
fn page<K: Clone>(
    rows: impl Iterator<Item = Result<(K, Item), rusqlite::Error>>,
    limit: u32,
) -> Result<Page<K>, rusqlite::Error> {
    let mut items: Vec<(K, Item)> = rows.collect::<Result<_, _>>()?;
    let limit = limit as usize;
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().map(|(key, _)| key.clone());
    Ok(Page { items, next: last.filter(|_| more) })
}
