//! Fetching a blob: parts in parallel, hashed in order, and nothing believed until the hash is right.

use super::{Client, Error, Observer, Phase, spool::blocking};
use crate::{
    failpoint::reach,
    fault::{Fault, FaultKind},
    model::{Address, Blob, Digest},
    retry::Pulse,
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::mpsc;

/// How much of a blob is asked for at once: 8 MiB.
const PART: u64 = 8 << 20;

/// How many parts are under way at once.
const JOBS: usize = 6;

/// What a fetch needs to know of its blob.
struct Fetch<'a> {
    client: &'a Client,
    address: &'a Address,
    size: u64,
    observer: &'a dyn Observer,
    pulse: Pulse,
    etag: Mutex<Option<String>>,
}

/// The blob is not in the store.
#[derive(Debug)]
pub(super) struct Absent;

impl Client {
    /// Writes a blob to an empty file and checks it. The file holds garbage if this fails.
    pub(super) async fn fetch_to_file(
        &self,
        blob: &Blob,
        file: Arc<File>,
        observer: &Arc<dyn Observer>,
    ) -> Result<Result<(), Absent>, Error> {
        observer.begin(Phase::Downloading, Some(blob.size));
        let (written, parts) = mpsc::unbounded_channel();
        let hashed = hash_behind(Arc::clone(&file), parts);
        let fetch = Fetch::new(self, blob, &**observer);
        let written = async move {
            // Dropping the sender at the end is what ends the hashing.
            let fetched = fetch.parts(|range| fetch.part_to_file(range, &file)).try_fold(
                written,
                |written, range| async move {
                    let _ = written.send(range);
                    Ok(written)
                },
            );
            fetched.await.map(drop)
        };
        let (fetched, hashed) = tokio::join!(written, hashed);
        observer.end();
        match fetched {
            Ok(()) => check(&blob.address, &hashed?).map(Ok),
            Err(Stopped::Absent) => Ok(Err(Absent)),
            Err(Stopped::Error(error)) => Err(error),
        }
    }

    /// Hands a blob's bytes over in order, and checks them at the end: what was handed over by then is not undone.
    pub(super) async fn fetch_to_stream(
        &self,
        blob: &Blob,
        sink: &mut (dyn io::Write + Send),
        observer: &Arc<dyn Observer>,
    ) -> Result<Result<(), Absent>, Error> {
        observer.begin(Phase::Downloading, Some(blob.size));
        let fetch = Fetch::new(self, blob, &**observer);
        let mut sha256 = Sha256::new();
        let mut parts = std::pin::pin!(fetch.parts(|range| fetch.part_to_memory(range)));
        let mut begun = false;
        let result = loop {
            match parts.next().await {
                None => break Ok(()),
                // What was handed over can't be taken back, so it can't begin again.
                Some(Err(Stopped::Absent)) if begun => {
                    let why = "it vanished while it was read".to_owned();
                    break Err(Error::Damaged { address: blob.address.clone(), why }.into());
                }
                Some(Err(stopped)) => break Err(stopped),
                Some(Ok(chunks)) => {
                    begun = true;
                    for chunk in chunks {
                        sha256.update(&chunk);
                        sink.write_all(&chunk).map_err(Error::output("-"))?;
                    }
                }
            }
        };
        observer.end();
        match result {
            Ok(()) => {
                check(&blob.address, &Digest::from(<[u8; 32]>::from(sha256.finalize())))?;
                sink.flush().map_err(Error::output("-")).map(Ok)
            }
            Err(Stopped::Absent) => Ok(Err(Absent)),
            Err(Stopped::Error(error)) => Err(error),
        }
    }
}

