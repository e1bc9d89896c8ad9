//! Signing of payloads: the payload's sha256 is part of a request's signature, or is left out.
//!
//! If TLS or the loopback interface protects the bytes it may be left out, which saves a pass over them. Otherwise it
//! is computed from the file before the payload is sent: the SDK on its own signs only what it has in memory.

use super::body;
use crate::{blocking::threaded, store::Content};
use aws_runtime::auth::PayloadSigningOverride;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeTransmitInterceptorContextMut},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;
use std::io;
use url::{Host, Url};

/// The part of a request's signature that covers its payload.
#[derive(Debug, Clone)]
pub(super) enum Payload {
    /// The signature does not cover the payload.
    Unsigned,
    /// The signature covers the payload's sha256, as hex digits.
    Sha256(String),
}

impl Payload {
    /// Returns the signing of a whole content, sent at once.
    pub fn whole(content: &Content, unsigned: bool) -> Self {
        if unsigned { Self::Unsigned } else { Self::Sha256(content.sha256().to_string()) }
    }

    /// Returns the signing of a part of a content. Reads the part if it has to be signed.
    pub async fn part(content: &Content, index: usize, unsigned: bool) -> io::Result<Self> {
        if unsigned {
            return Ok(Self::Unsigned);
        }
        let (path, range) = (content.path().to_owned(), body::part_range(content, index));
        let sha256 = threaded(move || body::sha256(&path, &range)).await?;
        Ok(Self::Sha256(sha256.to_string()))
    }
}

impl Intercept for Payload {
    fn name(&self) -> &'static str {
        "Payload"
    }

    fn modify_before_signing(
        &self,
        _: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        configuration: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        configuration.interceptor_state().store_put(match self {
            Self::Unsigned => PayloadSigningOverride::UnsignedPayload,
            Self::Sha256(sha256) => PayloadSigningOverride::Precomputed(sha256.clone()),
        });
        Ok(())
    }
}

/// Returns true if a payload's sha256 may be left out of the signature of a request to this address.
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
