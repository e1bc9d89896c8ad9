//! Fetching a blob: parts in parallel, hashed in order, and nothing believed until the hash is right.

use super::{
    client::Client,
    error::Error,
    observer::{Observer, Phase},
    partial::Partial,
    runs::Runs,
};
use crate::{
    blocking::threaded,
    durable::{self, WriteBack},
    failpoint::reach,
    fault::{Fault, FaultKind},
    model::{Address, Blob, Digest, Sha256},
    retry::{Concurrency, Flow, Heartbeat},
    store::{Body, part_size_from},
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::{
    collections::BTreeSet,
    fs::File,
    io,
    num::NonZeroUsize,
    ops::Range,
    os::unix::fs::FileExt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
};
use tracing::Instrument;

/// How much of a blob is asked for at once: 8 MiB.
const PART: u64 = 8 << 20;

/// The same where they go to a stream: they are held in memory until it is their turn.
const STREAM_PART: u64 = 2 << 20;

/// The number of those that are held or under way, unless it is given: 32 MiB in all.
const STREAM_JOBS: usize = 16;

/// The size in bytes of every part but the last of a blob that goes to a file. Another one than an earlier version of
/// this program had makes what that one left useless.
pub(super) fn part_size(size: u64) -> u64 {
    part_size_from(PART, size)
}

/// How much is read back at once to be hashed: it fits into the cache of a processor. 256 KiB.
const READ_BACK: usize = 256 << 10;

/// What a fetch needs to know of its blob.
struct Fetch {
    client: Client,
    address: Address,
    size: u64,
    observer: Arc<dyn Observer>,
    heartbeat: Heartbeat,
    concurrency: Concurrency,
    // That of the first answer, which makes sure that all parts are of one object.
    etag: Mutex<Option<String>>,
}

/// The result of a fetch that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetched {
    /// All of the blob was fetched, and it is right.
    Whole,
    /// The blob is not in the store.
    Absent,
}

impl Client {
    /// Writes to a file what is not there yet of a blob, and checks the whole. The file holds garbage if this fails;
    /// nothing is written to it any more when this returns.
    pub(super) async fn fetch_to_file(
        &self,
        blob: &Blob,
        partial: &Arc<Partial>,
        observer: &Arc<dyn Observer>,
    ) -> Result<Fetched, Error> {
        observer.begin(Phase::Downloading, Some(blob.size));
        match partial.bytes() {
            0 => {}
            bytes => observer.resume(bytes),
        }
        let (landed, parts) = mpsc::unbounded_channel();
        let hashed = hash_after_write(Arc::clone(partial.file()), blob.size, partial.part_size(), parts);
        let fetch = Fetch::new(self, blob, observer);
        let (fetched, hashed) = tokio::join!(fetch.parts_to_file(partial, landed), hashed);
        observer.end();
        match fetched {
            Ok(()) => check(&blob.address, &hashed?).map(|()| Fetched::Whole),
            Err(Stopped::Absent) => Ok(Fetched::Absent),
            Err(Stopped::Error(error)) => Err(error),
        }
    }

    /// Hands a blob's bytes over in order, and checks them at the end: what was handed over by then is not undone.
    pub(super) async fn fetch_to_stream(
        &self,
        blob: &Blob,
        sink: &mut (dyn io::Write + Send),
        observer: &Arc<dyn Observer>,
    ) -> Result<Fetched, Error> {
        observer.begin(Phase::Downloading, Some(blob.size));
        let fetch = Fetch::new(self, blob, observer);
        let parts = stream::iter(0..fetch.parts(STREAM_PART));
        let parts = parts.map(|part| spawned(Arc::clone(&fetch).part_to_memory(part)));
        let jobs = self.jobs.map_or(STREAM_JOBS, NonZeroUsize::get);
        let mut parts = std::pin::pin!(parts.buffered(jobs));
        let mut sha256 = Sha256::new();
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
                check(&blob.address, &sha256.finish())?;
                sink.flush().map_err(Error::output("-")).map(|()| Fetched::Whole)
            }
            Err(Stopped::Absent) => Ok(Fetched::Absent),
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

impl Fetch {
    fn new(client: &Client, blob: &Blob, observer: &Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Self {
            client: client.clone(),
            address: blob.address.clone(),
            size: blob.size,
            observer: Arc::clone(observer),
            heartbeat: Heartbeat::new(),
            concurrency: Concurrency::new(client.jobs),
            etag: Mutex::new(None),
        })
    }

