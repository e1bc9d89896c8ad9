//! What a back end did instead of answering, sorted by what the caller should do next.
//!
//! Every table and store reports its own failures as a [`Fault`]; what a *caller's request* met (not found, refused,
//! conflict) is the business of the layer above and has types of its own. A fault says what was being done to
//! what; it knows nothing of exit codes.

use std::{error::Error, fmt};

/// A failure of a back end.
#[derive(Debug)]
pub struct Fault {
    /// What to do about it.
    pub kind: FaultKind,
    /// What was being done, to what: "reading the table `sacker-ledger`".
    pub doing: String,
    /// What went wrong.
    pub source: Box<dyn Error + Send + Sync>,
    /// The way out, where the back end's answer says more of it than the kind does.
    pub remedy: Option<&'static str>,
}

/// What to do about a [`Fault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// Too many requests; nothing was changed. Try again later.
    Throttled,
    /// Someone else was changing the same thing; nothing was changed. Try again.
    Contended,
    /// No answer, or an answer that says nothing. A change may have happened, or may yet. Try again.
    Unavailable,
    /// The request was not sent, or was turned away before it was looked at: its credentials have expired, and their
    /// source has no new ones yet. Nothing was changed. Try again.
    Unsent,
    /// Credentials are missing, expired or not sufficient.
    Denied,
    /// The table or bucket itself is not there.
    Missing,
    /// The back end can be reached but not with these settings: another region, a wrong endpoint.
    Misconfigured,
    /// The back end has no room for more, or a quota is reached. Nothing was changed.
    Full,
    /// This machine's disk is full or can't be read or written.
    Disk,
    /// What is stored is not what it must be.
    Corrupt,
    /// An answer that should not be possible. Nothing was changed.
    Unexpected,
}

impl FaultKind {
    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::Contended | Self::Unavailable | Self::Unsent)
    }

    /// Whether a change that met this may have happened all the same, or may yet happen.
    #[must_use]
    pub fn is_ambiguous(self) -> bool {
        self == Self::Unavailable
    }
}

impl Fault {
    /// A fault of some kind, met while doing something.
    pub fn new(
        kind: FaultKind,
        doing: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { kind, doing: doing.into(), source: source.into(), remedy: None }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.doing)?;
        match self.kind {
            FaultKind::Throttled => f.write_str("too many requests"),
            FaultKind::Contended => f.write_str("someone else is changing it"),
            FaultKind::Unavailable => f.write_str("no usable answer"),
            FaultKind::Unsent => f.write_str("no credentials for the request yet"),
            FaultKind::Denied => f.write_str("access denied"),
            FaultKind::Missing => f.write_str("it does not exist"),
            FaultKind::Misconfigured => f.write_str("it can't be used with these settings"),
            FaultKind::Full => f.write_str("it is full"),
            FaultKind::Disk => f.write_str("the local disk failed"),
            FaultKind::Corrupt => f.write_str("what is stored there is damaged"),
            FaultKind::Unexpected => f.write_str("unexpected answer"),
        }
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
