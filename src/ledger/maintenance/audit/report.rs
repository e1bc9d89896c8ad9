//! The result of an audit.

use super::{compact::Tallies, tally::Record};
use crate::model::{Address, Digest};

/// The number of records that an audit checked, and the blobs that must be in the store.
#[derive(Debug, Default)]
pub struct AuditReport {
    /// The number of packages examined.
    pub packages: u64,
    /// The number of their versions, deleted ones included.
    pub versions: u64,
    pub(super) blobs: Tallies,
}

/// A blob that must be in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededBlob {
    /// The address.
    pub address: Address,
    /// The size in bytes.
    pub size: u64,
    /// True if it was recorded as [`present`](AuditReport::note_present).
    pub present: bool,
}

impl AuditReport {
    /// Lists the blobs that must be in the store, in the order of their sha256, except for a few with numbers that no
    /// sound ledger has.
    pub fn needed(&self) -> impl Iterator<Item = NeededBlob> {
        self.blobs.iter().filter(|(_, tally)| tally.record.needed > 0).map(|((sha256, _), tally)| {
            let Record { generation, size, .. } = tally.record;
            let address = Address { sha256: Digest::from(sha256), generation };
            NeededBlob { address, size, present: tally.present }
        })
    }

    /// Records that the store has an object of a size at this address. Ignored if no version needs the object.
    pub fn note_present(&mut self, address: &Address, size: u64) {
        let at = (address.sha256.to_bytes(), address.epoch());
        let is_it = |record: &Record| {
            record.needed > 0 && (record.generation, record.size) == (address.generation, size)
        };
        if self.blobs.get(&at).is_some_and(|tally| is_it(&tally.record)) {
            self.blobs.change(at, |tally| tally.present = true);
        }
    }
}
