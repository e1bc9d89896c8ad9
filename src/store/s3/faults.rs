//! S3's answers that are part of the protocol; [`aws::fault`](crate::aws::fault) handles all others.
//!
//! Codes are those of the
//! [list of error responses](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).

use crate::fault::{Fault, FaultKind};
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::put_object::PutObjectOutput,
};

/// Returns the code in an error response; empty without one, as for `HeadObject`, which has no body.
pub(super) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> &str {
    error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default()
}

/// Returns the HTTP status, if there was an answer.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Returns true for a successful answer that arrived whole and is not one of S3: another attempt would get the same.
/// The SDK keeps the bytes of such an answer, but not those of one that broke off.
pub(super) fn is_unreadable<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let whole = error.raw_response().is_some_and(|answer| answer.body().bytes().is_some());
    whole && status(error) == Some(200) && code(error).is_empty()
}

/// Returns a fault unless the answer to a `PutObject` has an `ETag`, as S3's answer for a stored object has. A proxy can
/// answer in the place of S3, with a page. The outcome is unknown, so that the next attempt compares.
pub(super) fn must_be_stored(answer: &PutObjectOutput, doing: impl FnOnce() -> String) -> Result<(), Fault> {
    if answer.e_tag().is_some() {
        return Ok(());
    }
    let why = "the answer has no ETag, so it is not an answer of S3";
    Err(Fault::new(FaultKind::Unavailable, doing(), why))
}

/// Returns true if S3 reports that the received bytes do not match their checksums or length.
pub(super) fn refused_bytes<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let message = || error.as_service_error().and_then(ProvideErrorMetadata::message).unwrap_or_default();
    match code(error) {
        "BadDigest" | "IncompleteBody" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch" => true,
        "InvalidRequest" => message().to_ascii_lowercase().contains("checksum"),
        _ => false,
    }
}
