//! The findings of one pass over the table about a blob.

use crate::{
    ledger::schema::{BlobState, VersionItem},
    model::{Generation, State},
    table::{Change, Condition},
};
use serde_json::json;
use std::collections::BTreeMap;

/// A blob in one epoch: its sha256, and the epoch.
pub(super) type Spot = ([u8; 32], u64);

/// The record of a blob.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// The number of versions that need it, the generation that they need, and the size that they record.
    pub needed: u64,
    pub generation: Generation,
    pub size: u64,
}

/// One blob in one pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub record: Record,
    /// The number of versions that needed it until they were deleted.
    pub deleted: u64,
    /// True if its versions disagree about its generation or its size.
    pub torn: bool,
    /// True if a version that needs it, or its own item, is in a state that this release does not know.
    pub unknown: bool,
    /// True if the store has it, with its size.
    pub present: bool,
    /// The blob's item: state, generation, count.
    pub item: Option<(BlobState, u64, u64)>,
}

impl Tally {
    pub fn need(&mut self, version: &VersionItem) {
        let record = &mut self.record;
        let same = record.generation == version.blob.generation && record.size == version.blob.size;
        self.torn |= record.needed > 0 && !same;
        self.unknown |= matches!(version.state, State::Other(_));
        record.needed += 1;
        (record.generation, record.size) = (version.blob.generation, version.blob.size);
    }

    /// Returns a description of the violation, if there is one.
    pub fn wrong(&self) -> Option<String> {
        let Record { needed, generation, .. } = self.record;
        if self.unknown || matches!(self.item, Some((BlobState::Other(_), ..))) {
            return None;
        }
        if self.torn {
            return Some("versions disagree about its generation or its size".to_owned());
        }
        match self.item {
            None if needed == 0 => None,
            None => Some(format!("it is missing, and {needed} versions need it")),
            Some((_, _, refs)) if refs != needed => {
                Some(format!("it counts {refs} versions, and there are {needed}"))
            }
            Some((BlobState::Condemned, ..)) if needed > 0 => {
                Some(format!("it is condemned, and {needed} versions need it"))
            }
            Some((_, at, _)) if needed > 0 && at != generation => {
                Some(format!("it keeps generation {at}, and versions need {generation}"))
            }
            Some(_) => None,
        }
    }

    /// Returns the correct item, and the condition that the present one has not changed since it was read. A generation
    /// never goes back, and a condemned object may be deleted already: neither can be repaired.
    pub fn repaired(&self) -> Option<(Condition, Change)> {
        let Record { needed, generation, .. } = self.record;
        let equals = |state: &str, at: u64, refs: u64| {
            let condition = [
                Condition::equals("state", state),
                Condition::equals("gen", at),
                Condition::equals("refs", refs),
            ];
            Condition::All(condition.into())
        };
        let (condition, item) = match self.item {
            _ if self.torn => return None,
            None => (Condition::Absent, ("kept", generation, needed)),
            Some((BlobState::Kept, at, refs)) if needed == 0 || at == generation => {
                (equals("kept", at, refs), ("kept", at, needed))
            }
            Some((BlobState::Condemned, at, refs)) if needed == 0 => {
                (equals("condemned", at, refs), ("condemned", at, 0))
            }
            Some(_) => return None,
        };
        let (state, at, refs) = item;
        // The attributes that a newer release wrote are kept.
        let set = json!({ "state": state, "gen": at, "refs": refs });
        let set = set.as_object().cloned().unwrap_or_default();
        Some((condition, Change::Update { set, add: BTreeMap::new() }))
    }
}
