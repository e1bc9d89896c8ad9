//! A store in S3, or in a server that speaks its protocol.
//!
//! That nothing wrong can come to stand under an address rests on three properties of S3: it compares what it gets
//! with the checksums that go with it
//! ([object integrity](https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html)), it
//! writes under the condition that nothing is there, or that what is there has a certain etag
//! ([conditional writes](https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html)), and it is
//! [strongly consistent](https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel).
//! An object found under its address is taken for the blob only if its size and its checksum say so, or, where it has no
//! checksum to compare, its bytes; that a write's
//! condition failed (412) or that another write came between (409) is never taken for that.
//!
//! The credentials need `s3:ListBucket` on the bucket too: without it S3
//! [answers 403](https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html) for an object that is not there.

mod body;
mod bucket;
mod changed;
mod compare;
mod faults;
mod journal;
mod multipart;
mod owner;
mod payload;
mod probe;
mod range;
mod settings;
mod single;
mod uploads;

use super::{
    Body, Content, Listing, PART_SIZE, Put, PutError, Sending, Stat, Store, Upload, Uploads,
    sending::{belongs, exchanged, told, unowned},
};
use crate::{
    aws::{Clock, ConnectOnly, fault, is_aws},
    fault::{Fault, FaultKind},
    model::{Address, Timestamp},
    table::{Created, Setting},
};
use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::head_object::HeadObjectOutput,
    presigning::PresigningConfig,
    types::ChecksumMode,
};
use aws_smithy_types::{DateTime, base64};
use compare::{Found, look};
use faults::{code, refused_bytes, status};
use futures_util::{StreamExt, stream};
use std::{
    error::Error,
    fmt, io,
    num::NonZeroUsize,
    ops::Range,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tokio::sync::OnceCell;
use tracing::{Instrument, debug, debug_span};

/// A store under a prefix of a bucket. See the [module](self). Cloning is cheap.
#[derive(Clone)]
pub struct S3Store {
    client: Client,
    bucket: String,
    // Empty, or ends with a slash.
    prefix: String,
    uploads: Option<PathBuf>,
    jobs: Option<NonZeroUsize>,
    endpoint: Arc<OnceCell<String>>,
    // This client made the bucket but not yet all of its settings.
    unfinished: Arc<AtomicBool>,
    clock: Clock,
}

impl S3Store {
    /// The store under `prefix` (with or without slashes at its ends; empty for the whole bucket) of `bucket`.
    ///
    /// `uploads` is the folder in which this client remembers the multipart uploads that it began; it is made when
    /// needed. Without one an upload that is interrupted begins anew.
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

    /// With so many parts of an upload under way at once: no more, and fewer while the store throttles or fails. Otherwise
    /// the number adapts (see [`Concurrency`](crate::retry::Concurrency)).
    #[must_use]
    pub fn with_jobs(self, jobs: NonZeroUsize) -> Self {
        Self { jobs: Some(jobs), ..self }
    }

    /// Whether payloads may go unsigned.
    async fn unsigned(&self) -> bool {
        self.endpoint().await.is_some_and(payload::may_be_unsigned)
    }

    /// The address that requests go to, found out once: `https://bucket.s3.eu-west-1.amazonaws.com`. The client does not
    /// state its endpoint, which may have many sources, but a request that it would make does. Whatever keeps one from
    /// being made fails the real one too.
    async fn endpoint(&self) -> Option<&str> {
        let endpoint = self.endpoint.get_or_try_init(|| async {
            let never_sent = PresigningConfig::expires_in(Duration::from_mins(1)).map_err(drop)?;
            let request =
                self.client.get_object().bucket(&self.bucket).key("OWNER").presigned(never_sent).await;
            let url = url::Url::parse(request.map_err(drop)?.uri()).map_err(drop)?;
            Ok::<_, ()>(url.origin().ascii_serialization())
        });
        endpoint.await.ok().map(String::as_str)
    }

    /// Whether requests go without TLS.
    async fn is_plain(&self) -> bool {
        self.endpoint().await.is_some_and(|url| url.starts_with("http://"))
    }

    /// What the AWS command line needs to reach the same bucket.
    async fn server_flags(&self) -> String {
        let region = self.client.config().region().map(|region| format!(" --region {region}"));
        let endpoint = self.endpoint().await.filter(|url| !is_aws(url));
        let endpoint = endpoint.map(|url| format!(" --endpoint-url {url}"));
        region.into_iter().chain(endpoint).collect()
    }

    fn key(&self, at: &Address) -> String {
        format!("{}sha256/{at}", self.prefix)
    }

    fn doing(&self, what: impl fmt::Display) -> String {
        format!("{what} in {}", self.describe())
    }

    /// `HeadObject`; `None` if it answers 404, which is also what it says of a bucket that isn't there.
    async fn head(
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

    /// A fault if the bucket itself is not there: what an object's 404 may mean where the answer has no body.
    async fn bucket_is_there(&self, doing: impl FnOnce() -> String) -> Result<(), Fault> {
        let answer = self.client.head_bucket().bucket(&self.bucket).send();
        match answer.instrument(debug_span!("s3.HeadBucket")).await {
            Err(error) if status(&error) == Some(404) => Err(Fault::new(FaultKind::Missing, doing(), error)),
            // Whoever may read objects need not be allowed to ask for the bucket.
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

#[async_trait]
impl Store for S3Store {
    fn describe(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix).trim_end_matches('/').to_owned()
    }

    async fn connect(&self) {
        // Any request goes to the address that the others go to. Its error only says that it was not sent.
        let request = self.client.get_object().bucket(&self.bucket).key("OWNER").customize();
        let _ = request.interceptor(ConnectOnly).send().await;
    }

    async fn create(&self) -> Result<Created, Fault> {
        bucket::create(self).await
    }

    async fn settings(&self) -> Result<Vec<Setting>, Fault> {
        settings::look(self).await
    }

    async fn probe(&self, owner: &str) -> Result<Vec<Setting>, Fault> {
        probe::run(self, owner).await
    }

    async fn owner(&self) -> Result<Option<String>, Fault> {
        Ok(owner::read(self).await?.map(|(owner, _)| owner))
    }

    async fn claim(&self, ledger: &str) -> Result<String, Fault> {
        match owner::read(self).await? {
            Some((owner, _)) => Ok(owner),
            None => owner::write(self, ledger, None).await,
        }
    }

    async fn replace_owner(&self, from: &str, to: &str) -> Result<String, Fault> {
        match owner::read(self).await? {
            Some((owner, etag)) if owner == from => owner::write(self, to, Some(etag)).await,
            Some((owner, _)) => Ok(owner),
            None => Err(unowned(self.describe())),
        }
    }

    async fn stat(&self, at: &Address) -> Result<Option<Stat>, Fault> {
        let doing = || self.doing(format_args!("looking for the blob {at}"));
        match self.head(&self.key(at), None).await {
            Ok(Some(head)) => Ok(Some(stat(head.content_length, head.last_modified))),
            Ok(None) => self.bucket_is_there(doing).await.map(|()| None),
            Err(error) => Err(fault(doing(), error)),
        }
    }

    async fn put(
        &self,
        at: &Address,
        content: &Content,
        expected: bool,
        sent: Sending<'_>,
    ) -> Result<Put, PutError> {
        belongs(at, content)?;
        let key = self.key(at);
        let key = key.as_str();
        let put = told(sent, |tell| async move {
            if content.size() <= PART_SIZE {
                single::put(self, key, content, expected, tell).await
            } else {
                multipart::put(self, key, content, tell).await
            }
        });
        let put = put.await?;
        if put == Put::Replaced {
            debug!(blob = %at, store = self.describe(), "what was stored was damaged and has been replaced");
        }
        Ok(put)
    }

    async fn get(&self, at: &Address, range: Range<u64>, etag: Option<&str>) -> Result<Option<Body>, Fault> {
        if !range.is_empty() {
            return range::get(self, at, range, etag).await;
        }
        let doing = || self.doing(format_args!("reading the blob {at}"));
        match self.head(&self.key(at), etag).await {
            Ok(Some(HeadObjectOutput { e_tag: Some(etag), content_length, .. })) => {
                let size = stat(content_length, None).size;
                Ok(Some(Body { etag, size, stream: stream::empty().boxed() }))
            }
            Ok(Some(_)) => Err(Fault::new(FaultKind::Unexpected, doing(), "an object without an etag")),
            Ok(None) => self.bucket_is_there(doing).await.map(|()| None),
            Err(error) if status(&error) == Some(412) => Err(exchanged(doing())),
            Err(error) => Err(fault(doing(), error)),
        }
    }

    async fn delete(&self, at: &Address) -> Result<(), Fault> {
        let key = self.key(at);
        let answer = self.client.delete_object().bucket(&self.bucket).key(&key).send();
        match answer.instrument(debug_span!("s3.DeleteObject", key)).await {
            Ok(_) => Ok(()),
            Err(error) => Err(fault(self.doing(format_args!("deleting the blob {at}")), error)),
        }
    }

    async fn uploads(&self, after: Option<&str>) -> Result<Uploads, Fault> {
        uploads::page(self, after).await
    }

    async fn last_written(&self, upload: &Upload) -> Result<Option<Timestamp>, Fault> {
        uploads::last_written(self, upload).await
    }

    async fn abort(&self, upload: &Upload) -> Result<(), Fault> {
        uploads::abort(self, upload).await
    }

    fn time(&self) -> Option<Timestamp> {
        self.clock.now()
    }

    async fn list(&self, after: Option<&str>) -> Result<Listing, Fault> {
        self.list_part("", after).await
    }

    fn lists_in_parts(&self) -> bool {
        true
    }

    async fn list_part(&self, prefix: &str, after: Option<&str>) -> Result<Listing, Fault> {
        let blobs = format!("{}sha256/", self.prefix);
        let prefix = format!("{blobs}{prefix}");
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix);
        let answer = request.set_continuation_token(after.map(str::to_owned)).send();
        let page = answer.instrument(debug_span!("s3.ListObjectsV2", prefix)).await;
        let page = page.map_err(|error| fault(self.doing("listing the blobs"), error))?;
        let object = |object: aws_sdk_s3::types::Object| {
            let at = object.key.as_deref()?.strip_prefix(&blobs)?.parse().ok()?;
            Some((at, stat(object.size, object.last_modified)))
        };
        let objects = page.contents.unwrap_or_default().into_iter().filter_map(object).collect();
        Ok(Listing {
            objects,
            next: page.next_continuation_token.filter(|_| page.is_truncated == Some(true)),
        })
    }
}

/// A sha256 as S3 writes it: base64.
fn encoded_sha256(content: &Content) -> String {
    base64::encode(content.sha256().to_bytes())
}

/// A CRC-64/NVME as S3 writes it: base64 of its bytes, the highest first.
fn encoded_crc(crc: u64) -> String {
    base64::encode(crc.to_be_bytes())
}

fn unreadable(content: &Content, error: io::Error) -> Fault {
    Fault::new(FaultKind::Disk, format!("reading {}", content.path().display()), error)
}

fn stat(size: Option<i64>, modified: Option<DateTime>) -> Stat {
    let millis = modified.and_then(|at| at.to_millis().ok()).and_then(|millis| u64::try_from(millis).ok());
    Stat {
        size: size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
        modified: Timestamp::from_millis(millis.unwrap_or_default()),
    }
}
