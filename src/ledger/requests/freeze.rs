//! Requests to freeze packages, and to end a freeze.

use super::Author;
use crate::model::{Message, PackagePrefix, Until};

/// Packages to be frozen.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FreezeRequest {
    /// The prefix of the packages.
    pub prefix: PackagePrefix,
    /// Lets no emergency pass.
    pub strict: bool,
    /// The time at which the freeze ends by itself.
    pub until: Option<Until>,
    /// The author of the change, with the reason.
    pub author: Author,
}

impl FreezeRequest {
    /// Freezes all packages whose names begin with `prefix`, for this reason, until they are thawed.
    #[must_use]
    pub fn new(prefix: PackagePrefix, why: Message) -> Self {
        let author = Author { message: Some(why), ..Author::default() };
        Self { prefix, strict: false, until: None, author }
    }

    /// Lets no emergency pass.
    #[must_use]
    pub fn strict(self, strict: bool) -> Self {
        Self { strict, ..self }
    }

    /// Ends the freeze by itself then, by the clocks of those who move tags.
    #[must_use]
    pub fn until(self, until: Until) -> Self {
        Self { until: Some(until), ..self }
    }
}

/// A freeze to be ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ThawRequest {
    /// The prefix that was frozen.
    pub prefix: PackagePrefix,
    /// The author of the change.
    pub author: Author,
}

impl ThawRequest {
    /// Ends the freeze of exactly this prefix.
    #[must_use]
    pub fn new(prefix: PackagePrefix) -> Self {
        Self { prefix, author: Author::default() }
    }
}
