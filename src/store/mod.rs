//! Content-addressed stores of blobs.
//!
//! A blob is found by its [`Address`] alone: its sha256 and its generation. The bytes under an address never change,
//! except that damaged bytes are replaced by the right ones. A blob appears whole or not at all, and is durable once
//! `put` has returned.
//!
//! Every method makes one attempt and never sleeps; every method is idempotent, so a caller may retry after any
//! transient [`Fault`]. Only a part of an upload is retried on its own, if the caller's
//! [`RetryPolicy`](crate::retry::RetryPolicy) makes the attempt (see [`retry::part`](crate::retry::part)). The layout
//! under a store's prefix: `OWNER`, and `sha256/<hex>` (generation 0) or `sha256/<hex>.<generation>` for each blob.

#[cfg(feature = "azure")]
pub mod azure;
pub mod directory;
#[cfg(feature = "hdfs")]
pub mod hdfs;
pub mod memory;
pub mod named;
#[cfg(feature = "s3")]
pub mod s3;
pub mod unopened;

#[cfg(any(feature = "azure", feature = "s3"))]
mod body;
mod content;
mod files;
#[cfg(any(feature = "azure", feature = "s3"))]
mod received;
mod sending;

pub use content::{Content, HASHED_AT_ONCE, PART_SIZE, Progress, part_size, part_size_from};

use crate::{
    fault::Fault,
    model::{Address, Created, Grant, Setting, Timestamp, Trial},
    retry::{RetryHint, Retryable},
};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use std::{fmt, ops::Range};

/// The number of bytes read of `OWNER`. A ledger's id is shorter, so content of this length names no known owner.
const OWNER_MOST: u64 = 256;

/// A report on the bytes of a blob that is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// This many bytes were processed. Each byte is reported once in a `put`, however often it is sent; the next
    /// `put` reports it again.
    Now(u64),
    /// This many of the processed bytes are kept: the store has acknowledged a part of an upload.
    Kept(u64),
    /// This many bytes need not be sent: an interrupted upload, perhaps of an earlier attempt of the same command,
    /// left them.
    Before(u64),
    /// This many bytes of the existing object were read to compare them, since it has no checksum. The report shows
    /// that work progresses; nothing was sent.
    Compared(u64),
}

/// Receives the reports of a `put`.
pub type Sending<'a> = &'a (dyn Fn(Sent) + Send + Sync);

/// An object's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// The size in bytes.
    pub size: u64,
    /// The time at which the object was stored, by the store's clock.
    pub modified: Timestamp,
}

/// The result of storing a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Put {
    /// The bytes were sent.
    Stored,
    /// The blob existed already, with the right size and checksum; nothing was sent.
    Present,
    /// A different object existed under the address; the right bytes replaced it.
    Replaced,
}

/// The reason why a blob was not stored.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The file changed after it was hashed. Nothing was stored.
    #[error("{0} changed while it was being added")]
    Changed(std::path::PathBuf),
    /// The store failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Retryable for PutError {
    fn retry_hint(&self) -> RetryHint {
        match self {
            Self::Changed(_) => RetryHint::Never,
            Self::Fault(fault) => fault.retry_hint(),
        }
    }
}

/// A range of an object's bytes, as a stream.
pub struct Body {
    /// An opaque value that changes when the object's bytes change.
    pub etag: String,
    /// The size of the whole object in bytes.
    pub size: u64,
    /// The bytes of the requested range.
    pub stream: BoxStream<'static, Result<Bytes, Fault>>,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("etag", &self.etag).field("size", &self.size).finish_non_exhaustive()
    }
}

/// A page of a store's listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The stored blobs, ordered by address as text. Names that are not addresses are left out.
    pub objects: Vec<(Address, Stat)>,
    /// The position of the next page, if there may be more; opaque.
    pub next: Option<String>,
}

/// An unfinished write that never became a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The name of the intended object, for people.
    pub name: String,
    /// The upload's identifier; opaque.
    pub id: String,
    /// The time at which the upload began, by the store's clock; [`last_written`](Store::last_written) may be later.
    pub since: Timestamp,
}

/// A page of unfinished uploads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uploads {
    /// The uploads, including those in progress.
    pub uploads: Vec<Upload>,
    /// The position of the next page, if there may be more; opaque.
    pub next: Option<String>,
}

