//! Specs: the ways to name a version of a package.

use super::{Invalid, Moment, TagName, Version};
use std::{fmt, str::FromStr};

/// A way to name a version of a package: by number, by tag, as `latest`, or by an earlier position of a tag.
///
/// ```
/// use sacker::model::Spec;
/// assert!(matches!("42".parse(), Ok(Spec::Version(_))));
/// assert!(matches!("live".parse(), Ok(Spec::Tag(_))));
/// assert!(matches!("latest".parse(), Ok(Spec::Latest)));
/// assert!(matches!("live~1".parse(), Ok(Spec::Past(_, 1))));
/// assert!(matches!("live@{2026-05-01T10:00:00Z}".parse(), Ok(Spec::At(..))));
/// assert!(matches!("live@{2h ago}".parse(), Ok(Spec::At(..))));
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
    /// The version that this tag would be on after this number of rollbacks: 1 to [`Spec::MAX_BACK`].
    Past(TagName, u16),
    /// The version that this tag was on at a point in time, by the times recorded in its log.
    At(TagName, Moment),
}

impl From<Version> for Spec {
    fn from(version: Version) -> Self {
        Self::Version(version)
    }
}

impl From<TagName> for Spec {
    fn from(tag: TagName) -> Self {
        Self::Tag(tag)
    }
}

impl Spec {
    const WHAT: &'static str = "version or tag";
    /// The maximum number of rollbacks in a spec.
    pub const MAX_BACK: u16 = 1000;

    fn past(text: &str, tag: &str, steps: &str) -> Result<Self, Invalid> {
        let plain = !steps.is_empty() && !steps.starts_with('0') && steps.bytes().all(|b| b.is_ascii_digit());
        let steps = steps.parse().ok().filter(|steps| plain && (1..=Self::MAX_BACK).contains(steps));
        let rule =
            || format!("does not end in a number of moves to go back, 1 to {}: `live~1`", Self::MAX_BACK);
        let steps = steps.ok_or_else(|| Invalid::new(Self::WHAT, text, rule()))?;
        Ok(Self::Past(Self::tag_with_past(text, tag)?, steps))
    }

    fn at(text: &str, tag: &str, moment: &str) -> Result<Self, Invalid> {
        let moment = moment.strip_prefix('{').and_then(|moment| moment.strip_suffix('}'));
        let rule = "does not give its time in braces: `live@{2026-05-01T10:00:00Z}`, `live@{2h ago}`";
        let moment = moment.ok_or_else(|| Invalid::new(Self::WHAT, text, rule))?;
        Ok(Self::At(Self::tag_with_past(text, tag)?, moment.parse()?))
    }

    fn tag_with_past(text: &str, tag: &str) -> Result<TagName, Invalid> {
        if tag == "latest" {
            let rule = "asks for the past of `latest`, which has none: it is the highest active version";
            return Err(Invalid::new(Self::WHAT, text, rule));
        }
        if tag.parse::<Version>().is_ok() {
            return Err(Invalid::new(Self::WHAT, text, "asks for the past of a version; only a tag has one"));
        }
        tag.parse()
    }
}

impl FromStr for Spec {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid::new(Self::WHAT, text, "is empty"));
        }
        if text == "latest" {
            return Ok(Self::Latest);
        }
        if let Some((tag, moment)) = text.split_once('@') {
            return Self::at(text, tag, moment);
        }
        if let Some((tag, steps)) = text.split_once('~') {
            return Self::past(text, tag, steps);
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
            Self::Past(tag, steps) => write!(f, "{tag}~{steps}"),
            Self::At(tag, moment) => write!(f, "{tag}@{{{moment}}}"),
        }
    }
}

#[cfg(test)]
mod tests;
