//! The words of the domain: names, versions, digests, releases.
//!
//! Types here cannot hold a bad value: whatever parsed is valid, and whatever is valid prints back as it was.
//! This module depends on nothing else of the crate.

mod digest;
mod event;
mod gate;
mod name;
mod plan;
mod release;
mod spec;
mod text;
mod time;
mod version;
mod word;

pub use digest::{Digest, Sha256};
pub use event::{Event, EventKind};
pub use gate::Gate;
pub use name::{PackageName, TagName};
pub use plan::{Plan, PlannedMove};
pub(crate) use release::epoch;
pub use release::{
    Address, Blob, Generation, Mode, PackageSummary, Protection, Release, ReleaseChange, State, TagKind,
    TagMove, Tagged, first_generation,
};
pub use spec::Spec;
pub use text::{Actor, FileName, Key, Labels, Message, OpId};
pub use time::{Length, Moment, Timestamp};
pub use version::{Expectation, Version};
pub use word::Word;
pub(crate) use word::words;

/// A value that is not what its type allows.
///
/// `Display` says what was given and which rule it breaks, in one line that can be shown to a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {given:?} {rule}")]
pub struct Invalid {
    /// What was being read: "package name", "tag", "version" …
    pub what: &'static str,
    /// The value as given, shortened if it is very long.
    pub given: String,
    /// The rule that it breaks, as the end of a sentence: "is empty", "holds `//`" …
    pub rule: String,
}

impl Invalid {
    pub(crate) fn new(what: &'static str, given: &str, rule: impl Into<String>) -> Self {
        const SHOWN: usize = 80;
        let given = if given.chars().count() > SHOWN {
            given.chars().take(SHOWN).chain(['…']).collect()
        } else {
            given.to_owned()
        };
        Self { what, given, rule: rule.into() }
    }
}

/// Implements what every text-like type of this module shares: `Display`, `AsRef<str>`, and serde by its text,
/// so that a stored value passes the same checks as a typed one.
macro_rules! text_type {
    ($type:ident) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use text_type;
