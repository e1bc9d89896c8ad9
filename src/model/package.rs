//! What a listing shows of a package.

use super::{PackageName, Timestamp, Version};

/// A package in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSummary {
    /// The package.
    pub package: PackageName,
    /// The last number given.
    pub versions: Version,
    /// The highest active version.
    pub latest: Option<Version>,
    /// The size of `latest`, in bytes.
    pub size: Option<u64>,
    /// When its releases were last changed.
    pub changed_at: Timestamp,
}
