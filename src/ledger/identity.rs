//! The identity of a ledger: its id; its home, which distinguishes it from a copy; and its epoch.

use super::{
    Error, TableLedger,
    schema::{self, Meta, SCHEMA, encode},
    snapshot::{Snapshot, coverage::Sealed},
};
use crate::{
    fault::Fault,
    model::OpId,
    table::{Action, Change, Condition, Item, TransactError, Transaction},
};

/// The identity of the ledger in a table, and whether the table is a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The ledger's id: random, the same in a copy, and a new one after the ledger has adopted a store.
    pub id: String,
    /// The epoch of its store in which it adds; 0 unless it has adopted a store.
    pub epoch: u64,
    /// The number of the schema of its items.
    pub schema: u64,
    /// The location where the ledger was created, if the table is elsewhere: it is a copy, or was moved.
    pub copy_of: Option<String>,
    /// The owner mark that this ledger had before an import raised its epoch. A store with that mark is its own: the
    /// import was interrupted before it replaced the mark.
    pub former_mark: Option<String>,
}

impl Identity {
    /// Returns the owner mark of the store that belongs to this ledger: the id, and the epoch after a space unless it
    /// is 0.
    #[must_use]
    pub fn mark(&self) -> String {
        if self.epoch == 0 { self.id.clone() } else { format!("{} {}", self.id, self.epoch) }
    }

    /// Returns the epoch in an owner mark; 0 if there is none.
    #[must_use]
    pub fn epoch_of(mark: &str) -> u64 {
        mark.split_once(' ').and_then(|(_, epoch)| epoch.parse().ok()).unwrap_or_default()
    }
}

impl TableLedger {
    fn new_id(&self) -> String {
        OpId::from(self.retry_policy().random()).to_string()
    }

    async fn home(&self) -> Result<Option<String>, Fault> {
        self.retrying(|| self.table().home()).await
    }

    /// Returns the identity in `meta`, and whether this is the location where the ledger was created.
    pub(super) async fn identify(&self, meta: Meta) -> Result<Identity, Error> {
        let here = self.home().await?;
        let moved = |home: &String| here.as_ref().is_some_and(|here| here != home);
        Ok(Identity {
            id: meta.ledger,
            epoch: meta.epoch,
            schema: meta.schema,
            copy_of: meta.home.filter(moved),
            former_mark: meta.former_mark,
        })
    }

    /// Refuses a change of a copy, such as a restored table, if `seen` holds the ledger's identity: a change of a copy
    /// would be missing from the ledger that all others use.
    pub(super) async fn check_home(&self, seen: &Snapshot) -> Result<(), Error> {
        let key = schema::meta_key();
        if !seen.contains(&key) {
            return Ok(());
        }
        let Some(meta) = seen.get::<Meta>(&key)? else { return Ok(()) };
        let Identity { id, copy_of, .. } = self.identify(meta).await?;
        copy_of.map_or(Ok(()), |home| Err(Error::Copy { id, home }))
    }

    /// Returns the ledger's identity, and creates one if there is none.
    pub(super) async fn make_identity(&self, seen: &Snapshot) -> Result<Meta, Error> {
        seen.begin();
        if let Some(meta) = seen.get(&schema::meta_key())? {
            return Ok(meta);
        }
        let mut home = self.home().await?;
        if home.is_none() {
            // A table that does not exist yet has no location.
            self.retry_policy().run("creating the ledger", || self.table().create()).await?;
            home = self.home().await?;
        }
        let ledger = self.new_id();
        let meta = Meta { schema: SCHEMA, ledger, home, epoch: 0, former_mark: None, rest: Item::new() };
        self.put_identity(seen, Condition::Absent, meta).await
    }

    /// Returns the transaction that creates an identity, under a condition that implies all that it was decided on.
    pub(super) fn identifying(
        &self,
        seen: &Snapshot,
        condition: Condition,
        meta: &Meta,
    ) -> Result<Sealed, Error> {
        let change = Change::Put(encode(meta));
        let mut put = Transaction::new(OpId::from(self.retry_policy().random()).to_string());
        put.push(Action { key: schema::meta_key(), condition, change });
        Sealed::or_stop(seen.seal(put))
    }

    /// Puts a new identity if the present one satisfies the condition, and returns the one that is stored then.
    async fn put_identity(&self, seen: &Snapshot, condition: Condition, meta: Meta) -> Result<Meta, Error> {
        let put = self.identifying(seen, condition, &meta)?;
        let made = self.retry_policy().run("creating the ledger's identity", || async {
            match self.send(&put).await {
                Ok(()) | Err(TransactError::Refused(_)) => Ok(()),
                Err(TransactError::Fault(fault)) => Err(fault),
            }
        });
        made.await?;
        // Another client may have been first: the stored identity counts.
        let key = schema::meta_key();
        self.read(vec![key.clone()]).await?.get(&key)?.ok_or_else(|| Error::Damaged {
            what: "the ledger's identity".to_owned(),
            why: "it disappeared right after it was created".to_owned(),
        })
    }

    /// Implements [`Ledger::adopt`](super::Ledger::adopt) and [`Ledger::raise`](super::Ledger::raise).
    pub(super) async fn change_identity(
        &self,
        seen: &Identity,
        epoch: u64,
        former_mark: Option<String>,
    ) -> Result<Identity, Error> {
        let key = schema::meta_key();
        let stored = self.read(vec![key.clone()]).await?;
        stored.check_writable([&key])?;
        let meta = match stored.get::<Meta>(&key)? {
            Some(meta) if meta.ledger == seen.id => {
                let same = stored.unchanged::<Meta>(&key);
                let (ledger, home) = (self.new_id(), self.home().await?);
                let meta = Meta { ledger, home, epoch, former_mark, ..meta };
                self.put_identity(&stored, same, meta).await?
            }
            Some(other) => other,
            None => self.make_identity(&stored).await?,
        };
        self.identify(meta).await
    }
}
