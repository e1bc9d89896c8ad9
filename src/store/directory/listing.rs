//! Names in order, from a directory that has them in none, in few passes and bounded memory.

use super::DirectoryStore;
use crate::{
    model::{Address, Digest},
    store::{Listing, directory::stat, files::found},
};
use std::{cmp::Ordering, fs, io, sync::PoisonError, vec};

const PAGE: usize = 1000;

/// How many names a pass over the directory brings, so that a listing takes a pass for each quarter of a million: in
/// 40 bytes each, and for a moment twice as many.
const WINDOW: usize = 1 << 18;

/// The names that are next after the last page that was given.
#[derive(Debug)]
pub(super) struct Ahead {
    after: String,
    names: vec::IntoIter<Name>,
    /// Whether there are more after them.
    more: bool,
}

/// A blob's name, smaller than its text, in the order of that.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Name {
    sha256: [u8; 32],
    generation: u64,
}

impl Name {
    fn of(text: &str) -> Option<Self> {
        let at: Address = text.parse().ok()?;
        Some(Self { sha256: at.sha256.to_bytes(), generation: at.generation })
    }

    fn address(&self) -> Address {
        Address { sha256: Digest::from(self.sha256), generation: self.generation }
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        // Generation 0 has no text, and comes first.
        let generations = || match (self.generation, other.generation) {
            (0, _) | (_, 0) => self.generation.cmp(&other.generation),
            (one, two) => one.to_string().cmp(&two.to_string()),
        };
        self.sha256.cmp(&other.sha256).then_with(generations)
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The first `most` of some names, in order, and whether there are more.
fn first(names: impl Iterator<Item = io::Result<Name>>, most: usize) -> io::Result<(Vec<Name>, bool)> {
    let (mut kept, mut more) = (Vec::new(), false);
    for name in names {
        kept.push(name?);
        if kept.len() == 2 * most {
            kept.select_nth_unstable(most);
            kept.truncate(most);
            more = true;
        }
    }
    kept.sort_unstable();
    more |= kept.len() > most;
    kept.truncate(most);
    Ok((kept, more))
}

impl DirectoryStore {
    /// The names after one. A listing that goes on where the last one ended reads the directory only if all that was
    /// read then has been given.
    fn ahead(&self, after: Option<&str>) -> io::Result<Ahead> {
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ahead) = ahead.filter(|ahead| Some(&*ahead.after) == after && ahead.names.len() > 0) {
            return Ok(ahead);
        }
        let from = after.and_then(Name::of);
        let entries = found(fs::read_dir(self.blobs()))?.into_iter().flatten();
        let names = entries.filter_map(|entry| match entry {
            Ok(entry) => entry.file_name().to_str().and_then(Name::of).map(Ok),
            Err(error) => Some(Err(error)),
        });
        let later = |name: &io::Result<Name>| match (name, &from) {
            (Ok(name), Some(from)) => name > from,
            _ => true,
        };
        let (names, more) = first(names.filter(later), WINDOW)?;
        Ok(Ahead { after: after.unwrap_or_default().to_owned(), names: names.into_iter(), more })
    }

    pub(super) fn list_blocking(&self, after: Option<&str>) -> io::Result<Listing> {
        let mut ahead = self.ahead(after)?;
        let page: Vec<_> = ahead.names.by_ref().take(PAGE).map(|name| name.address()).collect();
        let next = page.last().map(Address::to_string).filter(|_| ahead.more || ahead.names.len() > 0);
        let mut objects = Vec::with_capacity(page.len());
        for at in page {
            // One that was deleted meanwhile, or is a directory, is no blob.
            if let Some(metadata) = found(fs::metadata(self.blob(&at)))?
                && metadata.is_file()
            {
                objects.push((at, stat(&metadata)));
            }
        }
        if let Some(next) = &next {
            ahead.after.clone_from(next);
            *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
        Ok(Listing { objects, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_their_text() {
        let mut texts = Vec::new();
        for digit in ["0", "9", "a", "f"] {
            let sha256 = digit.repeat(64);
            texts.push(sha256.clone());
            texts.extend([1, 2, 9, 10, 11, 100, 1_000_000_000].map(|n| format!("{sha256}.{n}")));
        }
        let mut names: Vec<_> = texts.iter().map(|text| Name::of(text).unwrap()).collect();
        fastrand::shuffle(&mut names);
        names.sort();
        texts.sort();
        assert_eq!(names.iter().map(|name| name.address().to_string()).collect::<Vec<_>>(), texts);
    }

    #[test]
    fn the_first_of_many_are_the_least() {
        let name = |n: u8| Name { sha256: [n; 32], generation: 0 };
        for count in 0..20_u8 {
            let mut shuffled: Vec<_> = (0..count).collect();
            fastrand::shuffle(&mut shuffled);
            let (kept, more) = first(shuffled.into_iter().map(|n| Ok(name(n))), 5).unwrap();
            assert_eq!(kept, (0..count.min(5)).map(name).collect::<Vec<_>>());
            assert_eq!(more, count > 5);
        }
    }
}
