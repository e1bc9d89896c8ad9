//! Transactions, in two round trips: lock and read, then write and commit.
//!
//! The first begins the transaction, locks the partitions of its items (those that it only checks, shared) in one order,
//! and reads the items in a statement of its own, which sees all that was committed under the locks. The transaction is
//! judged here. The second round trip writes, each item under the condition that its text still is the one that was
//! judged, and commits: so even a change by hand that takes no lock is not overwritten unseen.

use super::{
    PostgresTable,
    fault::{Stage, fault, silent},
    reading::{ANSWER, Parameter, check_primary},
    session::Lease,
    statements::{BEGIN, UNLIMITED},
};
use crate::{
    failpoint::reach,
    fault::Fault,
    table::{Change, Item, Key, TransactError, Transaction, canonical::canonical_object, decide},
};
use futures_util::future::join_all;
use std::{collections::HashMap, time::Duration};
use tokio::time::timeout;
use tokio_postgres::{Error, types::Type};
use tracing::{Instrument, debug_span};

/// The time in which a commit must be answered, with its wait for the standbys.
const COMMIT: Duration = Duration::from_secs(15);

/// The rows that a transaction writes, by columns.
#[derive(Default)]
struct Rows<'a> {
    pk: Vec<&'a str>,
    sk: Vec<&'a str>,
    item: Vec<String>,
    before: Vec<&'a str>,
}

/// The changes of a transaction.
#[derive(Default)]
struct Writes<'a> {
    inserted: Rows<'a>,
    updated: Rows<'a>,
    deleted: Rows<'a>,
}

impl PostgresTable {
    pub(super) async fn commit(&self, transaction: &Transaction) -> Result<(), TransactError> {
        let doing = self.writing();
        let mut lease = self.pool.lease(&doing).await?;
        let span = debug_span!("postgres.transaction", items = transaction.actions().len());
        let judging = self.lock_and_read(&lease, transaction, &doing).instrument(span.clone());
        // A lease that is dropped cancels what the server is doing, and ends the transaction.
        let Ok(found) = timeout(ANSWER, judging).await else {
            return Err(silent(&doing, Stage::BeforeCommit, ANSWER.as_secs()).into());
        };
        let found = match found {
            Ok(found) => found,
            Err(fault) => {
                roll_back(lease).await;
                return Err(fault.into());
            }
        };
        let items = |key: &Key| Ok::<_, TransactError>(found.get(key).map(|(item, _)| item.clone()));
        let after = match decide(transaction, items) {
            Ok(after) => after,
            Err(refused) => {
                // The answer is certain, whatever becomes of the connection.
                roll_back(lease).await;
                return Err(refused);
            }
        };
        let writes = Writes::new(&after, &found);
        if writes.is_empty() {
            roll_back(lease).await;
            return Ok(());
        }
        reach("postgres-judged");
        lease.never_cancel();
        let Ok(done) = timeout(COMMIT, self.write_and_commit(&lease, &writes, &doing).instrument(span)).await
        else {
            return Err(silent(&doing, Stage::Committing, COMMIT.as_secs()).into());
        };
        // The transaction is at an end, also after an error of the server.
        lease.finish();
        Ok(done?)
    }

