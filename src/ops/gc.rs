//! `gc`: removes the blobs that no version needs.
//!
//! Safe concurrently with everything else, another `gc` included, with no grace period: an object is deleted only once the ledger
//! has condemned its generation, against which no version can be committed any more. A crash leaves at most an object
//! that the next run reports.

use super::{
    client::Client,
    error::Error,
    observer::{Phase, Within},
};
use crate::{
    failpoint::reach,
    ledger::BlobStatus,
    model::{Address, Timestamp},
    store::Upload,
};
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use std::{sync::Arc, time::Duration};

/// The number of objects that are removed at once.
const JOBS: usize = 8;

/// For how long nothing has been written to an upload that is taken for one that will never be finished.
const ABANDONED: Duration = Duration::from_hours(24);

/// Options of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcOptions {
    /// Remove it; else it is only reported.
    pub delete: bool,
    /// Leave alone what was stored less than this ago. A courtesy to those whose addition is under way, who would have
    /// to store their blob again; safety does not rest on it.
    pub min_age: Duration,
    /// The caller's time, from which ages are counted where the store doesn't state its own
    /// ([`Store::time`](crate::store::Store::time)).
    pub now: Timestamp,
}

impl GcOptions {
    /// The least age of objects by default: an hour.
    pub const MIN_AGE: Duration = Duration::from_hours(1);

    /// Reports what is older than [`MIN_AGE`](Self::MIN_AGE), and removes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { delete: false, min_age: Self::MIN_AGE, now: Timestamp::now() }
    }

    /// Removes what is found.
    #[must_use]
    pub fn delete(self, delete: bool) -> Self {
        Self { delete, ..self }
    }

    /// Leaves alone what was stored less than this ago.
    #[must_use]
    pub fn min_age(self, min_age: Duration) -> Self {
        Self { min_age, ..self }
    }

    /// Sets the caller's time.
    #[must_use]
    pub fn now(self, now: Timestamp) -> Self {
        Self { now, ..self }
    }
}

impl Default for GcOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Something that was collected, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Garbage {
    /// A blob that no version needs.
    Blob {
        /// The address of the blob, which a deletion has freed.
        address: Address,
        /// Its size in bytes.
        size: u64,
    },
    /// An upload to which nothing has been written for more than a day.
    Upload(Upload),
}

impl Client {
    /// Every blob in the store that no version needs, and then every abandoned upload, streamed in bounded memory, and
    /// in no order where there are many; with `delete` each is removed before it is yielded. Without it, the same is reported
    /// as would be removed, as long as nobody adds or deletes in between. The observer learns how many objects were looked
    /// at.
    ///
    /// The stream may be dropped at any time; another run continues with what is left.
    ///
    /// The stream yields an error and ends where the ledger does not own the store ([`Error::NotOwner`], also for a
    /// store that is no one's, and for a copy of the ledger), and where one of them fails.
    #[must_use]
    pub fn gc(&self, options: GcOptions) -> BoxStream<'_, Result<Garbage, Error>> {
        let observer = Arc::clone(&self.observer);
        stream::once(async move {
            self.must_be_owner().await?;
            let listing = Within::begin(&observer, Phase::Listing, None);
            Ok::<_, Error>(self.blobs(options, listing).chain(self.abandoned(options)))
        })
        .try_flatten()
        .boxed()
    }

    /// Makes sure that the store belongs to this ledger, and claims nothing.
    pub(super) async fn must_be_owner(&self) -> Result<(), Error> {
        let identity = async { Ok(self.ledger.identity().await?) };
        let (owner, identity) = tokio::try_join!(self.owner(), identity)?;
        self.must_own(owner, identity.as_ref())
    }

    fn blobs(&self, options: GcOptions, listing: Within) -> BoxStream<'_, Result<Garbage, Error>> {
        self.listing()
            .inspect_ok(move |page| listing.advance(page.len() as u64))
            .map(move |page| async move {
                let mut page = page?;
                reach("gc-page");
                if options.delete {
                    // It may have been adopted since.
                    self.must_be_owner().await?;
                }
                let now = self.time(options);
                page.retain(|(_, stat)| is_due(now, stat.modified, options.min_age));
                let addresses: Vec<_> = page.iter().map(|(address, _)| address.clone()).collect();
                let blob_statuses = self.ledger.blob_statuses(&addresses).await?;
                let garbage =
                    page.into_iter().zip(blob_statuses).filter_map(|((address, stat), blob_status)| {
                        let collectable = matches!(blob_status, BlobStatus::Orphan | BlobStatus::Condemned);
                        collectable.then_some((address, stat.size, blob_status))
                    });
                Ok::<_, Error>(stream::iter(garbage.collect::<Vec<_>>()).map(Ok::<_, Error>))
            })
            // The next page is read while this one is worked on.
            .buffered(2)
            .try_flatten()
            .map(move |found| async move {
                let (address, size, blob_status) = found?;
                if options.delete && !self.remove(&address, blob_status).await? {
                    return Ok(None);
                }
                Ok(Some(Garbage::Blob { address, size }))
            })
            .buffered(JOBS)
            .try_filter_map(|collected| std::future::ready(Ok(collected)))
            .boxed()
    }

    /// Removes an object unless some version needs it by now.
    async fn remove(&self, address: &Address, blob_status: BlobStatus) -> Result<bool, Error> {
        if blob_status != BlobStatus::Condemned && !self.ledger.condemn(address).await? {
            return Ok(false);
        }
        reach("gc-condemned");
        let doing = format!("deleting {address}");
        self.retry_policy.run(&doing, || self.store.delete(address)).await?;
        reach("gc-deleted");
        Ok(true)
    }

    fn abandoned(&self, options: GcOptions) -> BoxStream<'_, Result<Garbage, Error>> {
        stream::try_unfold(Some(None::<String>), move |after| async move {
            let Some(after) = after else { return Ok::<_, Error>(None) };
            let list = || self.store.uploads(after.as_deref());
            let page = self.retry_policy.run("listing unfinished uploads", list).await?;
            Ok(Some((stream::iter(page.uploads).map(Ok::<_, Error>), page.next.map(Some))))
        })
        .try_flatten()
        // Most are young, which needs no question.
        .try_filter(move |upload| std::future::ready(is_due(self.time(options), upload.since, ABANDONED)))
        .map(move |upload| async move {
            let upload = upload?;
            Ok(self.give_up(&upload, options).await?.then_some(Garbage::Upload(upload)))
        })
        .buffered(JOBS)
        .try_filter_map(|collected| std::future::ready(Ok(collected)))
        .boxed()
    }

    /// Aborts an upload if nothing has been written to it for long, and returns if that is so.
    async fn give_up(&self, upload: &Upload, options: GcOptions) -> Result<bool, Error> {
        let doing = format!("looking at an upload of {}", upload.name);
        let written = self.retry_policy.run(&doing, || self.store.last_written(upload)).await?;
        let abandoned = written.is_some_and(|written| is_due(self.time(options), written, ABANDONED));
        if abandoned && options.delete {
            let doing = format!("aborting an upload of {}", upload.name);
            self.retry_policy.run(&doing, || self.store.abort(upload)).await?;
        }
        Ok(abandoned)
    }

    /// The time that ages are counted from.
    fn time(&self, options: GcOptions) -> Timestamp {
        self.store.time().unwrap_or(options.now)
    }
}

/// Returns true if something from then is at least that old. No age at all asks no clock.
fn is_due(now: Timestamp, since: Timestamp, age: Duration) -> bool {
    let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    age == 0 || since.as_millis().saturating_add(age) <= now.as_millis()
}
