//! The files in `tmp/`: unfinished writes.

use super::{
    HdfsStore,
    calls::{Bound, call, found},
    read::stat,
};
use crate::{
    fault::{Fault, FaultKind},
    model::Timestamp,
    store::{Upload, Uploads},
};
use bytes::Bytes;
use hdfs_native::{WriteOptions, file::FileWriter};
use tracing::warn;
use uuid::Uuid;

/// The size of a block: a multiple of 512, which is what has a checksum. HDFS's own default.
pub(super) const BLOCK: u64 = 128 << 20;

/// A file in `tmp/` that is being written.
pub(super) struct Temporary<'a> {
    store: &'a HdfsStore,
    pub path: String,
    /// On the heap: it is large.
    writer: Box<FileWriter>,
    written: u64,
    bound: Bound,
}

impl<'a> Temporary<'a> {
    /// Creates a file, readable for everyone who may read the folder, and read-only.
    pub async fn create(store: &'a HdfsStore, doing: impl Fn() -> String) -> Result<Self, Fault> {
        let path = store.path(format_args!("tmp/{}", Uuid::new_v4()));
        let options = WriteOptions::default().permission(0o444).create_parent(false).block_size(BLOCK);
        let mut bound = Bound::here();
        let created = found(bound.call(&doing, store.client.create(&path, &options)).await)?;
        let writer = if let Some(writer) = created {
            writer
        } else {
            store.make_folder(&store.path("tmp"), &doing).await?;
            bound.call(&doing, store.client.create(&path, &options)).await?
        };
        Ok(Self { store, path, writer: Box::new(writer), written: 0, bound })
    }

    /// Writes bytes. Each block is synchronized at its end: the last call of all would not do that for earlier ones.
    pub async fn write(&mut self, mut bytes: Bytes, doing: impl Fn() -> String) -> Result<(), Fault> {
        while !bytes.is_empty() {
            let left = usize::try_from(BLOCK - self.written % BLOCK).unwrap_or(usize::MAX);
            let some = bytes.split_to(left.min(bytes.len()));
            self.written += some.len() as u64;
            self.bound.call(&doing, self.writer.write_bytes(some)).await?;
            if self.written.is_multiple_of(BLOCK) {
                self.bound.call(&doing, self.writer.hsync()).await?;
                self.touch(&doing).await;
            }
        }
        Ok(())
    }

    /// Sets the file's time, which HDFS leaves as it is until the file is closed: `gc` removes old files.
    async fn touch(&mut self, doing: impl Fn() -> String) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or(0);
        // No time of access is set: -1.
        let touched = self.store.client.set_times(&self.path, now, u64::MAX);
        if let Err(error) = self.bound.call(doing, touched).await {
            warn!(%error, source = %error.source, "can't set the time of a temporary file");
        }
    }

    /// Makes the file durable, and closes it.
    pub async fn finish(mut self, doing: impl Fn() -> String) -> Result<String, Fault> {
        let finished = self.finish_writer(&doing).await;
        match finished {
            Ok(()) => Ok(self.path),
            Err(fault) => {
                self.remove().await;
                Err(fault)
            }
        }
    }

    async fn finish_writer(&mut self, doing: impl Fn() -> String) -> Result<(), Fault> {
        self.bound.call(&doing, self.writer.hsync()).await?;
        self.bound.call(&doing, self.writer.close()).await
    }

    /// Removes the file.
    pub async fn remove(self) {
        remove(self.store, &self.path).await;
    }
}

/// Removes a file that is of no use any more. A failure does not stop the command: `gc` removes the file later.
pub(super) async fn remove(store: &HdfsStore, path: &str) {
    let doing = || store.doing(format_args!("removing the temporary file {path}"));
    if let Err(error) = call(doing, store.client.delete(path, false)).await {
        warn!(%error, source = %error.source, "can't remove a temporary file");
    }
}

/// Writes a small file, durably, and returns its path.
pub(super) async fn small(
    store: &HdfsStore,
    text: &str,
    doing: impl Fn() -> String,
) -> Result<String, Fault> {
    let mut temporary = Temporary::create(store, &doing).await?;
    match temporary.write(Bytes::copy_from_slice(text.as_bytes()), &doing).await {
        Ok(()) => temporary.finish(doing).await,
        Err(fault) => {
            temporary.remove().await;
            Err(fault)
        }
    }
}

/// Returns all files in `tmp/`: at most one for each killed process, which is few enough for one page.
pub(super) async fn all(store: &HdfsStore) -> Result<Uploads, Fault> {
    let doing = || store.doing("listing temporary files");
    let listed = found(call(doing, store.client.list_status(&store.path("tmp"), false)).await)?;
    let upload = |status: &hdfs_native::client::FileStatus| {
        let id = status.path.rsplit('/').next().unwrap_or_default().to_owned();
        Upload { name: format!("tmp/{id}"), id, since: stat(status).modified }
    };
    let files = listed.iter().flatten().filter(|status| !status.isdir);
    Ok(Uploads { uploads: files.map(upload).collect(), next: None })
}

fn path(store: &HdfsStore, id: &str, doing: impl Fn() -> String) -> Result<String, Fault> {
    if id.is_empty() || id.contains('/') {
        return Err(Fault::new(FaultKind::Unexpected, doing(), "it is not a temporary file of this store"));
    }
    Ok(store.path(format_args!("tmp/{id}")))
}

/// Returns the time at which a file was last written to, as far as HDFS shows it.
pub(super) async fn last_written(store: &HdfsStore, id: &str) -> Result<Option<Timestamp>, Fault> {
    let doing = || store.doing(format_args!("checking the temporary file {id}"));
    let status = store.status(&path(store, id, doing)?, doing).await?;
    Ok(status.map(|status| stat(&status).modified))
}

/// Removes a file in `tmp/`. A process that still writes it gets an error, and nothing appears under an address.
pub(super) async fn abort(store: &HdfsStore, id: &str) -> Result<(), Fault> {
    let doing = || store.doing(format_args!("removing the temporary file {id}"));
    call(doing, store.client.delete(&path(store, id, doing)?, false)).await.map(drop)
}
