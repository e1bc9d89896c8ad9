//! Operation ids, and idempotency keys.

use super::{
    invalid::Invalid,
    text::{check, text_type},
};
use std::{fmt, str::FromStr};

/// The id of one logical operation, the same in all its attempts: 32 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OpId(String);

impl OpId {
    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<u128> for OpId {
    fn from(number: u128) -> Self {
        Self(format!("{number:032x}"))
    }
}

text_type!(OpId);

impl FromStr for OpId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("operation id", text, "is not 32 lower-case hex digits"))
        }
    }
}

/// An idempotency key: with it a command makes its change at most once, no matter how often it is run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum IdempotencyKey {
    /// A name that the caller chose, 1 to 128 bytes with no control characters: stored with the outcome, permanently.
    Named(String),
    /// `OP@SLOT`, as printed when an outcome was unknown: the operation, and the version or revision that it tried to
    /// write.
    Resume {
        /// The operation.
        op: OpId,
        /// The version number or the revision.
        slot: u64,
    },
}

impl IdempotencyKey {
    const MAX: usize = 128;
}

impl FromStr for IdempotencyKey {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check("key", text, Self::MAX, |_| false)?;
        let resume = text.split_once('@').and_then(|(op, slot)| {
            let digits = !slot.is_empty() && slot.bytes().all(|b| b.is_ascii_digit());
            Some(Self::Resume { op: op.parse().ok()?, slot: digits.then(|| slot.parse().ok())?? })
        });
        Ok(resume.unwrap_or_else(|| Self::Named(text.to_owned())))
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Resume { op, slot } => write!(f, "{op}@{slot}"),
        }
    }
}
