//! Words of a closed list that a newer release of this program may have extended.

use super::Invalid;
use std::{
    fmt,
    str::FromStr,
    sync::{PoisonError, RwLock},
};

/// A word that this release does not know: 1 to 31 bytes of `a-z 0-9 -`, beginning with a letter.
///
/// A newer release wrote it. It is shown and stored unchanged; its meaning is not guessed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Word(u16);

/// The words that this process has read, by index. They are few, and never removed: so a word is an index.
static KNOWN: RwLock<Vec<&'static str>> = RwLock::new(Vec::new());

impl Word {
    /// The maximum number of bytes in a word.
    pub const MAX: usize = 31;

    /// The maximum number of different words in a process: no release has as many.
    const MOST: usize = 1000;

    /// Returns the word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
        known.get(usize::from(self.0)).copied().unwrap_or_default()
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl FromStr for Word {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let begins = text.starts_with(|first: char| first.is_ascii_lowercase());
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !begins || text.len() > Self::MAX || !text.bytes().all(known) {
            return Err(Invalid::new("word", text, "is not 1 to 31 of `a-z 0-9 -`, beginning with a letter"));
        }
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        let at = known.iter().position(|word| *word == text).unwrap_or(known.len());
        if at == Self::MOST {
            return Err(Invalid::new("word", text, "is one unknown word too many"));
        }
        if at == known.len() {
            known.push(Box::leak(text.into()));
        }
        Ok(Self(u16::try_from(at).unwrap_or_default()))
    }
}

/// Implements `Display` and serde for an enumeration by its words, with the variant `Other` for an unknown word.
macro_rules! words {
    ($type:ident { $($variant:ident: $word:literal),* $(,)? }) => {
        impl $type {
            /// Returns the word for this value.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word.as_str(),
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <String as serde::Deserialize>::deserialize(deserializer)?;
                match word.as_str() {
                    $($word => Ok(Self::$variant),)*
                    other => other.parse().map(Self::Other).map_err(serde::de::Error::custom),
                }
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_short_and_plain() {
        for good in ["a", "quarantined", "two-words-2", &"x".repeat(31)] {
            assert_eq!(good.parse::<Word>().unwrap().as_str(), good);
        }
        for bad in ["", "A", "1st", "-a", "a b", "a\n", "\u{e9}", &"x".repeat(32)] {
            bad.parse::<Word>().unwrap_err();
        }
    }
}
