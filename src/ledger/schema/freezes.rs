//! Freezes: their log, and the replicas that movers check.
//!
//! The log is in the partition `F`. Its head holds the freezes in force. [`REPLICAS`] items, each in a partition of its
//! own, hold the same as of some `rev` of the head; a change of the freezes is complete once all of them have its `rev`
//! or a later one. Each change that moves a tag forward checks one of them in its own transaction: so none commits once
//! a freeze is complete, and two moves meet at one item only if their packages share a replica.

use super::{
    numbers::{number, revision, time, time_if_any},
    record::Record,
};
use crate::{
    ledger::Error,
    model::{
        Actor, Freeze, FreezeEvent, FreezeKind, Message, OpId, PackageName, PackagePrefix, Timestamp,
        is_in_force,
    },
    table::{Item, Key},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The partition of the log of freezes.
pub(in crate::ledger) const FREEZES: &str = "F";

/// The number of replicas. Stored ledgers depend on it: it never changes.
pub(in crate::ledger) const REPLICAS: u8 = 32;

/// The maximum number of freezes at one time. Each move pays for the size of all of them.
pub(in crate::ledger) const MAX_FREEZES: usize = 20;

/// The freezes in force, by the pattern of their packages: a prefix and `*`.
pub(in crate::ledger) type InForce = BTreeMap<String, FreezeFields>;

/// A freeze in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ledger) struct FreezeFields {
    /// The rev of its event.
    #[serde(deserialize_with = "number")]
    pub set: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time_if_any")]
    pub until: Option<Timestamp>,
    pub who: Actor,
    #[serde(deserialize_with = "time")]
    pub when: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// The attributes that a newer release of this program wrote: kept whenever the item is written again.
    #[serde(flatten)]
    pub rest: Item,
}

/// The head of the log of freezes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ledger) struct FreezeHead {
    #[serde(deserialize_with = "revision")]
    pub rev: u64,
    pub chain: String,
    #[serde(deserialize_with = "time")]
    pub when: Timestamp,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub freezes: InForce,
    /// The attributes that a newer release of this program wrote: kept whenever the item is written again.
    #[serde(flatten)]
    pub rest: Item,
}

/// A replica of the freezes in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ledger) struct FreezeReplica {
    /// The rev of the head that it is a copy of. It only grows.
    #[serde(deserialize_with = "revision")]
    pub rev: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub freezes: InForce,
}

/// An entry of the log of freezes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ledger) struct FreezeEntry {
    pub kind: FreezeKind,
    /// Absent in a fence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<PackagePrefix>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time_if_any")]
    pub until: Option<Timestamp>,
    pub who: Actor,
    #[serde(deserialize_with = "time")]
    pub when: Timestamp,
    /// The writer's clock, as in a version.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time_if_any")]
    pub clock: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    pub op: OpId,
    #[serde(deserialize_with = "revision")]
    pub rev: u64,
    pub chain: String,
}

impl Record for FreezeHead {
    const MARKS: &'static [&'static str] = &["rev"];
}

impl Record for FreezeReplica {
    const MARKS: &'static [&'static str] = &["rev"];
}

impl Record for FreezeEntry {
    const MARKS: &'static [&'static str] = &[];
}

impl FreezeFields {
    /// Returns true if the freeze has not ended by itself.
    pub(in crate::ledger) fn is_in_force(&self, now: Timestamp) -> bool {
        is_in_force(self.until, now)
    }

    /// Returns the freeze at its pattern.
    ///
    /// # Errors
    /// [`Error::Damaged`] for a pattern that no freeze has.
    pub(in crate::ledger) fn to_freeze(&self, pattern: &str) -> Result<Freeze, Error> {
        let prefix = pattern.strip_suffix('*').and_then(|prefix| prefix.parse().ok());
        let prefix = prefix.ok_or_else(|| Error::Damaged {
            what: "the freezes of the ledger".to_owned(),
            why: format!("{pattern:?} is no prefix of packages"),
        })?;
        let Self { set, strict, until, who, when, message, .. } = self.clone();
        Ok(Freeze { prefix, strict, until, message, rev: set, since: when, by: who })
    }
}

impl FreezeEntry {
    /// Returns the freeze that the entry records, as it is kept in force.
    pub(in crate::ledger) fn to_fields(&self) -> FreezeFields {
        let Self { strict, until, who, when, message, rev, .. } = self.clone();
        FreezeFields { set: rev, strict, until, who, when, message, rest: Item::new() }
    }

    pub(in crate::ledger) fn into_event(self) -> FreezeEvent {
        let Self { kind, prefix, strict, until, who, when, message, rev, .. } = self;
        FreezeEvent { kind, prefix, strict, until, message, rev, at: when, by: who }
    }
}

/// Applies an entry to the freezes in force.
pub(in crate::ledger) fn replay(freezes: &mut InForce, entry: &FreezeEntry) {
    let Some(prefix) = &entry.prefix else { return };
    match entry.kind {
        FreezeKind::Freeze => drop(freezes.insert(prefix.pattern(), entry.to_fields())),
        FreezeKind::Thaw => drop(freezes.remove(&prefix.pattern())),
        FreezeKind::Fence | FreezeKind::Other(_) => {}
    }
}

pub(in crate::ledger) fn freeze_entry_key(rev: u64) -> Key {
    Key::new(FREEZES, format!("E#{rev:016}"))
}

pub(in crate::ledger) fn replica_key(number: u8) -> Key {
    Key::new(format!("{FREEZES}#{number:02}"), FREEZES)
}

/// Returns the replica that the moves of a package check.
pub(in crate::ledger) fn replica_of(package: &PackageName) -> Key {
    // Another byte than that of the directory, so that the two are independent.
    replica_key(Sha256::digest(package.as_str())[1] % REPLICAS)
}
