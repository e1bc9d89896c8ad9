//! The nodes of items, below the stripes of their partitions.

use crate::table::{Key, tree};
use sha2::{Digest, Sha256};

/// The number of stripes. Two transactions that change the same stripe at the same time exclude each other.
pub(super) const STRIPES: u16 = 1024;

/// The paths of the nodes of a table.
#[derive(Debug)]
pub(super) struct Paths {
    root: String,
}

impl Paths {
    pub(super) fn new(root: String) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// Returns the nodes above the root, from the highest one.
    pub(super) fn above_root(&self) -> Vec<&str> {
        self.root.match_indices('/').skip(1).map(|(at, _)| &self.root[..at]).collect()
    }

    pub(super) fn stripe(&self, stripe: u16) -> String {
        format!("{}/{stripe:03x}", self.root)
    }

    pub(super) fn partition(&self, pk: &str) -> String {
        format!("{}/{}", self.stripe(stripe(pk)), tree::name(pk.as_bytes()))
    }

    pub(super) fn item(&self, key: &Key) -> String {
        format!("{}/{}", self.partition(&key.pk), tree::steps(&key.sk).join("/"))
    }

    /// Returns the folders above an item and below its stripe, from the highest one.
    pub(super) fn folders(&self, key: &Key) -> Vec<String> {
        let mut folders = vec![self.partition(&key.pk)];
        let mut steps = tree::steps(&key.sk);
        steps.pop();
        for step in steps {
            folders.push(format!("{}/{step}", folders[folders.len() - 1]));
        }
        folders
    }
}

/// Returns the stripe of a partition.
pub(super) fn stripe(pk: &str) -> u16 {
    let hash = Sha256::digest(pk);
    u16::from_be_bytes([hash[0], hash[1]]) % STRIPES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_spread_over_the_stripes() {
        let used: std::collections::BTreeSet<_> = (0..20_000).map(|n| stripe(&format!("P#{n}"))).collect();
        assert_eq!((used.len(), used.last()), (1024, Some(&1023)));
        // Stored ledgers depend on it.
        assert_eq!([stripe("M"), stripe("P#app")], [242, 633]);
    }

    #[test]
    fn an_item_is_below_its_folders() {
        let paths = Paths::new("/a/b".to_owned());
        assert_eq!(paths.above_root(), ["/a"]);
        let key = Key::new("P#app", "V#0000000000001042");
        let stripe = paths.stripe(stripe("P#app"));
        let folders = paths.folders(&key);
        let expected = ["P#app", "P#app/V#", "P#app/V#/0000000", "P#app/V#/0000000/000001"];
        assert_eq!(folders, expected.map(|folder| format!("{stripe}/{folder}")));
        assert_eq!(paths.item(&key), format!("{}/042.json", folders[3]));
        assert!(stripe.starts_with("/a/b/") && stripe.len() == 8, "{stripe}");
    }
}
