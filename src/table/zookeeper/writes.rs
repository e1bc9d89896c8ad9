//! A transaction as one `multi`.

use super::{
    faults,
    paths::stripe,
    table::ZookeeperTable,
    view::{self, TRIES, Versions},
};
use crate::{
    failpoint::reach,
    fault::{Fault, FaultKind},
    table::{Change, Item, Key, TransactError, Transaction, canonical::canonical, decide},
};
use std::collections::{BTreeSet, HashMap, HashSet};
use zookeeper_client::{Client, Error, MultiWriteError};

/// The maximum size of a request, with some room: servers close the connection at 1,048,575 bytes (`jute.maxbuffer`),
/// which looks like any lost connection.
const MOST_BYTES: usize = 1_000_000;

/// The size of an operation in a request, without its path, its data and the access control list.
const OPERATION: usize = 64;

const TOO_LARGE: &str = "nothing was changed; make smaller changes: fewer packages in a plan, or shorter messages and \
                         labels";

enum Failure {
    Overtaken,
    Fault(Fault),
}

pub(super) async fn transact(table: &ZookeeperTable, transaction: &Transaction) -> Result<(), TransactError> {
    if transaction.actions().is_empty() {
        return Ok(());
    }
    let doing = table.writing();
    for _ in 0..TRIES {
        let client = table.session.client(&doing).await.map_err(faults::unsent)?;
        let seen = Seen::read(table, &client, transaction, &doing).await.map_err(faults::unsent)?;
        let decided =
            decide(transaction, |key| Ok::<_, TransactError>(seen.items.get(key).cloned().flatten()));
        let sent = match &decided {
            Ok(after) => change(table, &client, &seen, after, &doing).await,
            Err(_) => confirm(table, &client, &seen, &doing).await,
        };
        match sent {
            Ok(()) => return decided.map(drop),
            Err(Failure::Overtaken) => {}
            Err(Failure::Fault(fault)) => return Err(fault.into()),
        }
    }
    let source = format!("others changed it before each of {TRIES} attempts");
    Err(Fault::new(FaultKind::Contended, doing, source).into())
}

/// The state that a transaction is decided on: it holds as long as the stripes have these versions.
struct Seen {
    versions: Versions,
    items: HashMap<Key, Option<Item>>,
    /// The folders that exist, of those above the items that the transaction may write.
    folders: HashSet<String>,
}

impl Seen {
    /// Reads from the server that the client is connected to, even if it lags behind: then its versions are old, and
    /// the transaction fails. The stripes are read first, so no item is older than they are.
    async fn read(
        table: &ZookeeperTable,
        client: &Client,
        transaction: &Transaction,
        doing: &str,
    ) -> Result<Self, Fault> {
        let actions = transaction.actions();
        let stripes: BTreeSet<u16> = actions.iter().map(|action| stripe(&action.key.pk)).collect();
        let writes =
            actions.iter().filter(|action| matches!(action.change, Change::Put(_) | Change::Update { .. }));
        let folders: BTreeSet<_> = writes.flat_map(|action| table.paths.folders(&action.key)).collect();
        let mut paths: Vec<_> = stripes.iter().map(|stripe| table.paths.stripe(*stripe)).collect();
        paths.extend(actions.iter().map(|action| table.paths.item(&action.key)));
        paths.extend(folders.iter().cloned());
        let nodes = table.session.answer(client, doing, view::nodes(client, &paths)).await?;
        let mut nodes = nodes.map_err(|error| faults::of(doing, error))?;
        let above = nodes.split_off(stripes.len() + actions.len());
        let items = nodes.split_off(stripes.len()).into_iter();
        let item = |(key, node): (&Key, view::Node)| Ok((key.clone(), view::item(doing, key, node)?));
        Ok(Self {
            versions: view::versions(doing, &stripes, &nodes)?,
            items: actions
                .iter()
                .map(|action| &action.key)
                .zip(items)
                .map(item)
                .collect::<Result<_, Fault>>()?,
            folders: folders
                .into_iter()
                .zip(above)
                .filter(|(_, node)| node.is_some())
                .map(|(path, _)| path)
                .collect(),
        })
    }
}

/// Sends the changes.
async fn change(
    table: &ZookeeperTable,
    client: &Client,
    seen: &Seen,
    after: &[(Key, Option<Item>)],
    doing: &str,
) -> Result<(), Failure> {
    let changed: BTreeSet<u16> = after.iter().map(|(key, _)| stripe(&key.pk)).collect();
    let (node, mut folders) = (table.session.node(), seen.folders.clone());
    let mut multi = client.new_multi_writer();
    let mut size = OPERATION;
    let mut add = |path: &str, data: &[u8]| size += OPERATION + path.len() + data.len();
    let built = (|| {
        for (stripe, version) in &seen.versions {
            let path = table.paths.stripe(*stripe);
            add(&path, b"");
            if changed.contains(stripe) {
                multi.add_set_data(&path, b"", Some(*version))?;
            } else {
                multi.add_check_version(&path, *version)?;
            }
        }
        for (key, item) in after {
            let exists = seen.items.get(key).is_some_and(Option::is_some);
            let path = table.paths.item(key);
            let Some(item) = item else {
                if exists {
                    add(&path, b"");
                    multi.add_delete(&path, None)?;
                }
                continue;
            };
            let data = canonical(&serde_json::Value::Object(item.clone()));
            add(&path, data.as_bytes());
            if exists {
                multi.add_set_data(&path, data.as_bytes(), None)?;
                continue;
            }
            for folder in table.paths.folders(key) {
                if folders.insert(folder.clone()) {
                    add(&folder, b"");
                    multi.add_create(&folder, b"", &node)?;
                }
            }
            multi.add_create(&path, data.as_bytes(), &node)?;
        }
        Ok(())
    })();
    built.map_err(|error| Failure::Fault(faults::of(doing, error)))?;
    if size > MOST_BYTES {
        let source = format!("a transaction of {size} bytes; ZooKeeper takes at most {MOST_BYTES}");
        let fault = Fault::new(FaultKind::Misconfigured, doing, source);
        return Err(Failure::Fault(Fault { remedy: Some(TOO_LARGE), ..fault }));
    }
    reach("zookeeper-decided");
    let sent = multi.commit();
    reach("zookeeper-sent");
    let answer = table.session.answer(client, doing, sent).await;
    judge(answer, doing)
}

/// Confirms that nothing that was seen has changed.
async fn confirm(table: &ZookeeperTable, client: &Client, seen: &Seen, doing: &str) -> Result<(), Failure> {
    let mut multi = client.new_multi_writer();
    for (stripe, version) in &seen.versions {
        let added = multi.add_check_version(&table.paths.stripe(*stripe), *version);
        added.map_err(|error| Failure::Fault(faults::of(doing, error)))?;
    }
    let answer = table.session.answer(client, doing, multi.commit()).await;
    judge(answer, doing).map_err(|failure| match failure {
        Failure::Fault(fault) => Failure::Fault(faults::unsent(fault)),
        Failure::Overtaken => Failure::Overtaken,
    })
}

fn judge<T>(answer: Result<Result<T, MultiWriteError>, Fault>, doing: &str) -> Result<(), Failure> {
    match answer.map_err(Failure::Fault)? {
        Ok(_) => Ok(()),
        // The stripe; or a node that was made or removed by hand.
        Err(MultiWriteError::OperationFailed {
            source: Error::BadVersion | Error::NodeExists | Error::NoNode | Error::NotEmpty,
            ..
        }) => Err(Failure::Overtaken),
        Err(error) => Err(Failure::Fault(faults::of(doing, error.into()))),
    }
}
