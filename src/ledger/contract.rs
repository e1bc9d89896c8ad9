//! What a ledger does and promises.

use super::{
    AddRequest, Added, ApplyRequest, AuditReport, BlobStatus, ChangeRequest, Changed, Draft, Error, Identity,
    OnProgress, OnViolation, PackageQuery, ProtectRequest, Refused, RollbackRequest, Staged, TagRequest,
    UntagRequest,
};
use crate::model::{
    Address, Blob, Created, Digest, Event, PackageName, PackageSummary, Release, Setting, Spec, TagMove,
    TagName, Tagged, Version,
};
use async_trait::async_trait;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use std::fmt;

/// A ledger.
///
/// Guarantees of every method, unless it says otherwise:
///
/// - **Reads are strongly consistent.** What any client was told succeeded is seen. What is read in several pages or
///   partitions (versions with their tags, a listing) is not one snapshot.
/// - **Changes are atomic and serialisable**, and never overwrite what their author did not see.
/// - **A change that returns an error changed nothing**, but for [`Error::Unknown`].
/// - Contention, throttling and outages are ridden out until the deadline of the ledger's
///   [`RetryPolicy`](crate::retry::RetryPolicy).
///
/// Every method can fail with [`Error::Fault`], [`Error::Damaged`] or [`Error::Schema`]; what it says under *Errors*
/// comes on top.
///
/// It is sealed: only this crate implements it, so that a method may be added without breaking anyone.
#[async_trait]
pub trait Ledger: sealed::Sealed + fmt::Debug + Send + Sync {
    /// What this ledger is, for people.
    fn describe(&self) -> String;

    /// Makes the ledger if there is none, and returns its id. Never changes an existing one. Idempotent.
    async fn create(&self) -> Result<(Created, String), Error>;

    /// What the ledger's table must have to be safe, and whether it has it. Changes nothing.
    async fn settings(&self) -> Result<Vec<Setting>, Error> {
        Ok(Vec::new())
    }

    /// Every package known, in bytewise order.
    fn packages(&self, query: &PackageQuery) -> BoxStream<'_, Result<PackageName, Error>>;

    /// What a listing shows of these packages, in their order; those that do not exist are left out.
    async fn summaries(&self, packages: &[PackageName]) -> Result<Vec<PackageSummary>, Error>;

    /// Every version of a package, newest first, deleted ones too. Yields [`NotFound::Package`] if there is none.
    fn versions(&self, package: &PackageName) -> BoxStream<'_, Result<Release, Error>>;

    /// The tags of a package that are on a version.
    ///
    /// # Errors
    /// [`NotFound::Package`].
    async fn tags(&self, package: &PackageName) -> Result<Tagged, Error>;

    /// Which blob a spec means now: one read.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for a deleted version.
    async fn blob(&self, package: &PackageName, spec: &Spec) -> Result<(Version, Blob), Error>;

    /// Returns the version that a spec means now and, where the spec is a tag, the revision at which that tag was last
    /// changed: one read. The revision grows with every change of the tag.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for a deleted version, and for a tag that is on no version.
    async fn position(&self, package: &PackageName, spec: &Spec) -> Result<(Version, Option<u64>), Error> {
        self.release(package, spec).await.map(|release| (release.version, release.rev))
    }

    /// All that is known of what a spec means now.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for a deleted version.
    async fn release(&self, package: &PackageName, spec: &Spec) -> Result<Release, Error>;

    /// Begins an addition: reads what it will be decided on, while its blob is being hashed. Makes the ledger's
    /// identity if it has none; changes nothing else. Where the sha256 is known already, what is known of the blob is
    /// read with the rest, and [`stage`](Self::stage) need not ask for it.
    async fn begin_add(&self, request: &AddRequest, sha256: Option<&Digest>) -> Result<Draft, Error>;

    /// Says where the blob has to be before the addition can be committed. Changes nothing.
    ///
    /// # Errors
    /// As [`add`](Self::add), as far as can be told already.
    async fn stage(&self, request: &AddRequest, sha256: &Digest, draft: &mut Draft) -> Result<Staged, Error>;

    /// Commits an addition: the next version of the package is this blob. The caller must have made sure that the
    /// blob is in the store at its address. Version numbers are dense, unique and never reused.
    ///
    /// # Errors
    /// [`Conflict`] if an expectation is not met, a key was used for something else, or others kept being first;
    /// [`Error::Interrupted`]; [`Error::Unknown`].
    async fn add(&self, request: &AddRequest, blob: &Blob, draft: &Draft) -> Result<Added, Error>;

    /// Moves a tag to what a spec means at that instant. Where it is there already, changes nothing and says so with
    /// `previous` equal to `version`.
    ///
    /// # Errors
    /// [`NotFound`] for the package, version, or the spec's tag; [`Refused`] if the version is not active or the tag
    /// is protected; [`Conflict`] if the expectation is not met; [`Error::Interrupted`]; [`Error::Unknown`].
    async fn tag(&self, request: &TagRequest) -> Result<TagMove, Error>;

    /// Takes a tag off. Where it is off already, changes nothing and says so with `previous` none.
    ///
    /// # Errors
    /// [`NotFound::Tag`] if there never was such a tag; else as [`tag`](Self::tag).
    async fn untag(&self, request: &UntagRequest) -> Result<TagMove, Error>;

    /// Puts a tag back to where it was before: the version of its event `back`. Again, it goes further back, never to
    /// and fro. Where it is there already, changes nothing.
    ///
    /// # Errors
    /// [`NotFound::Tag`]; [`NotFound::Past`] if it was nowhere before, or never on that version; [`Refused::Rollback`] if it
    /// can't be put there; [`Conflict`] if the expectation is not met; else as [`tag`](Self::tag).
    async fn rollback(&self, request: &RollbackRequest) -> Result<TagMove, Error> {
        let _ = request;
        Err(Refused::Unsupported.into())
    }

