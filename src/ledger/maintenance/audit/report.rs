//! What an audit went through.

use super::{compact::Tallies, tally::Record};
use crate::model::{Address, Digest};

/// The numbers of what an audit went through, and the blobs that must be in the store.
#[derive(Debug, Default)]
pub struct AuditReport {
    /// How many packages were examined.
    pub packages: u64,
    /// How many versions they have, deleted ones included.
    pub versions: u64,
    pub(super) blobs: Tallies,
}

/// A blob that must be in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededBlob {
    /// Its address.
    pub address: Address,
    /// Its size in bytes.
    pub size: u64,
    /// True if it was noted as [`present`](AuditReport::note_present).
    pub present: bool,
}

impl AuditReport {
    /// The blobs that must be in the store, in the order of their sha256, but for a few with numbers that no sound
    /// ledger has.
    pub fn needed(&self) -> impl Iterator<Item = NeededBlob> {
        self.blobs.iter().filter(|(_, tally)| tally.record.needed > 0).map(|((sha256, _), tally)| {
            let Record { generation, size, .. } = tally.record;
            let address = Address { sha256: Digest::from(sha256), generation };
            NeededBlob { address, size, present: tally.present }
        })
    }

    /// Notes that the store has an object of a size at this address. If no version needs that, nothing is noted.
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
