//! The bodies of uploads: ranges of a file, counted as they go.

use crate::store::{Content, files::threaded, part_size, sending::Teller};
use aws_smithy_types::{
    body::SdkBody,
    byte_stream::{ByteStream, Length},
};
use bytes::Bytes;
use crc_fast::CrcAlgorithm::Crc64Nvme;
use http_body::{Body, Frame, SizeHint};
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
use url::{Host, Url};

/// How much of a file is read at once. The SDK's default of 64 KiB takes twice the CPU time.
const BUFFER: u64 = 1 << 20;

/// Whether a payload's sha256 may be left out of the signature, which saves a pass over the bytes: where TLS or the
/// loopback interface protects them. Elsewhere the signature does, for a pass over the bytes and the memory of the
/// parts in flight.
///
/// See [unsigned payloads](https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
pub(super) fn may_be_unsigned(request: &str) -> bool {
    let Ok(url) = Url::parse(request) else { return false };
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Ipv4(ip))) => ip.is_loopback(),
        ("http", Some(Host::Ipv6(ip))) => ip.is_loopback(),
        ("http", Some(Host::Domain(name))) => name == "localhost",
        _ => false,
    }
}

/// The bytes of a part; the whole is part 0 of a blob that is sent at once.
pub(super) fn part_range(content: &Content, index: usize) -> Range<u64> {
    let part_size = part_size(content.size());
    let start = part_size * index as u64;
    start..(start + part_size).min(content.size())
}

/// A range of a file as a request's body, which the SDK can send again.
pub(super) async fn body(
    path: &Path,
    range: Range<u64>,
    tell: Teller,
    unsigned: bool,
) -> io::Result<ByteStream> {
    let length = range.end - range.start;
    if !unsigned {
        // The SDK signs the payloads that it has in memory, and no others.
        let path = path.to_owned();
        let bytes = threaded(move || {
            let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            File::open(path)?.read_exact_at(&mut bytes, range.start)?;
            Ok::<_, io::Error>(bytes)
        });
        let bytes = bytes.await?;
        // Told as it is handed over: such a body can't be watched.
        let _ = tell.send(length);
        return Ok(ByteStream::from(bytes));
    }
    let buffer = usize::try_from(length.clamp(1, BUFFER)).map_err(io::Error::other)?;
    let stream = ByteStream::read_from()
        .path(path)
        .offset(range.start)
        .length(Length::Exact(length))
        .buffer_size(buffer)
        .build()
        .await
        .map_err(io::Error::other)?;
    let counted = move |inner| SdkBody::from_body_1_x(Counted { inner, left: length, tell: tell.clone() });
    Ok(ByteStream::new(stream.into_inner().map(counted)))
}

/// Whether a part of the file still has the size and checksum that it had when it was hashed. Blocks.
pub(super) fn part_is_unchanged(content: &Content, index: usize) -> io::Result<bool> {
    let range = part_range(content, index);
    let mut file = File::open(content.path())?;
    if file.metadata()?.len() != content.size() {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(range.start))?;
    let mut part = file.take(range.end - range.start);
    let mut crc = crc_fast::Digest::new(Crc64Nvme);
    let mut buffer = vec![0; 1 << 20];
    loop {
        match part.read(&mut buffer)? {
            0 => break,
            n => crc.update(&buffer[..n]),
        }
    }
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
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_go_unsigned_where_something_else_protects_them() {
        for (endpoint, expected) in [
            ("https://bucket.s3.eu-west-1.amazonaws.com/?X-Amz-Expires=60", true),
            ("https://10.0.0.7:9000", true),
            ("http://127.0.0.1:9000", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:9000/", true),
            ("http://localhost:9000", true),
            ("http://localhost.example.com", false),
            ("http://minio:9000", false),
            ("http://10.0.0.7:9000", false),
            ("http://[2001:db8::1]", false),
            ("ftp://localhost", false),
            ("localhost:9000", false),
            ("", false),
        ] {
            assert_eq!(may_be_unsigned(endpoint), expected, "{endpoint:?}");
        }
    }
}
