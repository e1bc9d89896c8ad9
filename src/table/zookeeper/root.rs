//! The root with its stripes.

use super::{faults, paths::STRIPES, table::ZookeeperTable};
use crate::{
    failpoint::reach,
    fault::{Fault, FaultKind},
    model::Created,
};
use zookeeper_client::{Client, Error, MultiWriteError, Stat};

/// The data of the root: the layout of the nodes below it.
const LAYOUT: &str = r#"{"layout":1,"stripes":1024}"#;

/// Creates the root with all of its stripes in one transaction, and before it the nodes above. An empty node that
/// somebody has made is taken: not every client may make one there.
pub(super) async fn create(table: &ZookeeperTable) -> Result<Created, Fault> {
    let doing = format!("creating the ledger in `{}`", table.paths.root());
    let client = table.session.client(&doing).await?;
    for path in table.paths.above_root() {
        match table.session.answer(&client, &doing, client.create(path, b"", &table.session.node())).await? {
            Ok(_) | Err(Error::NodeExists) => {}
            // The node may be there, and its parent may not be written to.
            Err(Error::NoAuth) if stat(table, &client, path, &doing).await?.is_some() => {}
            Err(error) => return Err(faults::of(&doing, error)),
        }
    }
    let there = match read(table, &client, &doing).await? {
        Some((data, _)) if data == LAYOUT.as_bytes() => return Ok(Created::Present),
        Some((data, stat)) if data.is_empty() && stat.num_children == 0 => Some(stat.version),
        Some(_) => {
            let source = "there is such a node, and it is not the root of a ledger of this release";
            return Err(Fault::new(FaultKind::Misconfigured, doing, source));
        }
        None => None,
    };
    let (root, node, mut multi) = (table.paths.root(), table.session.node(), client.new_multi_writer());
    let built = match there {
        Some(version) => multi.add_set_data(root, LAYOUT.as_bytes(), Some(version)),
        None => multi.add_create(root, LAYOUT.as_bytes(), &node),
    };
    let stripe = |stripe| multi.add_create(&table.paths.stripe(stripe), b"", &node);
    built.and((0..STRIPES).try_for_each(stripe)).map_err(|error| faults::of(&doing, error))?;
    reach("zookeeper-root-decided");
    match table.session.answer(&client, &doing, multi.commit()).await? {
        Ok(_) => Ok(Created::Made),
        // Another client was faster.
        Err(MultiWriteError::OperationFailed {
            source: Error::NodeExists | Error::BadVersion | Error::NoNode,
            ..
        }) => Err(Fault::new(FaultKind::Contended, doing, "it is being created")),
        Err(error) => Err(faults::of(&doing, error.into())),
    }
}

/// Returns the identity of the root.
pub(super) async fn home(table: &ZookeeperTable) -> Result<Option<String>, Fault> {
    let doing = table.reading();
    let client = table.session.client(&doing).await?;
    let root = table.paths.root();
    let found = stat(table, &client, root, &doing).await?;
    Ok(found.map(|stat| format!("zookeeper:{root}@{:x}-{:x}", stat.czxid, stat.ctime)))
}

/// Reads the root, if it exists.
async fn read(
    table: &ZookeeperTable,
    client: &Client,
    doing: &str,
) -> Result<Option<(Vec<u8>, Stat)>, Fault> {
    match table.session.answer(client, doing, client.get_data(table.paths.root())).await? {
        Ok(found) => Ok(Some(found)),
        Err(Error::NoNode) => Ok(None),
        Err(error) => Err(faults::of(doing, error)),
    }
}

async fn stat(
    table: &ZookeeperTable,
    client: &Client,
    path: &str,
    doing: &str,
) -> Result<Option<Stat>, Fault> {
    let found = table.session.answer(client, doing, client.check_stat(path)).await?;
    found.map_err(|error| faults::of(doing, error))
}
