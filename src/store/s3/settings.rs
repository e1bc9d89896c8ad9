//! The settings of the bucket: the single list of those that `init` creates and checks, and `doctor` checks. The
//! Terraform module in `infra/` creates the same ones, which a test verifies.

mod known;
mod lifecycle;
mod policy;
mod repair;
mod replication;

pub(super) use known::{ABORT_DAYS, NONCURRENT_DAYS, is_unknown};
pub(super) use policy::{Encryption, tls_only, whole};

use super::client::S3Store;
use crate::{
    fault::Fault,
    model::{Setting, SettingState},
};
use aws_sdk_s3::types::{BucketVersioningStatus, ObjectOwnership, OwnershipControls};
use known::{
    ABORT, ENCRYPTION, EXPIRE, KEEPS_BLOBS, Known, LATEST_TLS, ONE_ENCRYPTION, OWNERSHIP, PUBLIC_ACCESS,
    Seen, TLS_ONLY, VERSIONING, seen,
};
use lifecycle::{aborts, enabled, expires, takes_blobs};
use policy::{refuses_old_tls, refuses_other_encryption, refuses_plain_http};
use repair::repair;
use tracing::{Instrument, debug_span};

/// Returns the state of each setting of the bucket: `NotKnown` for one that may not be read, `NotSupported` for one
/// that the server lacks.
pub(super) async fn look(store: &S3Store) -> Result<Vec<Setting>, Fault> {
    let (client, bucket) = (&store.client, store.bucket.as_str());
    let [versioning, public_access, ownership] = of_access(store).await?;
    let answer = client.get_bucket_encryption().bucket(bucket).send();
    let answer = answer.instrument(debug_span!("s3.GetBucketEncryption")).await;
    let encryption = seen(store, &ENCRYPTION, answer)?;
    let default = match &encryption {
        Seen::There(answer) => {
            answer.server_side_encryption_configuration.as_ref().and_then(Encryption::of_bucket)
        }
        _ => None,
    };
    let encryption = encryption.is(|_| default.is_some());

    let (of_lifecycle, days) = of_lifecycle(store).await?;
    let [abort, expire, keeps_blobs] = of_lifecycle;
    let [tls_only, latest_tls, one_encryption] = of_policy(store, default.as_ref()).await?;

    let server = store.server_flags().await;
    let found = [
        (VERSIONING, versioning),
        (PUBLIC_ACCESS, public_access),
        (OWNERSHIP, ownership),
        (ENCRYPTION, encryption),
        (ABORT, abort),
        (EXPIRE, expire),
        (KEEPS_BLOBS, keeps_blobs),
        (TLS_ONLY, tls_only),
        (LATEST_TLS, latest_tls),
        (ONE_ENCRYPTION, one_encryption),
    ];
    let by_minio = store.clock.server().as_deref() == Some("MinIO");
    let setting = |(known, state): (Known, SettingState)| {
        let lacks_it = by_minio && !known.minio && state == SettingState::Off;
        let state = if lacks_it { SettingState::NotSupported } else { state };
        let found = match known.name {
            "bucket_encryption" => default.as_ref().map(Encryption::shown),
            "bucket_expire_old_versions" => days.map(|days| format!("after {days} days")),
            _ => None,
        };
        Setting {
            name: known.name,
            title: format!("{} of the bucket {bucket}", known.title),
            repair: (state == SettingState::Off)
                .then(|| repair(store, known.name, default.as_ref().filter(|_| !by_minio), &server)),
            state,
            severity: known.severity,
            found,
        }
    };
    let mut found: Vec<_> = found.map(setting).into();
    found.extend(replication::look(store, &server).await?);
    Ok(found)
}

/// Returns the states of versioning, of the block of public access, and of the ownership.
async fn of_access(store: &S3Store) -> Result<[SettingState; 3], Fault> {
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
    Ok([versioning, public_access, ownership])
}

/// Returns the states of the settings that lifecycle rules make, and the number of days for which old versions are kept.
async fn of_lifecycle(store: &S3Store) -> Result<([SettingState; 3], Option<i32>), Fault> {
    let answer = store.client.get_bucket_lifecycle_configuration().bucket(&store.bucket).send();
    let answer = answer.instrument(debug_span!("s3.GetBucketLifecycleConfiguration")).await;
    let lifecycle = seen(store, &ABORT, answer)?;
    let abort = lifecycle.is(|answer| aborts(answer.rules()));
    let expire = lifecycle.is(|answer| expires(answer.rules()));
    let days = match &lifecycle {
        Seen::There(answer) => enabled(answer.rules())
            .filter_map(|rule| rule.noncurrent_version_expiration.as_ref()?.noncurrent_days)
            .min(),
        _ => None,
    };
    let keeps_blobs = match lifecycle {
        // Without rules nothing is removed.
        Seen::Absent => SettingState::On,
        lifecycle => {
            lifecycle.is(|answer| !enabled(answer.rules()).any(|rule| takes_blobs(rule, &store.prefix)))
        }
    };
    Ok(([abort, expire, keeps_blobs], days))
}

/// Returns the states of what the policy denies. Over plain HTTP it would deny every request.
async fn of_policy(store: &S3Store, encryption: Option<&Encryption>) -> Result<[SettingState; 3], Fault> {
    if store.is_plain().await {
        return Ok([const { SettingState::NotSupported }; 3]);
    }
    let answer = store.client.get_bucket_policy().bucket(&store.bucket).send();
    let answer = answer.instrument(debug_span!("s3.GetBucketPolicy")).await;
    let found = seen(store, &TLS_ONLY, answer)?;
    let is = |denies: &dyn Fn(&str) -> bool| found.is(|answer| answer.policy.as_deref().is_some_and(denies));
    Ok([
        is(&refuses_plain_http),
        is(&refuses_old_tls),
        is(&|policy| refuses_other_encryption(policy, encryption)),
    ])
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
        let all = [
            VERSIONING,
            PUBLIC_ACCESS,
            OWNERSHIP,
            ENCRYPTION,
            ABORT,
            EXPIRE,
            KEEPS_BLOBS,
            TLS_ONLY,
            LATEST_TLS,
            ONE_ENCRYPTION,
        ];
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
}
