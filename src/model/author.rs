//! The author of a change, and the reason for it.

use super::{
    invalid::Invalid,
    text::{check, text_type},
};
use std::str::FromStr;

/// The reason for a change, in its author's words: 1 byte to 1 KiB, no control characters but newline and tab.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Message(String);

/// The author of a change: 1 to 256 bytes with no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Actor(String);

impl Message {
    const MAX: usize = 1024;

    /// Returns the message as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Actor {
    const MAX: usize = 256;

    /// Returns the actor as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_type!(Message);
text_type!(Actor);

impl FromStr for Message {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check("message", text, Self::MAX, |c| matches!(c, '\n' | '\t'))?;
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Actor {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check("actor", text, Self::MAX, |_| false)?;
        Ok(Self(text.to_owned()))
    }
}