/// Why a fetch did not get to its end.
enum Stopped {
    Absent,
    Error(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl<'a> Fetch<'a> {
    fn new(client: &'a Client, blob: &'a Blob, observer: &'a dyn Observer) -> Self {
        Self {
            client,
            address: &blob.address,
            size: blob.size,
            observer,
            pulse: Pulse::new(),
            etag: Mutex::new(None),
        }
    }

    /// The parts in order, several under way at once. The first goes alone, since it brings the etag that makes sure
    /// that all are parts of one object.
    fn parts<'b, T, F>(
        &'b self,
        fetch: impl Fn(Range<u64>) -> F + Copy + 'b,
    ) -> impl futures_util::Stream<Item = Result<T, Stopped>> + 'b
    where
        T: 'b,
        F: Future<Output = Result<T, Stopped>> + 'b,
    {
        let ranges = (0..self.size.div_ceil(PART).max(1)).map(|part| {
            let start = part * PART;
            start..self.size.min(start + PART)
        });
        let mut ranges = ranges.into_iter();
        let first = stream::iter(ranges.next()).then(fetch);
        first.chain(stream::iter(ranges).map(fetch).buffered(JOBS))
    }

    /// Fetches a range and gives each chunk to `land`, going on after the last one when it has to try again.
    async fn part(
        &self,
        range: Range<u64>,
        land: impl Fn(u64, Bytes) -> Result<(), Error>,
    ) -> Result<(), Stopped> {
        let at = AtomicU64::new(range.start);
        let doing = format!("fetching {}", self.address);
        let attempt = || async {
            let start = at.load(Ordering::Relaxed);
            if start == range.end && !range.is_empty() {
                return Ok(Some(()));
            }
            let etag = self.etag.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let body = self.client.store.get(self.address, start..range.end, etag.as_deref()).await?;
            let Some(mut body) = body else { return Ok::<_, Error>(None) };
            if body.size != self.size {
                let why = format!("it has {} bytes, not {}", body.size, self.size);
                return Err(Error::Damaged { address: self.address.clone(), why });
            }
            self.etag.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(body.etag);
            while let Some(chunk) = body.stream.try_next().await? {
                let length = chunk.len() as u64;
                let start = at.fetch_add(length, Ordering::Relaxed);
                land(start, chunk)?;
                self.pulse.beat();
                reach("download-writing");
                self.observer.advance(length);
            }
            Ok(Some(()))
        };
        let fetched = self.client.patience.run_while(&self.pulse, &doing, attempt).await?;
        fetched.ok_or(Stopped::Absent)
    }

    async fn part_to_file(&self, range: Range<u64>, file: &File) -> Result<Range<u64>, Stopped> {
        // Writing to the page cache is a copy in memory: not worth another thread.
        let land = |at, chunk: Bytes| {
            file.write_all_at(&chunk, at)
                .map_err(|error| Fault::new(FaultKind::Disk, "writing the downloaded file", error).into())
        };
        self.part(range.clone(), land).await?;
        Ok(range)
    }

    async fn part_to_memory(&self, range: Range<u64>) -> Result<Vec<Bytes>, Stopped> {
        let chunks = Mutex::new(Vec::new());
        let land = |_, chunk| {
            chunks.lock().unwrap_or_else(PoisonError::into_inner).push(chunk);
            Ok(())
        };
        self.part(range, land).await?;
        Ok(chunks.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Hashes what was written, in order, reading it back from the page cache while the rest arrives.
async fn hash_behind(
    file: Arc<File>,
    mut written: mpsc::UnboundedReceiver<Range<u64>>,
) -> Result<Digest, Error> {
    blocking(move || {
        let mut sha256 = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        while let Some(range) = written.blocking_recv() {
            let mut at = range.start;
            while at < range.end {
                let want = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(buffer.len());
                let buffer = &mut buffer[..want];
                file.read_exact_at(buffer, at).map_err(|error| {
                    Fault::new(FaultKind::Disk, "reading the downloaded file back", error)
                })?;
                sha256.update(&*buffer);
                at += want as u64;
            }
        }
        Ok(Digest::from(<[u8; 32]>::from(sha256.finalize())))
    })
    .await
}

fn check(address: &Address, found: &Digest) -> Result<(), Error> {
    if *found == address.sha256 {
        return Ok(());
    }
    Err(Error::Damaged { address: address.clone(), why: format!("its sha256 is {found}") })
}
