//! Reading blobs.

use super::{AzureStore, answers::Answer};
use crate::{
    fault::{Fault, FaultKind},
    model::Address,
    store::{
        Body, Stat,
        sending::{out_of_range, replaced_while_read},
    },
};
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use std::ops::Range;

/// Returns the properties of a blob; `None` if there is no such blob.
pub(super) async fn head(
    store: &AzureStore,
    path: &str,
    doing: impl Fn() -> String,
) -> Result<Option<Answer>, Fault> {
    match store.request("GetBlobProperties", "HEAD", path, "").ok(&doing).await? {
        Ok(answer) => Ok(Some(answer)),
        Err(refusal) if refusal.is_missing() => Ok(None),
        Err(refusal) => Err(refusal.fault(doing)),
    }
}

pub(super) async fn stat(store: &AzureStore, at: &Address) -> Result<Option<Stat>, Fault> {
    let doing = || store.doing(format_args!("checking for the blob {at}"));
    let Some(answer) = head(store, &store.blob(at), doing).await? else { return Ok(None) };
    answer.stat().map(Some).ok_or_else(|| incomplete(doing()))
}

fn incomplete(doing: String) -> Fault {
    Fault::new(FaultKind::Unexpected, doing, "an answer without a size, a range or an etag")
}

pub(super) async fn get(
    store: &AzureStore,
    at: &Address,
    range: Range<u64>,
    expected: Option<&str>,
) -> Result<Option<Body>, Fault> {
    let doing = || store.doing(format_args!("reading the blob {at}"));
    if range.is_empty() {
        let Some(answer) = head(store, &store.blob(at), doing).await? else { return Ok(None) };
        let (stat, etag) = answer.stat().zip(answer.etag()).ok_or_else(|| incomplete(doing()))?;
        if expected.is_some_and(|expected| expected != etag) {
            return Err(replaced_while_read(doing()));
        }
        return Ok(Some(Body { etag, size: stat.size, stream: stream::empty().boxed() }));
    }
    let request = store.request("GetBlob", "GET", &store.blob(at), "").maybe("if-match", expected);
    let answer =
        match request.header("range", format!("bytes={}-{}", range.start, range.end - 1)).ok(doing).await? {
            Ok(answer) => answer,
            Err(refusal) if refusal.is_missing() => return Ok(None),
            Err(refusal) if refusal.status == 412 => return Err(replaced_while_read(doing())),
            Err(refusal) if refusal.status == 416 => {
                return Err(Fault::new(FaultKind::Corrupt, doing(), refusal));
            }
            Err(refusal) => return Err(refusal.fault(doing)),
        };
    // `bytes 0-9/100`. Azure omits bytes beyond the end of a blob without an error.
    let span = answer.header("content-range").and_then(|text| {
        let (span, size) = text.strip_prefix("bytes ")?.split_once('/')?;
        Some((span.to_owned(), size.parse::<u64>().ok()?))
    });
    let ((span, size), etag) = span.zip(answer.etag()).ok_or_else(|| incomplete(doing()))?;
    if range.end > size {
        return Err(out_of_range(doing(), range.end, size));
    }
    if span != format!("{}-{}", range.start, range.end - 1) {
        let why = format!("a range other than the requested one: {span}");
        return Err(Fault::new(FaultKind::Unexpected, doing(), why));
    }
    Ok(Some(Body { etag, size, stream: exactly(answer.stream(), range.end - range.start, doing()) }))
}

/// Streams a body of exactly `length` bytes; otherwise the stream ends with an error.
pub(super) fn exactly(
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
