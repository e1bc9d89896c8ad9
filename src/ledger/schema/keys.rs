//! The keys of all items. Numbers in sort keys have 16 digits, so that their bytewise order is their numeric order up
//! to 2^53.

use crate::{
    model::{Digest, PackageName, TagName},
    table::Key,
};
use sha2::{Digest as _, Sha256};

/// The number of partitions of the directory of packages.
pub(in crate::ledger) const DIRECTORIES: u8 = 4;

/// Bounds below and above every sort key of one kind of item, for queries.
pub(in crate::ledger) const ANY_VERSION: (&str, &str) = ("V#", "V#~");
pub(in crate::ledger) const ANY_TAG: (&str, &str) = ("t#", "t#~");
pub(in crate::ledger) const ANY_RELEASE_EVENT: (&str, &str) = ("A#", "A#~");
pub(in crate::ledger) const ANY_TAG_EVENT: (&str, &str) = ("E#", "E#~");
pub(in crate::ledger) const HIGHEST: &str = "~";

pub(in crate::ledger) fn releases(package: &PackageName) -> String {
    format!("P#{package}")
}

pub(in crate::ledger) fn tags(package: &PackageName) -> String {
    format!("T#{package}")
}

/// Returns true if a log is one of releases; else it is one of tags.
pub(in crate::ledger) fn is_releases(log: &str) -> bool {
    log.starts_with("P#")
}

pub(in crate::ledger) fn meta_key() -> Key {
    Key::new("M", "M")
}

pub(in crate::ledger) fn head_key(log: &str) -> Key {
    Key::new(log, "H")
}

pub(in crate::ledger) fn version_key(package: &PackageName, number: u64) -> Key {
    Key::new(releases(package), format!("V#{number:016}"))
}

pub(in crate::ledger) fn release_event_key(package: &PackageName, rev: u64) -> Key {
    Key::new(releases(package), format!("A#{rev:016}"))
}

pub(in crate::ledger) fn tag_key(package: &PackageName, tag: &TagName) -> Key {
    Key::new(tags(package), format!("t#{tag}"))
}

pub(in crate::ledger) fn tag_event_key(package: &PackageName, rev: u64) -> Key {
    Key::new(tags(package), format!("E#{rev:016}"))
}

/// Returns the key of a log's fence with this rev.
pub(in crate::ledger) fn fence_key(log: &str, rev: u64) -> Key {
    let kind = if is_releases(log) { 'A' } else { 'E' };
    Key::new(log, format!("{kind}#{rev:016}"))
}

pub(in crate::ledger) fn idempotency_key(log: &str, key: &crate::model::IdempotencyKey) -> Key {
    Key::new(log, format!("K#{key}"))
}

pub(in crate::ledger) fn is_idempotency_key(key: &Key) -> bool {
    key.sk.starts_with("K#")
}

/// Returns true for an item that never changes without the head of its log: false for the head, and for an idempotency
/// key.
pub(in crate::ledger) fn is_logged(key: &Key) -> bool {
    (key.pk.starts_with("P#") || key.pk.starts_with("T#")) && key.sk != "H" && !is_idempotency_key(key)
}

/// Returns the rev of an entry of a log of tags; `None` for any other item.
pub(in crate::ledger) fn rev_of_tag_entry(key: &Key) -> Option<u64> {
    key.pk.strip_prefix("T#").and(key.sk.strip_prefix("E#"))?.parse().ok()
}

/// Returns the key of a blob's item. Each epoch counts a blob separately.
pub(in crate::ledger) fn blob_key(sha256: &Digest, epoch: u64) -> Key {
    let sk = if epoch == 0 { "B".to_owned() } else { format!("B#{epoch:016}") };
    Key::new(format!("B#{sha256}"), sk)
}

pub(in crate::ledger) fn directory(number: u8) -> String {
    format!("D#{number}")
}

/// Returns the key of a package in the directory. The name's sha256 selects the partition, so that packages spread
/// evenly over all of them.
pub(in crate::ledger) fn directory_key(package: &PackageName) -> Key {
    let first = Sha256::digest(package.as_str())[0];
    Key::new(directory(first % DIRECTORIES), package.as_str())
}
