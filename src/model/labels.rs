//! Labels of versions.

use super::{invalid::Invalid, text::check};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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

    /// Lists the labels, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Merges labels; if both have a name, `self` wins.
    #[must_use]
    pub(crate) fn and(mut self, more: &Self) -> Self {
        for (name, value) in &more.0 {
            self.0.entry(name.clone()).or_insert_with(|| value.clone());
        }
        self
    }

    /// Returns the labels of `self` that `other` lacks; or the name and the other value of one that differs.
    pub(crate) fn missing_in<'a>(&'a self, other: &'a Self) -> Result<Self, (&'a str, &'a str)> {
        let mut missing = BTreeMap::new();
        for (name, value) in &self.0 {
            match other.0.get(name) {
                Some(other) if other != value => return Err((name, other)),
                Some(_) => {}
                None => {
                    missing.insert(name.clone(), value.clone());
                }
            }
        }
        Ok(Self(missing))
    }

    /// Returns the labels of `self` without those whose name `other` has.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let kept = self.0.iter().filter(|(name, _)| !other.0.contains_key(*name));
        Self(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// Merges labels, and checks the limits.
    pub(crate) fn join(&self, more: &Self) -> Result<Self, Invalid> {
        Self::try_from(self.clone().and(more).0)
    }

    /// Returns true if there are no labels.
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
