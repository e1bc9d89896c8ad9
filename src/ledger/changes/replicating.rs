//! Bringing the freezes from their log to the replicas that moves check.
//!
//! A change of the freezes first commits its entry and the head of the log. Then each replica is brought to the state of
//! the head, under the condition that it is as it was read, and only if it is older: so its `rev` only grows, whatever
//! arrives late and in whatever order. The change is complete once no replica is older than its entry. A move that is
//! in progress can make a replica wait, and makes only that one wait.

use crate::{
    ledger::{
        Error, TableLedger,
        engine::attempt::AttemptError,
        schema::{self, FREEZES, FreezeHead, FreezeReplica, REPLICAS, replica_key},
        snapshot::{Snapshot, coverage::Sealed},
    },
    model::OpId,
    retry::{RetryHint, Retryable},
    table::{Action, Change, TransactError, Transaction},
};
use futures_util::{StreamExt, TryStreamExt, stream};

/// The number of replicas that are written concurrently, once all together met a move.
const JOBS: usize = 16;

const DOING: &str = "bringing the change of the freezes to all moves";

impl TableLedger {
    /// Brings all replicas to the freezes of the log, until none is older than `rev`.
    pub(in crate::ledger) async fn replicate(&self, rev: u64) -> Result<(), AttemptError> {
        // Together they cost one transaction, unless they meet a move that is in progress.
        let all: Vec<u8> = (0..REPLICAS).collect();
        let together = || async {
            match self.write_replicas(&all, rev).await {
                Ok(()) => Ok(true),
                Err(error) if error.retry_hint() == RetryHint::Soon => Ok(false),
                Err(error) => Err(error),
            }
        };
        if self.retry_policy().run(DOING, together).await? {
            return Ok(());
        }
        let each = all.iter().map(|number| {
            self.retry_policy().run(DOING, || self.write_replicas(std::slice::from_ref(number), rev))
        });
        let each: Vec<_> = each.collect();
        stream::iter(each).buffer_unordered(JOBS).try_collect().await
    }

    /// Tries once to write those of these replicas that are older than `rev`, in one transaction.
    async fn write_replicas(&self, numbers: &[u8], rev: u64) -> Result<(), AttemptError> {
        let keys: Vec<_> = numbers.iter().map(|number| replica_key(*number)).collect();
        let items = self.table().get_many(&keys).await?;
        let seen = Snapshot::new(keys.clone(), items, false);
        let mut older = Vec::new();
        for key in keys {
            if seen.get::<FreezeReplica>(&key)?.is_none_or(|replica| replica.rev < rev) {
                older.push(key);
            }
        }
        if older.is_empty() {
            return Ok(());
        }
        // Read after the replicas: so it is newer than all of them.
        let head_key = schema::head_key(FREEZES);
        let head = self.table().get_many(std::slice::from_ref(&head_key)).await?;
        let head: Option<FreezeHead> = Snapshot::new(vec![head_key.clone()], head, false).get(&head_key)?;
        let head = head
            .filter(|head| head.rev >= rev)
            .ok_or_else(|| Error::damaged(&head_key, format!("it is older than its entry {rev}")))?;
        seen.check_writable(&older)?;
        // Nothing depends on the others any more.
        seen.begin();
        let replica = FreezeReplica { rev: head.rev, freezes: head.freezes };
        let mut transaction = Transaction::new(OpId::from(self.retry_policy().random()).to_string());
        for key in older {
            seen.get::<FreezeReplica>(&key)?;
            let condition = seen.unchanged::<FreezeReplica>(&key);
            transaction.push(Action { key, condition, change: Change::Put(schema::encode(&replica)) });
        }
        match self.send(&Sealed::or_stop(seen.seal(transaction))?).await {
            Ok(()) => Ok(()),
            Err(TransactError::Refused(_)) => Err(AttemptError::Lost { carried: false }),
            Err(TransactError::Fault(fault)) => Err(fault.into()),
        }
    }
}
