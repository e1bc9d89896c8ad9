//! The path of each item in the tree of a commit.
//!
//! `items/7/f/3/P#app/V#/0000000/000000/042.json` holds the item `P#app`, `V#0000000000000042`. The first three folders
//! are digits of the sha256 of the partition, so that no folder has many partitions. Below the partition, the path is
//! that of `src/table/tree.rs`: a dot is only in the end of an item's name, no folder has the name of an item, and no name
//! means anything to git.

use crate::table::{Key, tree};
use sha2::{Digest, Sha256};

/// The folder of all items, in the root of the tree.
pub(super) const ITEMS: &str = "items";
/// The number of folders above a partition.
pub(super) const STRIPES: usize = 3;

/// Returns the folders above a partition, from below [`ITEMS`].
pub(super) fn stripes(pk: &str) -> [String; STRIPES] {
    let digits = hex::encode(Sha256::digest(pk));
    std::array::from_fn(|at| digits[at..=at].to_owned())
}

/// Returns the names on the way from the root to a partition's folder.
pub(super) fn of_partition(pk: &str) -> Vec<String> {
    let mut path = vec![ITEMS.to_owned()];
    path.extend(stripes(pk));
    path.push(tree::name(pk.as_bytes()));
    path
}

/// Returns the names on the way from the root to an item's file.
pub(super) fn of_item(key: &Key) -> Vec<String> {
    let mut path = of_partition(&key.pk);
    path.extend(tree::steps(&key.sk));
    path
}

/// Returns the partition that a folder below these stripes is; `None` if it is none, or one of other stripes.
pub(super) fn partition(name: &str, digits: &str) -> Option<String> {
    let pk = String::from_utf8(tree::bytes(name)?).ok()?;
    (!pk.is_empty() && stripes(&pk).concat() == digits).then_some(pk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tree::Child;
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
    fn a_partition_is_below_its_own_stripes() {
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
            for name in path {
                prop_assert!(!name.starts_with('.') && !name.contains('/'));
                read = Child::new(&read, &name).unwrap().key;
            }
            prop_assert_eq!(String::from_utf8(read), Ok(sk));
        }
    }
}
