//! Points in time.

use super::Invalid;
use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};

/// A point in time in milliseconds since the Unix epoch, printed as RFC 3339 in UTC.
///
/// Times in a ledger are those of the writing client's clock, corrected by the server's if the server states one, and
/// raised where needed so that they grow along each log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    const FORM: &'static str = "is not like 2026-05-01T10:00:00Z";

    /// Creates a time from milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the time of this machine's clock.
    #[must_use]
    pub fn now() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = i64::try_from(self.0)
            .ok()
            .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
            // A time past the year 9999 can only come from an item edited by hand.
            .unwrap_or(jiff::Timestamp::MAX);
        f.pad(&format!("{at:.3}"))
    }
}

impl FromStr for Timestamp {
    type Err = Invalid;

    /// Reads RFC 3339, with its offset from UTC, from 1970 on; digits below a millisecond are cut off. A leap second is
    /// read as the second before it.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |rule: &str| Err(Invalid::new("time", text, rule));
        match text.parse::<jiff::Timestamp>() {
            Ok(at) if at < jiff::Timestamp::UNIX_EPOCH => invalid("is before 1970"),
            Ok(at) => Ok(Self(at.as_millisecond().unsigned_abs())),
            // The offset from UTC, or the time of day, must not be guessed.
            Err(_) if text.parse::<jiff::civil::DateTime>().is_ok() => invalid(
                "is not one point in time: give the time of day and `Z`, or an offset from UTC like `+02:00`",
            ),
            Err(_) => invalid(Self::FORM),
        }
    }
}

impl Timestamp {
    /// Returns the duration since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Returns the time this long after it.
    #[must_use]
    pub fn later(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// A point in time in a user's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// A calendar time.
    Time(Timestamp),
    /// A time this long before now, evaluated at each use.
    Ago(Length),
}

impl Moment {
    /// Returns the point in time, if it is `now`.
    #[must_use]
    pub fn as_of(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Time(at) => at,
            Self::Ago(length) => {
                let millis = u64::try_from(length.as_duration().as_millis()).unwrap_or(u64::MAX);
                Timestamp(now.0.saturating_sub(millis))
            }
        }
    }
}

impl FromStr for Moment {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Some(length) = text.strip_suffix(" ago") {
            return length.parse().map(Self::Ago);
        }
        text.parse().map(Self::Time).map_err(|error: Invalid| match error.rule.as_str() {
            Timestamp::FORM => {
                Invalid { rule: "is not like `2026-05-01T10:00:00Z` or `2h ago`".to_owned(), ..error }
            }
            _ => error,
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(at) => at.fmt(f),
            Self::Ago(length) => write!(f, "{length} ago"),
        }
    }
}

/// A length of time in a user's words: `90s`, `2h 30m`, `3d`. A day is 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Length(Duration);

impl Length {
    /// Returns the duration.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        self.0
    }
}

impl From<Duration> for Length {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl FromStr for Length {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let span: Option<Span> = text.parse().ok();
        let exact = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
        // jiff reads `2h ago` as a length, and allows space after one, though not before.
        let exact = exact.filter(|_| !text.contains("ago") && text.trim() == text);
        let exact = exact.and_then(|exact| Duration::try_from(exact).ok());
        exact.map(Self).ok_or_else(|| Invalid::new("duration", text, "is not like 90s, 2h 30m or 3d"))
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = SignedDuration::try_from(self.0).unwrap_or(SignedDuration::MAX);
        write!(f, "{exact:#}")
    }
}

#[cfg(test)]
mod tests;
