//! One item of an export, and its text.

use crate::{
    ledger::{
        Error,
        schema::{VersionItem, decode},
    },
    model::{Blob, PackageName, State, Version},
    table::{Item, Key, canonical_object},
};
use serde_json::Value;
use std::fmt::Write;

/// An item of a package, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportItem {
    pub(super) key: Key,
    pub(super) item: Item,
}

/// The kind of an item, as far as an import has to distinguish it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemKind {
    Head,
    Version,
    /// An event of either log.
    Event,
    Tag,
    Key,
    /// A kind that a newer release added.
    Other,
}

/// The end of one log, or a position in it: an entry's number and chain value. A log without entries is at 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position {
    /// The rev of the entry.
    pub rev: u64,
    /// Its chain value.
    pub chain: String,
    /// Its time, in milliseconds since 1970.
    pub when: u64,
}

/// The positions of a package's two logs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Positions {
    /// The position in the release log.
    pub releases: Position,
    /// The number of versions by then.
    pub versions: u64,
    /// The position in the tag log.
    pub tags: Position,
    /// True if an import of the package has begun and is not finished.
    pub is_partial: bool,
}

impl Positions {
    /// Returns true if there is no entry before these positions.
    #[must_use]
    pub fn is_start(&self) -> bool {
        self.releases.rev == 0 && self.tags.rev == 0
    }
}

impl ExportItem {
    pub(super) fn new(key: Key, item: Item) -> Self {
        Self { key, item }
    }

    pub(super) fn kind(&self) -> ItemKind {
        let of_releases = self.key.pk.starts_with("P#");
        match (self.key.sk.get(..2), self.key.sk.as_str()) {
            (_, "H") => ItemKind::Head,
            (Some("V#"), _) if of_releases => ItemKind::Version,
            (Some("A#"), _) if of_releases => ItemKind::Event,
            (Some("E#"), _) if !of_releases => ItemKind::Event,
            (Some("t#"), _) if !of_releases => ItemKind::Tag,
            (Some("K#"), _) => ItemKind::Key,
            _ => ItemKind::Other,
        }
    }

    pub(super) fn is_of_tags(&self) -> bool {
        self.key.pk.starts_with("T#")
    }

    /// Returns a number of the item; 0 if it has none.
    pub(super) fn number(&self, name: &str) -> u64 {
        number(&self.item, name)
    }

    pub(super) fn text(&self, name: &str) -> &str {
        text(&self.item, name)
    }

    /// Returns the place of the item, for messages.
    #[must_use]
    pub fn place(&self) -> String {
        self.key.to_string()
    }

    /// Returns the package that the item belongs to.
    ///
    /// # Errors
    /// [`Error::Damaged`] if it belongs to none.
    pub fn package(&self) -> Result<PackageName, Error> {
        let name = self.key.pk.strip_prefix("P#").or_else(|| self.key.pk.strip_prefix("T#"));
        let name = name.ok_or_else(|| self.damaged("it belongs to no package"))?;
        name.parse().map_err(|error: crate::model::Invalid| self.damaged(error.to_string()))
    }

    /// Returns the version that the item is, with its blob, if the store must have that blob.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Newer`].
    pub fn needed_blob(&self) -> Result<Option<(Version, Blob)>, Error> {
        if self.kind() != ItemKind::Version {
            return Ok(None);
        }
        let version: VersionItem = decode(&self.key, &self.item)?;
        Ok((version.state != State::Deleted).then(|| (version.n, version.blob.to_blob())))
    }

    /// Returns the entry that the item is, for a message that two ledgers differ there; `None` for an item that is no
    /// entry.
    #[must_use]
    pub fn entry(&self) -> Option<Position> {
        matches!(self.kind(), ItemKind::Version | ItemKind::Event).then(|| position(Some(&self.item)))
    }

    /// Returns true if the item is an entry of the tag log.
    #[must_use]
    pub fn is_tag_entry(&self) -> bool {
        self.kind() == ItemKind::Event && self.is_of_tags()
    }

    /// Returns the item as one line of JSON in ASCII, without its end. It is the same in every build.
    #[must_use]
    pub fn to_line(&self) -> String {
        let item = Value::Object(self.item.clone());
        let (pk, sk) = (Value::from(self.key.pk.as_str()), Value::from(self.key.sk.as_str()));
        ascii(&canonical_object([("item", &item), ("pk", &pk), ("sk", &sk)]))
    }

    /// Returns the item that [`to_line`](Self::to_line) has written; `None` for anything else.
    #[must_use]
    pub fn of_line(line: &str) -> Option<Self> {
        let Value::Object(mut line) = serde_json::from_str(line).ok()? else { return None };
        let (Some(Value::Object(item)), Some(Value::String(pk)), Some(Value::String(sk)), 0) =
            (line.remove("item"), line.remove("pk"), line.remove("sk"), line.len())
        else {
            return None;
        };
        let is_of_package = pk.starts_with("P#") || pk.starts_with("T#");
        (is_of_package && !sk.is_empty()).then_some(Self { key: Key { pk, sk }, item })
    }

    pub(super) fn damaged(&self, why: impl Into<String>) -> Error {
        Error::Damaged { what: format!("the item {}", self.key), why: why.into() }
    }
}

/// Returns a number of an item; 0 if it has none.
pub(super) fn number(item: &Item, name: &str) -> u64 {
    item.get(name).and_then(Value::as_u64).unwrap_or_default()
}

pub(super) fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the position that a head states, or that an entry has.
pub(super) fn position(head: Option<&Item>) -> Position {
    head.map_or_else(Position::default, |head| Position {
        rev: number(head, "rev"),
        chain: text(head, "chain").to_owned(),
        when: number(head, "when"),
    })
}

/// Escapes all characters of a JSON text outside of ASCII. They only occur in strings.
fn ascii(json: &str) -> String {
    if json.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return json.to_owned();
    }
    let mut text = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if (' '..='~').contains(&c) {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn item(value: Value) -> ExportItem {
        let Value::Object(item) = value else { panic!("no item") };
        ExportItem::new(Key::new("P#app", "V#0000000000000001"), item)
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let odd =
            item(json!({"n": 1, "who": "é\u{1f600}\u{7f}\u{202e}\"\n", "labels": {"b": "2", "a": "1"}}));
        let line = odd.to_line();
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
        assert_eq!(ExportItem::of_line(&line), Some(odd));
        for wrong in [
            "",
            "{}",
            "[]",
            r#"{"item":{},"pk":"B#1","sk":"B"}"#,
            r#"{"item":{},"pk":"P#a","sk":""}"#,
            r#"{"item":{},"pk":"P#a","sk":"H","more":1}"#,
        ] {
            assert_eq!(ExportItem::of_line(wrong), None, "{wrong}");
        }
    }
}
