//! The protection of tags.

use super::Author;
use crate::model::{Gate, PackageName, Protection, TagName};

/// A tag to be protected.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProtectRequest {
    /// The package.
    pub package: PackageName,
    /// The tag. It need not be on a version, nor ever have been.
    pub tag: TagName,
    /// The protection; `None` takes it away, unless there are gates.
    pub protection: Option<Protection>,
    /// Standing gates that every move forward must pass, in addition to those that the tag has.
    pub require: Vec<Gate>,
    /// With gates: no move may override them.
    pub no_override: bool,
    /// The author of the change.
    pub author: Author,
}

impl ProtectRequest {
    /// Gives `tag` of `package` this protection; `None` takes its protection away.
    #[must_use]
    pub fn new(package: PackageName, tag: TagName, protection: impl Into<Option<Protection>>) -> Self {
        let (require, no_override) = (Vec::new(), false);
        Self { package, tag, protection: protection.into(), require, no_override, author: Author::default() }
    }

    /// Keeps a gate with the tag: every move forward must pass it. Each call adds one.
    #[must_use]
    pub fn require(mut self, gate: Gate) -> Self {
        self.require.push(gate);
        self
    }

    /// Forbids moves that override the gates.
    #[must_use]
    pub fn no_override(self, no_override: bool) -> Self {
        Self { no_override, ..self }
    }
}
