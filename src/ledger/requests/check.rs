//! The question whether a tag could be moved.

use crate::model::{Gate, PackageName, Spec, TagName};

/// The question whether a tag could be moved to a version now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CheckRequest {
    /// The package.
    pub package: PackageName,
    /// The version.
    pub spec: Spec,
    /// The tag.
    pub tag: TagName,
    /// Gates to be checked in addition to the standing gates of the tag.
    pub require: Vec<Gate>,
}

impl CheckRequest {
    /// Asks whether `tag` of `package` could be moved to the version that `spec` means.
    #[must_use]
    pub fn new(package: PackageName, spec: Spec, tag: TagName) -> Self {
        Self { package, spec, tag, require: Vec::new() }
    }

    /// Also checks this gate; each call adds one.
    #[must_use]
    pub fn require(mut self, gate: Gate) -> Self {
        self.require.push(gate);
        self
    }
}
