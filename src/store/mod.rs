//! Where the bytes are: a content-addressed store.
//!
//! A blob is found by its [`Address`] alone: its sha256 and its generation. What is stored under an address never
//! changes, except that damaged bytes are replaced by the right ones. A blob appears whole or not at all, and is
//! durable once `put` has returned.
//!
//! A store makes one try and never sleeps; every method is idempotent, so a caller may try again after any transient
//! [`Fault`]. Only a part of an upload is tried again by itself, where the caller's [`RetryPolicy`](crate::retry::RetryPolicy)
//! makes the try (see [`retry::part`](crate::retry::part)). The layout under a store's prefix: `OWNER`, and
//! `sha256/<hex>` (generation 0) or `sha256/<hex>.<generation>` for each blob.

pub mod directory;
pub mod memory;
pub mod s3;
pub mod unopened;

mod content;
mod files;
mod sending;

pub use content::{Content, HASHED_AT_ONCE, PART_SIZE, Progress, part_size, part_size_from};

use crate::{
    fault::Fault,
    model::{Address, Created, Setting, Timestamp},
    retry::{RetryHint, Retryable},
};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use std::{fmt, ops::Range};

/// How many bytes of `OWNER` are read. A ledger's id is shorter: whatever has as many is no owner that is known.
const OWNER_MOST: u64 = 256;

/// What becomes of the bytes of a blob that is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// So many went through. Each byte is reported once in a `put`, however often it is sent; the next `put` reports it
    /// again.
    Now(u64),
    /// So many of those that went through are kept: the store has acknowledged a part of an upload.
    Kept(u64),
    /// So many need not go again: an upload that was interrupted, perhaps by a try of the same command, has left them.
    Before(u64),
    /// So many of what is there were read to compare them, since it has no checksum. That is a sign of life, and sends
    /// nothing.
    Compared(u64),
}

/// Told of what is sent, as it is.
pub type Sending<'a> = &'a (dyn Fn(Sent) + Send + Sync);

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Its size in bytes.
    pub size: u64,
    /// When it was stored, by the store's clock.
    pub modified: Timestamp,
}

/// How a blob came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Put {
    /// Its bytes were sent.
    Stored,
    /// It was there already, with the right size and checksum; nothing was sent.
    Present,
    /// Something else was there under its address; the right bytes took its place.
    Replaced,
}

/// Why a blob was not stored.
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

/// A part of an object, as it arrives.
pub struct Body {
    /// Changes when the object's bytes do; opaque.
    pub etag: String,
    /// The size of the whole object in bytes.
    pub size: u64,
    /// The bytes of the range asked for.
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
    /// What is stored, ordered by address as text. Names that are no addresses are left out.
    pub objects: Vec<(Address, Stat)>,
    /// Where to go on, if there may be more; opaque.
    pub next: Option<String>,
}

/// Something that was begun to be written and never became a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// What it was to become, for people.
    pub name: String,
    /// What it is known by; opaque.
    pub id: String,
    /// When it was begun, by the store's clock; [`last_written`](Store::last_written) may be later.
    pub since: Timestamp,
}

/// A page of uploads that are not finished.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uploads {
    /// The uploads, those under way included.
    pub uploads: Vec<Upload>,
    /// Where to go on, if there may be more; opaque.
    pub next: Option<String>,
}

