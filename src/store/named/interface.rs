//! The interface of files under names.

use crate::{fault::Fault, model::Timestamp, store::Body};
use async_trait::async_trait;
use std::{fmt, path::PathBuf};

/// A file of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// The name: relative to the place that is listed, with `/` between its parts.
    pub name: String,
    /// The size in bytes.
    pub size: u64,
    /// The time of the last change.
    pub modified: Timestamp,
    /// An opaque value that changes when the bytes change, if the back end has one.
    pub etag: Option<String>,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamedPage {
    /// The files.
    pub files: Vec<NamedFile>,
    /// The names of what is not listed as a file, and the reasons.
    pub skipped: Vec<(String, String)>,
    /// The position of the next page, if there may be more; opaque.
    pub next: Option<String>,
}

/// The bytes of a file.
#[derive(Debug)]
pub enum NamedBytes {
    /// A regular file of this machine.
    Local(PathBuf),
    /// A stream of the bytes from the requested position.
    Remote(Body),
}

/// Files under a prefix of a bucket, or in a directory. Every method makes one attempt and never sleeps.
#[async_trait]
pub trait NamedFiles: fmt::Debug + Send + Sync {
    /// Returns the location of the files, for people: `s3://acme/releases`.
    fn describe(&self) -> String;

    /// Reads a page of the files whose names begin with `prefix`; `after` is the `next` of the page before.
    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<NamedPage, Fault>;

    /// Opens a file at a position; `None` if there is no such file. A symbolic link is no file.
    ///
    /// # Errors
    /// [`FaultKind::Contended`](crate::fault::FaultKind) if `etag` is given and the file has another one.
    async fn open(&self, name: &str, from: u64, etag: Option<&str>) -> Result<Option<NamedBytes>, Fault>;
}