    /// How many parts of a size there are. An empty blob has one: that it is there has to be seen.
    fn parts(&self, size: u64) -> u64 {
        self.size.div_ceil(size).max(1)
    }

    fn range(&self, size: u64, part: u64) -> Range<u64> {
        part * size..self.size.min((part + 1) * size)
    }

    /// Fetches the parts that are not there yet, several requests under way at once, and reports each part as it lands.
    async fn parts_to_file(
        self: &Arc<Self>,
        partial: &Arc<Partial>,
        landed: mpsc::UnboundedSender<u64>,
    ) -> Result<(), Stopped> {
        let mut runs = Runs { next: 0, parts: self.parts(partial.part_size()) };
        for part in (0..runs.parts).filter(|part| partial.has(*part)) {
            let _ = landed.send(part);
        }
        let mut under_way = JoinSet::new();
        loop {
            let limit = self.concurrency.limit();
            while under_way.len() < limit
                && let Some(run) = runs.next(limit, |part| partial.has(part))
            {
                let (fetch, partial, landed) = (Arc::clone(self), Arc::clone(partial), landed.clone());
                under_way.spawn(fetch.run_to_file(run, partial, landed).in_current_span());
            }
            let done = tokio::select! {
                done = under_way.join_next() => done,
                () = self.concurrency.changed(limit) => continue,
            };
            match done.map(finished) {
                None => return Ok(()),
                Some(Ok(())) => {}
                Some(Err(stopped)) => {
                    under_way.shutdown().await;
                    return Err(stopped);
                }
            }
        }
    }

    /// Fetches a range and gives each chunk to `land`, resuming after the last one when it has to try again, while other
    /// ranges go on. The first answer of all calls `prepare` once it has shown that the object has the size that the
    /// ledger states.
    async fn part(
        &self,
        range: Range<u64>,
        prepare: impl Fn() -> Result<(), Error>,
        land: impl Fn(u64, Bytes) -> Result<(), Error>,
    ) -> Result<(), Stopped> {
        // A part begins when another has landed, or when whoever reads the stream has room for it.
        self.heartbeat.beat();
        let heartbeat = self.heartbeat.of_part();
        let at = AtomicU64::new(range.start);
        let doing = format!("fetching {}", self.address);
        let attempt = async |flow: Flow| {
            let start = at.load(Ordering::Relaxed);
            if start == range.end && !range.is_empty() {
                return Ok(Some(()));
            }
            let etag = self.etag().clone();
            let body = self.client.store.get(&self.address, start..range.end, etag.as_deref()).await?;
            let Some(mut body) = body else { return Ok::<_, Error>(None) };
            self.agree(&body, &prepare)?;
            while let Some(chunk) = body.stream.try_next().await? {
                let length = chunk.len() as u64;
                let start = at.fetch_add(length, Ordering::Relaxed);
                land(start, chunk)?;
                heartbeat.beat();
                flow.moved(length);
                reach("download-writing");
                self.observer.advance(length);
            }
            Ok(Some(()))
        };
        let attempt = || self.concurrency.run(0, &attempt);
        let fetched = self.client.retry_policy.run_while(&heartbeat, &doing, attempt).await?;
        fetched.ok_or(Stopped::Absent)
    }

