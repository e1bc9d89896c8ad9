//! Request bodies of uploads: ranges of a file, counted as they are sent, and checked before their last bytes leave.

use crate::{
    model::{Digest, Sha256},
    retry::Flow,
    store::{Content, Sent, files::read, part_size, sending::ProgressSender},
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use bytes::Bytes;
use crc_fast::CrcAlgorithm::Crc64Nvme;
use http_body::{Body, Frame, SizeHint};
use std::{
    error::Error,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    iter, mem,
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};
use tokio::task::{JoinHandle, spawn_blocking};

/// The size of a read, in bytes: there are two such buffers for each part in transfer. Smaller reads take more CPU
/// time, since they switch threads more often.
const BUFFER: usize = 512 << 10;

/// The number of bytes handed over at once, so that a slow connection shows progress.
const SLICE: usize = 128 << 10;

/// The assumed maximum of a body that the system buffers: 4 MiB, Linux's default limit (`tcp_wmem`). Up to there, the
/// pace at which a body is taken does not show the connection's speed.
pub(in crate::store) const BUFFERED: u64 = 4 << 20;

/// Returns the range of a part. Part 0 of a blob that is sent at once is the whole blob.
pub(in crate::store) fn part_range(content: &Content, index: usize) -> Range<u64> {
    let part_size = part_size(content.size());
    let start = part_size * index as u64;
    start..(start + part_size).min(content.size())
}

/// The size up to which bodies are read before the request is sent.
const FIRST: u64 = BUFFER as u64;

/// A file that no longer has the bytes that were hashed.
#[derive(Debug, thiserror::Error)]
#[error("the file changed while it was sent")]
struct FileChanged;

/// Returns true if an attempt to send failed because the body did not match its checksum.
pub(in crate::store) fn did_not_match(error: &(dyn Error + 'static)) -> bool {
    iter::successors(Some(error), |error| (*error).source()).any(<dyn Error>::is::<FileChanged>)
}

/// Returns a part of a file as a request's body, which the SDK can send again. The body fails before its last bytes
/// if the file no longer has the bytes that were hashed: then no server has received all of them, not even one that
/// ignores checksums.
pub(in crate::store) fn body(
    content: &Content,
    index: usize,
    buffers: &Buffers,
    count: Count,
) -> io::Result<ByteStream> {
    let range = part_range(content, index);
    let expected = content.part_crcs().get(index).copied();
    let file = Arc::new(File::open(content.path())?);
    let buffers = buffers.clone();
    // Bytes that are read beforehand are sent together with the request's head.
    let first = match range.end - range.start {
        length @ 0..=FIRST => buffers.read(&file, range.start, length)?,
        _ => Bytes::new(),
    };
    Ok(ByteStream::new(SdkBody::retryable(move || {
        SdkBody::from_body_1_x(FileBody {
            file: Arc::clone(&file),
            start: range.start,
            rest: range.clone(),
            reading: None,
            ready: first.clone(),
            crc: crc_fast::Digest::new(Crc64Nvme),
            expected,
            buffers: buffers.clone(),
            count: count.clone(),
        })
    })))
}

/// Passes the bytes of a range of a file to a function, in order. Blocks.
fn each(file: &mut File, range: &Range<u64>, mut bytes: impl FnMut(&[u8])) -> io::Result<()> {
    file.seek(SeekFrom::Start(range.start))?;
    let mut part = file.take(range.end - range.start);
    let mut buffer = vec![0; BUFFER];
    loop {
        match read(&mut part, &mut buffer)? {
            0 => return Ok(()),
            n => bytes(&buffer[..n]),
        }
    }
}

/// Returns the sha256 of a range of a file. Blocks.
pub(in crate::store) fn sha256(path: &Path, range: &Range<u64>) -> io::Result<Digest> {
    let mut sha256 = Sha256::new();
    each(&mut File::open(path)?, range, |bytes| sha256.update(bytes))?;
    Ok(sha256.finish())
}

/// Returns true if a part of the file still has the size and checksum of the hashing pass. Blocks.
pub(in crate::store) fn part_is_unchanged(content: &Content, index: usize) -> io::Result<bool> {
    let range = part_range(content, index);
    let mut file = File::open(content.path())?;
    if file.metadata()?.len() != content.size() {
        return Ok(false);
    }
    let mut crc = crc_fast::Digest::new(Crc64Nvme);
    each(&mut file, &range, |bytes| crc.update(bytes))?;
    let expected = content.part_crcs().get(index);
    Ok(expected.map_or(range.is_empty(), |expected| *expected == crc.finalize()))
}

/// Buffers of [`BUFFER`] bytes that are reused after they are sent: a new buffer costs a page fault for each 4 KiB.
/// There are never more than were in use at once.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    fn free(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads at most [`BUFFER`] bytes of a file; fails if it has fewer. Blocks.
    fn read(&self, file: &File, at: u64, length: u64) -> io::Result<Bytes> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let bytes = self.free().pop().unwrap_or_else(|| vec![0; BUFFER]);
        let mut filled = Filled { bytes, length, buffers: self.clone() };
        file.read_exact_at(&mut filled.bytes[..length], at)?;
        Ok(Bytes::from_owner(filled))
    }
}

