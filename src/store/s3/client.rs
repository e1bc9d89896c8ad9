//! The bucket, the prefix, and the address of requests.

use super::{faults::status, payload};
use crate::{
    aws::{Clock, is_aws},
    fault::{Fault, FaultKind},
    model::Address,
};
use aws_sdk_s3::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::head_object::HeadObjectOutput,
    presigning::PresigningConfig,
    types::ChecksumMode,
};
use std::{
    error::Error,
    fmt,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tokio::sync::OnceCell;
use tracing::{Instrument, debug_span};

/// A store under a prefix of a bucket. See the [module](super). Cloning is cheap.
#[derive(Clone)]
pub struct S3Store {
    pub(super) client: Client,
    pub(super) bucket: String,
    // Empty, or ends with a slash.
    pub(super) prefix: String,
    pub(super) uploads: Option<PathBuf>,
    pub(super) jobs: Option<NonZeroUsize>,
    pub(super) endpoint: Arc<OnceCell<String>>,
    // This client created the bucket but has not applied all settings yet.
    pub(super) unfinished: Arc<AtomicBool>,
    pub(super) clock: Clock,
}

impl S3Store {
    /// Returns the store under `prefix` (with or without slashes at its ends; empty for the whole bucket) of
    /// `bucket`.
    ///
    /// `uploads` is the folder in which this client records the multipart uploads that it begins; it is created when
    /// needed. Without a folder an interrupted upload starts over.
    #[must_use]
    pub fn new(client: Client, bucket: impl Into<String>, prefix: &str, uploads: Option<PathBuf>) -> Self {
        let prefix = match prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let (endpoint, unfinished) = (Arc::default(), Arc::default());
        let clock = Clock::default();
        let configured = client.config().to_builder().interceptor(clock.clone()).build();
        drop(client);
        let client = Client::from_conf(configured);
        Self { client, bucket: bucket.into(), prefix, uploads, jobs: None, endpoint, unfinished, clock }
    }

    /// Sets the number of parts of an upload in transfer at once: never more, and fewer while the store throttles or
    /// fails. By default the number adapts (see [`Concurrency`](crate::retry::Concurrency)).
    #[must_use]
    pub fn with_jobs(self, jobs: NonZeroUsize) -> Self {
        Self { jobs: Some(jobs), ..self }
    }

    /// Returns true if payloads may be sent unsigned.
    pub(super) async fn unsigned(&self) -> bool {
        self.endpoint().await.is_some_and(payload::may_be_unsigned)
    }

    /// Returns the address of requests, determined once: `https://bucket.s3.eu-west-1.amazonaws.com`. The client does
    /// not expose its endpoint, which may have many sources, but a presigned request does. An error here also fails
    /// the real request.
    pub(super) async fn endpoint(&self) -> Option<&str> {
        let endpoint = self.endpoint.get_or_try_init(|| async {
            let never_sent = PresigningConfig::expires_in(Duration::from_mins(1)).map_err(drop)?;
            let request =
                self.client.get_object().bucket(&self.bucket).key("OWNER").presigned(never_sent).await;
            let url = url::Url::parse(request.map_err(drop)?.uri()).map_err(drop)?;
            Ok::<_, ()>(url.origin().ascii_serialization())
        });
        endpoint.await.ok().map(String::as_str)
    }

    /// Returns true if requests are sent without TLS.
    pub(super) async fn is_plain(&self) -> bool {
        self.endpoint().await.is_some_and(|url| url.starts_with("http://"))
    }

    /// Returns the options with which the AWS command line reaches the same bucket.
    pub(super) async fn server_flags(&self) -> String {
        let region = self.client.config().region().map(|region| format!(" --region {region}"));
        let endpoint = self.endpoint().await.filter(|url| !is_aws(url));
        let endpoint = endpoint.map(|url| format!(" --endpoint-url {url}"));
        region.into_iter().chain(endpoint).collect()
    }

    /// Returns the store's location, for people.
    pub(super) fn shown(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix).trim_end_matches('/').to_owned()
    }

    pub(super) fn key(&self, at: &Address) -> String {
        format!("{}sha256/{at}", self.prefix)
    }

    pub(super) fn doing(&self, what: impl fmt::Display) -> String {
        format!("{what} in {}", self.shown())
    }

    /// Sends `HeadObject`; returns `None` for 404, which is also the answer for a missing bucket.
    pub(super) async fn head(
        &self,
        key: &str,
        etag: Option<&str>,
    ) -> Result<
        Option<HeadObjectOutput>,
        SdkError<impl ProvideErrorMetadata + Error + Send + Sync + 'static, HttpResponse>,
    > {
        let request =
            self.client.head_object().bucket(&self.bucket).key(key).set_if_match(etag.map(str::to_owned));
        let answer = request.checksum_mode(ChecksumMode::Enabled).send();
        match answer.instrument(debug_span!("s3.HeadObject", key)).await {
            Ok(head) => Ok(Some(head)),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns a fault if the bucket itself does not exist, which a 404 without a body for an object may mean.
    pub(super) async fn bucket_is_there(&self, doing: impl FnOnce() -> String) -> Result<(), Fault> {
        let answer = self.client.head_bucket().bucket(&self.bucket).send();
        match answer.instrument(debug_span!("s3.HeadBucket")).await {
            Err(error) if status(&error) == Some(404) => Err(Fault::new(FaultKind::Missing, doing(), error)),
            // Credentials that may read objects may lack the permission to query the bucket.
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Store")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
