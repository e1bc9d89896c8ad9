//! Reading blobs.

use super::{
    HdfsStore,
    calls::{Bound, call, found},
};
use crate::{
    fault::{Fault, FaultKind},
    model::{Address, Timestamp},
    store::{
        Body, Stat,
        sending::{out_of_range, replaced_while_read},
    },
};
use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use hdfs_native::{HdfsError, client::FileStatus, file::FileReader};
use std::ops::Range;

/// The number of times that a file is opened again because it was replaced meanwhile.
const ROUNDS: usize = 3;

pub(super) fn stat(status: &FileStatus) -> Stat {
    Stat { size: status.length as u64, modified: Timestamp::from_millis(status.modification_time) }
}

/// Returns a value that changes when a blob is replaced: HDFS has no number of a file that the client shows.
fn etag(status: &FileStatus) -> String {
    format!("{}-{}", status.length, status.modification_time)
}

pub(super) async fn get(
    store: &HdfsStore,
    at: &Address,
    range: Range<u64>,
    expected: Option<&str>,
) -> Result<Option<Body>, Fault> {
    let doing = || store.doing(format_args!("reading the blob {at}"));
    let path = store.blob(at).1;
    for _ in 0..ROUNDS {
        let Some(before) = store.status(&path, doing).await? else {
            // Without its folder the store is not empty, but missing.
            store.root_status(doing).await?;
            return Ok(None);
        };
        let (etag, size) = (etag(&before), before.length as u64);
        if expected.is_some_and(|expected| expected != etag) {
            return Err(replaced_while_read(doing()));
        }
        if range.is_empty() {
            return Ok(Some(Body { etag, size, stream: stream::empty().boxed() }));
        }
        if range.end > size {
            return Err(out_of_range(doing(), range.end, size));
        }
        let opened = found(call(doing, store.client.read(&path)).await)?;
        let after = store.status(&path, doing).await?;
        // What was opened between two equal states is in that state.
        if let Some(reader) = opened
            && after.is_some_and(|after| self::etag(&after) == etag)
            && reader.file_length() as u64 == size
        {
            return Ok(Some(Body { etag, size, stream: contents(&reader, range, doing()) }));
        }
    }
    Err(replaced_while_read(doing()))
}

/// Streams a range of a file, which must lie within it.
pub(super) fn contents(
    reader: &FileReader,
    range: Range<u64>,
    doing: String,
) -> BoxStream<'static, Result<Bytes, Fault>> {
    let length = range.end - range.start;
    let all = reader.read_range_stream(position(range.start), position(length)).boxed();
    stream::try_unfold((all, length, Bound::here(), doing), async |(mut all, left, mut bound, doing)| {
        if left == 0 {
            return Ok(None);
        }
        let next = async { all.next().await.ok_or_else(|| HdfsError::BlocksNotFound("its end".to_owned())) };
        let bytes = bound.call(|| doing.clone(), async { next.await? }).await?;
        match left.checked_sub(bytes.len() as u64) {
            Some(left) => Ok(Some((bytes, (all, left, bound, doing)))),
            None => Err(Fault::new(FaultKind::Corrupt, doing, "it has more bytes than were requested")),
        }
    })
    .boxed()
}

/// Returns a position as the client takes it.
fn position(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