    async fn lock_and_read<'a>(
        &self,
        lease: &Lease,
        transaction: &'a Transaction,
        doing: &str,
    ) -> Result<HashMap<&'a Key, (Item, String)>, Fault> {
        let (client, statements) = (lease.client(), &self.statements);
        let keys: Vec<&Key> = transaction.actions().iter().map(|action| &action.key).collect();
        let pk: Vec<&str> = keys.iter().map(|key| key.pk.as_str()).collect();
        let sk: Vec<&str> = keys.iter().map(|key| key.sk.as_str()).collect();
        let changes: Vec<bool> =
            transaction.actions().iter().map(|action| action.change != Change::Check).collect();
        let locked: [Parameter<'_>; 2] = [(&pk, Type::TEXT_ARRAY), (&changes, Type::BOOL_ARRAY)];
        let read: [Parameter<'_>; 2] = [(&pk, Type::TEXT_ARRAY), (&sk, Type::TEXT_ARRAY)];
        // Sent in this order, before the first answer.
        let (begun, locked, rows) = tokio::join!(
            biased;
            client.batch_execute(BEGIN),
            client.query_typed(&statements.lock, &locked),
            client.query_typed(&statements.get, &read),
        );
        let failed = |error: Error| fault(doing, Stage::BeforeCommit, &error);
        begun.map_err(failed)?;
        locked.map_err(failed)?;
        let rows = rows.map_err(failed)?;
        check_primary(&rows, doing)?;
        self.items(&keys, &rows)
    }

    async fn write_and_commit(&self, lease: &Lease, writes: &Writes<'_>, doing: &str) -> Result<(), Fault> {
        let (client, statements) = (lease.client(), &self.statements);
        let Writes { inserted, updated, deleted } = writes;
        let text = Type::TEXT_ARRAY;
        let insert: [Parameter<'_>; 3] =
            [(&inserted.pk, text.clone()), (&inserted.sk, text.clone()), (&inserted.item, text.clone())];
        let update: [Parameter<'_>; 4] = [
            (&updated.pk, text.clone()),
            (&updated.sk, text.clone()),
            (&updated.item, text.clone()),
            (&updated.before, text.clone()),
        ];
        let delete: [Parameter<'_>; 3] =
            [(&deleted.pk, text.clone()), (&deleted.sk, text.clone()), (&deleted.before, text.clone())];
        let all = [
            (inserted, &statements.insert, insert.as_slice()),
            (updated, &statements.update, update.as_slice()),
            (deleted, &statements.delete, delete.as_slice()),
        ];
        let writing = all.into_iter().filter(|(rows, _, _)| !rows.pk.is_empty());
        let writing = join_all(writing.map(|(_, sql, parameters)| client.query_typed(sql, parameters)));
        // Sent in this order, before the first answer. After an error, the server makes a rollback of the commit.
        let (written, unlimited, committed) = tokio::join!(
            biased;
            writing,
            client.batch_execute(UNLIMITED),
            client.batch_execute("COMMIT"),
        );
        for result in written.into_iter().map(|result| result.map(drop)).chain([unlimited]) {
            result.map_err(|error| {
                // The server answers in order: with its error in this place, it has not executed the commit.
                let is_certain = error.as_db_error().is_some();
                fault(doing, if is_certain { Stage::BeforeCommit } else { Stage::Committing }, &error)
            })?;
        }
        committed.map_err(|error| fault(doing, Stage::Committing, &error))
    }
}

/// Ends the transaction without a change, and returns the connection for other requests if that was answered.
async fn roll_back(lease: Lease) {
    if let Ok(Ok(())) = timeout(ANSWER, lease.client().batch_execute("ROLLBACK")).await {
        lease.finish();
    }
}

impl<'a> Rows<'a> {
    fn push(&mut self, key: &'a Key, item: Option<&Item>, before: Option<&'a str>) {
        self.pk.push(&key.pk);
        self.sk.push(&key.sk);
        self.item.extend(
            item.map(|item| canonical_object(item.iter().map(|(name, value)| (name.as_str(), value)))),
        );
        self.before.extend(before);
    }
}

impl<'a> Writes<'a> {
    fn new(after: &'a [(Key, Option<Item>)], found: &'a HashMap<&Key, (Item, String)>) -> Self {
        let mut writes = Self::default();
        for (key, item) in after {
            let before = found.get(key).map(|(_, text)| text.as_str());
            match (before, item) {
                (None, Some(item)) => writes.inserted.push(key, Some(item), None),
                (Some(before), Some(item)) => writes.updated.push(key, Some(item), Some(before)),
                (Some(before), None) => writes.deleted.push(key, None, Some(before)),
                (None, None) => {}
            }
        }
        writes
    }

    fn is_empty(&self) -> bool {
        [&self.inserted, &self.updated, &self.deleted].into_iter().all(|rows| rows.pk.is_empty())
    }
}
