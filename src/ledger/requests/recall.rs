//! Requests to recall a version.

use super::Author;
use crate::model::{PackageName, TagName, Version};

/// A version to be recalled.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RecallRequest {
    /// The package.
    pub package: PackageName,
    /// The version.
    pub version: Version,
    /// Take a tag off that can't go back to any version, instead of refusing the recall.
    pub untag: bool,
    /// The tags whose move is confirmed, as a protection may require.
    pub confirm: Vec<TagName>,
    /// The author of the change.
    pub author: Author,
}

impl RecallRequest {
    /// Puts all tags on this version back, and yanks it.
    #[must_use]
    pub fn new(package: PackageName, version: Version) -> Self {
        Self { package, version, untag: false, confirm: Vec::new(), author: Author::default() }
    }

    /// Takes a tag off that can't go back to any version.
    #[must_use]
    pub fn untag(self, untag: bool) -> Self {
        Self { untag, ..self }
    }

    /// Confirms the move of one of the tags, where its protection asks for that.
    #[must_use]
    pub fn confirm(mut self, tag: TagName) -> Self {
        self.confirm.push(tag);
        self
    }
}
