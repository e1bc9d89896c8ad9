//! Tests of the server in use, for properties that the store relies on and a server may lack.
//!
//! All requests use the object `OWNER`, which exists by then: each is a request that S3 refuses, or one that writes
//! the same bytes again. So nothing is left behind and nothing is lost, even on a server that refuses nothing. The
//! multipart upload that is begun is aborted.

use super::{
    client::S3Store,
    encoding::encoded_crc,
    faults::{code, refused_bytes, status},
    owner, uploads,
};
use crate::{
    aws::{fault, is_expired},
    fault::{Fault, FaultKind},
    model::{Setting, SettingState, Severity},
};
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart},
};
use aws_smithy_types::{base64, byte_stream::ByteStream};
use crc_fast::CrcAlgorithm::Crc64Nvme;
use std::error::Error;
use tracing::{Instrument, debug_span};

/// A property of S3: its name, and the behavior of a server that lacks it.
type Property = (&'static str, &'static str);

const IF_NONE_MATCH: Property = ("server_if_none_match", "it ignores `If-None-Match`");
const IF_MATCH: Property = ("server_if_match", "it ignores `If-Match`");
const SHA256: Property =
    ("server_checksum_sha256", "it accepts bytes that do not match their `x-amz-checksum-sha256`");
const CRC: Property =
    ("server_checksum_crc64nvme", "it accepts bytes that do not match their `x-amz-checksum-crc64nvme`");
const HEAD: Property = ("server_checksum_on_head", "`HeadObject` gives no CRC64NVME of a whole object");
const PART: Property =
    ("server_checksum_of_parts", "it accepts parts that do not match their `x-amz-checksum-crc64nvme`");
const COMPLETE: Property =
    ("server_complete_if_none_match", "it ignores `If-None-Match` of `CompleteMultipartUpload`");

const REMEDY: &str = "use AWS, or a server that supports this: docs/servers.md lists the tested ones";

/// Tests each property on a store that belongs to `owner`. A property that may not be tested is `NotKnown`.
///
/// # Errors
///
/// [`FaultKind::Misconfigured`], naming the properties, if the server lacks some.
pub(super) async fn run(store: &S3Store, owner: &str) -> Result<Vec<Setting>, Fault> {
    let probe = Probe { store, key: format!("{}OWNER", store.prefix), owner };
    let mut found = vec![
        (IF_NONE_MATCH, probe.put(Condition::IfNoneMatch, None, is_unmet).await?),
        (IF_MATCH, probe.put(Condition::IfMatch("\"0\"".to_owned()), None, is_unmet).await?),
    ];
    for (property, algorithm) in [(SHA256, ChecksumAlgorithm::Sha256), (CRC, ChecksumAlgorithm::Crc64Nvme)] {
        let condition = Condition::IfMatch(probe.etag().await?);
        found.push((property, probe.put(condition, Some((algorithm, false)), is_refused).await?));
    }
    found.push((HEAD, probe.head().await?));
    found.extend(probe.parts().await?);

    let lacks = found.iter().filter(|(_, state)| *state == SettingState::Off);
    let lacks: Vec<_> = lacks.map(|((_, what), _)| *what).collect();
    if !lacks.is_empty() {
        let why = format!("this server can't hold a store: {}", lacks.join("; "));
        let fault = Fault::new(FaultKind::Misconfigured, store.doing("testing the server"), why);
        return Err(Fault { remedy: Some(REMEDY), ..fault });
    }
    let setting = |((name, what), state): (Property, SettingState)| Setting {
        name,
        title: format!("the server's safety ({what}?)"),
        state,
        repair: None,
        severity: Severity::Serious,
        found: None,
    };
    Ok(found.into_iter().map(setting).collect())
}

enum Condition {
    IfNoneMatch,
    IfMatch(String),
}

struct Probe<'a> {
    store: &'a S3Store,
    key: String,
    owner: &'a str,
}

