//! The mapping of items to leaves in a tree of named nodes, for tables that are kept in one.
//!
//! A partition is a folder below one of a fixed number of *stripes*, which its table chooses by a hash of its key. In
//! the partition, the sort key is split at bytes 2, 9 and 15: each part but the last names a folder, and the last one a
//! leaf. So a folder of numbers without gaps has at most 1,000 children, and the order of the keys is the order of the
//! folders: a range, in either order, is found in a few of them.
//!
//! ```text
//! P#app, V#0000000000001042   →   P#app/V#/0000000/000001/042.json
//! P#app, H                    →   P#app/H.json
//! ```
//!
//! This module does no I/O.

use super::Query;
use crate::table::Order;

/// The ends of the parts of a sort key that name folders.
const SPLITS: [usize; 3] = [2, 9, 15];

/// The end of the name of each leaf. No folder's name contains a `.`.
const LEAF: &str = ".json";

/// Returns a name that stands for these bytes: letters, digits and some signs are themselves, others `%` with two
/// hexadecimal digits.
pub(super) fn name(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut name = String::new();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"#+,-=@_".contains(&byte) {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "%{byte:02X}");
        }
    }
    name
}

/// Returns the bytes that a [`name`] stands for; `None` if it is not the name of any.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        if *first == b'%' {
            let digits = more.get(..2).and_then(|digits| str::from_utf8(digits).ok())?;
            found.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &more[2..];
        } else {
            found.push(*first);
        }
    }
    // Only one spelling is a name.
    (name(&found) == text).then_some(found)
}

/// Returns the names from the folder of a partition down to the leaf of a sort key.
pub(super) fn steps(sk: &str) -> Vec<String> {
    let mut rest = sk.as_bytes();
    let mut steps = Vec::with_capacity(SPLITS.len() + 1);
    let mut begin = 0;
    for end in SPLITS {
        let Some((part, after)) = rest.split_at_checked(end - begin).filter(|(_, after)| !after.is_empty())
        else {
            break;
        };
        steps.push(name(part));
        (rest, begin) = (after, end);
    }
    steps.push(name(rest) + LEAF);
    steps
}

/// A node below the folder of a partition. The order is that of the sort keys in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Child {
    /// The sort key of a leaf, or the bytes with which the sort keys in a folder begin.
    pub key: Vec<u8>,
    /// True for a folder, in which each sort key is longer than `key`.
    pub is_folder: bool,
}

impl Child {
    /// Returns the child with this name of a folder whose sort keys begin with `prefix`; `None` for a name that no item
    /// leads to.
    pub(super) fn new(prefix: &[u8], named: &str) -> Option<Self> {
        let leaf = named.strip_suffix(LEAF);
        let key = [prefix, &bytes(leaf.unwrap_or(named))?].concat();
        let last = SPLITS.into_iter().find(|end| *end > prefix.len());
        let fits = match leaf {
            Some(_) => key.len() > prefix.len() && last.is_none_or(|end| key.len() <= end),
            None => last == Some(key.len()),
        };
        fits.then_some(Self { key, is_folder: leaf.is_none() })
    }
}

/// The sort keys of one partition that a query asks for.
#[derive(Debug, Clone)]
pub(super) struct Range {
    from: Vec<u8>,
    to: Vec<u8>,
    /// A key at the end of the range that it does not contain.
    without: Option<Vec<u8>>,
}

impl Range {
    /// Returns the range that is left of a query after its `after`; `None` if nothing is.
    pub(super) fn of(query: &Query) -> Option<Self> {
        let (mut from, mut to) = (query.from.clone(), query.to.clone());
        match (&query.after, query.order) {
            (Some(after), Order::Ascending) if *after >= from => from.clone_from(after),
            (Some(after), Order::Descending) if *after <= to => to.clone_from(after),
            _ => {}
        }
        let without = query.after.clone().map(String::into_bytes);
        (from <= to).then(|| Self { from: from.into_bytes(), to: to.into_bytes(), without })
    }

    /// Returns the range of all sort keys after this one.
    pub(super) fn after(sk: &str) -> Self {
        Self { from: sk.as_bytes().to_vec(), to: vec![0xFF], without: Some(sk.as_bytes().to_vec()) }
    }

