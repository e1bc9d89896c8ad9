//! `fsck`: proves the promises for what is stored, in the ledger and in the store.

use super::{
    client::Client,
    error::Error,
    fetch::{Fetched, spawned},
    observer::{Observer, Phase, Within},
};
use crate::{
    ledger::{AuditReport, BlobStatus, Invariant, NeededBlob, OnViolation, Repair, Violation},
    model::{Address, Blob},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::{io, num::NonZeroUsize, sync::Arc};
use tokio::sync::Semaphore;

/// The number of blobs, or parts of them, that are read at once by default.
const JOBS: NonZeroUsize = NonZeroUsize::new(8).expect("it is not 0");

/// The most parts of one blob that are.
const PARTS: u64 = 4;

/// The size of such a part, which is in memory, in bytes.
const PART: u64 = 4 << 20;

/// Options of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Fsck {
    /// Repair what can be derived from the logs: states and later labels of versions, heads, tags, counts of
    /// blobs, the directory. Entries of the logs, and the store, are never changed. A copy of a ledger is refused.
    pub repair: bool,
    /// Read and hash the bytes of this many in a hundred blobs, chosen at random.
    pub read_data: u8,
}

impl Fsck {
    /// Checks the ledger and the presence of every blob; reads no blob and repairs nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { repair: false, read_data: 0 }
    }

    /// Repairs what can be derived from the logs.
    #[must_use]
    pub const fn repair(self, repair: bool) -> Self {
        Self { repair, ..self }
    }

    /// Reads and hashes this many in a hundred blobs, chosen at random.
    #[must_use]
    pub const fn read_data(self, percent: u8) -> Self {
        Self { read_data: percent, ..self }
    }
}

/// Totals of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FsckReport {
    /// The number of packages.
    pub packages: u64,
    /// The number of their versions, deleted ones included.
    pub versions: u64,
    /// The number of blobs that the versions need that are not deleted.
    pub blobs: u64,
    /// The number of blobs whose bytes were read.
    pub read: u64,
    /// The number of blobs whose bytes the store refused to return: they are neither sound nor damaged.
    pub unread: u64,
    /// The number of violations that were found, repaired ones included.
    pub violations: u64,
    /// The number of violations that were repaired.
    pub repaired: u64,
    /// The number of things that were not judged, since a newer release wrote them. They are no violations.
    pub unjudged: u64,
}

impl Client {
    /// Checks everything that the ledger holds, and that the store has every blob that some version needs, with its
    /// size, and with `read_data` its bytes. Reports each violation as it is found, and changes nothing but what
    /// `repair` says. It may run while others write: each package is judged as of one instant, and what others write
    /// after that is left to another run. A repair is made only where nothing has changed since it was found.
    ///
    /// Blobs are read several at once: 8, or as many as [`with_jobs`](Self::with_jobs) says. One that the store refuses
    /// to hand out (it is archived, its key is disabled, its disk is failing) is reported to the observer as a warning,
    /// and the others are read all the same.
    ///
    /// Memory: about 200 bytes for each entry of one package, a name for each package, less than 100 bytes for each distinct blob, and with
    /// `read_data` 4 MiB for each of what is read at once, and half as much again.
    ///
    /// # Cancellation
    /// May be dropped at any time; repairs that were made stay.
    ///
    /// # Errors
    /// [`Error::NotOwner`] where the store belongs to another ledger; [`Error::Ledger`], with
    /// [`Copy`](crate::ledger::Error::Copy) where a copy of a ledger is to be repaired, and [`Error::Store`] where
    /// one fails, and where some blob could not be read and no violation was found. A violation is no error.
    pub async fn fsck(&self, fsck: Fsck, on_violation: OnViolation<'_>) -> Result<FsckReport, Error> {
        let observer = &self.observer;
        let mut checked = FsckReport::default();
        let identity = async { Ok(self.ledger.identity().await?) };
        if let (Some(owner), Some(identity)) = tokio::try_join!(self.owner(), identity)? {
            self.must_own(Some(owner), Some(&identity))?;
        }
        let mut count = |violation: Violation| {
            let judged = !violation.is_unjudged();
            checked.unjudged += u64::from(!judged);
            checked.violations += u64::from(judged);
            checked.repaired += u64::from(violation.repair == Repair::Done);
            on_violation(violation);
        };
        let examining = Within::begin(observer, Phase::Examining, None);
        let on_progress = |items| examining.advance(items);
        let mut audit_report = self.ledger.audit_observed(fsck.repair, &mut count, &on_progress).await?;
        drop(examining);
        self.note_present(&mut audit_report, observer).await?;
        let objects = self.check_objects(&audit_report, fsck.read_data, observer, &mut count).await?;
        match objects.refused {
            // Nothing worse is known than that.
            Some(error) if checked.violations == 0 => Err(error),
            _ => Ok(FsckReport {
                packages: audit_report.packages,
                versions: audit_report.versions,
                blobs: objects.blobs,
                read: objects.read,
                unread: objects.unread,
                ..checked
            }),
        }
    }

