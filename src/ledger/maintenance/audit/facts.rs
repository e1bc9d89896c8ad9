//! The compact records of a package's entries and versions while it is read: about 200 bytes each, where the item
//! itself takes kilobytes. A package may have a million versions.

use crate::{
    ledger::schema::{self, ReleaseEventKind, log},
    model::{Gates, Labels, OpId, Protection, State, TagKind, Timestamp, Version},
    table::{Item, Key, canonical_object},
};
use serde_json::Value;
use std::fmt;

/// A sort key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// The key of a version, by its number.
    Version(u64),
    /// The key of an event of releases, by its rev.
    Release(u64),
    /// The key of an event of tags, by its rev.
    Tag(u64),
    /// Any other key. Boxed twice to fit in one word.
    #[expect(clippy::box_collection, reason = "a place is to be small, and few are of this kind")]
    Other(Box<String>),
}

impl Place {
    pub fn of(sk: &str) -> Self {
        let number =
            sk.get(2..).filter(|digits| digits.len() == 16 && digits.bytes().all(|it| it.is_ascii_digit()));
        match (sk.get(..2), number.and_then(|digits| digits.parse().ok())) {
            (Some("V#"), Some(number)) => Self::Version(number),
            (Some("A#"), Some(number)) => Self::Release(number),
            (Some("E#"), Some(number)) => Self::Tag(number),
            _ => Self::Other(Box::new(sk.to_owned())),
        }
    }

    /// Returns the key of the item at this place of a log.
    pub fn key(&self, pk: &str) -> Key {
        let sk = match self {
            Self::Version(number) => format!("V#{number:016}"),
            Self::Release(rev) => format!("A#{rev:016}"),
            Self::Tag(rev) => format!("E#{rev:016}"),
            Self::Other(sk) => sk.to_string(),
        };
        Key::new(pk, sk)
    }
}

/// A chain value: 64 hex digits in 32 bytes. A damaged one is kept as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    Hash([u8; 32]),
    Other(Box<str>),
}

impl Link {
    pub fn of(chain: &str) -> Self {
        let mut hash = [0; 32];
        match hex::decode_to_slice(chain, &mut hash) {
            Ok(()) if !chain.bytes().any(|it| it.is_ascii_uppercase()) => Self::Hash(hash),
            _ => Self::Other(chain.into()),
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash(hash) => f.write_str(&hex::encode(hash)),
            Self::Other(chain) => f.write_str(chain),
        }
    }
}

/// Returns an operation's id in 16 bytes: it always has 32 hex digits.
pub(super) fn op(id: &OpId) -> [u8; 16] {
    u128::from_str_radix(id.as_str(), 16).unwrap_or_default().to_be_bytes()
}

/// The fields that every entry of either log has.
#[derive(Debug)]
pub(super) struct Entry {
    pub place: Place,
    pub rev: u64,
    pub when: Timestamp,
    pub op: [u8; 16],
    pub chain: Link,
    /// `None` if its chain value follows from the previous entry.
    pub unfit: Option<Box<Unfit>>,
}

/// The reason why an entry's chain value is not known to follow from the previous entry.
#[derive(Debug)]
pub(super) enum Unfit {
    No,
    /// The previous entry was not read right before it. The whole item is needed until that is known.
    Unknown(Item),
}

impl Entry {
    pub fn new(place: Place, rev: u64, when: Timestamp, id: &OpId, chain: &str) -> Self {
        let (op, chain) = (op(id), Link::of(chain));
        Self { place, rev, when, op, chain, unfit: None }
    }

    /// Returns true if the chain value of this entry, which is not the first, follows from the previous one.
    pub fn fits(&self, pk: &str, before: &Link) -> bool {
        match self.unfit.as_deref() {
            None => true,
            Some(Unfit::No) => false,
            Some(Unfit::Unknown(item)) => follows(self, pk, item, before),
        }
    }
}

/// Returns true if an entry's chain value is the next one.
pub(super) fn follows(entry: &Entry, pk: &str, item: &Item, before: &Link) -> bool {
    Link::of(&log::next(&before.to_string(), &entry.place.key(pk), item)) == entry.chain
}

/// A set of numbers, most of which are consecutive.
#[derive(Debug, Default)]
struct Numbers(Vec<(u64, u64)>);

impl Numbers {
    /// Adds a number. The numbers of one kind of entry are added in ascending order, as they are read.
    fn add(&mut self, number: u64) {
        match self.0.last_mut() {
            Some((_, last)) if number == *last + 1 => *last = number,
            _ => self.0.push((number, number)),
        }
    }

    fn has(&self, number: u64) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= number);
        after > 0 && number <= self.0[after - 1].1
    }
}

/// The numbers of entries: those of versions, and those of events.
#[derive(Debug, Default)]
pub(super) struct EntryNumbers {
    versions: Numbers,
    events: Numbers,
}

impl EntryNumbers {
    /// Adds an entry, if its place has a number; see [`Numbers::add`].
    pub fn add(&mut self, place: &Place) {
        match *place {
            Place::Version(n) => self.versions.add(n),
            Place::Release(rev) | Place::Tag(rev) => self.events.add(rev),
            Place::Other(_) => {}
        }
    }