impl Probe<'_> {
    fn doing(&self) -> String {
        self.store.doing("testing the server")
    }

    /// Returns the etag of `OWNER`, if it still names the owner.
    async fn etag(&self) -> Result<String, Fault> {
        match owner::read(self.store).await? {
            Some((owner, etag)) if owner == self.owner => Ok(etag),
            _ => Err(Fault::new(FaultKind::Contended, self.doing(), "the owner has changed")),
        }
    }

    fn crc(&self, right: bool) -> String {
        let crc = crc_fast::checksum(Crc64Nvme, self.owner.as_bytes());
        encoded_crc(if right { crc } else { !crc })
    }

    /// Writes the same bytes again under a condition, and with a checksum that is right or wrong. Returns `On` if the
    /// server refuses the request as expected.
    async fn put(
        &self,
        condition: Condition,
        checksum: Option<(ChecksumAlgorithm, bool)>,
        is_expected: impl Fn(Option<u16>, &str, bool) -> bool,
    ) -> Result<SettingState, Fault> {
        let request = self.store.client.put_object().bucket(&self.store.bucket).key(&self.key);
        let request = match condition {
            Condition::IfNoneMatch => request.if_none_match("*"),
            Condition::IfMatch(etag) => request.if_match(etag),
        };
        let request = match checksum {
            None => request,
            Some((ChecksumAlgorithm::Sha256, _)) => request.checksum_sha256(base64::encode([0; 32])),
            Some((algorithm, right)) => {
                request.checksum_algorithm(algorithm).checksum_crc64_nvme(self.crc(right))
            }
        };
        let body = ByteStream::from(self.owner.as_bytes().to_vec());
        let answer = request.body(body).send().instrument(debug_span!("s3.PutObject", key = self.key)).await;
        self.judged(answer, "s3:PutObject", is_expected)
    }

    fn judged<T, E>(
        &self,
        answer: Result<T, SdkError<E, HttpResponse>>,
        grant: &str,
        is_expected: impl Fn(Option<u16>, &str, bool) -> bool,
    ) -> Result<SettingState, Fault>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let Err(error) = answer else { return Ok(SettingState::Off) };
        // An answer about expired credentials shows nothing about the property.
        let expired = error.raw_response().is_some_and(is_expired);
        if !expired && is_expected(status(&error), code(&error), refused_bytes(&error)) {
            return Ok(SettingState::On);
        }
        // Another write was in progress.
        if matches!(status(&error), Some(409 | 412)) {
            return Err(Fault::new(FaultKind::Contended, self.doing(), error));
        }
        let fault = fault(self.doing(), error);
        match fault.kind {
            kind if kind.is_transient() => Err(fault),
            FaultKind::Denied => Ok(SettingState::NotKnown(format!("{grant} is needed: {}", fault.source))),
            _ => Ok(SettingState::Off),
        }
    }

    /// Tests that `HeadObject` returns the CRC of the whole object. If a program without checksums wrote `OWNER`, it
    /// has none: then it is written again with one.
    async fn head(&self) -> Result<SettingState, Fault> {
        let has_crc = async || {
            let head = self.store.head(&self.key, None).await;
            let head = head.map_err(|error| fault(self.doing(), error))?;
            Ok::<_, Fault>(head.is_some_and(|head| {
                head.checksum_type != Some(ChecksumType::Composite)
                    && head.checksum_crc64_nvme == Some(self.crc(true))
            }))
        };
        if has_crc().await? {
            return Ok(SettingState::On);
        }
        let checksum = Some((ChecksumAlgorithm::Crc64Nvme, true));
        match self.put(Condition::IfMatch(self.etag().await?), checksum, |_, _, _| false).await? {
            SettingState::Off if has_crc().await? => Ok(SettingState::On),
            state => Ok(state),
        }
    }

    /// Tests the properties of an upload in parts, which can't complete, since the object exists.
    async fn parts(&self) -> Result<Vec<(Property, SettingState)>, Fault> {
        let (client, bucket) = (&self.store.client, &self.store.bucket);
        let request = client.create_multipart_upload().bucket(bucket).key(&self.key);
        let request =
            request.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).checksum_type(ChecksumType::FullObject);
        let answer = request.send().instrument(debug_span!("s3.CreateMultipartUpload", key = self.key)).await;
        let upload = match answer {
            Ok(begun) => begun.upload_id.unwrap_or_default(),
            Err(error) => {
                let state = self.judged(Err::<(), _>(error), "s3:PutObject", |_, _, _| false)?;
                return Ok(vec![(PART, state.clone()), (COMPLETE, state)]);
            }
        };
        let found = self.of_parts(&upload).await;
        uploads::abandon(self.store, &self.key, &upload, || self.doing()).await;
        found
    }

    async fn of_parts(&self, upload: &str) -> Result<Vec<(Property, SettingState)>, Fault> {
        let (client, bucket) = (&self.store.client, &self.store.bucket);
        let part = async |right| {
            let request = client.upload_part().bucket(bucket).key(&self.key).upload_id(upload).part_number(1);
            let request = request.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme);
            let body = ByteStream::from(self.owner.as_bytes().to_vec());
            let sent = request.checksum_crc64_nvme(self.crc(right)).body(body).send();
            sent.instrument(debug_span!("s3.UploadPart", key = self.key, number = 1)).await
        };
        let refuses = self.judged(part(false).await, "s3:PutObject", is_refused)?;
        let right = part(true).await.map_err(|error| fault(self.doing(), error))?;
        let part = CompletedPart::builder().part_number(1).set_e_tag(right.e_tag);
        let part = part.checksum_crc64_nvme(self.crc(true)).build();
        let request = client.complete_multipart_upload().bucket(bucket).key(&self.key).upload_id(upload);
        let request = request
            .multipart_upload(CompletedMultipartUpload::builder().parts(part).build())
            .checksum_type(ChecksumType::FullObject)
            .checksum_crc64_nvme(self.crc(true))
            .if_none_match("*");
        let answer = request.send();
        let answer = answer.instrument(debug_span!("s3.CompleteMultipartUpload", key = self.key)).await;
        let completes = self.judged(answer, "s3:PutObject", is_unmet)?;
        Ok(vec![(PART, refuses), (COMPLETE, completes)])
    }
}

/// Returns true if a write was refused because its condition is not met.
fn is_unmet(status: Option<u16>, code: &str, _: bool) -> bool {
    status == Some(412) || code == "PreconditionFailed"
}

/// Returns true if a write was refused because its bytes do not match its checksum.
fn is_refused(status: Option<u16>, _: &str, refused_bytes: bool) -> bool {
    refused_bytes || status == Some(400)
}
