//! The list of the settings of the bucket, and the meaning of S3's answers about one.

use crate::{
    aws::fault,
    fault::Fault,
    model::{SettingState, Severity},
    store::s3::{
        client::S3Store,
        faults::{code, status},
    },
};
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use std::error::Error;

/// The number of days after which S3 removes the parts of an incomplete upload. S3 counts from the upload's begin,
/// even while it is running, so this must be longer than any upload takes.
pub(in crate::store::s3) const ABORT_DAYS: i32 = 30;
/// The number of days for which overwritten or deleted objects can be restored.
pub(in crate::store::s3) const NONCURRENT_DAYS: i32 = 30;

/// A setting of the bucket.
pub(in crate::store::s3) struct Known {
    pub name: &'static str,
    pub title: &'static str,
    pub severity: Severity,
    /// The error code of S3 if the setting does not exist.
    pub absent: &'static str,
    /// The permission needed to read the setting.
    pub grant: &'static str,
    /// The resource that creates the setting in `infra/`.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test compares it with the module"))]
    pub resource: &'static str,
    /// True if `MinIO` supports the setting.
    pub minio: bool,
}

pub(in crate::store::s3) const VERSIONING: Known = Known {
    name: "bucket_versioning",
    title: "versioning",
    severity: Severity::Serious,
    absent: "",
    grant: "s3:GetBucketVersioning",
    resource: "aws_s3_bucket_versioning",
    minio: true,
};
pub(in crate::store::s3) const PUBLIC_ACCESS: Known = Known {
    name: "bucket_public_access_block",
    title: "the block of public access",
    severity: Severity::Serious,
    absent: "NoSuchPublicAccessBlockConfiguration",
    grant: "s3:GetBucketPublicAccessBlock",
    resource: "aws_s3_bucket_public_access_block",
    minio: false,
};
pub(in crate::store::s3) const OWNERSHIP: Known = Known {
    name: "bucket_ownership",
    title: "ownership of all objects (no ACLs)",
    severity: Severity::Minor,
    absent: "OwnershipControlsNotFoundError",
    grant: "s3:GetBucketOwnershipControls",
    resource: "aws_s3_bucket_ownership_controls",
    minio: false,
};
pub(in crate::store::s3) const ENCRYPTION: Known = Known {
    name: "bucket_encryption",
    title: "default encryption",
    severity: Severity::Minor,
    absent: "ServerSideEncryptionConfigurationNotFoundError",
    grant: "s3:GetEncryptionConfiguration",
    resource: "aws_s3_bucket_server_side_encryption_configuration",
    minio: false,
};
pub(in crate::store::s3) const ABORT: Known = Known {
    name: "bucket_abort_uploads",
    title: "the rule that aborts unfinished uploads after 30 days",
    severity: Severity::Minor,
    absent: "NoSuchLifecycleConfiguration",
    grant: "s3:GetLifecycleConfiguration",
    resource: "aws_s3_bucket_lifecycle_configuration",
    minio: false,
};
pub(in crate::store::s3) const EXPIRE: Known = Known {
    name: "bucket_expire_old_versions",
    title: "the rule that removes old versions of objects",
    minio: true,
    ..ABORT
};
pub(in crate::store::s3) const KEEPS_BLOBS: Known = Known {
    name: "bucket_keeps_blobs",
    title: "the absence of a rule that removes or archives blobs",
    severity: Severity::Serious,
    minio: true,
    ..ABORT
};
pub(in crate::store::s3) const TLS_ONLY: Known = Known {
    name: "bucket_tls_only",
    title: "the policy that refuses requests without TLS",
    severity: Severity::Serious,
    absent: "NoSuchBucketPolicy",
    grant: "s3:GetBucketPolicy",
    resource: "aws_s3_bucket_policy",
    minio: true,
};

pub(in crate::store::s3) const LATEST_TLS: Known = Known {
    name: "bucket_latest_tls",
    title: "the policy that refuses TLS before 1.2",
    severity: Severity::Minor,
    minio: false,
    ..TLS_ONLY
};
pub(in crate::store::s3) const ONE_ENCRYPTION: Known = Known {
    name: "bucket_one_encryption",
    title: "the policy that refuses objects with another encryption than the bucket's",
    ..LATEST_TLS
};

/// The result of reading a setting.
pub(in crate::store::s3) enum Seen<T> {
    There(T),
    /// The server reports that there is none.
    Absent,
    Other(SettingState),
}

impl<T> Seen<T> {
    pub fn is(&self, is_on: impl FnOnce(&T) -> bool) -> SettingState {
        match self {
            Self::There(answer) if is_on(answer) => SettingState::On,
            Self::There(_) | Self::Absent => SettingState::Off,
            Self::Other(state) => state.clone(),
        }
    }
}

/// Returns the meaning of an answer about a setting.
pub(in crate::store::s3) fn seen<T, E>(
    store: &S3Store,
    known: &Known,
    answer: Result<T, SdkError<E, HttpResponse>>,
) -> Result<Seen<T>, Fault>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let error = match answer {
        Ok(answer) => return Ok(Seen::There(answer)),
        Err(error) => error,
    };
    if !known.absent.is_empty() && code(&error) == known.absent {
        return Ok(Seen::Absent);
    }
    // Some servers answer such a request with unrelated data.
    if is_unknown(&error) || status(&error) == Some(200) {
        return Ok(Seen::Other(SettingState::NotSupported));
    }
    let doing = store.doing(format_args!("reading {} of the bucket", known.title));
    let fault = fault(doing, error);
    if fault.kind.is_transient() {
        return Err(fault);
    }
    Ok(Seen::Other(SettingState::NotKnown(format!("{} is needed: {}", known.grant, fault.source))))
}

/// Returns true if a server reports that it does not support such a setting.
pub(in crate::store::s3) fn is_unknown<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(status(error), Some(405 | 501))
        || matches!(
            code(error),
            "InvalidArgument" | "InvalidRequest" | "MalformedXML" | "NotImplemented" | "MethodNotAllowed"
        )
}
