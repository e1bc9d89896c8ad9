//! Answers of the service, and the meaning of its refusals.

use crate::{
    fault::{Fault, FaultKind},
    model::Timestamp,
    store::Stat,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::{
    DateTime,
    byte_stream::{AggregatedBytes, ByteStream},
    date_time::Format,
};
use bytes::Bytes;

const CREDENTIALS: &str =
    "check AZURE_STORAGE_ACCOUNT_KEY, or whatever else provides the credentials, and the clock";
const PERMISSIONS: &str = "the credentials need the role Storage Blob Data Contributor on the container, or a SAS with the \
                           permissions racwdl; see docs/stores/azure.md";
const LEASE: &str = "a lease or an immutability policy protects it: remove it, or wait until it ends";

/// An answer.
pub(super) struct Answer(HttpResponse);

/// A refusal: an answer whose status is an error.
#[derive(Debug, thiserror::Error)]
#[error("{status} {code}: {text}")]
pub(super) struct Refusal {
    pub status: u16,
    /// The code of the error, such as `BlobNotFound`; may be empty.
    pub code: String,
    text: String,
}

impl Answer {
    pub fn new(answer: HttpResponse) -> Self {
        Self(answer)
    }

    /// Returns the answer if it is a success.
    pub async fn ok(mut self) -> Result<Result<Self, Refusal>, Fault> {
        let status = self.0.status().as_u16();
        if status < 300 {
            return Ok(Ok(self));
        }
        let code = self.header("x-ms-error-code").unwrap_or_default().to_owned();
        // The text is for people: without it the code is enough.
        let body = ByteStream::new(self.0.take_body()).collect().await;
        let body = body.map(AggregatedBytes::into_bytes).unwrap_or_default();
        let text = String::from_utf8_lossy(&body);
        let between = |begin: &str, end: &str| {
            Some(text.split_once(begin)?.1.split_once(end)?.0.lines().next()?.trim().to_owned())
        };
        let code = if code.is_empty() { between("<Code>", "</Code>").unwrap_or_default() } else { code };
        let text = between("<Message>", "<").unwrap_or_default();
        Ok(Err(Refusal { status, code, text }))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers().get(name)
    }

    pub fn etag(&self) -> Option<String> {
        self.header("etag").map(str::to_owned)
    }

    /// Returns the size and the time of the blob that the answer is about.
    pub fn stat(&self) -> Option<Stat> {
        let size = self.header("content-length")?.parse().ok()?;
        Some(Stat { size, modified: time(self.header("last-modified")?)? })
    }

    /// Reads the whole body.
    pub async fn bytes(mut self, doing: impl Fn() -> String) -> Result<Bytes, Fault> {
        let body = ByteStream::new(self.0.take_body()).collect().await;
        body.map(AggregatedBytes::into_bytes)
            .map_err(|error| Fault::new(FaultKind::Unavailable, doing(), error))
    }

    pub fn stream(mut self) -> ByteStream {
        ByteStream::new(self.0.take_body())
    }
}

/// Reads a time such as `Mon, 30 Nov 2026 08:41:00 GMT`.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let millis = DateTime::from_str(text, Format::HttpDate).ok()?.to_millis().ok()?;
    u64::try_from(millis).ok().map(Timestamp::from_millis)
}

impl Refusal {
    /// Returns true if there is no such blob.
    pub fn is_missing(&self) -> bool {
        self.status == 404 && self.code != "ContainerNotFound" && self.code != "ContainerDisabled"
    }

    /// Returns true if the condition of the request was not met.
    pub fn is_unmet(&self) -> bool {
        self.code == "BlobAlreadyExists" || self.status == 412 && !self.code.starts_with("Lease")
    }

    /// Returns true if the bytes do not match their checksum.
    pub fn is_of_bytes(&self) -> bool {
        matches!(self.code.as_str(), "Crc64Mismatch" | "Md5Mismatch")
    }

    /// Returns the fault that the refusal is.
    pub fn fault(self, doing: impl Fn() -> String) -> Fault {
        let (kind, remedy) = self.judged();
        Fault { remedy, ..Fault::new(kind, doing(), self) }
    }

    fn judged(&self) -> (FaultKind, Option<&'static str>) {
        match self.code.as_str() {
            "ContainerNotFound" | "ContainerDisabled" => (FaultKind::Missing, None),
            "AccountBeingCreated" | "ContainerBeingDeleted" => (FaultKind::Throttled, None),
            "BlobImmutableDueToPolicy" | "BlobImmutableDueToLegalHold" => (FaultKind::Denied, Some(LEASE)),
            code if code.starts_with("Lease") => (FaultKind::Denied, Some(LEASE)),
            // Azurite has the code of a lacking permission.
            _ if self.text.starts_with("Server failed to authenticate") => {
                (FaultKind::Denied, Some(CREDENTIALS))
            }
            "AuthorizationPermissionMismatch" | "AuthorizationFailure" | "InsufficientAccountPermissions" => {
                (FaultKind::Denied, Some(PERMISSIONS))
            }
            "BlobAlreadyExists" | "BlobModifiedWhileReading" => (FaultKind::Contended, None),
            // The blocks were committed or dropped by another client, or the bytes were damaged on the way.
            "InvalidBlockList" | "Crc64Mismatch" | "Md5Mismatch" => (FaultKind::Unavailable, None),
            "InvalidHeaderValue" | "UnsupportedHeader" | "FeatureVersionMismatch" => {
                (FaultKind::Misconfigured, None)
            }
            _ => self.judged_by_status(),
        }
    }

    fn judged_by_status(&self) -> (FaultKind, Option<&'static str>) {
        match self.status {
            300..=399 => (FaultKind::Misconfigured, None),
            401 | 403 => (FaultKind::Denied, Some(CREDENTIALS)),
            404 => (FaultKind::Missing, None),
            412 => (FaultKind::Contended, None),
            408 | 500 | 502 | 504 => (FaultKind::Unavailable, None),
            429 | 503 => (FaultKind::Throttled, None),
            507 => (FaultKind::Full, None),
            _ => (FaultKind::Unexpected, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_judged_by_their_code() {
        for (status, code, kind) in [
            (404, "ContainerNotFound", FaultKind::Missing),
            (403, "AuthenticationFailed", FaultKind::Denied),
            (403, "AuthorizationPermissionMismatch", FaultKind::Denied),
            (412, "LeaseIdMissing", FaultKind::Denied),
            (409, "BlobImmutableDueToPolicy", FaultKind::Denied),
            (409, "ContainerBeingDeleted", FaultKind::Throttled),
            (412, "ConditionNotMet", FaultKind::Contended),
            (503, "ServerBusy", FaultKind::Throttled),
            (500, "OperationTimedOut", FaultKind::Unavailable),
            (400, "InvalidBlockList", FaultKind::Unavailable),
            (400, "InvalidHeaderValue", FaultKind::Misconfigured),
            (400, "Unheard", FaultKind::Unexpected),
        ] {
            let refusal = Refusal { status, code: code.to_owned(), text: String::new() };
            assert_eq!(refusal.fault(String::new).kind, kind, "{status} {code}");
        }
    }
}
