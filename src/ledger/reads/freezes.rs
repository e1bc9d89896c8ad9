//! Listing the freezes, and their history.

use crate::{
    ledger::{
        Error, TableLedger,
        schema::{self, FREEZES, FreezeEntry, FreezeHead, InForce},
        snapshot::Snapshot,
    },
    model::{Freeze, FreezeEvent, PackageName, Timestamp},
    table::Order,
};
use futures_util::{
    TryStreamExt,
    stream::{BoxStream, StreamExt},
};

/// Returns those of the freezes that hold for a package now.
///
/// # Errors
/// [`Error::Damaged`].
pub(in crate::ledger) fn met(
    freezes: &InForce,
    package: &PackageName,
    now: Timestamp,
) -> Result<Vec<Freeze>, Error> {
    let mut met = Vec::new();
    for (pattern, fields) in freezes {
        let freeze = fields.to_freeze(pattern)?;
        if freeze.prefix.selects(package) && fields.is_in_force(now) {
            met.push(freeze);
        }
    }
    Ok(met)
}

impl TableLedger {
    /// Returns the freezes that hold for a package now. Every reader may read the head of their log.
    pub(super) fn frozen(&self, package: &PackageName, seen: &Snapshot) -> Result<Vec<Freeze>, Error> {
        let head: Option<FreezeHead> = seen.get(&schema::head_key(FREEZES))?;
        match head {
            Some(head) => met(&head.freezes, package, self.now().at),
            None => Ok(Vec::new()),
        }
    }

    /// Implements [`Freezes::freezes`](crate::ledger::Freezes::freezes).
    pub(in crate::ledger) async fn read_freezes(&self) -> Result<Vec<Freeze>, Error> {
        let key = schema::head_key(FREEZES);
        let head: Option<FreezeHead> = self.read(vec![key.clone()]).await?.get(&key)?;
        let freezes = head.map(|head| head.freezes).unwrap_or_default();
        freezes.iter().map(|(pattern, fields)| fields.to_freeze(pattern)).collect()
    }

    /// Implements [`Freezes::freeze_history`](crate::ledger::Freezes::freeze_history).
    pub(in crate::ledger) fn read_freeze_history(&self) -> BoxStream<'_, Result<FreezeEvent, Error>> {
        let (from, to) = schema::ANY_TAG_EVENT;
        let entries = self.events(FREEZES.to_owned(), from.to_owned(), to.to_owned(), Order::Descending);
        entries.map_ok(FreezeEntry::into_event).boxed()
    }
}
