//! What S3 answered, where that is part of the protocol; all else is for [`aws::fault`](crate::aws::fault).
//!
//! Codes are those of the
//! [list of error responses](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

/// The code in an error response, or nothing: a `HeadObject` has no body to hold one.
pub(super) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> &str {
    error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default()
}

/// The HTTP status, if there was an answer.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Whether S3 says that the bytes it got are not those that their checksums or length announced.
pub(super) fn refused_bytes<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let message = || error.as_service_error().and_then(ProvideErrorMetadata::message).unwrap_or_default();
    match code(error) {
        "BadDigest" | "IncompleteBody" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch" => true,
        "InvalidRequest" => message().to_ascii_lowercase().contains("checksum"),
        _ => false,
    }
}
