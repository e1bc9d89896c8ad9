//! The part of the interface that freezes packages.

use super::sealed::Sealed;
#[cfg(doc)]
use crate::ledger::{Conflict, NotFound};
use crate::{
    ledger::{Error, FreezeRequest, Refused, ThawRequest},
    model::{Freeze, FreezeEvent},
};
use async_trait::async_trait;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};

/// The freezes of a ledger: periods in which the tags of some packages do not move forward.
///
/// The guarantees of a [`Ledger`](super::Ledger) hold for these methods, too.
#[async_trait]
pub trait Freezes: Sealed + Send + Sync {
    /// Freezes packages: once this has returned, no tag of a package whose name begins with the prefix moves forward,
    /// also if its move was in progress, and also in a package that does not exist yet. [`rollback`](super::Ledger::rollback),
    /// [`untag`](super::Ledger::untag), undoing a plan and every change of a version stay possible. Idempotent: if the same
    /// prefix is frozen already, with the same end and strictness, changes nothing and returns that freeze.
    ///
    /// Until it has returned, some moves obey the freeze and others do not. If it was interrupted then, its outcome is
    /// [`Error::Unknown`], and a repeat completes it.
    ///
    /// A freeze depends on a clock only for its end, and then on those of the clients that move tags, corrected by the
    /// server's time if that is known.
    ///
    /// The first freeze of a ledger stops the releases that do not obey freezes: they can't change the ledger any more.
    ///
    /// # Errors
    /// [`Refused::AlreadyFrozen`] if the prefix is frozen with another end or strictness; [`Refused::TooManyFreezes`];
    /// [`Refused::PastUntil`]; [`Conflict`]; [`Error::Interrupted`]; [`Error::Unknown`].
    async fn freeze(&self, _request: &FreezeRequest) -> Result<FreezeEvent, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Ends the freeze of exactly this prefix. Like [`freeze`](Self::freeze), it reaches all moves only by the time that
    /// it returns, and a repeat completes it.
    ///
    /// # Errors
    /// [`NotFound::Freeze`] if there is none; [`Conflict`]; [`Error::Interrupted`]; [`Error::Unknown`].
    async fn thaw(&self, _request: &ThawRequest) -> Result<FreezeEvent, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Returns the freezes that were not thawed, by prefix: one read. Those that have ended by themselves are included.
    async fn freezes(&self) -> Result<Vec<Freeze>, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Lists all changes of the freezes, newest first.
    fn freeze_history(&self) -> BoxStream<'_, Result<FreezeEvent, Error>> {
        stream::once(async { Err(Refused::Unsupported.into()) }).boxed()
    }
}
