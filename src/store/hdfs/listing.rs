//! Listing the blobs in order: `NameNode`s return the names of a folder in order, 1,000 at a time.

use super::{
    HdfsStore,
    calls::{Bound, call, found},
    cursors::Cursor,
    read::stat,
};
use crate::{
    fault::Fault,
    model::Address,
    store::{Listing, Stat},
};
use hdfs_native::client::FileStatus;
use std::collections::VecDeque;

const PAGE: usize = 1000;

impl Cursor {
    /// Begins a listing after a name. What comes before it in its folder is still to be skipped.
    async fn new(store: &HdfsStore, prefix: &str, after: Option<&str>) -> Result<Self, Fault> {
        let doing = || store.doing("listing the blobs");
        let listed = call(doing, store.client.list_status(&store.path("sha256"), false)).await;
        let Some(listed) = found(listed)? else {
            store.root_status(doing).await?;
            return Ok(Self { shards: VecDeque::new(), open: None });
        };
        let mut shards: Vec<_> = listed.iter().filter_map(|status| shard(status, prefix, after)).collect();
        shards.sort_unstable();
        Ok(Self { shards: shards.into(), open: None })
    }

    /// Returns the next file.
    async fn next(&mut self, store: &HdfsStore, bound: &mut Bound) -> Result<Option<FileStatus>, Fault> {
        loop {
            if let Some(open) = &self.open {
                let next = async { open.next().await.transpose() };
                let doing = || store.doing("listing the blobs");
                match found(bound.call(doing, next).await)?.flatten() {
                    Some(status) => return Ok(Some(status)),
                    None => self.open = None,
                }
            }
            let Some(shard) = self.shards.pop_front() else { return Ok(None) };
            self.open =
                Some(store.client.list_status_iter(&store.path(format_args!("sha256/{shard}")), false));
        }
    }
}

/// Returns the name of a folder of blobs that may have some that begin with `prefix` and follow `after`.
fn shard(status: &FileStatus, prefix: &str, after: Option<&str>) -> Option<String> {
    let name = status.path.rsplit('/').next()?;
    let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if !status.isdir || name.len() != 2 || !name.bytes().all(digits) {
        return None;
    }
    let begins = name.starts_with(prefix) || prefix.starts_with(name);
    let follows = after.and_then(|after| after.get(..2)).is_none_or(|after| name >= after);
    (begins && follows).then(|| name.to_owned())
}

fn blob(status: &FileStatus, prefix: &str, after: Option<&str>) -> Option<(Address, Stat)> {
    let name = status.path.rsplit('/').next()?;
    let wanted = !status.isdir && name.starts_with(prefix) && after.is_none_or(|after| name > after);
    wanted.then(|| name.parse().ok()).flatten().map(|at| (at, stat(status)))
}

pub(super) async fn page(store: &HdfsStore, prefix: &str, after: Option<&str>) -> Result<Listing, Fault> {
    let mut cursor = match after.and_then(|after| store.cursors.take(prefix, after)) {
        Some(cursor) => cursor,
        None => Cursor::new(store, prefix, after).await?,
    };
    let mut bound = Bound::here();
    let mut objects = Vec::new();
    while objects.len() < PAGE {
        let Some(status) = cursor.next(store, &mut bound).await? else {
            return Ok(Listing { objects, next: None });
        };
        objects.extend(blob(&status, prefix, after));
    }
    let next = objects.last().map(|(at, _)| at.to_string());
    if let Some(next) = &next {
        store.cursors.keep(prefix, next, cursor);
    }
    Ok(Listing { objects, next })
}