    /// Makes all moves of a plan in one transaction, or none of them; returns them in the plan's order. All are resolved
    /// against the state before the plan. A tag that is there already stays, and still stands there at the commit.
    ///
    /// To undo, it puts each tag back to where it was before one and the same application of the plan, if they all stand
    /// where that put them.
    ///
    /// # Errors
    /// [`Error::Moves`] names every move that can't be made, and why; of a plan of one move, that move's own error.
    /// [`Refused::TooLarge`] if it takes more than one transaction can hold; [`Error::Interrupted`]; [`Error::Unknown`].
    async fn apply(&self, request: &ApplyRequest) -> Result<Vec<TagMove>, Error> {
        let _ = request;
        Err(Refused::Unsupported.into())
    }

    /// What [`apply`](Self::apply) would do now. Changes nothing.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    async fn preview(&self, request: &ApplyRequest) -> Result<Vec<TagMove>, Error> {
        let _ = request;
        Err(Refused::Unsupported.into())
    }

    /// Protects a tag, or takes its protection away; an event of its own. Where it is so already, changes nothing.
    ///
    /// # Errors
    /// [`NotFound::Package`]; [`NotFound::Tag`] if there is nothing to take away; [`Refused::Protected`] if it is protected
    /// in another way; [`Conflict`]; [`Error::Interrupted`]; [`Error::Unknown`].
    async fn protect(&self, request: &ProtectRequest) -> Result<TagMove, Error> {
        let _ = request;
        Err(Refused::Unsupported.into())
    }

    /// All that happened to a package, or to one tag of it, newest first. The two logs of the package are read page by
    /// page and merged by time, as of one instant. Yields [`NotFound`] if there is no such package or tag. Of a log whose
    /// head is damaged or lost, the entries are yielded without an upper bound, and last of all [`Error::Damaged`].
    fn history(&self, package: &PackageName, tag: Option<&TagName>) -> BoxStream<'_, Result<Event, Error>> {
        let _ = (package, tag);
        stream::once(async { Err(Refused::Unsupported.into()) }).boxed()
    }

    /// Changes a version: yanks, unyanks, deletes or labels it. Where it is so already, changes nothing.
    ///
    /// # Errors
    /// [`NotFound`] for the package or version, also for a deleted one; [`Refused`] if it is tagged, or has a label
    /// with another value; [`Error::Interrupted`]; [`Error::Unknown`]. [`Refused::Unsupported`] if the ledger can't.
    async fn change(&self, request: &ChangeRequest) -> Result<Changed, Error> {
        let _ = request;
        Err(Refused::Unsupported.into())
    }
    /// Which ledger this is; `None` for one that nothing was added to yet. Changes nothing.
    ///
    /// # Errors
    /// [`Refused::Unsupported`] if the ledger can't tell.
    async fn identity(&self) -> Result<Option<Identity>, Error> {
        Err(Refused::Unsupported.into())
    }

    /// Gives the ledger another id, which no copy of it has, and this epoch, unless it is not `seen` any more, and makes
    /// the place where it is its home. Returns what it is then. What it is to adopt has to be given to it afterwards.
    ///
    /// # Errors
    /// [`Refused::Unsupported`] if the ledger can't.
    async fn adopt(&self, seen: &Identity, epoch: u64) -> Result<Identity, Error> {
        let _ = (seen, epoch);
        Err(Refused::Unsupported.into())
    }

    /// Where these objects of its store stand, in their order: any number of them, each read consistently, all
    /// together no snapshot. Changes nothing.
    ///
    /// # Errors
    /// [`Refused::Unsupported`] if the ledger can't tell.
    async fn blob_statuses(&self, addresses: &[Address]) -> Result<Vec<BlobStatus>, Error> {
        let _ = addresses;
        Err(Refused::Unsupported.into())
    }

    /// Makes sure that no version will ever need this object, unless one does already; returns whether it may be
    /// deleted now, and for ever. Idempotent. An object that must be kept is no error.
    ///
    /// # Errors
    /// [`Refused::Unsupported`] if the ledger can't.
    async fn condemn(&self, address: &Address) -> Result<bool, Error> {
        let _ = address;
        Err(Refused::Unsupported.into())
    }
    /// Checks everything that the ledger holds, and tells of each breach as it is found. With `repair`, mends what can
    /// be derived from the logs, each under the condition that it is still as it was seen; else changes nothing. May
    /// run while others write. Returns what it went through, and which blobs the store must have.
    ///
    /// # Errors
    /// [`Refused::Unsupported`] if the ledger can't. A breach is no error.
    async fn audit(&self, repair: bool, on_violation: OnViolation<'_>) -> Result<AuditReport, Error> {
        self.audit_observed(repair, on_violation, &|_| ()).await
    }

    /// As [`audit`](Self::audit), and calls `on_progress` with the number of items that were read, as they are.
    ///
    /// # Errors
    /// As [`audit`](Self::audit).
    async fn audit_observed(
        &self,
        repair: bool,
        on_violation: OnViolation<'_>,
        on_progress: OnProgress<'_>,
    ) -> Result<AuditReport, Error> {
        let _ = (repair, on_violation, on_progress);
        Err(Refused::Unsupported.into())
    }
}

/// Keeps [`Ledger`] to this crate.
pub(super) mod sealed {
    /// A ledger of this crate.
    pub trait Sealed {}
}
