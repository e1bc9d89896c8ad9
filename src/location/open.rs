//! Opening what a URL names.

#[cfg(any(feature = "s3", feature = "weak-s3-ledger"))]
use super::bucket::Bucket;
#[cfg(feature = "azure")]
use super::container::Container;
use super::error::Error;
#[cfg(feature = "hdfs")]
use super::folder::Folder;
#[cfg(feature = "git")]
use super::git::{GitPlace, GitRepository};
use super::url::{LedgerUrl, StoreUrl};
#[cfg(any(feature = "dynamodb", feature = "s3"))]
use crate::aws::BUSY;
#[cfg(feature = "azure")]
use crate::store::azure::AzureStore;
#[cfg(feature = "hdfs")]
use crate::store::hdfs::HdfsStore;
#[cfg(feature = "s3")]
use crate::store::s3::{S3Files, S3Store};
#[cfg(feature = "dynamodb")]
use crate::table::dynamodb::{DynamoTable, rows};
#[cfg(feature = "git")]
use crate::table::git::GitTable;
#[cfg(feature = "postgres")]
use crate::table::postgres::{PostgresTable, Standard};
#[cfg(feature = "sqlite")]
use crate::table::sqlite::SqliteTable;
#[cfg(feature = "zookeeper")]
use crate::table::zookeeper::{Login, ZookeeperTable};
use crate::{
    aws::Aws,
    fault::{Fault, FaultKind},
    ledger::Ledger,
    retry::RetryPolicy,
    store::{
        Store,
        directory::DirectoryStore,
        named::{DirectoryFiles, NamedFiles},
    },
};
#[cfg(feature = "weak-s3-ledger")]
use crate::{aws::S3Objects, ledger::WeakS3Ledger};
use serde_json::{Map, Value};
use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Settings of uploads in parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uploading {
    /// The folder in which this client remembers the uploads it began, so that it can resume them; made when
    /// needed.
    pub folder: Option<PathBuf>,
    /// The most parts under way at once, and the number at the start. `None`: it adapts.
    pub jobs: Option<NonZeroUsize>,
}

/// Opens a store. Nothing is made or checked: that is for `init`, and for what is done with it.
///
/// # Errors
/// [`FaultKind::Denied`] without credentials, [`FaultKind::Misconfigured`] without a region, and
/// [`FaultKind::Unavailable`] or [`FaultKind::Unsent`] if the source of either has no answer until the deadline of
/// `retry_policy`.
#[cfg_attr(not(feature = "s3"), allow(unused_variables))]
pub async fn open_store(
    store: &StoreUrl,
    aws: &Aws,
    retry_policy: &RetryPolicy,
    uploading: Uploading,
) -> Result<Arc<dyn Store>, Fault> {
    Ok(match store {
        #[cfg(not(feature = "s3"))]
        StoreUrl::S3(_) => return Err(not_built("store URL", store, "s3")),
        #[cfg(feature = "s3")]
        StoreUrl::S3(Bucket { bucket, prefix, endpoint }) => {
            let Uploading { folder, jobs } = uploading;
            let client = within(retry_policy, || aws.s3(endpoint)).await?;
            let store = S3Store::new(client, bucket, prefix, folder);
            Arc::new(match jobs {
                Some(jobs) => store.with_jobs(jobs),
                None => store,
            })
        }
        #[cfg(not(feature = "azure"))]
        StoreUrl::Azure(_) => return Err(not_built("store URL", store, "azure")),
        #[cfg(feature = "azure")]
        StoreUrl::Azure(Container { account, container, prefix, endpoint }) => {
            let store = AzureStore::new(aws, account, container, prefix, endpoint.as_deref()).await?;
            Arc::new(match uploading.jobs {
                Some(jobs) => store.with_jobs(jobs),
                None => store,
            })
        }
        #[cfg(not(feature = "hdfs"))]
        StoreUrl::Hdfs(_) => return Err(not_built("store URL", store, "hdfs")),
        #[cfg(feature = "hdfs")]
        StoreUrl::Hdfs(Folder { namenode, path }) => Arc::new(HdfsStore::new(namenode, path)?),
        StoreUrl::Directory(directory) => Arc::new(DirectoryStore::new(directory.clone())),
    })
}

