//! Reads a range of a blob.

use super::{
    client::S3Store,
    faults::{code, status},
};
use crate::{
    aws::fault,
    fault::{Fault, FaultKind},
    model::Address,
    store::{
        Body,
        sending::{out_of_range, replaced_while_read},
    },
};
use aws_sdk_s3::config::ResponseChecksumValidation;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use std::ops::Range;
use tracing::{Instrument, debug_span};

/// Reads a range that is not empty from an object; `None` if there is no such object.
pub(super) async fn get(
    store: &S3Store,
    at: &Address,
    range: Range<u64>,
    etag: Option<&str>,
) -> Result<Option<Body>, Fault> {
    let doing = store.doing(format_args!("reading the blob {at}"));
    let key = store.key(at);
    let request = store
        .client
        .get_object()
        .bucket(&store.bucket)
        .key(&key)
        .range(format!("bytes={}-{}", range.start, range.end - 1))
        .set_if_match(etag.map(str::to_owned))
        .customize()
        // The caller compares the sha256 of all bytes; another checksum would only cost a second pass.
        .config_override(
            aws_sdk_s3::Config::builder()
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired),
        );
    let answer = match request.send().instrument(debug_span!("s3.GetObject", key)).await {
        Ok(answer) => answer,
        Err(error) if code(&error) == "NoSuchKey" => return Ok(None),
        Err(error) if status(&error) == Some(412) => return Err(replaced_while_read(doing)),
        Err(error) if status(&error) == Some(416) => {
            return Err(Fault::new(FaultKind::Corrupt, doing, error));
        }
        Err(error) => return Err(fault(doing, error)),
    };
    // `bytes 0-9/100`. S3 omits bytes beyond the end of an object without an error.
    let span = answer.content_range.as_deref().and_then(|text| {
        let (span, size) = text.strip_prefix("bytes ")?.split_once('/')?;
        Some((span.to_owned(), size.parse::<u64>().ok()?))
    });
    let (Some((span, size)), Some(etag)) = (span, answer.e_tag) else {
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
    Ok(Some(Body { etag, size, stream: exactly(answer.body, range.end - range.start, doing) }))
}

/// Streams a body of exactly `length` bytes; otherwise the stream ends with an error.
pub(super) fn exactly(
    body: ByteStream,
    length: u64,
    doing: String,
) -> stream::BoxStream<'static, Result<Bytes, Fault>> {
    stream::try_unfold((body, length, doing), |(mut body, left, doing)| async move {
        match body.next().await {
            Some(Ok(bytes)) if bytes.len() as u64 <= left => {
                let left = left - bytes.len() as u64;
                Ok(Some((bytes, (body, left, doing))))
            }
            Some(Ok(_)) => Err(Fault::new(FaultKind::Unexpected, doing, "more bytes than requested")),
            Some(Err(error)) => Err(Fault::new(FaultKind::Unavailable, doing, error)),
            None if left > 0 => Err(Fault::new(FaultKind::Unavailable, doing, "the answer was cut short")),
            None => Ok(None),
        }
    })
    .boxed()
}
