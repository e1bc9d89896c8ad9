//! Reads a range of a blob.

use super::{
    client::S3Store,
    faults::{code, status},
};
use crate::{
    aws::fault,
    fault::{Fault, FaultKind},
    model::Address,
    store::{Body, received::ranged, sending::replaced_while_read},
};
use aws_sdk_s3::config::ResponseChecksumValidation;
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
    ranged(&range, answer.content_range.as_deref(), answer.e_tag, answer.body, doing).map(Some)
}