    pub fn has(&self, sk: &str) -> bool {
        match Place::of(sk) {
            Place::Version(n) => self.versions.has(n),
            Place::Release(rev) | Place::Tag(rev) => self.events.has(rev),
            Place::Other(_) => false,
        }
    }
}

/// Returns the capacity for the number of records that a head claims, up to a plausible size of a package. It is
/// allocated once, so that nothing is copied as the records grow.
pub(super) fn room(claimed: u64) -> usize {
    const MOST: u64 = 1 << 20;
    usize::try_from(claimed.min(MOST)).unwrap_or_default()
}

/// Labels as text, or none.
pub(super) type Packed = Option<Box<str>>;

pub(super) fn pack(labels: &Labels) -> Packed {
    if labels.is_empty() {
        return None;
    }
    serde_json::to_string(labels).ok().map(Into::into)
}

pub(super) fn unpack(labels: &Packed) -> Labels {
    labels.as_ref().and_then(|labels| serde_json::from_str(labels).ok()).unwrap_or_default()
}

/// Packs an item as text. Unpacking it returns the same item.
pub(super) fn pack_item(item: &Item) -> Box<str> {
    canonical_object(item.iter().map(|(name, value)| (name.as_str(), value))).into()
}

pub(super) fn unpack_item(text: &str) -> Item {
    serde_json::from_str(text).unwrap_or_default()
}

/// A version.
#[derive(Debug)]
pub(super) struct VersionFact {
    pub n: Version,
    pub state: State,
    pub labels: Packed,
    /// The later labels as they are stored: absent, or perhaps an empty object.
    pub more_labels: Packed,
}

impl VersionFact {
    /// Returns the mutable attributes of the item, as they were read.
    pub fn seen(&self) -> Item {
        let mut item = Item::from_iter([("state".to_owned(), serde_json::json!(self.state))]);
        if let Some(more) =
            self.more_labels.as_ref().and_then(|more| serde_json::from_str::<Value>(more).ok())
        {
            item.insert("more_labels".to_owned(), more);
        }
        item
    }
}

/// An event of a version, or a fence.
#[derive(Debug)]
pub(super) struct ReleaseFact {
    pub place: Place,
    pub rev: u64,
    pub kind: ReleaseEventKind,
    pub version: Option<Version>,
    pub was: Option<State>,
    /// The state after an undeletion.
    pub state: Option<State>,
    pub labels: Packed,
}

/// An event of a tag, or a fence.
#[derive(Debug)]
pub(super) struct TagFact {
    pub place: Place,
    pub rev: u64,
    pub kind: TagKind,
    /// The index of its tag in the order in which tags were first read.
    pub tag: Option<usize>,
    pub previous: Option<Version>,
    pub version: Option<Version>,
    pub back: Option<u64>,
    pub protection: Option<Protection>,
    pub gates: Packed,
    /// The highest version that its tag was on so far, as it says.
    pub top: Option<u64>,
}

/// Packs the standing gates of a tag as text; none if it has none.
pub(super) fn pack_gates(gates: &Gates, no_override: bool) -> Packed {
    if gates.is_empty() && !no_override {
        return None;
    }
    serde_json::to_string(&(gates, no_override)).ok().map(Into::into)
}

/// Returns true if an item needs a newer release to be written.
pub(super) fn is_spared(item: &Item) -> bool {
    schema::least(item, "write").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_key_that_it_was_made_of() {
        let usual = ["V#0000000000000001", "A#0000000000000002", "E#9007199254740992", "V#9999999999999999"];
        let odd = [
            "V#1",
            "V#000000000000001x",
            "V#+000000000000001",
            "V#00000000000000001",
            "t#live",
            "H",
            "",
            "é#1",
        ];
        for sk in usual.into_iter().chain(odd) {
            assert_eq!(Place::of(sk).key("P#app"), Key::new("P#app", sk));
            assert_eq!(matches!(Place::of(sk), Place::Other(_)), odd.contains(&sk), "{sk}");
        }
        assert_eq!(size_of::<Place>(), 16);
    }

    #[test]
    fn a_link_is_the_text_that_it_was_made_of() {
        for chain in [&"ab".repeat(32), &"AB".repeat(32), "", "ab", &"ab".repeat(33), "xy"] {
            assert_eq!(Link::of(chain).to_string(), chain);
        }
        assert_ne!(Link::of(&"AB".repeat(32)), Link::of(&"ab".repeat(32)));
    }

    #[test]
    fn numbers_are_those_that_were_added() {
        let mut numbers = Numbers::default();
        let added = [1, 2, 3, 7, 9, 10];
        for number in added {
            numbers.add(number);
        }
        assert_eq!((0..12).filter(|number| numbers.has(*number)).collect::<Vec<_>>(), added);
        assert_eq!(numbers.0.len(), 3);
    }

    /// Limits the size of the records of a version and its entry, without labels.
    #[test]
    fn a_version_takes_less_than_two_hundred_bytes() {
        assert!(size_of::<Entry>() + size_of::<VersionFact>() < 200);
        assert!(size_of::<Entry>() + size_of::<TagFact>() < 250);
    }
}
