//! Free text with bounds: messages, file names, labels, keys, actors.

use super::{Invalid, text_type};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// Why something was done, in its author's words: 1 byte to 1 KiB, no control characters but newline and tab.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Message(String);

/// The name a blob's file had: 1 to 255 bytes, no `/`, no `\`, no control character, neither `.` nor `..`.
///
/// So that writing to it can never leave the directory it is joined to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileName(String);

/// Who did something: 1 to 256 bytes with no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Actor(String);

/// The identity of one logical operation, kept through all its tries: 32 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OpId(String);

impl Message {
    const MAX: usize = 1024;

    /// The message as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FileName {
    const MAX: usize = 255;

    /// The file name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Actor {
    const MAX: usize = 256;

    /// The actor as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl OpId {
    /// The identity as text.
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

text_type!(Message);
text_type!(FileName);
text_type!(Actor);
text_type!(OpId);

impl FromStr for Message {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check("message", text, Self::MAX, |c| matches!(c, '\n' | '\t'))?;
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for FileName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        const WHAT: &str = "file name";
        check(WHAT, text, Self::MAX, |_| false)?;
        if text.contains(['/', '\\']) {
            return Err(Invalid::new(WHAT, text, "holds a path separator"));
        }
        if matches!(text, "." | "..") {
            return Err(Invalid::new(WHAT, text, "names a directory"));
        }
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

/// An idempotency key: with it a command changes something at most once, however often it is run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// A name of the caller's choice, 1 to 128 bytes with no control characters: kept with the outcome, for ever.
    Named(String),
    /// `OP@SLOT`, as printed when an outcome could not be found out: the operation, and the version or revision
    /// that it tried to write.
    Resume {
        /// The operation.
        op: OpId,
        /// The version number or the revision.
        slot: u64,
    },
}

impl Key {
    const MAX: usize = 128;
}

impl FromStr for Key {
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

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Resume { op, slot } => write!(f, "{op}@{slot}"),
        }
    }
}

/// Labels of a version: at most 32, and 4 KiB of names and values in all.
///
/// A name is 1 to 100 bytes of `A-Z a-z 0-9 . _ - /`; a value has no control characters and may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    const MAX_COUNT: usize = 32;
    const MAX_BYTES: usize = 4096;
    const MAX_NAME: usize = 100;

    /// Reads `K=V` pairs.
    ///
    /// # Errors
    /// A pair without `=`, a name or value out of bounds, or one name given twice with different values.
    pub fn parse<'a>(pairs: impl IntoIterator<Item = &'a str>) -> Result<Self, Invalid> {
        let mut labels = BTreeMap::new();
        for pair in pairs {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(Invalid::new("label", pair, "is not of the form NAME=VALUE"));
            };
            let before = labels.insert(name.to_owned(), value.to_owned());
            if before.is_some_and(|before| before != value) {
                return Err(Invalid::new("label", name, "is given twice with different values"));
            }
        }
        Self::try_from(labels)
    }

    /// The labels, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// These labels and those; where both have a name, these win.
    #[must_use]
    pub(crate) fn and(mut self, more: &Self) -> Self {
        for (name, value) in &more.0 {
            self.0.entry(name.clone()).or_insert_with(|| value.clone());
        }
        self
    }

    /// Those of these labels that `there` has not; or the name and the other value of one that it has differently.
    pub(crate) fn missing_in<'a>(&'a self, there: &'a Self) -> Result<Self, (&'a str, &'a str)> {
        let mut missing = BTreeMap::new();
        for (name, value) in &self.0 {
            match there.0.get(name) {
                Some(other) if other != value => return Err((name, other)),
                Some(_) => {}
                None => {
                    missing.insert(name.clone(), value.clone());
                }
            }
        }
        Ok(Self(missing))
    }

    /// These labels without those whose name `there` has.
    pub(crate) fn without(&self, there: &Self) -> Self {
        let kept = self.0.iter().filter(|(name, _)| !there.0.contains_key(*name));
        Self(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// These labels and those, within the bounds of labels.
    pub(crate) fn join(&self, more: &Self) -> Result<Self, Invalid> {
        Self::try_from(self.clone().and(more).0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<BTreeMap<String, String>> for Labels {
    type Error = Invalid;

    fn try_from(labels: BTreeMap<String, String>) -> Result<Self, Invalid> {
        for (name, value) in &labels {
            check("label name", name, Self::MAX_NAME, |_| false)?;
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
            if !name.bytes().all(plain) {
                let rule = "holds something other than A-Z a-z 0-9 . _ - /";
                return Err(Invalid::new("label name", name, rule));
            }
            if let Some(bad) = value.chars().find(|c| c.is_control()) {
                let rule = format!("holds the control character {bad:?}");
                return Err(Invalid::new("label value", value, rule));
            }
        }
        if labels.len() > Self::MAX_COUNT {
            let rule = format!("are more than {}", Self::MAX_COUNT);
            return Err(Invalid::new("labels", &labels.len().to_string(), rule));
        }
        let bytes: usize = labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > Self::MAX_BYTES {
            let rule = format!("bytes of labels are more than {}", Self::MAX_BYTES);
            return Err(Invalid::new("labels", &bytes.to_string(), rule));
        }
        Ok(Self(labels))
    }
}

impl From<Labels> for BTreeMap<String, String> {
    fn from(labels: Labels) -> Self {
        labels.0
    }
}

fn check(what: &'static str, text: &str, max: usize, also: fn(char) -> bool) -> Result<(), Invalid> {
    if text.is_empty() {
        return Err(Invalid::new(what, text, "is empty"));
    }
    if text.len() > max {
        let rule = format!("has {} bytes; at most {max} are allowed", text.len());
        return Err(Invalid::new(what, text, rule));
    }
    match text.chars().find(|c| c.is_control() && !also(*c)) {
        Some(bad) => Err(Invalid::new(what, text, format!("holds the control character {bad:?}"))),
        None => Ok(()),
    }
}
