//! The settings of the bucket: the single list of those that `init` creates and checks. The Terraform module in
//! `infra/` creates the same ones, which a test verifies.

use super::{
    client::S3Store,
    faults::{code, status},
};
use crate::{
    aws::fault,
    fault::Fault,
    model::{Setting, SettingState},
};
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    types::{BucketVersioningStatus, ExpirationStatus, LifecycleRule, ObjectOwnership, OwnershipControls},
};
use serde_json::{Value, json};
use std::error::Error;
use tracing::{Instrument, debug_span};

/// The number of days after which S3 removes the parts of an incomplete upload. S3 counts from the upload's begin,
/// even while it is running, so this must be longer than any upload takes.
pub(super) const ABORT_DAYS: i32 = 30;
/// The number of days for which overwritten or deleted objects can be restored.
pub(super) const NONCURRENT_DAYS: i32 = 30;

/// A setting of the bucket.
struct Known {
    name: &'static str,
    title: &'static str,
    /// The error code of S3 if the setting does not exist.
    absent: &'static str,
    /// The permission needed to read the setting.
    grant: &'static str,
    /// The resource that creates the setting in `infra/`.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test compares it with the module"))]
    resource: &'static str,
    /// True if `MinIO` supports the setting.
    minio: bool,
}

const VERSIONING: Known = Known {
    name: "bucket_versioning",
    title: "versioning",
    absent: "",
    grant: "s3:GetBucketVersioning",
    resource: "aws_s3_bucket_versioning",
    minio: true,
};
const PUBLIC_ACCESS: Known = Known {
    name: "bucket_public_access_block",
    title: "the block of public access",
    absent: "NoSuchPublicAccessBlockConfiguration",
    grant: "s3:GetBucketPublicAccessBlock",
    resource: "aws_s3_bucket_public_access_block",
    minio: false,
};
const OWNERSHIP: Known = Known {
    name: "bucket_ownership",
    title: "ownership of all objects (no ACLs)",
    absent: "OwnershipControlsNotFoundError",
    grant: "s3:GetBucketOwnershipControls",
    resource: "aws_s3_bucket_ownership_controls",
    minio: false,
};
const ENCRYPTION: Known = Known {
    name: "bucket_encryption",
    title: "default encryption",
    absent: "ServerSideEncryptionConfigurationNotFoundError",
    grant: "s3:GetEncryptionConfiguration",
    resource: "aws_s3_bucket_server_side_encryption_configuration",
    minio: false,
};
const ABORT: Known = Known {
    name: "bucket_abort_uploads",
    title: "the rule that aborts unfinished uploads after 30 days",
    absent: "NoSuchLifecycleConfiguration",
    grant: "s3:GetLifecycleConfiguration",
    resource: "aws_s3_bucket_lifecycle_configuration",
    minio: false,
};
const EXPIRE: Known = Known {
    name: "bucket_expire_old_versions",
    title: "the rule that removes old versions of objects",
    minio: true,
    ..ABORT
};
const TLS_ONLY: Known = Known {
    name: "bucket_tls_only",
    title: "the policy that refuses requests without TLS",
    absent: "NoSuchBucketPolicy",
    grant: "s3:GetBucketPolicy",
    resource: "aws_s3_bucket_policy",
    minio: true,
};