/// Opens a ledger, as [`open_store`] opens a store. Clones of remote git repositories are in `cache`; without it, in a
/// temporary folder for each.
///
/// # Errors
/// The errors of [`open_store`].
#[allow(unused_variables, unreachable_code, reason = "a build with few back ends")]
pub async fn open_ledger(
    ledger: &LedgerUrl,
    aws: &Aws,
    retry_policy: RetryPolicy,
    cache: Option<&Path>,
) -> Result<Arc<dyn Ledger>, Fault> {
    Ok(match ledger {
        #[cfg(not(feature = "dynamodb"))]
        LedgerUrl::Dynamo { .. } => return Err(not_built("ledger URL", ledger, "dynamodb")),
        #[cfg(feature = "dynamodb")]
        LedgerUrl::Dynamo { table, endpoint } => {
            let client = within(&retry_policy, || aws.dynamodb(endpoint)).await?;
            let table = DynamoTable::new(client, table.clone());
            let ledger = crate::ledger::TableLedger::new(Arc::new(table), retry_policy);
            Arc::new(ledger.with_server_time(aws.dynamodb_time()))
        }
        #[cfg(not(feature = "postgres"))]
        LedgerUrl::Postgres(_) => return Err(not_built("ledger URL", ledger, "postgres")),
        #[cfg(feature = "postgres")]
        LedgerUrl::Postgres(place) => {
            let table = PostgresTable::new(place.clone(), Standard::of_process());
            let time = table.server_time();
            let ledger = crate::ledger::TableLedger::new(Arc::new(table), retry_policy);
            Arc::new(ledger.with_server_time(time))
        }
        #[cfg(not(feature = "sqlite"))]
        LedgerUrl::Directory(_) => return Err(not_built("ledger URL", ledger, "sqlite")),
        #[cfg(feature = "sqlite")]
        LedgerUrl::Directory(directory) => {
            Arc::new(crate::ledger::TableLedger::new(Arc::new(SqliteTable::open(directory)), retry_policy))
        }
        #[cfg(not(feature = "git"))]
        LedgerUrl::Git(_) => return Err(not_built("ledger URL", ledger, "git")),
        #[cfg(feature = "git")]
        LedgerUrl::Git(GitPlace { repository, reference }) => {
            let table = match repository {
                GitRepository::Directory(directory) => GitTable::local(directory, reference, cache),
                GitRepository::Remote(url) => GitTable::remote(url, reference, cache)?,
            };
            let table = table.named(ledger.to_string());
            Arc::new(crate::ledger::TableLedger::new(Arc::new(table), retry_policy))
        }
        #[cfg(not(feature = "zookeeper"))]
        LedgerUrl::Zookeeper(_) => return Err(not_built("ledger URL", ledger, "zookeeper")),
        #[cfg(feature = "zookeeper")]
        LedgerUrl::Zookeeper(place) => {
            let login = place.user.as_ref().map(|(user, file)| Login::new(user, file));
            let table = ZookeeperTable::new(&place.servers, &place.root, login);
            Arc::new(crate::ledger::TableLedger::new(Arc::new(table), retry_policy))
        }
        #[cfg(feature = "weak-s3-ledger")]
        LedgerUrl::WeakS3(Bucket { bucket, prefix, endpoint }) => {
            let client = within(&retry_policy, || aws.s3(endpoint)).await?;
            let objects = S3Objects::new(client, bucket, prefix);
            Arc::new(WeakS3Ledger::new(Arc::new(objects), retry_policy))
        }
    })
}

/// Opens the files of another program. Nothing is read.
///
/// # Errors
/// The errors of [`open_store`]; [`FaultKind::Misconfigured`] for a store whose files have no names.
#[cfg_attr(not(feature = "s3"), allow(unused_variables, clippy::unused_async))]
pub async fn open_files(
    files: &StoreUrl,
    aws: &Aws,
    retry_policy: &RetryPolicy,
) -> Result<Arc<dyn NamedFiles>, Fault> {
    Ok(match files {
        #[cfg(not(feature = "s3"))]
        StoreUrl::S3(_) => return Err(not_built("store URL", files, "s3")),
        #[cfg(feature = "s3")]
        StoreUrl::S3(Bucket { bucket, prefix, endpoint }) => {
            let client = within(retry_policy, || aws.s3(endpoint)).await?;
            Arc::new(S3Files::new(client, bucket, prefix))
        }
        StoreUrl::Directory(directory) => Arc::new(DirectoryFiles::new(directory.clone())),
        #[allow(unreachable_patterns, reason = "a build without other stores")]
        _ => {
            let why = "only a directory or a bucket in S3 has files of other programs";
            return Err(Fault::new(FaultKind::Misconfigured, format!("reading {files}"), why));
        }
    })
}

/// Reads all items of a table of another program, page by page.
///
/// # Errors
/// The errors of [`open_ledger`] and those of the pages; [`FaultKind::Misconfigured`] for anything but a table in
/// DynamoDB.
#[cfg_attr(not(feature = "dynamodb"), allow(unused_variables, clippy::unused_async))]
pub async fn read_rows(
    table: &LedgerUrl,
    aws: &Aws,
    retry_policy: &RetryPolicy,
) -> Result<Vec<Map<String, Value>>, Fault> {
    match table {
        #[cfg(not(feature = "dynamodb"))]
        LedgerUrl::Dynamo { .. } => Err(not_built("ledger URL", table, "dynamodb")),
        #[cfg(feature = "dynamodb")]
        LedgerUrl::Dynamo { table, endpoint } => {
            let client = within(retry_policy, || aws.dynamodb(endpoint)).await?;
            let (mut all, mut after) = (Vec::new(), None);
            let doing = format!("reading the table `{table}`");
            loop {
                let page = retry_policy.run(&doing, || rows(&client, table, after.clone())).await?;
                all.extend(page.0);
                after = page.1;
                if after.is_none() {
                    return Ok(all);
                }
            }
        }
        _ => {
            let why = "only a table in DynamoDB has rows";
            Err(Fault::new(FaultKind::Misconfigured, format!("reading {table}"), why))
        }
    }
}

/// Returns the fault of a back end that this build does not have, for a place that was not parsed from a URL; parsing
/// its URL fails with the same error.
#[allow(dead_code, reason = "a build with all back ends")]
fn not_built(what: &'static str, url: &impl ToString, feature: &'static str) -> Fault {
    let source = Error::NotBuilt { what, url: url.to_string(), feature };
    Fault::new(FaultKind::Misconfigured, "opening the back end", source)
}

/// Connects, within the deadline: where the credentials and the region come from may be busy, or hang.
#[cfg(any(feature = "dynamodb", feature = "s3"))]
async fn within<T, F>(retry_policy: &RetryPolicy, connect: impl FnMut() -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    // Boxed: what gives credentials makes a large future.
    let connecting = Box::pin(retry_policy.run("connecting", connect));
    tokio::time::timeout(retry_policy.deadline(), connecting).await.unwrap_or_else(|_| {
        let source = "the source of the credentials, or of the region, did not answer";
        Err(Fault { remedy: Some(BUSY), ..Fault::new(FaultKind::Unsent, "connecting", source) })
    })
}
