//! The ledger's side of collection: finding the objects of a store that no version needs, and ensuring that none ever
//! will.
//!
//! (generation, kept before condemned) of a blob only ever grows, and a version is committed only against a kept
//! generation. So once an object's generation is condemned, no version will ever need that object, and it may be
//! deleted no matter how late the deletion arrives. Condemning is idempotent by nature: after a lost answer the item is
//! read again, and a copy that lands late condemns an object that no version needs then either.

use crate::{
    ledger::{
        Error, TableLedger,
        engine::race::RaceError,
        schema::{self, BlobItem, BlobState, Meta},
        snapshot::{Snapshot, coverage::Sealed},
    },
    model::{Address, OpId, first_generation},
    table::{Action, Change, Condition, Key, TransactError, Transaction},
};
use serde_json::json;
use std::cmp::Ordering;

/// The status of an object in a ledger's store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlobStatus {
    /// A version needs it.
    Needed,
    /// No version needs it, but one that is being added still may: it must be condemned before it is deleted.
    Orphan,
    /// No version will ever need it.
    Condemned,
    /// This ledger never issued the object's generation. The object is not touched.
    Foreign,
}

/// Returns the status of an object, given its blob's item in the epoch of its address, and the ledger's own epoch.
fn blob_status(address: &Address, item: Option<&BlobItem>, epoch: u64) -> BlobStatus {
    let generation = address.generation;
    let unknown = match address.epoch().cmp(&epoch) {
        // A former owner of the store put it there after this ledger was copied, and nothing is added in that epoch any
        // more.
        Ordering::Less => BlobStatus::Orphan,
        Ordering::Equal => BlobStatus::Foreign,
        Ordering::Greater => return BlobStatus::Foreign,
    };
    match item {
        None if generation == first_generation(address.epoch()) => BlobStatus::Orphan,
        None => unknown,
        Some(item) if generation < item.generation && !matches!(item.state, BlobState::Other(_)) => {
            BlobStatus::Condemned
        }
        Some(item) => match (item.state, generation.saturating_sub(item.generation)) {
            (BlobState::Other(_), _) => BlobStatus::Foreign,
            (BlobState::Kept, 0) if item.refs == 0 => BlobStatus::Orphan,
            (BlobState::Kept, 0) => BlobStatus::Needed,
            (BlobState::Condemned, 0) => BlobStatus::Condemned,
            // An upload whose commit has not arrived, and still may.
            (BlobState::Condemned, 1) => BlobStatus::Orphan,
            // These may be the last bytes of a blob that a version needs elsewhere.
            (BlobState::Kept, _) if item.refs > 0 => BlobStatus::Foreign,
            _ => unknown,
        },
    }
}

fn blob_key(address: &Address) -> Key {
    schema::blob_key(&address.sha256, address.epoch())
}

/// Returns the ledger's epoch. It only grows, and an object that may be condemned in one may be in every later one.
fn epoch(seen: &Snapshot) -> Result<u64, Error> {
    let key = schema::meta_key();
    if seen.item(&key).is_none() {
        return Ok(0);
    }
    Ok(seen.shown::<Meta>(&key)?.map_or(0, |meta| meta.show().epoch))
}

/// Returns the transaction that condemns an orphan, if its item is as it was read.
fn condemning(token: String, address: &Address, key: &Key, condition: Condition) -> Transaction {
    let generation = address.generation;
    let set = json!({ "state": "condemned", "gen": generation, "refs": 0 });
    let mut transaction = Transaction::new(token);
    // An update instead of a put keeps the attributes of a newer release.
    let change = Change::Update { set: set.as_object().cloned().unwrap_or_default(), add: [].into() };
    transaction.push(Action { key: key.clone(), condition, change });
    transaction
}

impl TableLedger {
    pub(in crate::ledger) async fn read_blob_statuses(
        &self,
        addresses: &[Address],
    ) -> Result<Vec<BlobStatus>, Error> {
        self.check_schema().await?;
        let keys: Vec<_> = addresses.iter().map(blob_key).collect();
        let requested: Vec<_> = keys.iter().cloned().chain([schema::meta_key()]).collect();
        let read = self.read_each(&requested).await?;
        let seen = Snapshot::new(requested, read, false);
        let epoch = epoch(&seen)?;
        let blob_statuses = addresses.iter().zip(&keys);
        blob_statuses.map(|(address, key)| Ok(blob_status(address, seen.get(key)?.as_ref(), epoch))).collect()
    }

