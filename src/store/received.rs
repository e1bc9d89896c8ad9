//! Bodies of answers over HTTP: ranges of a blob, of which exactly the requested bytes are passed on.

use super::{Body, sending::out_of_range};
use crate::fault::{Fault, FaultKind};
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use std::ops::Range;

/// Returns the body of an answer to a request for a range, after a check that it is of that range.
///
/// `content_range` is the header: `bytes 0-9/100`. Servers omit bytes beyond the end of a blob without an error.
pub(in crate::store) fn ranged(
    range: &Range<u64>,
    content_range: Option<&str>,
    etag: Option<String>,
    bytes: ByteStream,
    doing: String,
) -> Result<Body, Fault> {
    let span = content_range.and_then(|text| {
        let (span, size) = text.strip_prefix("bytes ")?.split_once('/')?;
        Some((span, size.parse::<u64>().ok()?))
    });
    let (Some((span, size)), Some(etag)) = (span, etag) else {
        let why = "an answer without a range or without an etag";
        return Err(Fault::new(FaultKind::Unexpected, doing, why));
    };
    if range.end > size {
        return Err(out_of_range(doing, range.end, size));
    }
    if span != format!("{}-{}", range.start, range.end - 1) {
        let why = format!("a range other than the requested one: {span}");
        return Err(Fault::new(FaultKind::Unexpected, doing, why));
    }
    Ok(Body { etag, size, stream: exactly(bytes, range.end - range.start, doing) })
}

/// Streams a body of exactly `length` bytes; otherwise the stream ends with an error.
pub(in crate::store) fn exactly(
    body: ByteStream,
    length: u64,
    doing: String,
) -> BoxStream<'static, Result<Bytes, Fault>> {
    stream::try_unfold((body, length, doing), async |(mut body, left, doing)| match body.next().await {
        Some(Ok(bytes)) if bytes.len() as u64 <= left => {
            let left = left - bytes.len() as u64;
            Ok(Some((bytes, (body, left, doing))))
        }
        Some(Ok(_)) => Err(Fault::new(FaultKind::Unexpected, doing, "more bytes than requested")),
        Some(Err(error)) => Err(Fault::new(FaultKind::Unavailable, doing, error)),
        None if left > 0 => Err(Fault::new(FaultKind::Unavailable, doing, "the answer was cut short")),
        None => Ok(None),
    })
    .boxed()
}
