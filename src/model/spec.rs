//! Specs: the ways of naming a version of a package.

use super::{Invalid, TagName, Version};
use std::{fmt, str::FromStr};

/// A way of naming a version of a package: by number, by tag, or as `latest`.
///
/// A tag's past (`live~1`, `live@{…}`) has its place in the syntax and is refused by name until it is built.
///
/// ```
/// use sacker::model::Spec;
/// assert!(matches!("42".parse(), Ok(Spec::Version(_))));
/// assert!(matches!("live".parse(), Ok(Spec::Tag(_))));
/// assert!(matches!("latest".parse(), Ok(Spec::Latest)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Spec {
    /// The version with this number.
    Version(Version),
    /// The version that this tag is on.
    Tag(TagName),
    /// The highest active version.
    Latest,
}

impl FromStr for Spec {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        const WHAT: &str = "version or tag";
        if text.is_empty() {
            return Err(Invalid::new(WHAT, text, "is empty"));
        }
        if text == "latest" {
            return Ok(Self::Latest);
        }
        if text.contains(['~', '@']) {
            return Err(Invalid::new(WHAT, text, "names a tag's past, which this build cannot read yet"));
        }
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return text.parse().map(Self::Version);
        }
        text.parse().map(Self::Tag)
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => version.fmt(f),
            Self::Tag(tag) => tag.fmt(f),
            Self::Latest => f.pad("latest"),
        }
    }
}
