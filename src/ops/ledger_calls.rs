//! The operations for which the ledger alone is enough: each is one call of it.

use super::{client::Client, error::Error, find::VersionQuery};
use crate::{
    ledger::{
        ApplyRequest, ChangeRequest, Changed, CheckReport, CheckRequest, FreezeRequest, ProtectRequest,
        RecallRequest, Recalled, RollbackRequest, Stops, TagRequest, ThawRequest, UntagRequest,
    },
    model::{
        Event, Freeze, FreezeEvent, PackageName, Release, ReleaseChange, Spec, TagMove, TagName, Tagged,
    },
};
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};

impl Client {
    /// Returns the version that a spec means now, with its labels and tags.
    ///
    /// # Cancellation
    /// Changes nothing; may be dropped at any time.
    ///
    /// # Errors
    /// The errors of [`Ledger::release`](crate::ledger::Ledger::release).
    pub async fn info(&self, package: &PackageName, spec: &Spec) -> Result<Release, Error> {
        Ok(self.ledger.release(package, spec).await?)
    }

    /// Streams the versions of a package, newest first; with a prefix of a sha256, in lower-case hex, only those
    /// with such a blob.
    #[must_use]
    pub fn versions(
        &self,
        package: &PackageName,
        sha256: Option<String>,
    ) -> BoxStream<'_, Result<Release, Error>> {
        let query = VersionQuery { sha256, ..VersionQuery::new() };
        self.find_versions(package, &query)
    }

    /// Returns `latest`, and the tags of a package that are on a version.
    ///
    /// # Cancellation
    /// Changes nothing; may be dropped at any time.
    ///
    /// # Errors
    /// The errors of [`Ledger::tags`](crate::ledger::Ledger::tags).
    pub async fn tags(&self, package: &PackageName) -> Result<Tagged, Error> {
        Ok(self.ledger.tags(package).await?)
    }

    /// Streams the history of a package, or to one tag of it, newest first, page by page as it is asked for.
    ///
    /// Yields the errors of [`Ledger::history`](crate::ledger::Ledger::history).
    #[must_use]
    pub fn history(
        &self,
        package: &PackageName,
        tag: Option<&TagName>,
    ) -> BoxStream<'_, Result<Event, Error>> {
        self.ledger.history(package, tag).err_into().boxed()
    }

    /// Moves a tag to what a spec means at that instant.
    ///
    /// # Cancellation
    /// Dropped, it has happened as a whole, or not at all, or happens yet: see [`Client`].
    ///
    /// # Errors
    /// The errors of [`Ledger::tag`](crate::ledger::Ledger::tag).
    pub async fn tag(&self, request: &TagRequest) -> Result<TagMove, Error> {
        Ok(self.ledger.tag(&self.signed(request)).await?)
    }

    /// Takes a tag off.
    ///
    /// # Cancellation
    /// Dropped, it has happened as a whole, or not at all, or happens yet: see [`Client`].
    ///
    /// # Errors
    /// The errors of [`Ledger::untag`](crate::ledger::Ledger::untag).
    pub async fn untag(&self, request: &UntagRequest) -> Result<TagMove, Error> {
        Ok(self.ledger.untag(&self.signed(request)).await?)
    }

    /// Puts a tag back to where it was before.
    ///
    /// # Cancellation
    /// Dropped, it has happened as a whole, or not at all, or happens yet: see [`Client`].
    ///
    /// # Errors
    /// The errors of [`Ledger::rollback`](crate::ledger::Ledger::rollback).
    pub async fn rollback(&self, request: &RollbackRequest) -> Result<TagMove, Error> {
        Ok(self.ledger.rollback(&self.signed(request)).await?)
    }

    /// Makes all moves of a plan in one transaction, or takes them back; or none of them.
    ///
    /// # Cancellation
    /// Dropped, it has happened as a whole, or not at all, or happens yet: see [`Client`].
    ///
    /// # Errors
    /// The errors of [`Ledger::apply`](crate::ledger::Ledger::apply).
    pub async fn apply(&self, request: &ApplyRequest) -> Result<Vec<TagMove>, Error> {
        Ok(self.ledger.apply(&self.signed(request)).await?)
    }

    /// Returns the moves that [`apply`](Self::apply) would make now.
    ///
    /// # Cancellation
    /// Changes nothing; may be dropped at any time.
    ///
    /// # Errors
    /// The errors of [`Ledger::preview`](crate::ledger::Ledger::preview).
    pub async fn preview(&self, request: &ApplyRequest) -> Result<Vec<TagMove>, Error> {
        Ok(self.ledger.preview(&self.signed(request)).await?)
    }

    /// Returns whether a tag could be moved to a version now, gate by gate.
    ///
    /// # Cancellation
    /// Changes nothing; may be dropped at any time.
    ///
    /// # Errors
    /// The errors of [`Ledger::check`](crate::ledger::Ledger::check). A closed gate is not one of them: see
    /// [`CheckReport::refusal`].
    pub async fn check(&self, request: &CheckRequest) -> Result<CheckReport, Error> {
        Ok(self.ledger.check(request).await?)
    }

    /// Protects a tag, or takes its protection away.
    ///
    /// # Cancellation
    /// Dropped, it has happened as a whole, or not at all, or happens yet: see [`Client`].
    ///
    /// # Errors
    /// The errors of [`Ledger::protect`](crate::ledger::Ledger::protect).
    pub async fn protect(&self, request: &ProtectRequest) -> Result<TagMove, Error> {
        Ok(self.ledger.protect(&self.signed(request)).await?)
    }

    /// Freezes the packages below a prefix: their tags move no further.
    ///
    /// # Cancellation
    /// Dropped, it has happened as a whole, or not at all, or happens yet: see [`Client`].
    ///
    /// # Errors
    /// The errors of [`Freezes::freeze`](crate::ledger::Freezes::freeze).
    pub async fn freeze(&self, request: &FreezeRequest) -> Result<FreezeEvent, Error> {
        Ok(self.ledger.freeze(&self.signed(request)).await?)
    }

    /// Ends the freeze of a prefix.
    ///
    /// # Cancellation
    /// Dropped, it has happened as a whole, or not at all, or happens yet: see [`Client`].
    ///
    /// # Errors
    /// The errors of [`Freezes::thaw`](crate::ledger::Freezes::thaw).
    pub async fn thaw(&self, request: &ThawRequest) -> Result<FreezeEvent, Error> {
        Ok(self.ledger.thaw(&self.signed(request)).await?)
    }

    /// Returns the freezes that were not thawed.
    ///
    /// # Cancellation
    /// Changes nothing; may be dropped at any time.
    ///
    /// # Errors
    /// The errors of [`Freezes::freezes`](crate::ledger::Freezes::freezes).
    pub async fn freezes(&self) -> Result<Vec<Freeze>, Error> {
        Ok(self.ledger.freezes().await?)
    }

    /// Streams all changes of the freezes, newest first.
    ///
    /// Yields the errors of [`Freezes::freeze_history`](crate::ledger::Freezes::freeze_history).
    #[must_use]
    pub fn freeze_history(&self) -> BoxStream<'_, Result<FreezeEvent, Error>> {
        self.ledger.freeze_history().err_into().boxed()
    }

    /// Puts all tags on a version back, and yanks it, in one transaction.
    ///
    /// # Cancellation
    /// Dropped, it has happened as a whole, or not at all, or happens yet: see [`Client`].
    ///
    /// # Errors
    /// The errors of [`Ledger::recall`](crate::ledger::Ledger::recall).
    pub async fn recall(&self, request: &RecallRequest) -> Result<Recalled, Error> {
        Ok(self.ledger.recall(&self.signed(request)).await?)
    }

    /// Returns the outcome that [`recall`](Self::recall) would have now.
    ///
    /// # Cancellation
    /// Changes nothing; may be dropped at any time.
    ///
    /// # Errors
    /// The errors of [`Ledger::preview_recall`](crate::ledger::Ledger::preview_recall).
    pub async fn preview_recall(&self, request: &RecallRequest) -> Result<Recalled, Error> {
        Ok(self.ledger.preview_recall(&self.signed(request)).await?)
    }

    /// Returns the versions that the next rollbacks of each tag of a package would go to, this many of each tag.
    ///
    /// # Cancellation
    /// Changes nothing; may be dropped at any time.
    ///
    /// # Errors
    /// The errors of [`Ledger::stops`](crate::ledger::Ledger::stops).
    pub async fn stops(&self, package: &PackageName, depth: u16) -> Result<Stops, Error> {
        Ok(self.ledger.stops(package, depth).await?)
    }

    /// Yanks, unyanks, deletes, undeletes or labels a version. An undeletion also needs the store: it fails if the blob
    /// is not there.
    ///
    /// # Cancellation
    /// Dropped, it has happened as a whole, or not at all, or happens yet: see [`Client`].
    ///
    /// # Errors
    /// The errors of [`Ledger::change`](crate::ledger::Ledger::change); for an undeletion also [`Error::NotOwner`], and
    /// [`Error::Lost`] if the blob was removed from the store by other means than a collection.
    pub async fn change(&self, request: &ChangeRequest) -> Result<Changed, Error> {
        let request = self.signed(request);
        if request.change == ReleaseChange::Undelete {
            return self.undelete(&request).await;
        }
        Ok(self.ledger.change(&request).await?)
    }
}