/// Returns the bucket policy that denies requests without TLS.
pub(super) fn tls_only(region: &str, bucket: &str) -> String {
    let partition = match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    let arn = format!("arn:{partition}:s3:::{bucket}");
    let statement = json!({
        "Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": [arn, format!("{arn}/*")],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    });
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

fn refuses_plain_http(policy: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let one = std::slice::from_ref(&policy["Statement"]);
    policy["Statement"].as_array().map_or(one, Vec::as_slice).iter().any(|statement| {
        let condition = &statement["Condition"]["Bool"]["aws:SecureTransport"];
        let condition = condition.get(0).unwrap_or(condition);
        statement["Effect"] == "Deny" && (condition == "false" || condition == &json!(false))
    })
}

/// Returns the state of each setting of the bucket: `NotKnown` for one that may not be read, `NotSupported` for one
/// that the server lacks.
pub(super) async fn look(store: &S3Store) -> Result<Vec<Setting>, Fault> {
    let (client, bucket) = (&store.client, store.bucket.as_str());
    let answer = client.get_bucket_versioning().bucket(bucket).send();
    let answer = answer.instrument(debug_span!("s3.GetBucketVersioning")).await;
    let versioning =
        seen(store, &VERSIONING, answer)?.is(|answer| answer.status == Some(BucketVersioningStatus::Enabled));

    let answer = client.get_public_access_block().bucket(bucket).send();
    let answer = answer.instrument(debug_span!("s3.GetPublicAccessBlock")).await;
    let public_access = seen(store, &PUBLIC_ACCESS, answer)?.is(|answer| {
        answer.public_access_block_configuration.as_ref().is_some_and(|block| {
            let flags = [
                block.block_public_acls,
                block.ignore_public_acls,
                block.block_public_policy,
                block.restrict_public_buckets,
            ];
            flags == [Some(true); 4]
        })
    });

    let answer = client.get_bucket_ownership_controls().bucket(bucket).send();
    let answer = answer.instrument(debug_span!("s3.GetBucketOwnershipControls")).await;
    let ownership = seen(store, &OWNERSHIP, answer)?.is(|answer| {
        let mut rules = answer.ownership_controls.iter().flat_map(OwnershipControls::rules);
        rules.any(|rule| rule.object_ownership == ObjectOwnership::BucketOwnerEnforced)
    });

    let answer = client.get_bucket_encryption().bucket(bucket).send();
    let answer = answer.instrument(debug_span!("s3.GetBucketEncryption")).await;
    let encryption = seen(store, &ENCRYPTION, answer)?.is(|answer| {
        answer.server_side_encryption_configuration.as_ref().is_some_and(|found| !found.rules().is_empty())
    });

    let answer = client.get_bucket_lifecycle_configuration().bucket(bucket).send();
    let answer = answer.instrument(debug_span!("s3.GetBucketLifecycleConfiguration")).await;
    let lifecycle = seen(store, &ABORT, answer)?;
    let abort = lifecycle.is(|answer| aborts(answer.rules()));
    let expire = lifecycle
        .is(|answer| enabled(answer.rules()).any(|rule| rule.noncurrent_version_expiration.is_some()));

    let tls_only = if store.is_plain().await {
        // Over plain HTTP the policy would deny every request.
        SettingState::NotSupported
    } else {
        let answer = client.get_bucket_policy().bucket(bucket).send();
        let answer = answer.instrument(debug_span!("s3.GetBucketPolicy")).await;
        seen(store, &TLS_ONLY, answer)?.is(|answer| answer.policy.as_deref().is_some_and(refuses_plain_http))
    };

    let server = store.server_flags().await;
    let found = [
        (VERSIONING, versioning),
        (PUBLIC_ACCESS, public_access),
        (OWNERSHIP, ownership),
        (ENCRYPTION, encryption),
        (ABORT, abort),
        (EXPIRE, expire),
        (TLS_ONLY, tls_only),
    ];
    let by_minio = store.clock.server().as_deref() == Some("MinIO");
    let setting = |(known, state): (Known, SettingState)| {
        let lacks_it = by_minio && !known.minio && state == SettingState::Off;
        let state = if lacks_it { SettingState::NotSupported } else { state };
        Setting {
            name: known.name,
            title: format!("{} of the bucket {bucket}", known.title),
            repair: (state == SettingState::Off).then(|| repair(store, &known, &server)),
            state,
        }
    };
    Ok(found.map(setting).into())
}

fn enabled(rules: &[LifecycleRule]) -> impl Iterator<Item = &LifecycleRule> {
    rules.iter().filter(|rule| rule.status == ExpirationStatus::Enabled)
}

/// Returns true if incomplete uploads are aborted, but none that may still be running.
fn aborts(rules: &[LifecycleRule]) -> bool {
    let days = |rule: &LifecycleRule| rule.abort_incomplete_multipart_upload.as_ref()?.days_after_initiation;
    enabled(rules).filter_map(days).min().is_some_and(|days| days >= ABORT_DAYS)
}

/// The result of reading a setting.
enum Seen<T> {
    There(T),
    /// The server reports that there is none.
    Absent,
    Other(SettingState),
}

impl<T> Seen<T> {
    fn is(&self, is_on: impl FnOnce(&T) -> bool) -> SettingState {
        match self {
            Self::There(answer) if is_on(answer) => SettingState::On,
            Self::There(_) | Self::Absent => SettingState::Off,
            Self::Other(state) => state.clone(),
        }
    }
}

fn seen<T, E>(
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
pub(super) fn is_unknown<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(status(error), Some(405 | 501))
        || matches!(
            code(error),
            "InvalidArgument" | "InvalidRequest" | "MalformedXML" | "NotImplemented" | "MethodNotAllowed"
        )
}

/// Returns the shell command that turns a setting on.
fn repair(store: &S3Store, known: &Known, server: &str) -> String {
    let bucket = &store.bucket;
    let call = match known.name {
        "bucket_versioning" => "put-bucket-versioning --versioning-configuration Status=Enabled".to_owned(),
        "bucket_public_access_block" => "put-public-access-block --public-access-block-configuration \
             BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
            .to_owned(),
        "bucket_ownership" => "put-bucket-ownership-controls --ownership-controls \
             'Rules=[{ObjectOwnership=BucketOwnerEnforced}]'"
            .to_owned(),
        "bucket_encryption" => {
            let by_default = json!({ "SSEAlgorithm": "AES256" });
            let rules = json!({ "Rules": [{ "ApplyServerSideEncryptionByDefault": by_default }] });
            format!("put-bucket-encryption --server-side-encryption-configuration '{rules}'")
        }
        // The command replaces all existing rules: rules that are to stay must be part of it.
        "bucket_abort_uploads" | "bucket_expire_old_versions" => {
            let abort = json!({
                "ID": "abort-incomplete-uploads", "Status": "Enabled", "Filter": {},
                "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": ABORT_DAYS },
            });
            let expire = json!({
                "ID": "expire-noncurrent-versions", "Status": "Enabled", "Filter": {},
                "NoncurrentVersionExpiration": { "NoncurrentDays": NONCURRENT_DAYS },
                "Expiration": { "ExpiredObjectDeleteMarker": true },
            });
            let rules = json!({ "Rules": [abort, expire] });
            format!("put-bucket-lifecycle-configuration --lifecycle-configuration '{rules}'")
        }
        _ => {
            let region = store.client.config().region().map_or("", AsRef::as_ref);
            format!("put-bucket-policy --policy '{}'", tls_only(region, bucket))
        }
    };
    format!("aws s3api {call} --bucket {bucket}{server}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: &str = include_str!("../../../infra/bucket.tf");
    const VARIABLES: &str = include_str!("../../../infra/variables.tf");

    /// Returns the text of a resource.
    fn resource<'a>(text: &'a str, kind: &str) -> &'a str {
        let begins = format!("resource \"{kind}\" ");
        let (_, after) = text.split_once(&begins).unwrap_or_else(|| panic!("{kind} is not in the module"));
        after.split("\n}\n").next().unwrap()
    }

    #[test]
    fn init_and_the_module_make_the_same_settings() {
        let all = [VERSIONING, PUBLIC_ACCESS, OWNERSHIP, ENCRYPTION, ABORT, EXPIRE, TLS_ONLY];
        let mut known: Vec<_> = all.iter().map(|known| known.resource).collect();
        known.extend(["aws_s3_bucket"]);
        known.sort_unstable();
        known.dedup();
        let made = MODULE.lines().filter_map(|line| line.strip_prefix("resource \"")?.split('"').next());
        let mut made: Vec<_> = made.collect();
        made.sort_unstable();
        assert_eq!(made, known);

        let squeezed = |kind| resource(MODULE, kind).split_whitespace().collect::<Vec<_>>().join(" ");
        for (kind, parts) in [
            (VERSIONING.resource, vec!["status = \"Enabled\"".to_owned()]),
            (
                PUBLIC_ACCESS.resource,
                ["block_public_acls", "ignore_public_acls", "block_public_policy", "restrict_public_buckets"]
                    .map(|flag| format!("{flag} = true"))
                    .into(),
            ),
            (OWNERSHIP.resource, vec!["object_ownership = \"BucketOwnerEnforced\"".to_owned()]),
            (ENCRYPTION.resource, vec!["\"AES256\"".to_owned()]),
            (
                ABORT.resource,
                vec![
                    "id = \"abort-incomplete-uploads\"".to_owned(),
                    format!("days_after_initiation = {ABORT_DAYS}"),
                    "id = \"expire-noncurrent-versions\"".to_owned(),
                    "noncurrent_days = var.noncurrent_version_days".to_owned(),
                    "expired_object_delete_marker = true".to_owned(),
                ],
            ),
        ] {
            for part in parts {
                assert!(squeezed(kind).contains(&part), "{kind}: {part}");
            }
        }
        let (_, days) = VARIABLES.split_once("variable \"noncurrent_version_days\"").unwrap();
        assert!(days.split("\n}\n").next().unwrap().contains(&format!("default     = {NONCURRENT_DAYS}")));
        for part in ["effect  = \"Deny\"", "\"aws:SecureTransport\"", "values   = [\"false\"]", "[\"s3:*\"]"]
        {
            assert!(MODULE.contains(part), "{part}");
        }
    }

    #[test]
    fn a_policy_that_refuses_plain_http_is_seen() {
        assert!(refuses_plain_http(&tls_only("eu-west-1", "acme")));
        assert!(tls_only("cn-north-1", "acme").contains("arn:aws-cn:s3:::acme/*"));
        let one = r#"{"Statement":{"Effect":"Deny","Condition":{"Bool":{"aws:SecureTransport":["false"]}}}}"#;
        assert!(refuses_plain_http(one));
        for policy in
            ["", "{}", r#"{"Statement":[]}"#, &one.replace("Deny", "Allow"), &one.replace("false", "true")]
        {
            assert!(!refuses_plain_http(policy), "{policy}");
        }
    }

    #[test]
    fn uploads_that_may_still_be_running_are_not_to_be_aborted() {
        let rule = |days, status| {
            let abort = aws_sdk_s3::types::AbortIncompleteMultipartUpload::builder();
            LifecycleRule::builder()
                .status(status)
                .abort_incomplete_multipart_upload(abort.days_after_initiation(days).build())
                .build()
                .unwrap()
        };
        assert!(!aborts(&[]));
        assert!(aborts(&[rule(30, ExpirationStatus::Enabled), rule(1, ExpirationStatus::Disabled)]));
        assert!(!aborts(&[rule(30, ExpirationStatus::Enabled), rule(7, ExpirationStatus::Enabled)]));
        assert!(!aborts(&[rule(30, ExpirationStatus::Disabled)]));
    }
}
