//! Gates: conditions on a version before a tag is put on it.

use super::{Invalid, Labels, Length, TagName};
use std::{fmt, str::FromStr};

/// A condition on a version that must hold at the commit for a tag to be put on it.
///
/// ```
/// use sacker::model::Gate;
/// assert!(matches!("label:tests=passed".parse(), Ok(Gate::Label { .. })));
/// assert!(matches!("tag:canary".parse(), Ok(Gate::Tag(_))));
/// assert!(matches!("age:2h".parse(), Ok(Gate::Age(_))));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Gate {
    /// The version has this label with this value.
    Label {
        /// The label's name.
        name: String,
        /// The label's value.
        value: String,
    },
    /// This tag of the package is on the version.
    Tag(TagName),
    /// The version was added at least this long ago: by the time recorded with it, and the clock of the author of the
    /// move.
    Age(Length),
}

impl FromStr for Gate {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.split_once(':') {
            Some(("label", pair)) => {
                let labels = Labels::parse([pair])?;
                let (name, value) = labels.iter().next().map(|(n, v)| (n.to_owned(), v.to_owned())).unzip();
                let rule = "is not like label:tests=passed";
                name.zip(value)
                    .map(|(name, value)| Self::Label { name, value })
                    .ok_or_else(|| Invalid::new("gate", text, rule))
            }
            Some(("tag", tag)) => tag.parse().map(Self::Tag),
            Some(("age", length)) => length.parse().map(Self::Age),
            _ => Err(Invalid::new("gate", text, "is not like label:NAME=VALUE, tag:TAG or age:2h")),
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label { name, value } => write!(f, "label:{name}={value}"),
            Self::Tag(tag) => write!(f, "tag:{tag}"),
            Self::Age(length) => write!(f, "age:{length}"),
        }
    }
}
