//! Failures of operations.

use super::obstacle::Obstacle;
use crate::{
    fault::{Fault, FaultKind},
    ledger, location,
    model::{Address, IdempotencyKey, Invalid, PackageName, Spec, Version},
    retry::{RetryHint, Retryable},
    store::PutError,
};
use std::{io, path::PathBuf};

/// A failure of an operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The ledger's answer.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// The store failed. Nothing was changed in the ledger.
    #[error(transparent)]
    Store(#[from] Fault),
    /// The source of an import from another program failed. What was imported before stays.
    #[error(transparent)]
    Source(Fault),
    /// A URL names no place that this build can open a ledger or store at. Nothing was opened.
    #[error(transparent)]
    Url(#[from] location::Error),
    /// A value is out of bounds.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A file can't be added.
    #[error("can't add {path}: {why}")]
    Input {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A file changed while it was being added. Nothing was added.
    #[error("{0} changed while it was being added")]
    Changed(PathBuf),
    /// The same tag was given twice, or too many.
    #[error("{0}")]
    Tags(String),
    /// The store belongs to another ledger.
    #[error(
        "the store {store} belongs to another ledger ({}), not to {ledger} ({})",
        owner.as_deref().unwrap_or("no one"),
        id.as_deref().unwrap_or("nothing was ever added to it")
    )]
    NotOwner {
        /// The store.
        store: String,
        /// The id of the ledger it belongs to; `None` if it is no one's.
        owner: Option<String>,
        /// The ledger.
        ledger: String,
        /// Its id; `None` if nothing was ever added to it.
        id: Option<String>,
        /// True for a copy of another, such as a restored table.
        is_copy: bool,
    },
    /// The store holds blobs, and its object `OWNER` is gone: nothing says which ledger needs them. Nothing was changed.
    #[error("the store {store} holds blobs, but no OWNER says which ledger they belong to")]
    OwnerLost {
        /// The store.
        store: String,
    },
    /// A wait reached its timeout.
    #[error("the time is up, and {package} {spec} {}", match found { Some(version) => format!("is on {version}"), None => "is not there".to_owned() })]
    TimedOut {
        /// The package.
        package: PackageName,
        /// The spec that was waited for.
        spec: Spec,
        /// The version that it meant at the last look.
        found: Option<Version>,
    },
    /// Some tags can't be put back to where they were. No plan was made.
    #[error("{} can't be put back:{}", tags(obstacles.len()), each_in_a_line(obstacles))]
    NotRestorable {
        /// The tags, with the reasons.
        obstacles: Vec<Obstacle>,
    },
    /// One plan can't hold all moves. No plan was made.
    #[error(
        "{packages} packages have changed; one plan moves at most 25 packages and 100 items, so this takes {plans} plans"
    )]
    NeedsSplit {
        /// The packages with tags to be moved.
        packages: usize,
        /// The plans that hold all moves.
        plans: usize,
    },
    /// The file to be written exists and is a different one.
    #[error("{0} exists and is different")]
    Exists(PathBuf),
    /// A file can't be written.
    #[error("can't write {path}: {source}")]
    Output {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The bytes of a stream can't be kept until they are stored.
    #[error("can't keep standard input in {directory}: {source}")]
    Spool {
        /// The directory for temporary files.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The blob of a version is not in the store.
    #[error("the blob of {package} {version} is not in the store ({address})")]
    Lost {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
        /// The address that the ledger names.
        address: Address,
    },
    /// The bytes from the store are not those that the ledger names.
    #[error("what came from the store is not {address}: {why}")]
    Damaged {
        /// The address that they were read from.
        address: Address,
        /// The difference.
        why: String,
    },
    /// A blob that is to be copied is in neither store. What was copied before it stays.
    #[error("the blob of {package} {version} is not in {store} ({address})")]
    NotCopied {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
        /// The address that the ledger names.
        address: Address,
        /// The store.
        store: String,
    },
    /// A ledger can't be copied to itself. Nothing was changed.
    #[error("the source and the destination are the same ledger ({ledger}, {id})")]
    SameLedger {
        /// The ledger.
        ledger: String,
        /// Its id.
        id: String,
    },
    /// A file is not an export, or not as it was written. Nothing was changed.
    #[error("line {line} of the export: {why}")]
    Export {
        /// The number of the first wrong line.
        line: u64,
        /// The defect.
        why: String,
    },
    /// An export has a format that this release does not know. Nothing was changed.
    #[error("the export has format {format}, which sacker {release} wrote; this release does not know it")]
    NewerExport {
        /// The format.
        format: String,
        /// The release that wrote it.
        release: String,
    },
}

impl Error {
    /// As [`ledger::Error::unresolved`], where it is the store that failed.
    pub(super) fn unresolved(self, author: &ledger::Author) -> Self {
        match self {
            Self::Store(fault)
                if fault.kind.is_transient() && matches!(author.key, Some(IdempotencyKey::Resume { .. })) =>
            {
                ledger::Error::Fault(fault).unresolved(author).into()
            }
            error => error,
        }
    }

    pub(super) fn output(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Output { path, source }
    }
}

impl From<PutError> for Error {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Changed(path) => Self::Changed(path),
            PutError::Fault(fault) => Self::Store(fault),
        }
    }
}

impl Retryable for Error {
    fn retry_hint(&self) -> RetryHint {
        match self {
            // A change of the object while it is fetched is for the whole fetch to begin again.
            Self::Store(fault) if fault.kind != FaultKind::Contended => fault.retry_hint(),
            _ => RetryHint::Never,
        }
    }
}

fn each_in_a_line(obstacles: &[Obstacle]) -> String {
    obstacles.iter().flat_map(|obstacle| ["\n".to_owned(), obstacle.to_string()]).collect()
}

fn tags(count: usize) -> String {
    if count == 1 { "1 tag".to_owned() } else { format!("{count} tags") }
}