    /// Notes which of the needed blobs the store lists with the right size.
    async fn note_present(
        &self,
        audit_report: &mut AuditReport,
        observer: &Arc<dyn Observer>,
    ) -> Result<(), Error> {
        let listing = Within::begin(observer, Phase::Listing, None);
        let mut pages = self.listing();
        while let Some(page) = pages.try_next().await? {
            listing.advance(page.len() as u64);
            for (address, stat) in page {
                audit_report.note_present(&address, stat.size);
            }
        }
        Ok(())
    }

    /// Looks at each needed blob that was not listed, and reads those that are to be read.
    async fn check_objects(
        &self,
        audit_report: &AuditReport,
        read_data: u8,
        observer: &Arc<dyn Observer>,
        on_violation: OnViolation<'_>,
    ) -> Result<ObjectTotals, Error> {
        let draw = Draw { percent: read_data, salt: self.retry_policy.random() };
        let reading = (read_data > 0).then(|| {
            let sizes =
                audit_report.needed().filter(|it| it.present && draw.has(&it.address)).map(|it| it.size);
            Within::begin(observer, Phase::Downloading, Some(sizes.sum()))
        });
        let looks = Looks::new(self, observer);
        let objects = stream::iter(audit_report.needed())
            .filter_map(|it| {
                let reads = it.present && draw.has(&it.address);
                // What was listed is there, and there may be millions of those.
                std::future::ready(if reads || !it.present { Some(looks.look(it)) } else { None })
            })
            .map(spawned);
        let mut objects = std::pin::pin!(objects.buffer_unordered(looks.jobs.get()));
        let mut all = ObjectTotals { blobs: audit_report.needed().count() as u64, ..ObjectTotals::default() };
        while let Some(seen) = objects.next().await {
            match seen {
                Ok(Seen { read, violation }) => {
                    all.read += u64::from(read);
                    if let Some(violation) = violation {
                        on_violation(violation);
                    }
                }
                Err(Error::Store(fault)) if !fault.kind.is_transient() => {
                    observer.warn(&format!("{fault}: {}", fault.source));
                    all.unread += 1;
                    all.refused.get_or_insert(fault.into());
                }
                Err(error) => return Err(error),
            }
        }
        drop(reading);
        Ok(all)
    }

    /// Looks at an object that was not as it must be when the store was listed.
    async fn check_object(&self, address: &Address, size: u64) -> Result<Option<Violation>, Error> {
        let doing = format!("looking for {address}");
        let there = self.retry_policy.run(&doing, || self.store.stat(address)).await?;
        let (rule, what) = match there {
            Some(there) if there.size == size => return Ok(None),
            Some(there) => (Invariant::Size, format!("it has {} bytes in the store, not {size}", there.size)),
            None => (Invariant::Missing, "it is not in the store".to_owned()),
        };
        self.if_needed(address, rule, what).await
    }

