//! The record of each blob, in 64 bytes: a ledger may have millions of them.

use super::tally::{Record, Spot, Tally};
use crate::{ledger::schema::BlobState, model::first_generation};
use std::collections::HashMap;

/// The tallies of all blobs, in the order of their addresses except for those that do not fit in a row.
///
/// Rows are sorted within a shard for each prefix of a sha256. So there is little to move for a new one, and little is
/// allocated ahead: an eighth of a shard at a time.
#[derive(Debug)]
pub(super) struct Tallies {
    shards: Vec<Vec<Row>>,
    /// The tallies with numbers that do not fit in a row, as in a damaged item.
    odd: HashMap<Spot, Tally>,
}

/// A compact tally. Generations are counted from the first of the epoch.
#[derive(Debug, Clone, Copy)]
struct Row {
    sha256: [u8; 32],
    size: u64,
    epoch: u32,
    generation: u32,
    needed: u32,
    at: u32,
    refs: u32,
    flags: u8,
}

const TORN: u8 = 1;
const UNKNOWN: u8 = 2;
const PRESENT: u8 = 4;
/// Two bits: no item, or its state.
const ITEM: u8 = 3;
const NO_ITEM: u8 = 0;
const KEPT: u8 = 1;
const CONDEMNED: u8 = 2;
const ITEM_SHIFT: u8 = 3;

/// The number of shards: one for each value of the first two bytes of a sha256.
const SHARDS: usize = 1 << 16;

impl Default for Tallies {
    fn default() -> Self {
        Self { shards: vec![Vec::new(); SHARDS], odd: HashMap::new() }
    }
}

fn shard(sha256: &[u8; 32]) -> usize {
    usize::from(sha256[0]) << 8 | usize::from(sha256[1])
}

impl Row {
    /// Returns the row of a tally, if it fits into one.
    fn of((sha256, at_epoch): &Spot, tally: &Tally) -> Option<Self> {
        if tally.deleted > 0 {
            return None;
        }
        let first = first_generation(*at_epoch);
        let Record { needed, generation, size } = tally.record;
        let generation = if needed > 0 { generation.checked_sub(first)? } else { 0 };
        let (item, at, refs) = match &tally.item {
            None => (NO_ITEM, 0, 0),
            Some((state, at, refs)) => {
                let item = match state {
                    BlobState::Kept => KEPT,
                    BlobState::Condemned => CONDEMNED,
                    BlobState::Other(_) => return None,
                };
                (item, at.checked_sub(first)?, *refs)
            }
        };
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        Some(Self {
            sha256: *sha256,
            size,
            epoch: u32::try_from(*at_epoch).ok()?,
            generation: u32::try_from(generation).ok()?,
            needed: u32::try_from(needed).ok()?,
            at: u32::try_from(at).ok()?,
            refs: u32::try_from(refs).ok()?,
            flags: flag(tally.torn, TORN)
                | flag(tally.unknown, UNKNOWN)
                | flag(tally.present, PRESENT)
                | item << ITEM_SHIFT,
        })
    }

    fn tally(&self) -> Tally {
        let first = first_generation(u64::from(self.epoch));
        let generation = if self.needed > 0 { first + u64::from(self.generation) } else { 0 };
        let state = match self.flags >> ITEM_SHIFT & ITEM {
            KEPT => Some(BlobState::Kept),
            CONDEMNED => Some(BlobState::Condemned),
            _ => None,
        };
        Tally {
            record: Record { needed: u64::from(self.needed), generation, size: self.size },
            deleted: 0,
            torn: self.flags & TORN != 0,
            unknown: self.flags & UNKNOWN != 0,
            present: self.flags & PRESENT != 0,
            item: state.map(|state| (state, first + u64::from(self.at), u64::from(self.refs))),
        }
    }

    fn spot(&self) -> Spot {
        (self.sha256, u64::from(self.epoch))
    }
}

impl Tallies {
    fn find(&self, at: &Spot) -> Result<usize, usize> {
        self.shards[shard(&at.0)].binary_search_by(|row| row.spot().cmp(at))
    }

    /// Returns the tally of a blob; `None` if there is none.
    pub fn get(&self, at: &Spot) -> Option<Tally> {
        match self.find(at) {
            Ok(found) => Some(self.shards[shard(&at.0)][found].tally()),
            Err(_) => self.odd.get(at).copied(),
        }
    }

