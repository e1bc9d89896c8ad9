//! The first names in order out of many unordered ones, in bounded memory.

use crate::model::{Address, Digest};
use std::{cmp::Ordering, io, vec};

/// The number of names kept by one pass over the directory, so that a listing takes one pass for each 262,144 names.
/// Each takes 40 bytes, and a pass briefly holds twice as many.
pub(super) const WINDOW: usize = 1 << 18;

/// The names that follow the last returned page.
#[derive(Debug)]
pub(super) struct Ahead {
    pub after: String,
    pub names: vec::IntoIter<Name>,
    /// True if more names follow.
    pub more: bool,
}

/// A blob's name, in less memory than its text but in the same order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    sha256: [u8; 32],
    generation: u64,
}

impl Name {
    pub fn of(text: &str) -> Option<Self> {
        let at: Address = text.parse().ok()?;
        Some(Self { sha256: at.sha256.to_bytes(), generation: at.generation })
    }

    pub fn address(&self) -> Address {
        Address { sha256: Digest::from(self.sha256), generation: self.generation }
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        // Generation 0 has no text, and sorts first.
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

/// Returns the first `most` of the names, in order, and true if there are more.
pub(super) fn first(
    names: impl Iterator<Item = io::Result<Name>>,
    most: usize,
) -> io::Result<(Vec<Name>, bool)> {
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