/// A buffer, and the number of its bytes that are valid.
struct Filled {
    bytes: Vec<u8>,
    length: usize,
    buffers: Buffers,
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        self.buffers.free().push(mem::take(&mut self.bytes));
    }
}

/// Counts the bytes of a body, which may be sent several times: each byte is reported once. Clones share the count.
#[derive(Debug, Clone)]
pub(in crate::store) struct Count {
    progress: ProgressSender,
    furthest: Arc<AtomicU64>,
    flow: Option<Flow>,
}

impl Count {
    pub fn new(progress: ProgressSender) -> Self {
        Self { progress, furthest: Arc::default(), flow: None }
    }

    /// Counts for an attempt that is part of a flow.
    pub fn over(self, flow: Flow) -> Self {
        Self { flow: Some(flow), ..self }
    }

    /// Counts `bytes` that are handed over now, up to `end` from the body's begin.
    fn sent(&self, bytes: u64, end: u64) {
        if let Some(flow) = &self.flow {
            flow.moved(bytes);
        }
        let new = end.saturating_sub(self.furthest.fetch_max(end, Relaxed));
        if new > 0 {
            let _ = self.progress.send(Sent::Now(new));
        }
    }
}

/// A body that reports its bytes. A file that is too short fails the body, instead of waiting for a server that waits
/// for the rest. The SDK's own body copies each byte once more.
struct FileBody {
    file: Arc<File>,
    start: u64,
    /// The range that has not been handed over yet.
    rest: Range<u64>,
    /// The bytes of that range that were read.
    ready: Bytes,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    /// The CRC of the bytes that were handed over.
    crc: crc_fast::Digest,
    /// The CRC of the whole range; `None` for an empty one.
    expected: Option<u64>,
    buffers: Buffers,
    count: Count,
}

impl FileBody {
    fn read(&self) -> JoinHandle<io::Result<Bytes>> {
        let (file, buffers, at) = (Arc::clone(&self.file), self.buffers.clone(), self.rest.start);
        let length = self.left().min(BUFFER as u64);
        spawn_blocking(move || buffers.read(&file, at, length))
    }

    fn left(&self) -> u64 {
        self.rest.end - self.rest.start
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if self.ready.is_empty() {
            let mut reading = self.reading.take().unwrap_or_else(|| self.read());
            let Poll::Ready(read) = Pin::new(&mut reading).poll(context) else {
                self.reading = Some(reading);
                return Poll::Pending;
            };
            self.ready = read??;
        }
        let length = self.ready.len().min(SLICE);
        let bytes = self.ready.split_to(length);
        self.rest.start += length as u64;
        self.crc.update(&bytes);
        if self.rest.is_empty() && self.expected != Some(self.crc.finalize()) {
            return Poll::Ready(Some(Err(FileChanged.into())));
        }
        self.count.sent(length as u64, self.rest.start - self.start);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}
