//! Options shared by several commands, and their parsers.

use crate::model::{IdempotencyKey, Message};
use std::{num::NonZeroUsize, time::Duration};

/// The options of every command that changes a package.
#[derive(Debug, clap::Args)]
pub(super) struct Change {
    /// Idempotency key: repeating the change with the same key changes nothing and prints the first outcome
    #[arg(long, value_name = "KEY")]
    pub key: Option<IdempotencyKey>,
    /// The reason for the change, recorded with it
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<Message>,
}

/// Parses the number of parts of a blob in transfer at once.
pub(super) fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    const MOST: usize = 64;
    let jobs = text.parse().ok().filter(|jobs: &NonZeroUsize| jobs.get() <= MOST);
    jobs.ok_or_else(|| format!("must be a number from 1 to {MOST}"))
}

/// Parses the number of rows to show at most.
pub(super) fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("must be a whole number above 0".to_owned()),
        Ok(limit) => Ok(limit),
    }
}

/// Parses a prefix of package names; refuses one that no name can have, which would select nothing without an error.
pub(super) fn prefix(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    match text.chars().find(|c| !plain(*c)) {
        Some(bad) => Err(format!("no package name contains {bad:?}; only A-Z a-z 0-9 . _ - / are allowed")),
        None => Ok(text.to_owned()),
    }
}

/// Parses a non-negative duration such as 90s, 2m or 1h 30m.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration =
        text.parse().map_err(|_| "not a duration such as 90s, 2m or 1h 30m".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "must not be negative".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_a_number_within_bounds() {
        assert_eq!(jobs("1").map(NonZeroUsize::get), Ok(1));
        assert_eq!(jobs("64").map(NonZeroUsize::get), Ok(64));
        for wrong in ["", "0", "65", "-1", "1.5", "many"] {
            jobs(wrong).expect_err(wrong);
        }
    }
}
