//! Positions in the logs of packages, as a consumer of events keeps them.

use super::{Invalid, PackageName};
use std::{fmt, str::FromStr};

/// A position in the two logs of a package: the revisions of the last entries that a consumer has seen.
///
/// As text: `t7,r3` is after the entry 7 of the tag log and the entry 3 of the release log; a log that is not named is
/// not followed. A number alone, as `info` and `wait` print it, is a revision of the tag log.
///
/// ```
/// use sacker::model::Revs;
/// let revs: Revs = "t7,r3".parse()?;
/// assert_eq!((revs.tags, revs.releases), (Some(7), Some(3)));
/// assert_eq!("7".parse::<Revs>()?.to_string(), "t7");
/// # Ok::<_, sacker::model::Invalid>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revs {
    /// The revision of the last entry of the tag log; 0 before the first. `None` if the log is not followed.
    pub tags: Option<u64>,
    /// The same of the release log.
    pub releases: Option<u64>,
}

impl Revs {
    const WHAT: &'static str = "revision";

    /// The position before the first entry of both logs.
    pub const START: Self = Self { tags: Some(0), releases: Some(0) };

    /// Returns true if a log that is followed does not end at this position.
    pub(crate) fn is_not_at(self, end: Self) -> bool {
        let differs = |at: Option<u64>, end: Option<u64>| at.is_some() && at != end;
        differs(self.tags, end.tags) || differs(self.releases, end.releases)
    }
}

impl FromStr for Revs {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new(Self::WHAT, text, "is not like 7, t7, r3 or t7,r3");
        let number = |digits: &str| {
            let plain =
                digits == "0" || (!digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()));
            digits.parse().ok().filter(|_| plain).ok_or_else(invalid)
        };
        let mut revs = Self { tags: None, releases: None };
        for part in text.split(',') {
            let (place, digits) = match part.strip_prefix('r') {
                Some(digits) => (&mut revs.releases, digits),
                None => (&mut revs.tags, part.strip_prefix('t').unwrap_or(part)),
            };
            if place.replace(number(digits)?).is_some() {
                return Err(invalid());
            }
        }
        Ok(revs)
    }
}

impl fmt::Display for Revs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.tags, self.releases) {
            (Some(tags), Some(releases)) => write!(f, "t{tags},r{releases}"),
            (Some(tags), None) => write!(f, "t{tags}"),
            (None, Some(releases)) => write!(f, "r{releases}"),
            (None, None) => f.write_str("-"),
        }
    }
}

/// A position in the logs of one package, with its name: `app=t7,r3`. It is short, whatever the number of packages that
/// a consumer follows: the last cursor of each package is all that the consumer has to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The package.
    pub package: PackageName,
    /// The position in its logs.
    pub revs: Revs,
}

impl FromStr for Cursor {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let form = || Invalid::new("cursor", text, "is not like app=t7,r3");
        let (package, revs) = text.split_once('=').ok_or_else(form)?;
        Ok(Self { package: package.parse()?, revs: revs.parse()? })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.package, self.revs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        for text in ["app=t7,r3", "web/site=t0", "a=r12", "a=t0,r0"] {
            assert_eq!(text.parse::<Cursor>().unwrap().to_string(), text);
        }
        for wrong in
            ["", "app", "app=", "app=x7", "app=t7,t8", "app=t07", "app=t-1", "app=t7,", "=t7", "app=7 "]
        {
            wrong.parse::<Cursor>().expect_err(wrong);
        }
    }
}
