//! Which ledger this is: its id, its home, by which a copy is told apart, and its epoch.

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

/// Which ledger a table holds, and whether it is that ledger or a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The ledger's id: random, the same in a copy, and another once it has adopted a store.
    pub id: String,
    /// Which epoch of its store it adds to; 0 unless it has adopted one.
    pub epoch: u64,
    /// Where the ledger was made, if the table is somewhere else: then it is a copy, or was moved.
    pub copy_of: Option<String>,
}

impl Identity {
    /// What the store that belongs to it has as its owner: the id, and the epoch after a space unless it is 0.
    #[must_use]
    pub fn mark(&self) -> String {
        if self.epoch == 0 { self.id.clone() } else { format!("{} {}", self.id, self.epoch) }
    }

    /// The epoch that the mark of an owner tells of; 0 if it tells of none.
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

    /// The ledger that `meta` tells of, and whether this is where it was made.
    pub(super) async fn identify(&self, meta: Meta) -> Result<Identity, Error> {
        let here = self.home().await?;
        let moved = |home: &String| here.as_ref().is_some_and(|here| here != home);
        Ok(Identity { id: meta.ledger, epoch: meta.epoch, copy_of: meta.home.filter(moved) })
    }

    /// Refuses a change of a copy, such as a restored table, where `seen` holds the ledger's identity: what is changed
    /// there is not in the ledger that everyone else uses.
    pub(super) async fn check_home(&self, seen: &Snapshot) -> Result<(), Error> {
        let key = schema::meta_key();
        if !seen.contains(&key) {
            return Ok(());
        }
        let Some(meta) = seen.get::<Meta>(&key)? else { return Ok(()) };
        let Identity { id, copy_of, .. } = self.identify(meta).await?;
        copy_of.map_or(Ok(()), |home| Err(Error::Copy { id, home }))
    }

    /// The ledger's identity, which is made if there is none.
    pub(super) async fn make_identity(&self, seen: &Snapshot) -> Result<Meta, Error> {
        seen.begin();
        if let Some(meta) = seen.get(&schema::meta_key())? {
            return Ok(meta);
        }
        let mut home = self.home().await?;
        if home.is_none() {
            // What is yet to be made is nowhere.
            self.retry_policy().run("making the ledger", || self.table().create()).await?;
            home = self.home().await?;
        }
        let meta = Meta { schema: SCHEMA, ledger: self.new_id(), home, epoch: 0, rest: Item::new() };
        self.put_identity(seen, Condition::Absent, meta).await
    }

    /// The transaction that makes an identity under a condition that all follows from that it was decided on.
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

    /// Makes a new identity if what is there is as it must be, and reads the one that is there then.
    async fn put_identity(&self, seen: &Snapshot, condition: Condition, meta: Meta) -> Result<Meta, Error> {
        let put = self.identifying(seen, condition, &meta)?;
        let made = self.retry_policy().run("making the ledger's identity", || async {
            match self.send(&put).await {
                Ok(()) | Err(TransactError::Refused(_)) => Ok(()),
                Err(TransactError::Fault(fault)) => Err(fault),
            }
        });
        made.await?;
        // Whoever was first: what stands there counts.
        let key = schema::meta_key();
        self.read(vec![key.clone()]).await?.get(&key)?.ok_or_else(|| Error::Damaged {
            what: "the ledger's identity".to_owned(),
            why: "it vanished as soon as it was made".to_owned(),
        })
    }

    /// See [`Ledger::adopt`](super::Ledger::adopt).
    pub(super) async fn change_identity(&self, seen: &Identity, epoch: u64) -> Result<Identity, Error> {
        let key = schema::meta_key();
        let there = self.read(vec![key.clone()]).await?;
        there.check_writable([&key])?;
        let meta = match there.get::<Meta>(&key)? {
            Some(meta) if meta.ledger == seen.id => {
                let same = there.unchanged::<Meta>(&key);
                let meta = Meta { ledger: self.new_id(), home: self.home().await?, epoch, ..meta };
                self.put_identity(&there, same, meta).await?
            }
            Some(other) => other,
            None => self.make_identity(&there).await?,
        };
        self.identify(meta).await
    }
}
