//! Objects under the keys that another program gave them.

use super::{
    encoding::stat,
    faults::{code, status},
};
use crate::{
    aws::fault,
    fault::{Fault, FaultKind},
    store::{
        Body,
        named::{NamedBytes, NamedFile, NamedFiles, NamedPage},
        received::exactly,
        sending::replaced_while_read,
    },
};
use async_trait::async_trait;
use aws_sdk_s3::Client;
use std::fmt;
use tracing::{Instrument, debug_span};

/// The objects under a prefix of a bucket.
pub struct S3Files {
    client: Client,
    bucket: String,
    // Empty, or ends with a slash.
    prefix: String,
}

impl S3Files {
    /// Returns the objects under `prefix` of `bucket`, or all if `prefix` is empty.
    #[must_use]
    pub fn new(client: Client, bucket: impl Into<String>, prefix: &str) -> Self {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { client, bucket: bucket.into(), prefix }
    }
}

impl fmt::Debug for S3Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Files").field(&self.describe()).finish()
    }
}

#[async_trait]
impl NamedFiles for S3Files {
    fn describe(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix).trim_end_matches('/').to_owned()
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<NamedPage, Fault> {
        let prefix = format!("{}{prefix}", self.prefix);
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix);
        let answer = request.set_continuation_token(after.map(str::to_owned)).send();
        let answer = answer.instrument(debug_span!("s3.ListObjectsV2", prefix)).await;
        let answer = answer.map_err(|error| fault(format!("listing {}", self.describe()), error))?;
        let mut page = NamedPage::default();
        for object in answer.contents.unwrap_or_default() {
            let Some(name) = object.key.as_deref().and_then(|key| key.strip_prefix(&self.prefix)) else {
                continue;
            };
            let facts = stat(object.size, object.last_modified);
            let (name, etag) = (name.to_owned(), object.e_tag);
            page.files.push(NamedFile { name, size: facts.size, modified: facts.modified, etag });
        }
        page.next = answer.next_continuation_token.filter(|_| answer.is_truncated == Some(true));
        Ok(page)
    }

    async fn open(&self, name: &str, from: u64, etag: Option<&str>) -> Result<Option<NamedBytes>, Fault> {
        let key = format!("{}{name}", self.prefix);
        let doing = format!("reading s3://{}/{key}", self.bucket);
        let request = self.client.get_object().bucket(&self.bucket).key(&key);
        // An empty object has no range.
        let range = (from > 0).then(|| format!("bytes={from}-"));
        let request = request.set_range(range).set_if_match(etag.map(str::to_owned));
        let answer = match request.send().instrument(debug_span!("s3.GetObject", key)).await {
            Ok(answer) => answer,
            Err(error) if code(&error) == "NoSuchKey" => return Ok(None),
            Err(error) if status(&error) == Some(412) => return Err(replaced_while_read(doing)),
            Err(error) => return Err(fault(doing, error)),
        };
        let length = answer.content_length.and_then(|length| u64::try_from(length).ok());
        let (Some(length), Some(etag)) = (length, answer.e_tag) else {
            let why = "an answer without a length or without an etag";
            return Err(Fault::new(FaultKind::Unexpected, doing, why));
        };
        let stream = exactly(answer.body, length, doing);
        Ok(Some(NamedBytes::Remote(Body { etag, size: from + length, stream })))
    }
}