/// A content-addressed store. See the [module](self) for what all methods guarantee.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// What this store is, for people: `s3://acme-blobs/sacker`.
    fn describe(&self) -> String;

    /// Begins to connect to the store, so that the first request need not wait for it. Returns at once, and says nothing
    /// of what fails: the request meets it again. Without effect after a request, and for stores without connections.
    async fn connect(&self) {}

    /// Makes the bucket or directory with safe settings if there is none; never changes an existing one. Idempotent.
    async fn create(&self) -> Result<Created, Fault>;

    /// What the bucket must have to be safe, and whether it has it. Changes nothing. What may not be seen is
    /// [`NotKnown`](crate::model::SettingState); empty where there is nothing to set.
    async fn settings(&self) -> Result<Vec<Setting>, Fault> {
        Ok(Vec::new())
    }

    /// Tries on the server in use what the store relies on, with writes that change nothing; `owner` must be the owner. What
    /// may not be tried is [`NotKnown`](crate::model::SettingState).
    ///
    /// # Errors
    /// [`FaultKind::Misconfigured`](crate::fault::FaultKind) if the server lacks something, by name.
    async fn probe(&self, owner: &str) -> Result<Vec<Setting>, Fault> {
        let _ = owner;
        Ok(Vec::new())
    }

    /// The id of the ledger that this store belongs to, if any.
    async fn owner(&self) -> Result<Option<String>, Fault>;

    /// Makes `ledger` the owner if there is none, atomically, and returns who is the owner now.
    async fn claim(&self, ledger: &str) -> Result<String, Fault>;

    /// Makes `to` the owner if `from` is, atomically, and returns who is the owner now. Idempotent: no owner that was
    /// replaced ever comes back.
    ///
    /// # Errors
    /// [`FaultKind::Contended`](crate::fault::FaultKind) if there is no owner.
    async fn replace_owner(&self, from: &str, to: &str) -> Result<String, Fault>;

    /// Whether a blob is there, and its size. `None` if it is not.
    async fn stat(&self, at: &Address) -> Result<Option<Stat>, Fault>;

    /// Stores a blob, unless it is there with the right size and checksum. Durable on return. What is sent is
    /// checked against the checksums of the hashing pass by the store itself, so that a file which changed since is
    /// refused and can't poison an address.
    ///
    /// `expected` says whether it should be there already: then that is asked before anything is sent. `sent` is told
    /// of the bytes as they go, and first of those that need not.
    ///
    /// # Errors
    /// [`PutError::Changed`] if the file is no longer what was hashed. After a transient fault a new try resumes from the
    /// parts that had arrived, where the store has parts.
    async fn put(
        &self,
        at: &Address,
        content: &Content,
        expected: bool,
        sent: Sending<'_>,
    ) -> Result<Put, PutError>;

    /// Reads a range of a blob's bytes; `None` if there is no such blob. The range must lie within the blob; an
    /// empty one asks for its etag and size alone. The stream yields exactly the range's bytes or an error.
    ///
    /// # Errors
    /// [`FaultKind::Contended`](crate::fault::FaultKind) if `etag` is given and is not the object's any more.
    async fn get(&self, at: &Address, range: Range<u64>, etag: Option<&str>) -> Result<Option<Body>, Fault>;

    /// Removes a blob for good (on a versioned bucket: puts a delete marker). Removing what is not there is done.
    async fn delete(&self, at: &Address) -> Result<(), Fault>;

    /// Reads a page of what is stored; `after` is the `next` of the page before.
    async fn list(&self, after: Option<&str>) -> Result<Listing, Fault>;

    /// Returns true if [`list_part`](Self::list_part) costs only what its part does, so that parts of a large listing
    /// may be read concurrently.
    fn lists_in_parts(&self) -> bool {
        false
    }

    /// Reads a page of the blobs whose addresses begin with `prefix`, some lower-case hex digits; `after` is the
    /// `next` of the page before, with the same prefix. By default it reads what [`list`](Self::list) does and leaves
    /// out the rest, so pages may be empty.
    async fn list_part(&self, prefix: &str, after: Option<&str>) -> Result<Listing, Fault> {
        let Listing { mut objects, next } = self.list(after).await?;
        let begins = |at: &Address| at.sha256.as_str().starts_with(prefix);
        // All that follows is higher.
        let past = objects.last().is_some_and(|(at, _)| at.sha256.as_str() > prefix && !begins(at));
        objects.retain(|(at, _)| begins(at));
        Ok(Listing { objects, next: next.filter(|_| !past) })
    }

    /// Reads a page of the uploads that are not finished; `after` is the `next` of the page before. A store whose
    /// uploads leave nothing behind has none.
    async fn uploads(&self, after: Option<&str>) -> Result<Uploads, Fault> {
        let _ = after;
        Ok(Uploads::default())
    }

    /// When an upload was last written to, by the store's clock: when its newest part was stored, or when it was begun
    /// if it has none. `None` if it is gone.
    async fn last_written(&self, upload: &Upload) -> Result<Option<Timestamp>, Fault> {
        Ok(Some(upload.since))
    }

    /// The time by the store's clock, as its last answer stated it; `None` if none has. Ages of what it holds are
    /// judged by this, since the clocks of clients may be wrong. Asks nothing.
    fn time(&self) -> Option<Timestamp> {
        None
    }

    /// Aborts an upload and removes what it has stored. One that is gone is done.
    async fn abort(&self, upload: &Upload) -> Result<(), Fault> {
        let _ = upload;
        Ok(())
    }
}
