//! The operations for which the ledger alone is enough: each is one call of it.

use super::{client::Client, error::Error};
use crate::{
    ledger::{
        ApplyRequest, ChangeRequest, Changed, ProtectRequest, RollbackRequest, TagRequest, UntagRequest,
    },
    model::{Event, PackageName, Release, Spec, TagMove, TagName, Tagged},
};
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};

impl Client {
    /// All that is known of what a spec means now.
    ///
    /// # Errors
    /// Those of [`Ledger::release`](crate::ledger::Ledger::release).
    pub async fn info(&self, package: &PackageName, spec: &Spec) -> Result<Release, Error> {
        Ok(self.ledger.release(package, spec).await?)
    }

    /// The versions of a package, newest first, streamed; with a prefix of a sha256, in lower-case hex, only those
    /// with such a blob.
    #[must_use]
    pub fn versions(
        &self,
        package: &PackageName,
        sha256: Option<String>,
    ) -> BoxStream<'_, Result<Release, Error>> {
        self.ledger
            .versions(package)
            .try_filter(move |release| {
                let digest = release.blob.address.sha256.as_str();
                std::future::ready(sha256.as_deref().is_none_or(|prefix| digest.starts_with(prefix)))
            })
            .err_into()
            .boxed()
    }

    /// `latest`, and the tags of a package that are on a version.
    ///
    /// # Errors
    /// Those of [`Ledger::tags`](crate::ledger::Ledger::tags).
    pub async fn tags(&self, package: &PackageName) -> Result<Tagged, Error> {
        Ok(self.ledger.tags(package).await?)
    }

    /// All that happened to a package, or to one tag of it, newest first, page by page as it is asked for.
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
    /// # Errors
    /// Those of [`Ledger::tag`](crate::ledger::Ledger::tag).
    pub async fn tag(&self, request: &TagRequest) -> Result<TagMove, Error> {
        Ok(self.ledger.tag(request).await?)
    }

    /// Takes a tag off.
    ///
    /// # Errors
    /// Those of [`Ledger::untag`](crate::ledger::Ledger::untag).
    pub async fn untag(&self, request: &UntagRequest) -> Result<TagMove, Error> {
        Ok(self.ledger.untag(request).await?)
    }

    /// Puts a tag back to where it was before.
    ///
    /// # Errors
    /// Those of [`Ledger::rollback`](crate::ledger::Ledger::rollback).
    pub async fn rollback(&self, request: &RollbackRequest) -> Result<TagMove, Error> {
        Ok(self.ledger.rollback(request).await?)
    }

    /// Makes all moves of a plan in one transaction, or takes them back; or none of them.
    ///
    /// # Errors
    /// Those of [`Ledger::apply`](crate::ledger::Ledger::apply).
    pub async fn apply(&self, request: &ApplyRequest) -> Result<Vec<TagMove>, Error> {
        Ok(self.ledger.apply(request).await?)
    }

    /// What [`apply`](Self::apply) would do now. Changes nothing.
    ///
    /// # Errors
    /// Those of [`Ledger::preview`](crate::ledger::Ledger::preview).
    pub async fn preview(&self, request: &ApplyRequest) -> Result<Vec<TagMove>, Error> {
        Ok(self.ledger.preview(request).await?)
    }

    /// Protects a tag, or takes its protection away.
    ///
    /// # Errors
    /// Those of [`Ledger::protect`](crate::ledger::Ledger::protect).
    pub async fn protect(&self, request: &ProtectRequest) -> Result<TagMove, Error> {
        Ok(self.ledger.protect(request).await?)
    }

    /// Yanks, unyanks, deletes or labels a version.
    ///
    /// # Errors
    /// Those of [`Ledger::change`](crate::ledger::Ledger::change).
    pub async fn change(&self, request: &ChangeRequest) -> Result<Changed, Error> {
        Ok(self.ledger.change(request).await?)
    }
}
