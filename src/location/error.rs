//! URLs that are refused.

use std::convert::Infallible;

/// A URL that names no place a ledger or store can be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not a valid URL of this kind.
    #[error("{what} {url:?}: {why}")]
    Invalid {
        /// "ledger URL" or "store URL".
        what: &'static str,
        /// The URL as given; without anything that might be a password.
        url: String,
        /// The reason.
        why: String,
    },
    /// It names a back end that this build does not have.
    #[error(
        "{what} {url:?}: this build has no back end for it: it was built without the cargo feature `{feature}`"
    )]
    NotBuilt {
        /// "ledger URL" or "store URL".
        what: &'static str,
        /// The URL as given; without anything that might be a password.
        url: String,
        /// The cargo feature with which sacker has this back end.
        feature: &'static str,
    },
    /// It names a ledger on S3, which this build does not have.
    #[error("ledger URL {url:?}: a ledger on S3 is weakly consistent and loses concurrent changes")]
    WeakLedger {
        /// The URL as given.
        url: String,
    },
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
