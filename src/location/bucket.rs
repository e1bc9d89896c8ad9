//! Places in S3 buckets.

use crate::endpoint::Endpoint;
use std::fmt;

/// A place in an S3 bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The bucket.
    pub bucket: String,
    /// The prefix of every key, without a `/` at either end; may be empty.
    pub prefix: String,
    /// Settings that win over the standard configuration.
    pub endpoint: Endpoint,
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "s3://{}{slash}{}{}", self.bucket, self.prefix, Query(&self.endpoint))
    }
}

/// The parameters of a URL.
pub(super) struct Query<'a>(pub &'a Endpoint);

impl fmt::Display for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = [("region", &self.0.region), ("endpoint", &self.0.url)];
        let given = given.iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value)));
        for (number, (name, value)) in given.enumerate() {
            let mark = if number == 0 { '?' } else { '&' };
            // A `&`, `+`, `%` or `#` would end or change the value.
            let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            write!(f, "{mark}{name}={}", value.replace("%3A", ":").replace("%2F", "/"))?;
        }
        Ok(())
    }
}
