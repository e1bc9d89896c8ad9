//! Freezes: periods in which the tags of some packages move no further.

use super::{Actor, Invalid, Length, Message, PackageName, Timestamp, Word, text::text_type, words};
use std::{fmt, str::FromStr};

/// The beginning of names of packages: 0 to 200 bytes of `A-Z a-z 0-9 . _ - /`. The empty one selects all packages.
///
/// ```
/// use sacker::model::PackagePrefix;
/// let prefix: PackagePrefix = "web/".parse()?;
/// assert!(prefix.selects(&"web/site".parse()?));
/// # Ok::<_, sacker::model::Invalid>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackagePrefix(String);

impl PackagePrefix {
    /// Returns the prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if the name of a package begins with the prefix.
    #[must_use]
    pub fn selects(&self, package: &PackageName) -> bool {
        package.as_str().starts_with(&self.0)
    }

    /// Returns the pattern of the names: the prefix and `*`.
    #[must_use]
    pub fn pattern(&self) -> String {
        format!("{}*", self.0)
    }
}

text_type!(PackagePrefix);

impl FromStr for PackagePrefix {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |rule: &str| Err(Invalid::new("package prefix", text, rule));
        if text.len() > PackageName::MAX {
            return invalid("is longer than the name of any package");
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte)) {
            return invalid(
                "holds a character that is in no name of a package; it is no pattern: leave out `*`",
            );
        }
        Ok(Self(text.to_owned()))
    }
}

/// The end of a freeze in a user's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Until {
    /// A calendar time.
    Time(Timestamp),
    /// A time this long after the freeze.
    In(Length),
}

impl Until {
    /// Returns the point in time, if it is `now`.
    #[must_use]
    pub fn as_of(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Time(at) => at,
            Self::In(length) => now.later(length.as_duration()),
        }
    }
}

impl FromStr for Until {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Ok(length) = text.parse() {
            return Ok(Self::In(length));
        }
        text.parse().map(Self::Time).map_err(|error: Invalid| match error.rule.as_str() {
            "is not like 2026-05-01T10:00:00Z" => {
                Invalid { rule: "is not like `2026-05-01T10:00:00Z` or `2h`".to_owned(), ..error }
            }
            _ => error,
        })
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(at) => at.fmt(f),
            Self::In(length) => length.fmt(f),
        }
    }
}

/// The kind of a [`FreezeEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FreezeKind {
    /// Packages were frozen.
    Freeze,
    /// A freeze was ended.
    Thaw,
    /// A writer with an unknown outcome fenced the log, so that its late copies can't land.
    Fence,
    /// A kind that a newer release of this program added. Its meaning is not known here.
    Other(Word),
}

words!(FreezeKind { Freeze: "freeze", Thaw: "thaw", Fence: "fence" });

/// A change of the freezes, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FreezeEvent {
    /// The kind of the change.
    pub kind: FreezeKind,
    /// The prefix of the packages; `None` in a fence.
    pub prefix: Option<PackagePrefix>,
    /// True if no emergency passes the freeze.
    pub strict: bool,
    /// The time at which the freeze ends by itself.
    pub until: Option<Timestamp>,
    /// The reason.
    pub message: Option<Message>,
    /// The revision in the log of freezes.
    pub rev: u64,
    /// The time of the change, by the clock of its author.
    pub at: Timestamp,
    /// The author.
    pub by: Actor,
}

/// A freeze that a move met.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Freeze {
    /// The prefix of the packages.
    pub prefix: PackagePrefix,
    /// True if no emergency passes it.
    pub strict: bool,
    /// The time at which it ends by itself.
    pub until: Option<Timestamp>,
    /// The reason.
    pub message: Option<Message>,
    /// The revision in the log of freezes at which it began.
    pub rev: u64,
    /// The time at which it began.
    pub since: Timestamp,
    /// The author.
    pub by: Actor,
}

impl Freeze {
    /// Returns true if the freeze has not ended by itself.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        is_in_force(self.until, now)
    }
}

/// Returns true if a freeze until this time has not ended by itself.
pub(crate) fn is_in_force(until: Option<Timestamp>, now: Timestamp) -> bool {
    until.is_none_or(|until| now < until)
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prefix, strict, until, message, since, by, .. } = self;
        let strict = if *strict { "strictly " } else { "" };
        write!(f, "{} is {strict}frozen by {by} since {since}", prefix.pattern())?;
        match until {
            Some(until) => write!(f, " until {until}")?,
            None => f.write_str(" until it is thawed")?,
        }
        message.as_ref().map_or(Ok(()), |message| write!(f, ": {message}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_the_beginning_of_a_name() {
        for good in ["", "web", "web/", "web/a.b_c-"] {
            assert_eq!(good.parse::<PackagePrefix>().unwrap().as_str(), good);
        }
        for bad in ["web/*", "a b", "é", "\n", &"x".repeat(201)] {
            bad.parse::<PackagePrefix>().unwrap_err();
        }
        let prefix: PackagePrefix = "web".parse().unwrap();
        let selects = |name: &str| prefix.selects(&name.parse().unwrap());
        assert_eq!(["web", "website", "we"].map(selects), [true, true, false]);
        assert_eq!(PackagePrefix::default().pattern(), "*");
    }

    #[test]
    fn an_end_is_a_time_or_a_length() {
        let now = Timestamp::from_millis(1_000);
        assert_eq!("2s".parse::<Until>().unwrap().as_of(now), Timestamp::from_millis(3_000));
        let time: Until = "2026-05-01T10:00:00Z".parse().unwrap();
        assert_eq!(time.as_of(now).to_string(), "2026-05-01T10:00:00.000Z");
        for bad in ["", "soon", "2026-05-01", "2h ago"] {
            bad.parse::<Until>().unwrap_err();
        }
    }
}
