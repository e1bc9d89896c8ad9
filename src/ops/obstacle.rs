//! Tags that can't be put back.

use crate::model::{PackageName, TagName};
use std::fmt;

/// A tag that no plan can put back, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Obstacle {
    /// The package.
    pub package: PackageName,
    /// The tag.
    pub tag: TagName,
    /// The reason, for people.
    pub why: String,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.package, self.tag, self.why)
    }
}
