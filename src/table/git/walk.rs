//! Finding items in the tree of one commit: single ones, ranges, and all.

use super::{
    objects::{Entry, EntryKind, Objects, Oid},
    paths,
};
use crate::{
    fault::{Fault, FaultKind},
    table::{
        Key, Order,
        tree::{Child, Range},
    },
};
use std::sync::Arc;

/// The place of an item in the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub key: Key,
    pub oid: Oid,
}

/// A reader of the tree of one commit.
pub(super) struct Walk<'a> {
    pub objects: &'a mut Objects,
    pub doing: &'a str,
    /// The root of the tree.
    pub root: &'a str,
}

/// A place that is still to be walked.
enum Node {
    Stripes { oid: Oid, digits: String },
    Keys { oid: Oid, pk: Arc<str>, prefix: Vec<u8> },
    Item(Found),
}

impl Walk<'_> {
    fn strange(&self, what: &str) -> Fault {
        let why = format!("its tree has {what:?}, which sacker does not write");
        Fault::new(FaultKind::Corrupt, self.doing, why)
    }

    /// Returns the entry at the end of a path; `None` if there is none.
    async fn entry(&mut self, path: &[String]) -> Result<Option<Entry>, Fault> {
        let mut entry = Entry { name: String::new(), kind: EntryKind::Tree, oid: self.root.to_owned() };
        for name in path {
            if entry.kind != EntryKind::Tree {
                return Err(self.strange(&entry.name));
            }
            let tree = self.objects.tree(self.doing, &entry.oid).await?;
            match tree.iter().find(|entry| entry.name == *name) {
                Some(found) => entry = found.clone(),
                None => return Ok(None),
            }
        }
        Ok(Some(entry))
    }

    /// Returns the object of an item; `None` if there is no item.
    pub async fn item(&mut self, key: &Key) -> Result<Option<Oid>, Fault> {
        match self.entry(&paths::of_item(key)).await? {
            Some(Entry { kind: EntryKind::File, oid, .. }) => Ok(Some(oid)),
            Some(other) => Err(self.strange(&other.name)),
            None => Ok(None),
        }
    }

    /// Returns the items of a range, at most `limit` of them.
    pub async fn range(
        &mut self,
        pk: &str,
        range: &Range,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Found>, Fault> {
        match self.entry(&paths::of_partition(pk)).await? {
            None => Ok(Vec::new()),
            Some(Entry { kind: EntryKind::Tree, oid, .. }) => {
                let keys = Node::Keys { oid, pk: pk.into(), prefix: Vec::new() };
                self.walk(vec![keys], None, Some(range), order, limit).await
            }
            Some(other) => Err(self.strange(&other.name)),
        }
    }

    /// Returns items of all partitions after this one, at most `limit` of them, in the order of their paths.
    pub async fn all(&mut self, after: Option<&Key>, limit: usize) -> Result<Vec<Found>, Fault> {
        match self.entry(&[paths::ITEMS.to_owned()]).await? {
            None => Ok(Vec::new()),
            Some(entry) => {
                let stripes = Node::Stripes { oid: entry.oid, digits: String::new() };
                self.walk(vec![stripes], after, None, Order::Ascending, limit).await
            }
        }
    }

    /// Walks depth first; the last of `nodes` comes first.
    async fn walk(
        &mut self,
        mut nodes: Vec<Node>,
        after: Option<&Key>,
        range: Option<&Range>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Found>, Fault> {
        let mut found = Vec::new();
        while let Some(node) = nodes.pop() {
            match node {
                Node::Item(item) => {
                    found.push(item);
                    if found.len() >= limit {
                        break;
                    }
                }
                Node::Stripes { oid, digits } => nodes.extend(self.below(&oid, &digits, after).await?),
                Node::Keys { oid, pk, prefix } => {
                    let rest = after.filter(|after| *after.pk == *pk).map(|after| Range::after(&after.sk));
                    let range = range.or(rest.as_ref());
                    nodes.extend(self.keys(&oid, &pk, &prefix, range, order).await?);
                }
            }
        }
        Ok(found)
    }

    /// Returns what is in a folder of stripes or of partitions, the last first.
    async fn below(&mut self, oid: &str, digits: &str, after: Option<&Key>) -> Result<Vec<Node>, Fault> {
        let start = after.map(|after| paths::stripes(&after.pk).concat());
        let tree = self.objects.tree(self.doing, oid).await?;
        let mut nodes = Vec::new();
        for entry in tree.iter() {
            if entry.kind != EntryKind::Tree {
                return Err(self.strange(&entry.name));
            }
            let oid = entry.oid.clone();
            if digits.len() < paths::STRIPES {
                let digits = format!("{digits}{}", entry.name);
                if !matches!(entry.name.as_bytes(), [b'0'..=b'9' | b'a'..=b'f']) {
                    return Err(self.strange(&entry.name));
                }
                if start.as_ref().is_none_or(|start| *digits >= start[..digits.len()]) {
                    nodes.push((digits.clone(), Node::Stripes { oid, digits }));
                }
                continue;
            }
            let pk = paths::partition(&entry.name, digits).ok_or_else(|| self.strange(&entry.name))?;
            let is_passed = after.is_some_and(|after| Some(digits) == start.as_deref() && pk < after.pk);
            if !is_passed {
                let keys = Node::Keys { oid, pk: pk.as_str().into(), prefix: Vec::new() };
                nodes.push((pk, keys));
            }
        }
        nodes.sort_by(|(one, _), (other, _)| other.cmp(one));
        Ok(nodes.into_iter().map(|(_, node)| node).collect())
    }

    /// Returns what is in a folder of a partition and may be in the range, the last first.
    async fn keys(
        &mut self,
        oid: &str,
        pk: &Arc<str>,
        prefix: &[u8],
        range: Option<&Range>,
        order: Order,
    ) -> Result<Vec<Node>, Fault> {
        let tree = self.objects.tree(self.doing, oid).await?;
        let mut children = Vec::new();
        for entry in tree.iter() {
            let strange = || self.strange(&entry.name);
            let child = Child::new(prefix, &entry.name).ok_or_else(strange)?;
            let kind = if child.is_folder { EntryKind::Tree } else { EntryKind::File };
            if entry.kind != kind {
                return Err(strange());
            }
            if range.is_none_or(|range| range.meets(&child)) {
                children.push((child, entry));
            }
        }
        children.sort_by(|(one, _), (other, _)| one.cmp(other));
        if order == Order::Ascending {
            children.reverse();
        }
        let node = |(child, entry): (Child, &Entry)| {
            let oid = entry.oid.clone();
            if child.is_folder {
                return Ok(Node::Keys { oid, pk: Arc::clone(pk), prefix: child.key });
            }
            let sk = String::from_utf8(child.key).map_err(|_| self.strange(&entry.name))?;
            Ok(Node::Item(Found { key: Key::new(&**pk, sk), oid }))
        };
        children.into_iter().map(node).collect()
    }
}
