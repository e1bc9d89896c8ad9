//! Positions in listings.

use hdfs_native::client::ListStatusIterator;
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Mutex, PoisonError},
};

/// The most listings that are remembered.
const CURSORS: usize = 64;

/// The listings that ended a page, by their prefix and position: the client can't begin within a folder.
#[derive(Default)]
pub(super) struct Cursors(Mutex<HashMap<(String, String), Cursor>>);

impl fmt::Debug for Cursors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursors")
    }
}

impl Cursors {
    pub(super) fn take(&self, prefix: &str, after: &str) -> Option<Cursor> {
        let mut cursors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cursors.remove(&(prefix.to_owned(), after.to_owned()))
    }

    pub(super) fn keep(&self, prefix: &str, after: &str, cursor: Cursor) {
        let mut cursors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cursors.len() >= CURSORS {
            cursors.clear();
        }
        cursors.insert((prefix.to_owned(), after.to_owned()), cursor);
    }
}

/// A position in a listing.
pub(super) struct Cursor {
    /// The folders after the open one.
    pub(super) shards: VecDeque<String>,
    pub(super) open: Option<ListStatusIterator>,
}
