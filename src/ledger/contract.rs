//! The interface of a ledger, and its guarantees.

mod freezes;
pub(super) mod sealed;
mod transfers;

pub use freezes::Freezes;
pub use transfers::Transfers;

use super::{
    AddRequest, Added, ApplyRequest, AuditReport, BlobStatus, ChangeRequest, Changed, CheckReport,
    CheckRequest, Draft, Error, Identity, OnProgress, OnViolation, PackageQuery, ProtectRequest,
    PruneRequest, Pruned, RecallRequest, Recalled, Refused, RollbackRequest, Staged, Stops, TagRequest,
    UntagRequest,
};
#[cfg(doc)]
use super::{Conflict, NotFound};
use crate::model::{
    Address, Blob, Created, Digest, Event, Grant, Moment, PackageName, PackageStatus, PackageSummary,
    Release, Revs, Setting, Spec, TagMove, TagName, Tagged, Timestamp, Trial, Version, VersionRange,
};
use async_trait::async_trait;
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use std::fmt;

type Releases<'a> = BoxStream<'a, Result<Release, Error>>;

/// A ledger.
///
/// Guarantees of every method, unless its documentation differs:
///
/// - **Reads are strongly consistent.** A read sees every change that was reported to any client as successful. A
///   result that is read in several pages or partitions (versions with their tags, a listing) is not one snapshot.
/// - **Changes are atomic and serialisable**, and never overwrite a state that their author did not see.
/// - **A change that returns an error changed nothing**, except with [`Error::Unknown`].
/// - Contention, throttling and outages are tolerated until the deadline of the ledger's
///   [`RetryPolicy`](crate::retry::RetryPolicy).
/// - **Dropping the future of a read is safe.** Dropping that of a change can leave its outcome unknown; use
///   [`Cancellation`](crate::retry::Cancellation) instead.
///
/// Every method can fail with [`Error::Fault`], [`Error::Damaged`] or [`Error::Schema`], in addition to the errors
/// listed under *Errors*.
///
/// The trait is sealed: only this crate implements it, so that adding a method is not a breaking change.
#[async_trait]
pub trait Ledger: Freezes + Transfers + sealed::Sealed + fmt::Debug + Send + Sync {
    /// Returns a description of this ledger for people.
    fn describe(&self) -> String;

    /// Creates the ledger if there is none, and returns its id. Never changes an existing ledger. Idempotent.
    async fn create(&self) -> Result<(Created, String), Error>;

    /// Returns the settings that the ledger's table must have to be safe, and whether it has each. Changes nothing.
    async fn settings(&self) -> Result<Vec<Setting>, Error> {
        Ok(Vec::new())
    }

    /// Returns the present time of the ledger's server that is nearest to this machine's; `None` if the ledger is on
    /// this machine, and until an answer has stated it. Sends no request.
    fn server_time(&self) -> Option<Timestamp> {
        None
    }

    /// Tries which permissions the credentials have on the partitions that the roles use; on those of `package`, if one
    /// is given. Changes nothing. Empty for a ledger without permissions.
    async fn grants(&self, _package: Option<&PackageName>, _trial: Trial) -> Result<Vec<Grant>, Error> {
        Ok(Vec::new())
    }

    /// Lists all packages, in bytewise order.
    fn packages(&self, query: &PackageQuery) -> BoxStream<'_, Result<PackageName, Error>>;

    /// Returns a summary of each of these packages, in their order; packages that do not exist are left out.
    async fn summaries(&self, packages: &[PackageName]) -> Result<Vec<PackageSummary>, Error>;

    /// Lists every version of a package, newest first, including deleted ones. Yields [`NotFound::Package`] if there is
    /// no such package.
    fn versions(&self, package: &PackageName) -> Releases<'_>;

