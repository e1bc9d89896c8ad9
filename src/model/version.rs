//! Version numbers, and the expectations of a caller.

use super::Invalid;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The number of a version within its package: 1 to 2^53, the largest range that every JSON reader keeps exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Version(u64);

impl Version {
    const WHAT: &'static str = "version";
    /// The highest version number.
    pub const MAX: u64 = 1 << 53;

    /// Returns the number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Version {
    type Error = Invalid;

    fn try_from(number: u64) -> Result<Self, Invalid> {
        if (1..=Self::MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(Invalid::new(Self::WHAT, &number.to_string(), "is not between 1 and 2^53"))
        }
    }
}

impl From<Version> for u64 {
    fn from(version: Version) -> u64 {
        version.0
    }
}

impl FromStr for Version {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Invalid::new(Self::WHAT, text, "is not a whole number"));
        }
        let number: u64 =
            text.parse().map_err(|_| Invalid::new(Self::WHAT, text, "is not between 1 and 2^53"))?;
        if text.starts_with('0') && number != 0 {
            return Err(Invalid::new(Self::WHAT, text, "begins with a zero"));
        }
        Self::try_from(number)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

/// The version that a caller expects a tag, or `latest`, to be on before a change: a version, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expectation {
    /// The tag is on this version.
    Version(Version),
    /// The tag is on no version.
    None,
}

impl Expectation {
    /// Returns true if `found` is as expected.
    #[must_use]
    pub fn is_met_by(self, found: Option<Version>) -> bool {
        match self {
            Self::Version(version) => found == Some(version),
            Self::None => found.is_none(),
        }
    }
}

impl FromStr for Expectation {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "none" { Ok(Self::None) } else { text.parse().map(Self::Version) }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => version.fmt(f),
            Self::None => f.pad("none"),
        }
    }
}
