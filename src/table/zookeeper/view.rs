//! Items, with the versions of the stripes that guard them.

use super::{
    faults,
    paths::{Paths, stripe},
    table::ZookeeperTable,
};
use crate::{
    fault::{Fault, FaultKind},
    table::{Item, Key, MAX_ACTIONS},
};
use futures_util::future::{join, try_join_all};
use std::collections::{BTreeMap, BTreeSet};
use zookeeper_client::{Client, Error, MultiReadResult, Stat};

/// The maximum number of nodes in one request.
const NODES: usize = 200;

/// The number of times that something is tried at once while others keep changing it.
pub(super) const TRIES: usize = 8;

/// The data and the state of a node, if it exists.
pub(super) type Node = Option<(Vec<u8>, Stat)>;

/// The versions of stripes.
pub(super) type Versions = BTreeMap<u16, i32>;

/// Requests nodes, in the order of their paths. The requests are sent by the call, not by the wait for the answers.
pub(super) fn nodes(
    client: &Client,
    paths: &[String],
) -> impl Future<Output = Result<Vec<Node>, Error>> + Send {
    let sent: Result<Vec<_>, Error> = paths
        .chunks(NODES)
        .map(|some| {
            let mut reader = client.new_multi_reader();
            some.iter().try_for_each(|path| reader.add_get_data(path))?;
            Ok(reader.commit())
        })
        .collect();
    async move {
        let answers = try_join_all(sent?).await?;
        answers.into_iter().flatten().map(node).collect()
    }
}

fn node(answer: MultiReadResult) -> Result<Node, Error> {
    match answer {
        MultiReadResult::Data { data, stat } => Ok(Some((data, stat))),
        MultiReadResult::Error { err: Error::NoNode } => Ok(None),
        MultiReadResult::Error { err } => Err(err),
        _ => Err(Error::UnexpectedError("the answer to another request".to_owned())),
    }
}

/// Requests that all changes are visible that were acknowledged before: a transaction that only checks that the root
/// exists. Sent by the call.
pub(super) fn barrier(client: &Client, paths: &Paths) -> impl Future<Output = Result<(), Error>> + Send {
    let mut multi = client.new_multi_writer();
    let added = multi.add_check_version(paths.root(), -1);
    let sent = multi.commit();
    async move {
        added?;
        sent.await?;
        Ok(())
    }
}

/// Reads nodes after a barrier, in one round trip.
async fn newest(
    table: &ZookeeperTable,
    client: &Client,
    paths: &[String],
    doing: &str,
) -> Result<Vec<Node>, Fault> {
    let sent = join(barrier(client, &table.paths), nodes(client, paths));
    let (barrier, nodes) = table.session.answer(client, doing, sent).await?;
    barrier.map_err(|error| faults::of(doing, error))?;
    nodes.map_err(|error| faults::of(doing, error))
}

/// Reads items, each consistently.
pub(super) async fn get_many(table: &ZookeeperTable, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let doing = table.reading();
    let client = table.session.client(&doing).await?;
    let paths: Vec<_> = keys.iter().map(|key| table.paths.item(key)).collect();
    let nodes = newest(table, &client, &paths, &doing).await?;
    keys.iter().zip(nodes).map(|(key, node)| item(&doing, key, node)).collect()
}

/// Reads items as one snapshot: their stripes are the same before and after.
pub(super) async fn get_transact(table: &ZookeeperTable, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
    debug_assert!(keys.len() <= MAX_ACTIONS);
    if keys.len() < 2 {
        return get_many(table, keys).await;
    }
    let doing = table.reading();
    let stripes: BTreeSet<u16> = keys.iter().map(|key| stripe(&key.pk)).collect();
    let guards: Vec<_> = stripes.iter().map(|stripe| table.paths.stripe(*stripe)).collect();
    let items = keys.iter().map(|key| table.paths.item(key));
    let paths: Vec<_> = guards.iter().cloned().chain(items).chain(guards.iter().cloned()).collect();
    for _ in 0..TRIES {
        let client = table.session.client(&doing).await?;
        let mut nodes = newest(table, &client, &paths, &doing).await?;
        let after = versions(&doing, &stripes, &nodes.split_off(guards.len() + keys.len()))?;
        let items = nodes.split_off(guards.len());
        if versions(&doing, &stripes, &nodes)? == after {
            return keys.iter().zip(items).map(|(key, node)| item(&doing, key, node)).collect();
        }
    }
    Err(Fault::new(FaultKind::Contended, doing, format!("it changed during each of {TRIES} reads")))
}

/// Returns the versions of stripes from their nodes.
pub(super) fn versions(doing: &str, stripes: &BTreeSet<u16>, nodes: &[Node]) -> Result<Versions, Fault> {
    let version = |(stripe, node): (&u16, &Node)| match node {
        Some((_, stat)) => Ok((*stripe, stat.version)),
        None => Err(Fault::new(FaultKind::Missing, doing, "it is not the root of a ledger")),
    };
    stripes.iter().zip(nodes).map(version).collect()
}

pub(super) fn item(doing: &str, key: &Key, node: Node) -> Result<Option<Item>, Fault> {
    let Some((data, _)) = node else { return Ok(None) };
    let damaged = |error| Fault::new(FaultKind::Corrupt, doing, format!("the item {key}: {error}"));
    serde_json::from_slice(&data).map(Some).map_err(damaged)
}
