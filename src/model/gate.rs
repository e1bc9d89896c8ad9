//! Gates: conditions on a version before a tag is put on it.

use super::{Invalid, Labels, Length, Message, TagName};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// A condition on a version that must hold at the commit for a tag to be put on it.
///
/// ```
/// use sacker::model::Gate;
/// assert!(matches!("label:tests=passed".parse(), Ok(Gate::Label { .. })));
/// assert!(matches!("tag:canary".parse(), Ok(Gate::Tag(_))));
/// assert!(matches!("age:2h".parse(), Ok(Gate::Age(_))));
/// assert!(matches!("soak:canary=2h".parse(), Ok(Gate::Soak { .. })));
/// assert!(matches!("was:canary".parse(), Ok(Gate::Was(_))));
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
    /// This tag of the package stood on the version for at least this long: in total, over all its stays, by the tag's
    /// log.
    Soak {
        /// The tag.
        tag: TagName,
        /// The least total time.
        least: Length,
    },
    /// This tag of the package is on the version, or was on it at some time.
    Was(TagName),
    /// A standing gate that a newer release of this program added. No version passes it here.
    Other(String),
}

impl Gate {
    /// Returns the tag on whose changes the result depends; `None` for a gate on the version alone.
    pub(crate) fn tag(&self) -> Option<&TagName> {
        match self {
            Self::Tag(tag) | Self::Soak { tag, .. } | Self::Was(tag) => Some(tag),
            Self::Label { .. } | Self::Age(_) | Self::Other(_) => None,
        }
    }
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
            Some(("soak", pair)) => {
                let (tag, least) = pair
                    .split_once('=')
                    .ok_or_else(|| Invalid::new("gate", text, "is not like soak:canary=2h"))?;
                Ok(Self::Soak { tag: tag.parse()?, least: least.parse()? })
            }
            Some(("was", tag)) => tag.parse().map(Self::Was),
            _ => {
                let rule = "is not like label:NAME=VALUE, tag:TAG, age:2h, soak:TAG=2h or was:TAG";
                Err(Invalid::new("gate", text, rule))
            }
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label { name, value } => write!(f, "label:{name}={value}"),
            Self::Tag(tag) => write!(f, "tag:{tag}"),
            Self::Age(length) => write!(f, "age:{length}"),
            Self::Soak { tag, least } => write!(f, "soak:{tag}={least}"),
            Self::Was(tag) => write!(f, "was:{tag}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl Serialize for Gate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

impl<'de> Deserialize<'de> for Gate {
    /// Reads a stored gate, which a newer release may have written. A user's text is parsed instead.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(text.parse().unwrap_or(Self::Other(text)))
    }
}

/// Different gates, in the order of their text.
///
/// ```
/// use sacker::model::Gates;
/// let gates = Gates::new(["was:canary".parse()?, "age:1h".parse()?, "was:canary".parse()?])?;
/// assert_eq!(gates.to_string(), "age:1h, was:canary");
/// # Ok::<_, sacker::model::Invalid>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gates(Vec<Gate>);

impl Gates {
    /// The maximum number of standing gates of a tag.
    pub const MAX: usize = 16;
    /// The maximum number of bytes of their text.
    pub const MAX_BYTES: usize = 2048;

    /// Creates the set of these gates.
    ///
    /// # Errors
    /// More than [`Gates::MAX`] gates, or [`Gates::MAX_BYTES`] bytes.
    pub fn new(gates: impl IntoIterator<Item = Gate>) -> Result<Self, Invalid> {
        let mut gates: Vec<_> = gates.into_iter().collect();
        gates.sort_by_cached_key(ToString::to_string);
        gates.dedup();
        let bytes: usize = gates.iter().map(|gate| gate.to_string().len()).sum();
        if gates.len() > Self::MAX || bytes > Self::MAX_BYTES {
            let rule = format!("is too large: at most {} gates, of {} bytes", Self::MAX, Self::MAX_BYTES);
            return Err(Invalid::new("a set of gates", &gates.len().to_string(), rule));
        }
        Ok(Self(gates))
    }

    /// Creates the set of these gates and those.
    ///
    /// # Errors
    /// As [`Gates::new`].
    pub fn with(&self, more: impl IntoIterator<Item = Gate>) -> Result<Self, Invalid> {
        Self::new(self.0.iter().cloned().chain(more))
    }

    /// Returns true if there is no gate.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the gates in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Gate> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Gates {
    type Item = &'a Gate;
    type IntoIter = std::slice::Iter<'a, Gate>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Gate> for Gates {
    /// Takes gates that were in a set, in the same order.
    fn from_iter<I: IntoIterator<Item = Gate>>(gates: I) -> Self {
        Self(gates.into_iter().collect())
    }
}

impl fmt::Display for Gates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&each.join(", "))
    }
}

/// The standing gates that a move passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// The reason.
    pub why: Message,
    /// The gates that the version did not pass at the move. Not empty.
    pub gates: Gates,
}

/// The result of one gate for a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateCheck {
    /// The gate.
    pub gate: Gate,
    /// True for a gate that is kept with the tag; else the request named it.
    pub standing: bool,
    /// True if the version passes it.
    pub passed: bool,
    /// The value that was found, for people.
    pub found: String,
}

/// The gates of a tag for a version.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TagGates {
    /// The tag.
    pub tag: TagName,
    /// Its gates, those that stand first.
    pub checks: Vec<GateCheck>,
}
