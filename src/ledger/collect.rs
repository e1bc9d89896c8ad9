//! The ledger's side of collection: which objects of a store no version needs, and making sure that none ever will.
//!
//! (generation, kept before condemned) of a blob only ever grows, and a version is committed only against a kept
//! generation. So once an object's generation is condemned, no version will ever need that object, and it may be
//! deleted however late the deletion arrives. Condemning is idempotent by nature: after an answer that tells nothing
//! the item is read again, and a copy that lands late condemns what is then still needed by no version.

use super::{
    Error, TableLedger,
    items::{self, BlobItem, BlobState},
};
use crate::{
    fault::Fault,
    model::{Address, OpId},
    retry::{Again, Retry},
    table::{Action, Change, Condition, Key, TransactError, Transaction},
};
use serde_json::json;
use std::fmt;

/// What a ledger knows of an object in its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Some version needs it.
    Needed,
    /// No version needs it, but one that is being added may yet: it has to be condemned before it is deleted.
    Orphan,
    /// No version will ever need it.
    Condemned,
    /// Its generation is one that this ledger never gave out. It is left alone.
    Strange,
}

/// Which ledger a table holds, and whether it is that ledger or a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The ledger's id: random, made once, and the same in a copy.
    pub id: String,
    /// Where the ledger was made, if the table is somewhere else: then it is a copy, or was moved.
    pub copy_of: Option<String>,
}

/// Where an object stands, given its blob's item.
fn standing(address: &Address, item: Option<&BlobItem>) -> Standing {
    let generation = address.generation;
    match item {
        None if generation == 0 => Standing::Orphan,
        None => Standing::Strange,
        Some(item) if generation < item.generation => Standing::Condemned,
        Some(item) => match (item.state, generation - item.generation) {
            (BlobState::Kept, 0) if item.refs == 0 => Standing::Orphan,
            (BlobState::Kept, 0) => Standing::Needed,
            (BlobState::Condemned, 0) => Standing::Condemned,
            // An upload whose commit has not come, and may yet.
            (BlobState::Condemned, 1) => Standing::Orphan,
            _ => Standing::Strange,
        },
    }
}

/// The transaction that condemns an orphan.
fn condemning(token: String, address: &Address, key: &Key, item: Option<&BlobItem>) -> Transaction {
    let generation = address.generation;
    let is = |state: &str, generation: u64| {
        [Condition::equals("state", state), Condition::equals("gen", generation)]
    };
    let condition = match item {
        None => Condition::Absent,
        Some(item) if item.state == BlobState::Kept => {
            let [state, at] = is("kept", generation);
            Condition::All(vec![state, at, Condition::equals("refs", 0)])
        }
        Some(item) => Condition::All(is("condemned", item.generation).into()),
    };
    let condemned = json!({ "state": "condemned", "gen": generation, "refs": 0 });
    let mut transaction = Transaction::new(token);
    transaction.push(Action {
        key: key.clone(),
        condition,
        change: Change::Put(condemned.as_object().cloned().unwrap_or_default()),
    });
    transaction
}

/// Why a try to condemn did not end the matter.
enum Stumble {
    /// The blob's item has changed since it was read.
    Changed,
    Failed(Error),
}

impl fmt::Display for Stumble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("the blob was added or collected meanwhile"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl Retry for Stumble {
    fn again(&self) -> Again {
        match self {
            Self::Changed => Again::Later,
            Self::Failed(error) => error.again(),
        }
    }
}

impl From<Error> for Stumble {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Fault> for Stumble {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.into())
    }
}

impl TableLedger {
    pub(super) async fn read_standings(&self, addresses: &[Address]) -> Result<Vec<Standing>, Error> {
        let keys: Vec<_> = addresses.iter().map(|address| items::blob_key(&address.sha256)).collect();
        let seen = self.read(keys.clone()).await?;
        let standings = addresses.iter().zip(&keys);
        standings.map(|(address, key)| Ok(standing(address, seen.get(key)?.as_ref()))).collect()
    }

    pub(super) async fn condemn_one(&self, address: &Address) -> Result<bool, Error> {
        self.check_schema().await?;
        let doing = format!("condemning {address}");
        let key = items::blob_key(&address.sha256);
        let attempt = || async {
            let seen = self.read_once(vec![key.clone()], false).await?;
            let item: Option<BlobItem> = seen.get(&key)?;
            match standing(address, item.as_ref()) {
                Standing::Condemned => return Ok(true),
                Standing::Needed | Standing::Strange => return Ok(false),
                Standing::Orphan => {}
            }
            let token = OpId::from(self.patience().random()).to_string();
            match self.table().transact(&condemning(token, address, &key, item.as_ref())).await {
                Ok(()) => Ok(true),
                Err(TransactError::Refused(_)) => Err(Stumble::Changed),
                Err(TransactError::Fault(fault)) => Err(fault.into()),
            }
        };
        match self.patience().run(&doing, attempt).await {
            Ok(condemned) => Ok(condemned),
            // Who keeps changing it needs it: left for another time.
            Err(Stumble::Changed) => Ok(false),
            Err(Stumble::Failed(error)) => Err(error),
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
    fn what_may_be_done_with_an_object() {
        use BlobState::{Condemned, Kept};
        let cases = [
            (0, None, Standing::Orphan),
            (1, None, Standing::Strange),
            (0, Some((Kept, 0, 0)), Standing::Orphan),
            (0, Some((Kept, 0, 2)), Standing::Needed),
            (1, Some((Kept, 0, 2)), Standing::Strange),
            (1, Some((Kept, 0, 0)), Standing::Strange),
            (0, Some((Kept, 1, 2)), Standing::Condemned),
            (1, Some((Condemned, 2, 0)), Standing::Condemned),
            (2, Some((Condemned, 2, 0)), Standing::Condemned),
            (3, Some((Condemned, 2, 0)), Standing::Orphan),
            (4, Some((Condemned, 2, 0)), Standing::Strange),
        ];
        for (generation, item, expected) in cases {
            let item = item.map(|(state, generation, refs)| BlobItem { state, generation, refs });
            assert_eq!(standing(&at(generation), item.as_ref()), expected, "{generation} {item:?}");
        }
    }
}
