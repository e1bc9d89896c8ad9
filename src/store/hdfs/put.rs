//! Storing a blob.

use super::{
    HdfsStore,
    calls::{call, found},
    read::contents,
    temporary::{self, Temporary},
};
use crate::{
    blocking::threaded,
    failpoint::reach,
    fault::{Fault, FaultKind},
    model::{Address, Sha256},
    store::{Content, Put, PutError, Sent, files::read as read_once, sending::ProgressSender},
};
use bytes::Bytes;
use futures_util::StreamExt;
use std::{fs::File, io, sync::Arc};
use tracing::debug;

/// The size of a read, and so the memory that a transfer takes, in bytes.
const CHUNK: usize = 1 << 20;

pub(super) async fn put(
    store: &HdfsStore,
    at: &Address,
    content: &Content,
    progress: ProgressSender,
) -> Result<Put, PutError> {
    let doing = || store.doing(format_args!("storing the blob {at}"));
    let (shard, target) = store.blob(at);
    let there = match store.status(&target, doing).await? {
        Some(status) if holds(store, &target, status.length as u64, content, &progress).await? => {
            return Ok(Put::Present);
        }
        there => there.is_some(),
    };
    let mut temporary = Temporary::create(store, doing).await?;
    if let Err(error) = send(&mut temporary, content, &progress, doing).await {
        temporary.remove().await;
        return Err(error);
    }
    let complete = temporary.finish(doing).await?;
    // Replaces any existing file: every process that renames to this name has checked the same bytes.
    reach("blob-complete");
    if let Err(fault) = named(store, &complete, &shard, &target, doing).await {
        temporary::remove(store, &complete).await;
        return Err(fault.into());
    }
    if there {
        debug!(blob = %at, store = store.place, "the stored blob was damaged and has been replaced");
    }
    Ok(if there { Put::Replaced } else { Put::Stored })
}

/// Gives the file its name, in a folder that may have to be made.
async fn named(
    store: &HdfsStore,
    complete: &str,
    shard: &str,
    target: &str,
    doing: impl Fn() -> String,
) -> Result<(), Fault> {
    let renamed = call(&doing, store.client.rename(complete, target, true)).await;
    if found(renamed)?.is_some() {
        return Ok(());
    }
    store.make_folder(shard, &doing).await?;
    let renamed = call(&doing, store.client.rename(complete, target, true)).await;
    // A collector may have removed the file, which took too long: nothing is there, and it can be sent again.
    let gone = || Fault::new(FaultKind::Unavailable, doing(), "the temporary file was removed");
    found(renamed)?.ok_or_else(gone)
}

/// Returns true if a file holds the content. Reads it only if it has the right size.
async fn holds(
    store: &HdfsStore,
    path: &str,
    size: u64,
    content: &Content,
    progress: &ProgressSender,
) -> Result<bool, Fault> {
    if size != content.size() {
        return Ok(false);
    }
    let doing = || store.doing(format_args!("comparing {path}"));
    let mut sha256 = Sha256::new();
    if size > 0 {
        let opened = call(doing, store.client.read(path)).await;
        // It was removed or replaced meanwhile.
        let Some(reader) = found(opened)?.filter(|reader| reader.file_length() as u64 == size) else {
            return Ok(false);
        };
        let mut stream = contents(&reader, 0..size, doing());
        while let Some(bytes) = stream.next().await.transpose()? {
            sha256.update(&bytes);
            let _ = progress.send(Sent::Compared(bytes.len() as u64));
        }
    }
    Ok(sha256.finish() == *content.sha256())
}

/// Sends a file, and checks that it still matches its checksums.
async fn send(
    to: &mut Temporary<'_>,
    content: &Content,
    progress: &ProgressSender,
    doing: impl Fn() -> String,
) -> Result<(), PutError> {
    let changed = || PutError::Changed(content.path().to_owned());
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => changed(),
        _ => Fault::new(FaultKind::Disk, format!("reading {}", content.path().display()), error).into(),
    };
    let path = content.path().to_owned();
    let file = Arc::new(threaded(move || File::open(path)).await.map_err(unreadable)?);
    let mut sha256 = Sha256::new();
    let mut size = 0;
    loop {
        let from = Arc::clone(&file);
        let chunk = threaded(move || chunk(&from)).await.map_err(unreadable)?;
        size += chunk.len() as u64;
        if chunk.is_empty() || size > content.size() {
            break;
        }
        let bytes = Bytes::from(chunk);
        let hashed = bytes.clone();
        let hashing = threaded(move || {
            sha256.update(&hashed);
            sha256
        });
        let length = bytes.len() as u64;
        let (hashed, sent) = tokio::join!(hashing, to.write(bytes, &doing));
        sha256 = hashed;
        sent?;
        let _ = progress.send(Sent::Now(length));
    }
    let same = size == content.size() && sha256.finish() == *content.sha256();
    if same { Ok(()) } else { Err(changed()) }
}

fn chunk(mut from: &File) -> io::Result<Vec<u8>> {
    let mut chunk = vec![0; CHUNK];
    let n = read_once(&mut from, &mut chunk)?;
    chunk.truncate(n);
    Ok(chunk)
}
