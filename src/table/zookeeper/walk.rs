//! A walk through the nodes of a table, in the order of its items.

use super::{
    faults,
    paths::{STRIPES, stripe},
    table::ZookeeperTable,
    view,
};
use crate::{
    fault::Fault,
    table::{
        Item, Key, Order, Page,
        tree::{self, Child, Range},
    },
};
use zookeeper_client::{Client, Error, MultiReadResult};

/// The maximum number of items on a page.
const PAGE: u32 = 500;

/// The maximum number of folders that are listed in one request.
const FOLDERS: usize = 128;

/// A node that the walk has found, and not yet visited.
#[derive(Debug)]
enum Found {
    Stripe(u16),
    /// A partition, or a folder in it.
    Folder {
        path: String,
        pk: String,
        prefix: Vec<u8>,
    },
    Item(Key),
}

/// A walk: the nodes that are still to be visited, the next one last.
#[derive(Debug)]
pub(super) struct Walk {
    rest: Vec<Found>,
    order: Order,
    /// Only these sort keys of the first partition.
    range: Option<(String, Range)>,
    /// Only the partitions of the first stripe from this one on.
    begin: Option<(u16, String)>,
}

impl Walk {
    /// Returns the walk through a range of one partition.
    pub(super) fn of_partition(pk: &str, range: Range, order: Order) -> Self {
        let first = Found::Folder { path: String::new(), pk: pk.to_owned(), prefix: Vec::new() };
        Self { rest: vec![first], order, range: Some((pk.to_owned(), range)), begin: None }
    }

    /// Returns the walk through all items after this one.
    pub(super) fn of_table(after: Option<&Key>) -> Self {
        let first = after.map_or(0, |key| stripe(&key.pk));
        Self {
            rest: (first..STRIPES).rev().map(Found::Stripe).collect(),
            order: Order::Ascending,
            range: after.map(|key| (key.pk.clone(), Range::after(&key.sk))),
            begin: after.map(|key| (first, key.pk.clone())),
        }
    }

    /// Reads the first items of the walk, at most `limit`.
    pub(super) async fn page(mut self, table: &ZookeeperTable, limit: u32) -> Result<Page<Key>, Fault> {
        let doing = table.reading();
        let client = table.session.client(&doing).await?;
        // Answered before anything that is requested below.
        let barrier = view::barrier(&client, &table.paths);
        let limit = limit.clamp(1, PAGE) as usize;
        let walked = self.keys(table, &client, limit, &doing).await;
        let barrier = table.session.answer(&client, &doing, barrier).await?;
        barrier.map_err(|error| faults::of(&doing, error))?;
        let mut keys = walked?;
        let more = keys.len() > limit;
        keys.truncate(limit);
        let next = keys.last().cloned().filter(|_| more);
        let paths: Vec<_> = keys.iter().map(|key| table.paths.item(key)).collect();
        let nodes = table.session.answer(&client, &doing, view::nodes(&client, &paths)).await?;
        let nodes = nodes.map_err(|error| faults::of(&doing, error))?;
        let mut items: Vec<(Key, Item)> = Vec::new();
        for (key, node) in keys.into_iter().zip(nodes) {
            // An item that was removed meanwhile is left out.
            if let Some(item) = view::item(&doing, &key, node)? {
                items.push((key, item));
            }
        }
        Ok(Page { items, next })
    }

    /// Finds the first keys, and one more than `limit` if there are more.
    async fn keys(
        &mut self,
        table: &ZookeeperTable,
        client: &Client,
        limit: usize,
        doing: &str,
    ) -> Result<Vec<Key>, Fault> {
        let mut keys = Vec::new();
        // Most ranges are in few folders; the longer the walk, the more are listed at once.
        let mut at_once = 2;
        while let Some(node) = self.rest.pop() {
            if keys.len() > limit {
                break;
            }
            if let Found::Item(key) = node {
                keys.push(key);
                continue;
            }
            self.rest.push(node);
            let folders = self
                .rest
                .iter()
                .rev()
                .take_while(|node| !matches!(node, Found::Item(_)))
                .take(at_once)
                .count();
            let folders = self.rest.split_off(self.rest.len() - folders);
            let paths = folders.iter().map(|folder| path(table, folder)).collect::<Vec<_>>();
            let listed = table.session.answer(client, doing, children(client, &paths)).await?;
            let listed = listed.map_err(|error| faults::of(doing, error))?;
            for ((folder, path), names) in folders.into_iter().zip(paths).zip(listed) {
                self.visit(&folder, &path, &names);
            }
            at_once = (at_once * 2).min(FOLDERS);
        }
        Ok(keys)
    }

    /// Adds the children of a folder to the rest of the walk, the first one last.
    fn visit(&mut self, folder: &Found, path: &str, names: &[String]) {
        match folder {
            Found::Stripe(stripe) => {
                let mut partitions: Vec<_> =
                    names.iter().filter_map(|name| String::from_utf8(tree::bytes(name)?).ok()).collect();
                if let Some((_, begin)) = self.begin.as_ref().filter(|(first, _)| first == stripe) {
                    partitions.retain(|pk| pk >= begin);
                }
                partitions.sort();
                let found = |pk: String| Found::Folder { path: String::new(), pk, prefix: Vec::new() };
                self.rest.extend(partitions.into_iter().rev().map(found));
            }
            Found::Folder { pk, prefix, .. } => {
                let range = self.range.as_ref().filter(|(of, _)| of == pk).map(|(_, range)| range);
                let mut children: Vec<_> = names
                    .iter()
                    .filter_map(|name| Some((Child::new(prefix, name)?, name)))
                    .filter(|(child, _)| range.is_none_or(|range| range.meets(child)))
                    .collect();
                children.sort();
                if self.order == Order::Ascending {
                    children.reverse();
                }
                self.rest.extend(children.into_iter().filter_map(|(child, name)| {
                    let pk = pk.clone();
                    if child.is_folder {
                        return Some(Found::Folder { path: format!("{path}/{name}"), pk, prefix: child.key });
                    }
                    Some(Found::Item(Key { pk, sk: String::from_utf8(child.key).ok()? }))
                }));
            }
            Found::Item(_) => {}
        }
    }
}

fn path(table: &ZookeeperTable, folder: &Found) -> String {
    match folder {
        Found::Stripe(stripe) => table.paths.stripe(*stripe),
        Found::Folder { path, pk, .. } if path.is_empty() => table.paths.partition(pk),
        Found::Folder { path, .. } => path.clone(),
        Found::Item(key) => table.paths.item(key),
    }
}

/// Lists folders, in the order of their paths; one that does not exist has no children.
async fn children(client: &Client, paths: &[String]) -> Result<Vec<Vec<String>>, Error> {
    let mut reader = client.new_multi_reader();
    paths.iter().try_for_each(|path| reader.add_get_children(path))?;
    let answers = reader.commit().await?;
    let names = |answer| match answer {
        MultiReadResult::Children { children } => Ok(children),
        MultiReadResult::Error { err: Error::NoNode } => Ok(Vec::new()),
        MultiReadResult::Error { err } => Err(err),
        _ => Err(Error::UnexpectedError("the answer to another request".to_owned())),
    };
    answers.into_iter().map(names).collect()
}
