//! Failures of a back end, sorted by how the caller handles them.
//!
//! Every table and store reports its own failures as a [`Fault`]; the results of a *caller's request* (not found,
//! refused, conflict) belong to the layer above and have types of their own. A fault names the operation and its
//! object; it does not depend on exit codes.

use std::{error::Error, fmt};

/// A failure of a back end.
#[derive(Debug)]
pub struct Fault {
    /// The kind, which determines the handling.
    pub kind: FaultKind,
    /// The operation and its object: "reading the table `sacker-ledger`".
    pub doing: String,
    /// The cause.
    pub source: Box<dyn Error + Send + Sync>,
    /// The remedy, if the back end's answer is more specific than the kind.
    pub remedy: Option<&'static str>,
    /// The permissions that a denied request may lack; empty if that is not known.
    pub lacking: Box<[Permission]>,
}

/// A permission of a back end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission {
    /// The action by its name in IAM: `dynamodb:PutItem`.
    pub action: String,
    /// The partition, the object's key, or the table or bucket.
    pub on: String,
}

/// The kind of a [`Fault`], and how to handle it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// Too many requests; nothing was changed. Try again later.
    Throttled,
    /// Another client was changing the same item; nothing was changed. Try again.
    Contended,
    /// No answer, or an inconclusive one. A change may have happened, or may still happen. Try again.
    Unavailable,
    /// The request was not sent, or was rejected before it was processed: there is no connection, or its credentials
    /// have expired and their source has no new ones yet. Nothing was changed. Try again.
    Unsent,
    /// Credentials are missing, expired or not sufficient.
    Denied,
    /// The table or bucket itself does not exist.
    Missing,
    /// The back end is reachable but not with these settings: another region, a wrong endpoint.
    Misconfigured,
    /// The back end has no space left, or a quota is reached. Nothing was changed.
    Full,
    /// This machine's disk is full or can't be read or written.
    Disk,
    /// The stored data is damaged.
    Corrupt,
    /// An answer that should not be possible. Nothing was changed.
    Unexpected,
}

impl FaultKind {
    /// Returns true if the same request may succeed later.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::Contended | Self::Unavailable | Self::Unsent)
    }

    /// Returns true if a change that failed this way may have happened all the same, or may still happen.
    #[must_use]
    pub fn is_ambiguous(self) -> bool {
        self == Self::Unavailable
    }
}

impl Fault {
    /// Creates a fault of a kind, with the operation that failed.
    pub fn new(
        kind: FaultKind,
        doing: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { kind, doing: doing.into(), source: source.into(), remedy: None, lacking: Box::default() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.doing)?;
        match self.kind {
            FaultKind::Throttled => f.write_str("too many requests"),
            FaultKind::Contended => f.write_str("another client is changing it"),
            FaultKind::Unavailable => f.write_str("no usable answer"),
            FaultKind::Unsent => f.write_str("the request could not be made yet"),
            FaultKind::Denied => f.write_str("access denied"),
            FaultKind::Missing => f.write_str("it does not exist"),
            FaultKind::Misconfigured => f.write_str("it can't be used with these settings"),
            FaultKind::Full => f.write_str("it is full"),
            FaultKind::Disk => f.write_str("the local disk failed"),
            FaultKind::Corrupt => f.write_str("the stored data is damaged"),
            FaultKind::Unexpected => f.write_str("unexpected answer"),
        }
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