    /// Changes the tally of a blob, which begins empty.
    pub fn change(&mut self, at: Spot, change: impl FnOnce(&mut Tally)) {
        if let Some(tally) = self.odd.get_mut(&at) {
            return change(tally);
        }
        let found = self.find(&at);
        let shard = &mut self.shards[shard(&at.0)];
        let mut tally = found.map_or_else(|_| Tally::default(), |found| shard[found].tally());
        change(&mut tally);
        match (Row::of(&at, &tally), found) {
            (Some(row), Ok(found)) => shard[found] = row,
            (Some(row), Err(place)) => {
                if shard.len() == shard.capacity() {
                    shard.reserve_exact((shard.len() / 8).max(4));
                }
                shard.insert(place, row);
            }
            (None, found) => {
                if let Ok(found) = found {
                    shard.remove(found);
                }
                self.odd.insert(at, tally);
            }
        }
    }

    /// Lists all tallies.
    pub fn iter(&self) -> impl Iterator<Item = (Spot, Tally)> {
        let rows = self.shards.iter().flatten().map(|row| (row.spot(), row.tally()));
        rows.chain(self.odd.iter().map(|(at, tally)| (*at, *tally)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn sha256(n: u64) -> [u8; 32] {
        use sha2::Digest as _;
        sha2::Sha256::digest(n.to_be_bytes()).into()
    }

    #[test]
    fn a_tally_round_trips_for_any_numbers() {
        let mut tallies = Tallies::default();
        let mut expected = BTreeMap::new();
        let first = |epoch: u64| first_generation(epoch);
        let numbers = [0, 1, 7, u64::from(u32::MAX), u64::from(u32::MAX) + 1, u64::MAX];
        let states = [None, Some(BlobState::Kept), Some(BlobState::Condemned)];
        let mut n = 0;
        for at_epoch in [0, 3, u64::from(u32::MAX), crate::model::Address::LAST_EPOCH] {
            for number in numbers {
                for state in states {
                    n += 1;
                    let at = (sha256(n / 2), at_epoch);
                    let tally = Tally {
                        record: Record {
                            needed: number,
                            generation: if number == 0 { 0 } else { first(at_epoch) + 5 },
                            size: number,
                        },
                        deleted: 0,
                        torn: n % 2 == 0,
                        unknown: n % 3 == 0,
                        present: n % 5 == 0,
                        item: state.map(|state| (state, first(at_epoch) + 9, number)),
                    };
                    tallies.change(at, |present| *present = tally);
                    expected.insert(at, tally);
                }
            }
        }
        // Also from one that fits to one that does not, and back.
        for needed in [1, u64::MAX, 2] {
            let at = (sha256(1), 0);
            tallies.change(at, |tally| tally.record.needed = needed);
            expected.get_mut(&at).unwrap().record.needed = needed;
            assert_eq!(tallies.get(&at), expected.get(&at).copied());
        }
        assert_eq!(tallies.iter().collect::<BTreeMap<_, _>>(), expected);
        assert!(expected.iter().all(|(at, tally)| tallies.get(at) == Some(*tally)));
        assert_eq!(tallies.get(&(sha256(999), 0)), None);
        assert!(tallies.odd.len() > 8 && tallies.odd.len() < expected.len());
    }

    /// Limits the size of the tallies: a million blobs take less than 96 MiB.
    #[test]
    fn a_blob_takes_less_than_a_hundred_bytes() {
        let mut tallies = Tallies::default();
        let blobs = 200_000;
        for n in 0..blobs {
            tallies.change((sha256(n), 0), |tally| {
                tally.record = Record { needed: 1, generation: 0, size: 1 << 30 };
                tally.item = Some((BlobState::Kept, 0, 1));
            });
        }
        let bytes: usize = tallies.shards.iter().map(|shard| shard.capacity() * size_of::<Row>()).sum();
        assert_eq!((tallies.iter().count(), tallies.odd.len()), (200_000, 0));
        assert!(bytes < 200_000 * 100, "{bytes}");
        let sorted: Vec<_> = tallies.iter().map(|(at, _)| at).collect();
        assert!(sorted.is_sorted());
    }
}