    async fn check_bytes(
        &self,
        address: &Address,
        size: u64,
        observer: &Arc<dyn Observer>,
    ) -> Result<Option<Violation>, Error> {
        let blob = Blob { address: address.clone(), size, filename: None, mode: None };
        match self.fetch_to_stream(&blob, &mut io::sink(), observer).await {
            Ok(Fetched::Whole) => Ok(None),
            Ok(Fetched::Absent) => self.check_object(address, size).await,
            Err(Error::Damaged { why, .. }) => self.if_needed(address, Invariant::Bytes, why).await,
            Err(error) => Err(error),
        }
    }

    /// No breach, if the versions that needed it were deleted since.
    async fn if_needed(
        &self,
        address: &Address,
        rule: Invariant,
        what: String,
    ) -> Result<Option<Violation>, Error> {
        let blob_status = self.ledger.blob_statuses(std::slice::from_ref(address)).await?;
        // A count that is wrong does not make it unneeded; an object that was collected was condemned.
        let gone = matches!(blob_status[..], [BlobStatus::Condemned]);
        Ok((!gone).then(|| Violation::new(address.to_string(), rule, what)))
    }
}

/// All that was seen of the needed blobs.
#[derive(Default)]
struct ObjectTotals {
    blobs: u64,
    read: u64,
    unread: u64,
    /// The first refusal.
    refused: Option<Error>,
}

/// The result of a look at one blob.
struct Seen {
    read: bool,
    violation: Option<Violation>,
}

/// The choice of the blobs that are read: the same for each look, and other blobs in each run.
struct Draw {
    percent: u8,
    salt: u128,
}

impl Draw {
    fn has(&self, address: &Address) -> bool {
        let sha256 = address.sha256.to_bytes();
        let start = sha256.first_chunk().map_or(0, |start| u128::from_le_bytes(*start));
        // A sha256 is random already; salted and multiplied it is so for each run.
        let drawn = (start ^ self.salt).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 64;
        drawn % 100 < u128::from(self.percent)
    }
}

/// The bound on what is read at once.
struct Looks {
    client: Client,
    observer: Arc<dyn Observer>,
    jobs: NonZeroUsize,
    parts: Arc<Semaphore>,
}

impl Looks {
    fn new(client: &Client, observer: &Arc<dyn Observer>) -> Self {
        let jobs = client.jobs.unwrap_or(JOBS);
        let parts = Arc::new(Semaphore::new(jobs.get()));
        Self { client: client.clone(), observer: Arc::clone(observer), jobs, parts }
    }

    fn look(&self, blob: NeededBlob) -> impl Future<Output = Result<Seen, Error>> + Send + use<> {
        let NeededBlob { address, size, present } = blob;
        let (client, parts) = (self.client.clone(), Arc::clone(&self.parts));
        let observer: Arc<dyn Observer> = Arc::new(Parts(Arc::clone(&self.observer)));
        // A large blob takes the turns of several small ones.
        let permits = size.div_ceil(PART).clamp(1, PARTS).min(self.jobs.get() as u64);
        let permits = u32::try_from(permits).unwrap_or(1);
        async move {
            if !present {
                return Ok(Seen { read: false, violation: client.check_object(&address, size).await? });
            }
            // The semaphore is never closed.
            let _permits = parts.acquire_many(permits).await;
            let jobs = NonZeroUsize::new(permits as usize).unwrap_or(NonZeroUsize::MIN);
            let client = client.with_jobs(jobs);
            Ok(Seen { read: true, violation: client.check_bytes(&address, size, &observer).await? })
        }
    }
}

/// One of several fetches within a phase: it passes on what goes through, but not where it begins and ends.
#[derive(Debug)]
struct Parts(Arc<dyn Observer>);

impl Observer for Parts {
    fn begin(&self, _: Phase, _: Option<u64>) {}
    fn resume(&self, _: u64) {}
    fn advance(&self, bytes: u64) {
        self.0.advance(bytes);
    }
    fn end(&self) {}
    fn warn(&self, warning: &str) {
        self.0.warn(warning);
    }
}