    /// Returns the transaction that condemns an object, if one is needed; else true if it is condemned already.
    pub(in crate::ledger) fn condemnation(
        &self,
        address: &Address,
        seen: &Snapshot,
    ) -> Result<Result<Sealed, bool>, Error> {
        seen.begin();
        let key = blob_key(address);
        let item: Option<BlobItem> = seen.get(&key)?;
        seen.check_writable([&key, &schema::meta_key()])?;
        match blob_status(address, item.as_ref(), epoch(seen)?) {
            BlobStatus::Condemned => return Ok(Err(true)),
            BlobStatus::Needed | BlobStatus::Foreign => return Ok(Err(false)),
            BlobStatus::Orphan => {}
        }
        let token = OpId::from(self.retry_policy().random()).to_string();
        let same = vec![seen.unchanged::<BlobItem>(&key), schema::still_needs(seen.item(&key))];
        let condemning = seen.seal(condemning(token, address, &key, Condition::All(same)));
        Sealed::or_stop(condemning).map(Ok)
    }

    pub(in crate::ledger) async fn condemn_one(&self, address: &Address) -> Result<bool, Error> {
        self.check_schema().await?;
        let doing = format!("condemning {address}");
        let key = blob_key(address);
        let attempt = || async {
            let seen = self.read_once(vec![key.clone(), schema::meta_key()], false).await?;
            let condemnation = match self.condemnation(address, &seen)? {
                Ok(condemnation) => condemnation,
                Err(condemned) => return Ok(condemned),
            };
            match self.send(&condemnation).await {
                Ok(()) => Ok(true),
                Err(TransactError::Refused(_)) => {
                    Err(RaceError::Changed("the blob was added or collected in the meantime"))
                }
                Err(TransactError::Fault(fault)) => Err(fault.into()),
            }
        };
        match self.retry_policy().run(&doing, attempt).await {
            Ok(condemned) => Ok(condemned),
            // A client that keeps changing it needs it: left for a later run.
            Err(RaceError::Changed(_)) => Ok(false),
            Err(RaceError::Failed(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(generation: u64) -> Address {
        Address { sha256: crate::model::Digest::from([7; 32]), generation }
    }

    #[test]
    fn status_of_an_object() {
        use BlobState::{Condemned, Kept};
        let check = |generation, item: Option<(BlobState, u64, u64)>, epoch, expected| {
            let item = item.map(|(state, generation, refs)| {
                let rest = crate::table::Item::new();
                BlobItem { state, generation, refs, rest }
            });
            let found = blob_status(&at(generation), item.as_ref(), epoch);
            assert_eq!(found, expected, "{generation} {item:?} in epoch {epoch}");
        };
        // In the ledger's own epoch; and in a former one, where that differs, once it has adopted a store.
        let cases = [
            (0, None, BlobStatus::Orphan, None),
            (1, None, BlobStatus::Foreign, Some(BlobStatus::Orphan)),
            (0, Some((Kept, 0, 0)), BlobStatus::Orphan, None),
            (0, Some((Kept, 0, 2)), BlobStatus::Needed, None),
            (1, Some((Kept, 0, 2)), BlobStatus::Foreign, None),
            (1, Some((Kept, 0, 0)), BlobStatus::Foreign, Some(BlobStatus::Orphan)),
            (0, Some((Kept, 1, 2)), BlobStatus::Condemned, None),
            (1, Some((Condemned, 2, 0)), BlobStatus::Condemned, None),
            (2, Some((Condemned, 2, 0)), BlobStatus::Condemned, None),
            (3, Some((Condemned, 2, 0)), BlobStatus::Orphan, None),
            (4, Some((Condemned, 2, 0)), BlobStatus::Foreign, Some(BlobStatus::Orphan)),
        ];
        for (generation, item, own, older) in cases {
            for epoch in [0, 3] {
                let first = first_generation(epoch);
                let item = item.map(|(state, at, refs)| (state, first + at, refs));
                check(first + generation, item, epoch, own);
                check(first + generation, item, epoch + 1, older.unwrap_or(own));
            }
        }
        // In an epoch that the ledger has not reached.
        check(first_generation(1), None, 0, BlobStatus::Foreign);
    }
}
