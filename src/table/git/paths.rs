//! The path of each item in the tree of a commit.
//!
//! `items/7/f/3/P#app/V#/0000000/000000/042.json` holds the item `P#app`, `V#0000000000000042`. The first three folders
//! are digits of the sha256 of the partition, so that no folder has many partitions. Below the partition, the sort key
//! is split after bytes 2, 9 and 15, so that a folder of dense numbers has at most 1,000 entries, and a range of sort
//! keys touches few folders. Bytes other than `A-Z a-z 0-9 # @ + = _ -` are escaped as `%` and two digits. So a dot is
//! only in the end of an item's name, no folder has the name of an item, and no name means anything to git.

use crate::table::Key;
use sha2::{Digest, Sha256};

/// The folder of all items, in the root of the tree.
pub(super) const ITEMS: &str = "items";
/// The number of folders above a partition.
pub(super) const STRIPES: usize = 3;
/// The end of the name of every item's file.
const SUFFIX: &str = ".json";
/// The lengths of the parts of a sort key that are folders.
const PARTS: [usize; 3] = [2, 7, 6];

/// Returns the folders above a partition, from below [`ITEMS`].
pub(super) fn stripes(pk: &str) -> [String; STRIPES] {
    let digits = hex::encode(Sha256::digest(pk));
    std::array::from_fn(|at| digits[at..=at].to_owned())
}

/// Returns the names on the way from the root to a partition's folder.
pub(super) fn of_partition(pk: &str) -> Vec<String> {
    let mut path = vec![ITEMS.to_owned()];
    path.extend(stripes(pk));
    path.push(escape(pk.as_bytes()));
    path
}

/// Returns the names on the way from the root to an item's file.
pub(super) fn of_item(key: &Key) -> Vec<String> {
    let mut path = of_partition(&key.pk);
    let mut rest = key.sk.as_bytes();
    for part in PARTS {
        if rest.len() <= part {
            break;
        }
        let (folder, after) = rest.split_at(part);
        path.push(escape(folder));
        rest = after;
    }
    path.push(escape(rest) + SUFFIX);
    path
}

/// The part of a key that a name in a folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A folder of longer sort keys.
    Folder(Vec<u8>),
    /// The end of a sort key.
    Item(Vec<u8>),
}

/// Returns the part of a sort key that a name at this depth below a partition is; `None` if no key has it.
pub(super) fn part(name: &str, depth: usize) -> Option<Part> {
    let length = PARTS.get(depth).copied();
    if let Some(name) = name.strip_suffix(SUFFIX) {
        let end = unescape(name)?;
        let fits = !end.is_empty() && length.is_none_or(|length| end.len() <= length);
        return fits.then_some(Part::Item(end));
    }
    let folder = unescape(name)?;
    (Some(folder.len()) == length).then_some(Part::Folder(folder))
}

/// Returns the partition that a folder below these stripes is; `None` if it is none, or one of other stripes.
pub(super) fn partition(name: &str, digits: &str) -> Option<String> {
    let pk = String::from_utf8(unescape(name)?).ok()?;
    (!pk.is_empty() && stripes(&pk).concat() == digits).then_some(pk)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"#@+=_-".contains(&byte)
}

fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if is_plain(*byte) {
            text.push(char::from(*byte));
        } else {
            text.push('%');
            text.push_str(&hex::encode_upper([*byte]));
        }
    }
    text
}

/// Reverses [`escape`]; `None` for a text that it does not write.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if is_plain(*first) {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).filter(|_| *first == b'%')?;
        bytes.extend(hex::decode(digits).ok()?);
        rest = after;
    }
    (escape(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_can_be_read_by_people() {
        let path = |pk: &str, sk: &str| of_item(&Key::new(pk, sk)).split_off(1 + STRIPES).join("/");
        assert_eq!(path("P#app", "V#0000000000000042"), "P#app/V#/0000000/000000/042.json");
        assert_eq!(path("P#app", "H"), "P#app/H.json");
        assert_eq!(path("T#team/app", "t#live"), "T#team%2Fapp/t#/live.json");
        assert_eq!(path("D#1", ".."), "D#1/%2E%2E.json");
        assert_eq!(path("é", "~"), "%C3%A9/%7E.json");
    }

    #[test]
    fn only_names_that_are_written_are_read() {
        for name in
            ["%2e.json", "%41.json", "a b.json", "%4.json", ".json", "%C3%A9%A9.json", "abc.json", "a"]
        {
            assert_eq!(part(name, 0), None, "{name}");
        }
        assert_eq!(part("V#", 0), Some(Part::Folder(b"V#".to_vec())));
        assert_eq!(part("V#.json", 0), Some(Part::Item(b"V#".to_vec())));
        assert_eq!(part("0000000", 3), None);
        let [a, b, c] = stripes("P#app");
        assert_eq!(partition("P#app", &format!("{a}{b}{c}")).as_deref(), Some("P#app"));
        assert_eq!(partition("P#app", "000"), None);
    }

    proptest! {
        #[test]
        fn a_path_is_read_back(pk in ".{1,20}", sk in ".{1,40}") {
            let mut path = of_item(&Key::new(pk.clone(), sk.clone())).into_iter();
            let first = path.next();
            prop_assert_eq!(first.as_deref(), Some(ITEMS));
            let digits: String = path.by_ref().take(STRIPES).collect();
            prop_assert_eq!(partition(&path.next().unwrap(), &digits), Some(pk));
            let mut read = Vec::new();
            for (depth, name) in path.enumerate() {
                prop_assert!(!name.starts_with('.') && !name.contains('/'));
                match part(&name, depth).unwrap() {
                    Part::Folder(part) | Part::Item(part) => read.extend(part),
                }
            }
            prop_assert_eq!(String::from_utf8(read), Ok(sk));
        }
    }
}
