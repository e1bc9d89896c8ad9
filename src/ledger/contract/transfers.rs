//! The part of the interface that moves packages between ledgers.

use super::sealed::Sealed;
#[cfg(doc)]
use crate::ledger::NotFound;
use crate::{
    ledger::{Error, ExportItem, Identity, ImportBatch, Importing, Positions, Refused},
    model::PackageName,
};
use async_trait::async_trait;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};

/// The packages of a ledger as another ledger gets them: item by item, as they are stored.
///
/// The guarantees of a [`Ledger`](super::Ledger) hold for these methods, too.
#[async_trait]
pub trait Transfers: Sealed + Send + Sync {
    /// Returns the ends of the logs of these packages, in their order; the start for a package that does not exist.
    ///
    /// # Errors
    /// [`Refused::Unsupported`] if the ledger keeps no logs.
    async fn positions(&self, _packages: &[PackageName]) -> Result<Vec<Positions>, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Returns true if the logs of a package have these entries.
    ///
    /// # Errors
    /// [`Refused::Unsupported`] if the ledger keeps no logs.
    async fn has_passed(&self, _package: &PackageName, _at: &Positions) -> Result<bool, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Lists all items of a package as of one instant, as they are stored: the heads; the entries of the release log by
    /// their `rev`, and its other items; and the same of the tag log. With `from`, lists what has changed since these
    /// positions, which the package must have passed.
    ///
    /// Yields [`NotFound::Package`] if there is no such package, and [`Refused::Unsupported`] if the ledger keeps no
    /// logs.
    fn export(&self, _package: &PackageName, _from: &Positions) -> BoxStream<'_, Result<ExportItem, Error>> {
        stream::once(async { Err(Refused::Unsupported.into()) }).boxed()
    }

    /// Marks the ledger before an import (`begins`), or removes the mark after it; returns the ledger's identity. A
    /// marked ledger refuses every change but an import. Idempotent.
    ///
    /// # Errors
    /// [`Error::Copy`]; [`Refused::Unsupported`] if the ledger can't.
    async fn mark_import(&self, _begins: bool) -> Result<Identity, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Writes the next items of a package, in one transaction: all or none. The caller must have made sure that the blobs
    /// that they need are in the store at their addresses, and that the ledger is marked. Items that the ledger has
    /// already are left as they are. `last` is true for the last items of a package.
    ///
    /// # Errors
    /// [`Refused::Diverged`] if the ledger does not hold an earlier state of the package; [`Refused::Collected`];
    /// [`Error::Damaged`] if an entry does not follow from the previous one. Nothing was changed.
    async fn import(
        &self,
        _importing: &mut Importing,
        _batch: &ImportBatch,
        _last: bool,
    ) -> Result<(), Error> {
        Err(Refused::Unsupported.into())
    }
}
