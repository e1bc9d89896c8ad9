//! A store in HDFS.
//!
//! `OWNER` and its successors, `sha256/<two digits>/` with the blobs whose hash begins with these digits, and `tmp/`
//! with unfinished writes. A blob is written to `tmp/`, hashed while it is sent, synchronized on every `DataNode` of
//! its pipeline, and then renamed: the `NameNode` does that atomically. A kill at any point leaves at most a file in
//! `tmp/`, which `gc` removes.
//!
//! HDFS keeps a checksum of each 512 bytes and checks it with every read, but no sha256, so `put` reads and hashes an
//! existing file under its address. The client retries reads and fails over between `NameNode`s by itself, but never
//! sends a change again whose outcome it does not know; every call ends within a limit of its own.

mod calls;
mod faults;
mod listing;
mod owner;
mod put;
mod read;
mod settings;
mod temporary;

use super::{
    Body, Content, Listing, Put, PutError, Sending, Stat, Store, Upload, Uploads,
    sending::{belongs, relay_progress},
};
use crate::{
    fault::{Fault, FaultKind},
    model::{Address, Created, Setting, Timestamp},
};
use async_trait::async_trait;
use hdfs_native::{Client, ClientBuilder};
use listing::Cursors;
use std::{fmt, ops::Range, sync::Arc};

/// A store in a folder of HDFS. See the [module](self).
#[derive(Clone)]
pub struct HdfsStore {
    client: Client,
    place: String,
    /// The folder, without a `/` at its end: empty for the root.
    root: String,
    cursors: Arc<Cursors>,
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
    /// [`FaultKind::Misconfigured`] if Hadoop's configuration can't be read, and [`FaultKind::Denied`] without
    /// credentials.
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
            built => built,
        };
        let client = client.map_err(|error| faults::fault(format!("opening {place}"), error))?;
        Ok(Self { client, place, root, cursors: Arc::default() })
    }

    fn doing(&self, what: impl fmt::Display) -> String {
        format!("{what} in {}", self.place)
    }

    fn path(&self, name: impl fmt::Display) -> String {
        format!("{}/{name}", self.root)
    }

    fn folder(&self) -> &str {
        if self.root.is_empty() { "/" } else { &self.root }
    }

    /// Returns the folder of a blob, and the path of the blob in it.
    fn blob(&self, at: &Address) -> (String, String) {
        let name = at.to_string();
        let shard = self.path(format_args!("sha256/{}", &name[..2]));
        let path = format!("{shard}/{name}");
        (shard, path)
    }
}

#[async_trait]
impl Store for HdfsStore {
    fn describe(&self) -> String {
        self.place.clone()
    }

    async fn create(&self) -> Result<Created, Fault> {
        let doing = || self.doing("creating the store");
        match self.status(self.folder(), doing).await? {
            Some(status) if status.isdir => Ok(Created::Present),
            Some(_) => Err(Fault::new(FaultKind::Misconfigured, doing(), "it is a file")),
            None => {
                // Private to this user, as the blobs may be; to share it, change its mode.
                self.call(doing, self.client.mkdirs(self.folder(), 0o700, true)).await?;
                Ok(Created::Made)
            }
        }
    }

    async fn settings(&self) -> Result<Vec<Setting>, Fault> {
        settings::settings(self).await
    }

    async fn probe(&self, owner: &str) -> Result<Vec<Setting>, Fault> {
        settings::probe(self, owner).await
    }

    async fn owner(&self) -> Result<Option<String>, Fault> {
        Ok(owner::read(self).await?.map(|(owner, _)| owner))
    }

    async fn claim(&self, ledger: &str) -> Result<String, Fault> {
        owner::claim(self, ledger).await
    }

    async fn replace_owner(&self, from: &str, to: &str) -> Result<String, Fault> {
        owner::replace(self, from, to).await
    }

    async fn stat(&self, at: &Address) -> Result<Option<Stat>, Fault> {
        let doing = || self.doing(format_args!("checking for the blob {at}"));
        Ok(self.status(&self.blob(at).1, doing).await?.map(|status| read::stat(&status)))
    }

    async fn put(
        &self,
        at: &Address,
        content: &Content,
        _expected: bool,
        sent: Sending<'_>,
    ) -> Result<Put, PutError> {
        belongs(at, content)?;
        relay_progress(sent, |progress| put::put(self, at, content, progress)).await
    }

    async fn get(&self, at: &Address, range: Range<u64>, etag: Option<&str>) -> Result<Option<Body>, Fault> {
        read::get(self, at, range, etag).await
    }

    async fn delete(&self, at: &Address) -> Result<(), Fault> {
        let doing = || self.doing(format_args!("deleting the blob {at}"));
        self.call(doing, self.client.delete(&self.blob(at).1, false)).await.map(drop)
    }

    async fn list(&self, after: Option<&str>) -> Result<Listing, Fault> {
        listing::page(self, "", after).await
    }

    fn lists_in_parts(&self) -> bool {
        true
    }

    async fn list_part(&self, prefix: &str, after: Option<&str>) -> Result<Listing, Fault> {
        listing::page(self, prefix, after).await
    }

    async fn uploads(&self, _after: Option<&str>) -> Result<Uploads, Fault> {
        temporary::all(self).await
    }

    async fn last_written(&self, upload: &Upload) -> Result<Option<Timestamp>, Fault> {
        temporary::last_written(self, &upload.id).await
    }

    async fn abort(&self, upload: &Upload) -> Result<(), Fault> {
        temporary::abort(self, &upload.id).await
    }
}
