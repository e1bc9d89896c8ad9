//! The client: where the store is, and its connection.

use super::{cursors::Cursors, faults::fault};
use crate::{fault::Fault, model::Address};
use hdfs_native::{Client, ClientBuilder};
use std::{fmt, sync::Arc};

/// A store in a folder of HDFS. See the [module](super).
#[derive(Clone)]
pub struct HdfsStore {
    pub(super) client: Client,
    pub(super) place: String,
    /// The folder, without a `/` at its end: empty for the root.
    pub(super) root: String,
    pub(super) cursors: Arc<Cursors>,
}

impl fmt::Debug for HdfsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HdfsStore").field("place", &self.place).finish_non_exhaustive()
    }
}

/// The port of a `NameNode` whose address has none, and which is no logical name of Hadoop's configuration.
const PORT: u16 = 8020;

impl HdfsStore {
    /// Returns the store in the folder `path` of a `NameNode`, as HOST:PORT, or of the logical name of several in
    /// Hadoop's configuration (`HADOOP_CONF_DIR`). Sends no request. The user is that of the Kerberos ticket or, in
    /// a cluster without Kerberos, `HADOOP_USER_NAME` or that of the system.
    ///
    /// # Errors
    /// [`FaultKind::Misconfigured`](crate::fault::FaultKind) if Hadoop's configuration can't be read, and
    /// [`FaultKind::Denied`](crate::fault::FaultKind) without credentials.
    pub fn new(namenode: &str, path: &str) -> Result<Self, Fault> {
        Self::with(namenode, path, |builder| builder)
    }

    /// Does the same as [`new`](Self::new) as another user, in a cluster without Kerberos.
    ///
    /// # Errors
    /// The errors of [`new`](Self::new).
    pub fn as_user(namenode: &str, path: &str, user: &str) -> Result<Self, Fault> {
        Self::with(namenode, path, |builder| builder.with_user(user))
    }

    fn with(
        namenode: &str,
        path: &str,
        more: impl Fn(ClientBuilder) -> ClientBuilder,
    ) -> Result<Self, Fault> {
        let root = path.trim_end_matches('/').to_owned();
        let place = format!("hdfs://{namenode}{}", if root.is_empty() { "/" } else { &root });
        let build = |address: &str| {
            let builder = ClientBuilder::new().with_url(format!("hdfs://{address}"));
            // The caller's own retries follow, within the same deadline.
            more(builder.with_config([("dfs.client.failover.max.attempts", "3")])).build()
        };
        let client = match build(namenode) {
            // It is no logical name.
            Err(hdfs_native::HdfsError::InvalidArgument(_)) if !namenode.contains(':') => {
                build(&format!("{namenode}:{PORT}"))
            }
            connection => connection,
        };
        let client = client.map_err(|error| fault(format!("opening {place}"), error))?;
        Ok(Self { client, place, root, cursors: Arc::default() })
    }

    pub(super) fn doing(&self, what: impl fmt::Display) -> String {
        format!("{what} in {}", self.place)
    }

    pub(super) fn path(&self, name: impl fmt::Display) -> String {
        format!("{}/{name}", self.root)
    }

    pub(super) fn folder(&self) -> &str {
        if self.root.is_empty() { "/" } else { &self.root }
    }

    /// Returns the folder of a blob, and the path of the blob in it.
    pub(super) fn blob(&self, at: &Address) -> (String, String) {
        let name = at.to_string();
        let shard = self.path(format_args!("sha256/{}", &name[..2]));
        let path = format!("{shard}/{name}");
        (shard, path)
    }
}
