//! Summaries of packages for listings.

use super::{PackageName, Timestamp, Version};

/// A package in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSummary {
    /// The package.
    pub package: PackageName,
    /// The highest version number so far.
    pub versions: Version,
    /// The highest active version.
    pub latest: Option<Version>,
    /// The size of `latest`, in bytes.
    pub size: Option<u64>,
    /// The time of the last change of its releases.
    pub changed_at: Timestamp,
}