/// A content-addressed store. See the [module](self) for the guarantees of all methods.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// Returns the store's location, for people: `s3://acme-blobs/sacker`.
    fn describe(&self) -> String;

    /// Begins to connect to the store, so that the first request need not wait for it. Returns at once and reports no
    /// error: the request fails with the same error. Without effect after a request, and for stores without
    /// connections.
    async fn connect(&self) {}

    /// Creates the bucket or directory with safe settings if it does not exist; never changes an existing one.
    /// Idempotent.
    async fn create(&self) -> Result<Created, Fault>;

    /// Returns each setting that the bucket needs to be safe, and its state. Changes nothing. A setting that may not
    /// be read is [`NotKnown`](crate::model::SettingState); empty for a store without settings.
    async fn settings(&self) -> Result<Vec<Setting>, Fault> {
        Ok(Vec::new())
    }

    /// Tests that the server in use has the properties that the store relies on, with writes that change nothing;
    /// `owner` must be the owner. A property that may not be tested is [`NotKnown`](crate::model::SettingState).
    ///
    /// # Errors
    /// [`FaultKind::Misconfigured`](crate::fault::FaultKind), naming the properties, if the server lacks some.
    async fn probe(&self, owner: &str) -> Result<Vec<Setting>, Fault> {
        let _ = owner;
        Ok(Vec::new())
    }

    /// Tries which permissions the credentials have, with requests that change nothing. With [`Trial::Writes`], the
    /// server must not have failed [`probe`](Self::probe): such a server may obey a request that should be refused. Empty
    /// for a store without permissions.
    async fn grants(&self, trial: Trial) -> Result<Vec<Grant>, Fault> {
        let _ = trial;
        Ok(Vec::new())
    }

    /// Returns the id of the ledger that owns this store, if any.
    async fn owner(&self) -> Result<Option<String>, Fault>;

    /// Makes `ledger` the owner if there is none, atomically, and returns the present owner. Idempotent.
    async fn claim(&self, ledger: &str) -> Result<String, Fault>;

    /// Makes `to` the owner if `from` is the owner, atomically, and returns the present owner. Idempotent: an owner
    /// that was replaced never becomes the owner again.
    ///
    /// # Errors
    /// [`FaultKind::Contended`](crate::fault::FaultKind) if there is no owner.
    async fn replace_owner(&self, from: &str, to: &str) -> Result<String, Fault>;

    /// Returns a blob's metadata; `None` if there is no such blob.
    async fn stat(&self, at: &Address) -> Result<Option<Stat>, Fault>;

    /// Stores a blob, unless it exists with the right size and checksum. Durable on return. The store itself checks
    /// the sent bytes against the checksums of the hashing pass, so a file that changed since is refused and can't
    /// damage an address.
    ///
    /// `expected` is true if the blob should exist already: then the store checks for it before anything is sent.
    /// `sent` receives a report of the bytes as they are sent, and first of those that need not be sent. Canceling
    /// the future stores the blob whole or not at all.
    ///
    /// # Errors
    /// [`PutError::Changed`] if the file no longer matches its checksums. After a transient fault a new attempt
    /// resumes from the parts that had arrived, if the store has parts.
    async fn put(
        &self,
        at: &Address,
        content: &Content,
        expected: bool,
        sent: Sending<'_>,
    ) -> Result<Put, PutError>;

    /// Reads a range of a blob's bytes; `None` if there is no such blob. The range must lie within the blob; an empty
    /// range requests the etag and size only. The stream yields exactly the range's bytes or an error.
    ///
    /// # Errors
    /// [`FaultKind::Contended`](crate::fault::FaultKind) if `etag` is given and the object has another one.
    async fn get(&self, at: &Address, range: Range<u64>, etag: Option<&str>) -> Result<Option<Body>, Fault>;

    /// Removes a blob permanently (on a versioned bucket: adds a delete marker). Idempotent: removing a missing blob
    /// succeeds.
    async fn delete(&self, at: &Address) -> Result<(), Fault>;

    /// Reads a page of the stored blobs; `after` is the `next` of the page before.
    async fn list(&self, after: Option<&str>) -> Result<Listing, Fault>;

    /// Returns true if [`list_part`](Self::list_part) reads only the requested part, so that parts of a large listing
    /// may be read concurrently.
    fn lists_in_parts(&self) -> bool {
        false
    }

    /// Reads a page of the blobs whose addresses begin with `prefix`, some lower-case hex digits; `after` is the
    /// `next` of the page before, with the same prefix. The default reads the pages of [`list`](Self::list) and
    /// leaves out other blobs, so pages may be empty.
    async fn list_part(&self, prefix: &str, after: Option<&str>) -> Result<Listing, Fault> {
        let Listing { mut objects, next } = self.list(after).await?;
        let begins = |at: &Address| at.sha256.as_str().starts_with(prefix);
        // All later addresses are higher.
        let past = objects.last().is_some_and(|(at, _)| at.sha256.as_str() > prefix && !begins(at));
        objects.retain(|(at, _)| begins(at));
        Ok(Listing { objects, next: next.filter(|_| !past) })
    }

    /// Reads a page of unfinished uploads; `after` is the `next` of the page before. Empty for a store whose uploads
    /// leave nothing behind.
    async fn uploads(&self, after: Option<&str>) -> Result<Uploads, Fault> {
        let _ = after;
        Ok(Uploads::default())
    }

    /// Returns the time at which an upload was last written to, by the store's clock: when its newest part was
    /// stored, or when it began if it has none. `None` if it no longer exists.
    async fn last_written(&self, upload: &Upload) -> Result<Option<Timestamp>, Fault> {
        Ok(Some(upload.since))
    }

    /// Returns the store's present time, from its last answer; `None` without one. The ages of stored objects are
    /// computed from this time, since clients' clocks may be wrong. Sends no request.
    fn time(&self) -> Option<Timestamp> {
        None
    }

    /// Aborts an upload and removes its parts. Idempotent: aborting a missing upload succeeds.
    async fn abort(&self, upload: &Upload) -> Result<(), Fault> {
        let _ = upload;
        Ok(())
    }
}
