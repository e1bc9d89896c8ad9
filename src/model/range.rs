//! Ranges of versions.

use super::{Invalid, Version};
use std::{fmt, str::FromStr};

/// A range of versions, both ends included: `41..57`, `41..`, `..57`, or one version alone.
///
/// ```
/// use sacker::model::VersionRange;
/// let range: VersionRange = "41..57".parse()?;
/// assert!(range.contains("41".parse()?) && range.contains("57".parse()?));
/// assert!(!range.contains("58".parse()?));
/// # Ok::<_, sacker::model::Invalid>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct VersionRange {
    /// The lowest version; `None` without a bound.
    pub first: Option<Version>,
    /// The highest version; `None` without a bound.
    pub last: Option<Version>,
}

impl VersionRange {
    /// All versions.
    pub const ALL: Self = Self { first: None, last: None };

    /// Returns true if a version is in the range.
    #[must_use]
    pub fn contains(&self, version: Version) -> bool {
        self.first.is_none_or(|first| version >= first) && self.last.is_none_or(|last| version <= last)
    }
}

impl FromStr for VersionRange {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |rule: &str| Err(Invalid::new("range", text, rule));
        let end = |text: &str| if text.is_empty() { Ok(None) } else { text.parse().map(Some) };
        let range = match text.split_once("..") {
            None => {
                let only = text.parse()?;
                Self { first: Some(only), last: Some(only) }
            }
            Some(("", "")) => return invalid("has no end; give one, like 41.. or ..57"),
            Some((first, last)) => Self { first: end(first)?, last: end(last)? },
        };
        if let (Some(first), Some(last)) = (range.first, range.last)
            && first > last
        {
            return invalid("has its lower version last");
        }
        Ok(range)
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |end: Option<Version>| end.map_or_else(String::new, |version| version.to_string());
        write!(f, "{}..{}", shown(self.first), shown(self.last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_with_either_end_or_both() {
        let of = |text: &str| text.parse::<VersionRange>().map(|range| range.to_string());
        for text in ["41..57", "41..", "..57", "7..7"] {
            assert_eq!(of(text).unwrap(), text);
        }
        assert_eq!(of("7").unwrap(), "7..7");
        for wrong in ["", "..", "57..41", "a..b", "1...3", "1..2..3", "0..4", "1 .. 4"] {
            of(wrong).expect_err(wrong);
        }
    }
}