    /// Does the same as [`versions`](Self::versions) for the versions in a range, and reads no others.
    fn versions_in(&self, package: &PackageName, range: VersionRange) -> Releases<'_> {
        let is_in = move |release: &Release| std::future::ready(range.contains(release.version));
        self.versions(package).try_filter(is_in).boxed()
    }

    /// Returns the point in time that a moment means now, by the server's clock if the ledger has a server.
    async fn time_of(&self, moment: Moment) -> Result<Timestamp, Error> {
        Ok(moment.as_of(self.server_time().unwrap_or_else(Timestamp::now)))
    }

    /// Returns the tags (only `tags`, if there are any) of each of these packages, by the names of the packages, which
    /// must be in order; packages that do not exist are left out. The tags of one package are as of one instant, up to
    /// about 300 live tags; those of two packages may not be. With `at`, by the times in the logs, as they were then.
    ///
    /// # Errors
    /// [`Refused::UncertainTime`] if a clock was wrong around that time, and a tag has moved since;
    /// [`Refused::Unsupported`] if the ledger keeps no logs.
    async fn status(
        &self,
        _packages: &[PackageName],
        _tags: &[TagName],
        _at: Option<Timestamp>,
    ) -> Result<Vec<PackageStatus>, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Returns the revisions at the ends of the logs of these packages, in their order; 0 for a log without entries,
    /// also of a package that does not exist.
    ///
    /// # Errors
    /// [`Refused::Unsupported`] if the ledger keeps no logs.
    async fn revs(&self, _packages: &[PackageName]) -> Result<Vec<Revs>, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Lists the entries after a position in the logs of a package, oldest first: all up to one instant, none left out.
    /// The two logs are merged by the recorded times; each is in the order of its revisions, which are checked to be
    /// dense. A package that does not exist has no entries.
    ///
    /// Yields [`NotFound::Revision`] if a log is shorter than the position, [`Error::Damaged`] if an entry is missing,
    /// and [`Refused::Unsupported`] if the ledger keeps no logs.
    fn events(&self, _package: &PackageName, _after: Revs) -> BoxStream<'_, Result<Event, Error>> {
        stream::once(async { Err(Refused::Unsupported.into()) }).boxed()
    }

    /// Returns the tags of a package that are on a version.
    ///
    /// # Errors
    /// [`NotFound::Package`].
    async fn tags(&self, package: &PackageName) -> Result<Tagged, Error>;

    /// Returns the version that a spec resolves to now, and its blob: one read.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for a deleted version.
    async fn blob(&self, package: &PackageName, spec: &Spec) -> Result<(Version, Blob), Error>;

    /// Returns the version that a spec resolves to now and, if the spec is a tag, the revision of that tag's last
    /// change: one read. The revision grows with every change of the tag.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for a deleted version; [`NotFound::Unset`] for a tag that is on no version now.
    async fn position(&self, package: &PackageName, spec: &Spec) -> Result<(Version, Option<u64>), Error> {
        self.release(package, spec).await.map(|release| (release.version, release.rev))
    }

    /// Returns the release that a spec resolves to now.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for a deleted version.
    async fn release(&self, package: &PackageName, spec: &Spec) -> Result<Release, Error>;

    /// Begins an addition: reads the items that it will be decided on, so that this can run while the blob is being
    /// hashed. Creates the ledger's identity if it has none; changes nothing else. With `sha256`, reads the state of
    /// the blob in the same request, which saves [`stage`](Self::stage) a read.
    async fn begin_add(&self, request: &AddRequest, sha256: Option<&Digest>) -> Result<Draft, Error>;

    /// Returns where the blob must be stored before the addition can be committed. Changes nothing.
    ///
    /// # Errors
    /// As [`add`](Self::add), as far as they are known already.
    async fn stage(&self, request: &AddRequest, sha256: &Digest, draft: &mut Draft) -> Result<Staged, Error>;

    /// Commits an addition: makes this blob the next version of the package. The caller must have made sure that the
    /// blob is in the store at its address. Version numbers are dense, unique and never reused.
    ///
    /// # Errors
    /// [`Conflict`] if an expectation is not met, the key was used for another request, or other writers won every race
    /// until the deadline; [`Refused`] if a tag is protected, or the version does not pass its standing gates;
    /// [`Error::Interrupted`]; [`Error::Unknown`].
    async fn add(&self, request: &AddRequest, blob: &Blob, draft: &mut Draft) -> Result<Added, Error>;

    /// Moves a tag to the version that a spec resolves to at the commit. If the tag is on that version already, changes
    /// nothing and returns `previous` equal to `version`.
    ///
    /// The version must pass the gates of the request and, unless the tag is on it already, the standing gates of the
    /// tag: both hold at the commit. With [`overriding`](TagRequest::overriding), the move passes over the standing
    /// gates that are closed, and its entry records them with the reason.
    ///
    /// # Errors
    /// [`NotFound`] for the package, version, or the spec's tag; [`Refused`] if the version is not active or does not
    /// pass a gate, or the tag is protected; [`Conflict`] if the expectation is not met; [`Error::Interrupted`]; [`Error::Unknown`].
    async fn tag(&self, request: &TagRequest) -> Result<TagMove, Error>;

    /// Removes a tag from its version. If the tag is on no version already, changes nothing and returns no `previous`.
    ///
    /// # Errors
    /// [`NotFound::Tag`] if there never was such a tag; else as [`tag`](Self::tag).
    async fn untag(&self, request: &UntagRequest) -> Result<TagMove, Error>;

    /// Moves a tag back to its previous version: the version of its event `back`. A repeated rollback goes one step
    /// further back; it never alternates between two versions. If the tag is on the target already, changes nothing.
    /// Standing gates are not checked: the version passed them, or they were overridden, when the tag was put on it.
    ///
    /// # Errors
    /// [`NotFound::Tag`]; [`NotFound::Past`] if the tag has no earlier version, or was never on the given one;
    /// [`Refused::Rollback`] if the target can't be tagged; [`Conflict`] if the expectation is not met; else as
    /// [`tag`](Self::tag).
    async fn rollback(&self, _request: &RollbackRequest) -> Result<TagMove, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Makes all moves of a plan in one transaction, or none of them; returns them in the plan's order. All specs are
    /// resolved against the state before the plan. A tag that is on its target already does not move, and the commit
    /// checks that it is still there.
    ///
    /// With `undo`, moves each tag back to its version before one and the same application of the plan, provided that
    /// all tags are still where that application put them. Moves obey standing gates; their undo passes them.
    ///
    /// # Errors
    /// [`Error::Moves`] names every move that can't be made, and the reason; for a plan of one move, that move's own
    /// error. [`Refused::TooLarge`] if the plan does not fit in one transaction; [`Error::Interrupted`];
    /// [`Error::Unknown`].
    async fn apply(&self, _request: &ApplyRequest) -> Result<Vec<TagMove>, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Returns the moves that [`apply`](Self::apply) would make now. Changes nothing.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    async fn preview(&self, _request: &ApplyRequest) -> Result<Vec<TagMove>, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Returns whether a tag could be moved to a version now, gate by gate. Changes nothing. What is read is not one
    /// snapshot: the move itself checks its gates again, in its own transaction.
    ///
    /// # Errors
    /// [`NotFound`]; [`Refused::NotActive`]; [`Refused::Protected`] if the tag is write-once and on another version. A
    /// gate that is closed is not an error: see [`CheckReport::refusal`].
    async fn check(&self, _request: &CheckRequest) -> Result<CheckReport, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Protects a tag, or removes its protection; recorded as an event of its own. Idempotent: if the protection is as
    /// requested already, changes nothing. Standing gates, and that they can't be overridden, are added to what the tag
    /// has; only the removal of all protection takes them away.
    ///
    /// # Errors
    /// [`NotFound::Package`]; [`NotFound::Tag`] if there is no protection to remove; [`Refused::Protected`] if the tag
    /// has another protection; [`Refused::TooManyGates`]; [`Conflict`]; [`Error::Interrupted`]; [`Error::Unknown`].
    async fn protect(&self, _request: &ProtectRequest) -> Result<TagMove, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Lists all events of a package, or of one tag of it, newest first. Reads the two logs of the package page by
    /// page, as of one instant, and merges them by time. Yields [`NotFound`] if there is no such package or tag. If the
    /// head of a log is damaged or missing, yields the log's entries without an upper bound, and [`Error::Damaged`]
    /// last.
    fn history(&self, _package: &PackageName, _tag: Option<&TagName>) -> BoxStream<'_, Result<Event, Error>> {
        stream::once(async { Err(Refused::Unsupported.into()) }).boxed()
    }

    /// Changes a version: yanks, unyanks, deletes, undeletes or labels it. Idempotent: if the version is in that state
    /// already, changes nothing. An undeletion is conditional on the state of the blob, so no collection can take the
    /// blob of a version that came back; the caller must have made sure that the blob is in the store at its address.
    ///
    /// # Errors
    /// [`NotFound`] for the package or version, also for a deleted one; [`Refused`] if the version is tagged, has the
    /// label with another value, or its blob was collected; [`Error::Interrupted`]; [`Error::Unknown`].
    /// [`Refused::Unsupported`] if the ledger can't.
    async fn change(&self, _request: &ChangeRequest) -> Result<Changed, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Recalls a version: each tag on it goes to the version that [`rollback`](Self::rollback) would put it on, past
    /// yanked and deleted versions and past this one, and the version is yanked; all in one transaction. So at no moment
    /// can another client promote it again. Freezes do not refuse it. Idempotent: a version that is yanked already stays
    /// so.
    ///
    /// # Errors
    /// [`Refused::NowhereToGo`] for a tag that was on no other active version, unless the request takes such tags off;
    /// [`Refused::Protected`]; [`Error::Moves`] if several tags are refused; [`Refused::TooLarge`] if the version has more
    /// tags than a transaction holds; [`NotFound`]; [`Conflict`]; [`Error::Interrupted`]; [`Error::Unknown`].
    async fn recall(&self, _request: &RecallRequest) -> Result<Recalled, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Returns the outcome that [`recall`](Self::recall) would have now. Changes nothing.
    ///
    /// # Errors
    /// As [`recall`](Self::recall).
    async fn preview_recall(&self, _request: &RecallRequest) -> Result<Recalled, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Returns the versions that the next `depth` rollbacks of each tag would go to, past yanked and deleted ones.
    ///
    /// # Errors
    /// [`Refused::Unsupported`] if the ledger keeps no logs.
    async fn stops(&self, _package: &PackageName, _depth: u16) -> Result<Stops, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Deletes a version, unless it is `latest` or has the label that keeps it, in a transaction that is conditional on
    /// both logs of the package, so that `stops` still holds. After [`Pruned::Moved`], the caller reads the stops again.
    ///
    /// # Errors
    /// As [`change`](Self::change).
    async fn prune(&self, _request: &PruneRequest, _stops: &Stops) -> Result<Pruned, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Returns the ledger's identity; `None` for a ledger to which nothing was added yet. Changes nothing.
    ///
    /// # Errors
    /// [`Refused::Unsupported`] if the ledger has no identity.
    async fn identity(&self) -> Result<Option<Identity>, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Gives the ledger a new id, which no copy of it has, and this epoch, and makes its present location its home;
    /// changes nothing unless its identity still is `seen`. Returns the identity that it has then. The caller must mark
    /// the adopted store with that identity afterwards.
    ///
    /// # Errors
    /// [`Refused::Unsupported`] if the ledger can't.
    async fn adopt(&self, _seen: &Identity, _epoch: u64) -> Result<Identity, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Does the same as [`adopt`](Self::adopt) for the owner of the store: what it was by then is kept as the
    /// [`former_mark`](Identity::former_mark), so that the caller can also mark the store after an interruption.
    ///
    /// # Errors
    /// [`Refused::Unsupported`] if the ledger can't.
    async fn raise(&self, _seen: &Identity, _epoch: u64) -> Result<Identity, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Returns the status of these objects of its store, in their order. Any number of objects is allowed; each is read
    /// consistently, but all together are not one snapshot. Changes nothing.
    ///
    /// # Errors
    /// [`Refused::Unsupported`] if the ledger does not count blobs.
    async fn blob_statuses(&self, _addresses: &[Address]) -> Result<Vec<BlobStatus>, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Condemns an object, unless a version needs it: no version can need it afterwards. Returns true if the object may
    /// be deleted, now and permanently. Idempotent. An object that must be kept is not an error.
    ///
    /// # Errors
    /// [`Refused::Unsupported`] if the ledger can't.
    async fn condemn(&self, _address: &Address) -> Result<bool, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Checks everything that the ledger holds, and reports each violation as it is found. With `repair`, repairs what
    /// can be derived from the logs, each item under the condition that it has not changed since it was read; else
    /// changes nothing. Safe to run concurrently with writers. Returns the number of records checked, and the blobs
    /// that the store must have.
    ///
    /// # Errors
    /// [`Refused::Unsupported`] if the ledger can't. A violation is not an error.
    async fn audit(&self, repair: bool, on_violation: OnViolation<'_>) -> Result<AuditReport, Error> {
        self.audit_observed(repair, on_violation, &|_| ()).await
    }

    /// Does the same as [`audit`](Self::audit), and calls `on_progress` with the number of items read, as they are
    /// read.
    ///
    /// # Errors
    /// As [`audit`](Self::audit).
    async fn audit_observed(
        &self,
        _repair: bool,
        _on_violation: OnViolation<'_>,
        _on_progress: OnProgress<'_>,
    ) -> Result<AuditReport, Error> {
        Err(Refused::Unsupported.into())
    }
}