    /// Returns true if the child is an item of the range, or a folder that may contain one.
    pub(super) fn meets(&self, child: &Child) -> bool {
        let key = &child.key;
        if child.is_folder {
            *key <= self.to && (*key >= self.from || self.from.starts_with(key))
        } else {
            *key >= self.from && *key <= self.to && self.without.as_ref() != Some(key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(sk: &str) -> String {
        steps(sk).join("/")
    }

    #[test]
    fn sort_keys_are_split_and_escaped() {
        for (sk, expected) in [
            ("H", "H.json"),
            ("V#", "V#.json"),
            ("V#0", "V#/0.json"),
            ("V#0000000", "V#/0000000.json"),
            ("V#0000000000001042", "V#/0000000/000001/042.json"),
            ("team/app", "te/am%2Fapp.json"),
            ("..", "%2E%2E.json"),
            ("aé", "a%C3/%A9.json"),
        ] {
            assert_eq!(path(sk), expected);
        }
    }

    #[test]
    fn a_name_that_no_item_leads_to_is_no_child() {
        let child = |prefix: &str, name: &str| Child::new(prefix.as_bytes(), name);
        for (prefix, name) in [
            ("", "V"),
            ("", "V#0"),
            ("", ".json"),
            ("", "%4A.json"),
            ("", "%2.json"),
            ("", "%2e.json"),
            ("", "%41.json"),
            ("", "%4.json"),
            ("", "a b.json"),
            ("", "abc.json"),
            ("", "%C3%A9%A9.json"),
            ("V#", "000"),
            ("V#0000000000000", "123"),
        ] {
            assert_eq!(child(prefix, name), None, "{prefix} {name}");
        }
        assert!(child("V#", "0000000").unwrap().is_folder);
        assert!(!child("V#0000000000000", "12345.json").unwrap().is_folder);
    }

    /// All sort keys that a walk through the tree of these keys finds in a range, in order.
    fn walked(keys: &[String], range: &Range) -> Vec<String> {
        let mut found = Vec::new();
        let mut stack = vec![Child { key: Vec::new(), is_folder: true }];
        while let Some(node) = stack.pop() {
            if !node.is_folder {
                found.push(String::from_utf8(node.key).unwrap());
                continue;
            }
            let mut children: Vec<_> = keys
                .iter()
                .filter_map(|key| {
                    let (mut steps, mut prefix) = (steps(key).into_iter(), Vec::new());
                    while prefix != node.key {
                        prefix = Child::new(&prefix, &steps.next()?)?.key;
                    }
                    Child::new(&prefix, &steps.next()?)
                })
                .filter(|child| range.meets(child))
                .collect();
            children.sort();
            children.dedup();
            stack.extend(children.into_iter().rev());
        }
        found
    }

    proptest! {
        #[test]
        fn names_stand_for_their_bytes(any in prop::collection::vec(any::<u8>(), 0..20)) {
            let text = name(&any);
            prop_assert!(text.bytes().all(|b| b.is_ascii_graphic() && !b"/.".contains(&b)));
            prop_assert_eq!(bytes(&text), Some(any));
        }

        #[test]
        fn a_walk_finds_the_keys_of_a_range_in_order(
            mut keys in prop::collection::vec("[ab#0é]{1,18}", 0..30),
            from in "[ab#0é]{1,10}",
            to in "[ab#0é]{1,10}",
            after in proptest::option::of("[ab#0é]{1,10}"),
            descending: bool,
        ) {
            keys.sort();
            keys.dedup();
            let order = if descending { Order::Descending } else { Order::Ascending };
            let expected: Vec<_> = keys
                .iter()
                .filter(|key| **key >= from && **key <= to)
                .filter(|key| after.as_ref().is_none_or(|after| if descending { *key < after } else { *key > after }))
                .cloned()
                .collect();
            let query = Query { pk: String::new(), from, to, order, limit: 1, after };
            let found = Range::of(&query).map_or_else(Vec::new, |range| walked(&keys, &range));
            prop_assert_eq!(found, expected);
        }
    }
}