    fn etag(&self) -> MutexGuard<'_, Option<String>> {
        self.etag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure that an answer is of the same object as the first one, and that this is the one that was asked for.
    fn agree(&self, body: &Body, prepare: impl Fn() -> Result<(), Error>) -> Result<(), Error> {
        if body.size != self.size {
            let why = format!("it has {} bytes, not {}", body.size, self.size);
            return Err(Error::Damaged { address: self.address.clone(), why });
        }
        let mut etag = self.etag();
        match &*etag {
            None => prepare()?,
            Some(etag) if *etag == body.etag => return Ok(()),
            Some(_) => {
                let doing = format!("fetching {}", self.address);
                let why = "it was replaced while it was read";
                return Err(Fault::new(FaultKind::Contended, doing, why).into());
            }
        }
        *etag = Some(body.etag.clone());
        Ok(())
    }

    /// Fetches consecutive parts to their places in a file by one request, and reports each as it lands.
    async fn run_to_file(
        self: Arc<Self>,
        run: Range<u64>,
        partial: Arc<Partial>,
        landed: mpsc::UnboundedSender<u64>,
    ) -> Result<(), Stopped> {
        let failed = |error| Error::from(Fault::new(FaultKind::Disk, "writing the downloaded file", error));
        let size = partial.part_size();
        let next = AtomicU64::new(run.start);
        // All up to `end` has been written.
        let land_up_to = |end| {
            loop {
                let part = next.load(Ordering::Relaxed);
                if part == run.end || self.range(size, part).end > end {
                    return Ok(());
                }
                partial.landed(part).map_err(failed)?;
                // Nobody hashes any more if reading the file back has failed, which is reported in the end.
                let _ = landed.send(part);
                next.store(part + 1, Ordering::Relaxed);
            }
        };
        let range = self.range(size, run.start).start..self.range(size, run.end - 1).end;
        // Writing to the page cache is a copy in memory: not worth another thread.
        let land = |at, chunk: Bytes| {
            partial.write(&chunk, at).map_err(failed)?;
            land_up_to(at + chunk.len() as u64)
        };
        // Asked only now: the size that the ledger states is that of the object.
        let needed = self.size.saturating_sub(partial.bytes());
        let prepare = || durable::room(partial.file(), needed).map_err(failed);
        self.part(range.clone(), prepare, land).await?;
        // An empty part has no chunk.
        Ok(land_up_to(range.end)?)
    }

    async fn part_to_memory(self: Arc<Self>, part: u64) -> Result<Vec<Bytes>, Stopped> {
        let chunks = Mutex::new(Vec::new());
        let land = |_, chunk| {
            chunks.lock().unwrap_or_else(PoisonError::into_inner).push(chunk);
            Ok(())
        };
        self.part(self.range(STREAM_PART, part), || Ok(()), land).await?;
        Ok(chunks.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Runs some work beside what waits for it, until it is done or nobody waits for it any more.
pub(super) async fn spawned<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let mut task = JoinSet::new();
    task.spawn(work.in_current_span());
    finished(task.join_next().await.expect("it was spawned"))
}

fn finished<T>(done: Result<T, JoinError>) -> T {
    // Nothing here is aborted and then waited for.
    done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Hashes the parts that have landed, in order, reading them back from the page cache while the rest arrives, and has
/// them written to the disk behind that, so that little is left to be flushed in the end.
async fn hash_after_write(
    file: Arc<File>,
    size: u64,
    part_size: u64,
    mut landed: mpsc::UnboundedReceiver<u64>,
) -> Result<Digest, Error> {
    threaded(move || {
        let mut sha256 = Sha256::new();
        let mut buffer = vec![0; READ_BACK];
        let mut behind = WriteBack::of(&file);
        let (mut there, mut next) = (BTreeSet::new(), 0);
        while let Some(part) = landed.blocking_recv() {
            there.insert(part);
            while there.remove(&next) {
                let range = next * part_size..size.min((next + 1) * part_size);
                next += 1;
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
                behind.up_to(range.end);
            }
        }
        Ok(sha256.finish())
    })
    .await
}

fn check(address: &Address, found: &Digest) -> Result<(), Error> {
    if *found == address.sha256 {
        return Ok(());
    }
    Err(Error::Damaged { address: address.clone(), why: format!("its sha256 is {found}") })
}
