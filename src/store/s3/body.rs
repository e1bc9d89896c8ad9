//! The bodies of uploads: ranges of a file, counted as they go.

use crate::{
    model::Digest,
    store::{Content, HASHED_AT_ONCE, files::read, part_size, sending::Teller},
};
use aws_smithy_types::{
    body::SdkBody,
    byte_stream::{ByteStream, Length},
};
use bytes::Bytes;
use crc_fast::CrcAlgorithm::Crc64Nvme;
use http_body::{Body, Frame, SizeHint};
use sha2::{Digest as _, Sha256};
use std::{
    error::Error,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
    pin::Pin,
    task::{Context, Poll},
};

/// How much of a file is read at once. The SDK's default of 64 KiB takes twice the CPU time.
const BUFFER: usize = 1 << 20;

/// The bytes of a part; the whole is part 0 of a blob that is sent at once.
pub(super) fn part_range(content: &Content, index: usize) -> Range<u64> {
    let part_size = part_size(content.size());
    let start = part_size * index as u64;
    start..(start + part_size).min(content.size())
}

/// A range of a file as a request's body, which the SDK can send again.
pub(super) async fn body(path: &Path, range: Range<u64>, tell: Teller) -> io::Result<ByteStream> {
    let length = range.end - range.start;
    let counted = move |inner| SdkBody::from_body_1_x(Counted { inner, left: length, tell: tell.clone() });
    if length <= HASHED_AT_ONCE {
        // A stream would read it on another thread, and send it after the request's head, not with it.
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        File::open(path)?.read_exact_at(&mut bytes, range.start)?;
        return Ok(ByteStream::new(SdkBody::from(bytes).map(counted)));
    }
    let stream = ByteStream::read_from()
        .path(path)
        .offset(range.start)
        .length(Length::Exact(length))
        .buffer_size(BUFFER)
        .build()
        .await
        .map_err(io::Error::other)?;
    Ok(ByteStream::new(stream.into_inner().map(counted)))
}

/// Hands the bytes of a range of a file over, in order. Blocks.
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

/// The sha256 of a range of a file. Blocks.
pub(super) fn sha256(path: &Path, range: &Range<u64>) -> io::Result<Digest> {
    let mut sha256 = Sha256::new();
    each(&mut File::open(path)?, range, |bytes| sha256.update(bytes))?;
    Ok(Digest::from(<[u8; 32]>::from(sha256.finalize())))
}

/// Whether a part of the file still has the size and checksum that it had when it was hashed. Blocks.
pub(super) fn part_is_unchanged(content: &Content, index: usize) -> io::Result<bool> {
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

/// A body that tells of its bytes, and fails if there are fewer than announced rather than waiting for a server
/// that waits for the rest.
struct Counted {
    inner: SdkBody,
    left: u64,
    tell: Teller,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.left = self.left.saturating_sub(bytes);
                let _ = self.tell.send(bytes);
            }
            Poll::Ready(None) if self.left > 0 => {
                return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())));
            }
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0 && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
