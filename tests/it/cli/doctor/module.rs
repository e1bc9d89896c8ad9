//! The settings that `init` makes on moto, compared with those that the Terraform module plans.

use super::clouds::Cloud;
use crate::support::{backends, iam::BUCKET, rewriting, terraform};
use serde_json::{Map, Value, json};

/// Arguments that are no setting of what `init` makes: names; how Terraform works; the source of a restored table; and
/// a default of S3 for transitions, of which there are none.
const NO_SETTINGS: [&str; 6] = [
    "name",
    "bucket",
    "force_destroy",
    "timeouts",
    "transition_default_minimum_object_size",
    "restore_to_latest_time",
];

/// Returns a value without empty parts, and with a list in the place of each single block.
fn pruned(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::Array(values) => {
            let values: Vec<_> = values.iter().filter_map(pruned).collect();
            (!values.is_empty()).then(|| values.into())
        }
        Value::Object(fields) => {
            let fields: Map<_, _> = fields
                .iter()
                .filter(|(name, value)| *name != "days" || **value != json!(0))
                .filter_map(|(name, value)| Some((name.clone(), pruned(value)?)))
                .collect();
            (!fields.is_empty()).then(|| fields.into())
        }
        value => Some(value.clone()),
    }
}

/// Returns a policy with each list in order, and a single value in the place of a list of one.
fn ordered(value: &Value) -> Value {
    match value {
        Value::Array(values) => {
            let mut values: Vec<_> = values.iter().map(ordered).collect();
            values.sort_by_key(Value::to_string);
            if values.len() == 1 { values.remove(0) } else { values.into() }
        }
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), ordered(value))).collect(),
        value => value.clone(),
    }
}

/// Returns the settings that the module plans, by the type of the resource.
fn of_module() -> Map<String, Value> {
    let mut planned = terraform::planned(&json!({ "bucket_name": "acme-blobs" }));
    planned["aws_s3_bucket_policy"] = ordered(&terraform::bucket_policy(BUCKET));
    let known = |(kind, values): (String, Value)| {
        let mut values = values;
        if let (Some(values), false) = (values.as_object_mut(), kind == "aws_s3_bucket_policy") {
            values.retain(|name, _| !NO_SETTINGS.contains(&name.as_str()));
        }
        (kind, pruned(&values).unwrap_or_default())
    };
    planned.into_iter().map(known).collect()
}

/// Returns the settings of the table, as the module names them.
async fn of_table(cloud: &Cloud) -> Value {
    let found = cloud.dynamodb.describe_table().table_name(&cloud.table).send().await.unwrap();
    let table = found.table.unwrap();
    let found = cloud.dynamodb.describe_continuous_backups().table_name(&cloud.table).send().await.unwrap();
    let recovery = found.continuous_backups_description.unwrap().point_in_time_recovery_description.unwrap();
    let attributes = table.attribute_definitions().iter();
    let key = |at: usize| table.key_schema()[at].attribute_name();
    let indexes = table.global_secondary_indexes().len() + table.local_secondary_indexes().len();
    assert_eq!((indexes, table.replicas().len(), table.sse_description.is_some()), (0, 0, false));
    assert!(table.stream_specification.is_none() && table.on_demand_throughput.is_none());
    json!({
        "billing_mode": table.billing_mode_summary.as_ref().unwrap().billing_mode.as_ref().unwrap().as_str(),
        "hash_key": key(0), "range_key": key(1),
        "attribute": attributes.map(|of| json!({
            "name": of.attribute_name(), "type": of.attribute_type().as_str(),
        })).collect::<Vec<_>>(),
        "deletion_protection_enabled": table.deletion_protection_enabled,
        "point_in_time_recovery": [{
            "enabled": recovery.point_in_time_recovery_status.unwrap().as_str() == "ENABLED",
            "recovery_period_in_days": recovery.recovery_period_in_days,
        }],
    })
}

/// Returns the lifecycle rules of the bucket, as the module names them.
async fn of_lifecycle(cloud: &Cloud) -> Value {
    let found = cloud.s3.get_bucket_lifecycle_configuration().bucket(&cloud.bucket).send().await.unwrap();
    let rules = found.rules.unwrap().into_iter().map(|rule| {
        let abort = rule.abort_incomplete_multipart_upload.as_ref();
        let old = rule.noncurrent_version_expiration.as_ref();
        let expiration = rule.expiration.as_ref();
        assert!(rule.transitions().is_empty() && rule.noncurrent_version_transitions().is_empty());
        json!({
            "id": rule.id, "status": rule.status.as_str(),
            "filter": [{ "prefix": rule.filter.unwrap().prefix }],
            "abort_incomplete_multipart_upload": [{ "days_after_initiation": abort.map(|of| of.days_after_initiation) }],
            "noncurrent_version_expiration": [{
                "noncurrent_days": old.map(|of| of.noncurrent_days),
                "newer_noncurrent_versions": old.and_then(|of| of.newer_noncurrent_versions),
            }],
            "expiration": [{
                "days": expiration.and_then(|of| of.days),
                "expired_object_delete_marker": expiration.and_then(|of| of.expired_object_delete_marker),
            }],
        })
    });
    json!({ "rule": rules.collect::<Vec<_>>() })
}

/// Returns the other settings of the bucket, as the module names them.
async fn of_bucket(cloud: &Cloud) -> Vec<(&'static str, Value)> {
    let bucket = &cloud.bucket;
    let s3 = backends::aws().s3(&backends::at(rewriting::moto())).await.unwrap();
    let versioning = s3.get_bucket_versioning().bucket(bucket).send().await.unwrap().status.unwrap();
    let block = s3.get_public_access_block().bucket(bucket).send().await.unwrap();
    let block = block.public_access_block_configuration.unwrap();
    let ownership = s3.get_bucket_ownership_controls().bucket(bucket).send().await.unwrap();
    let encryption = s3.get_bucket_encryption().bucket(bucket).send().await.unwrap();
    let encryption = encryption.server_side_encryption_configuration.unwrap();
    let of_rule = |rule: &aws_sdk_s3::types::ServerSideEncryptionRule| {
        let default = rule.apply_server_side_encryption_by_default.as_ref().unwrap();
        let (key, algorithm) = (&default.kms_master_key_id, default.sse_algorithm.as_str());
        json!({
            "apply_server_side_encryption_by_default": [{ "sse_algorithm": algorithm, "kms_master_key_id": key }],
            // What S3 takes if it is not said.
            "bucket_key_enabled": rule.bucket_key_enabled.unwrap_or(false),
        })
    };
    let rule = |rule: &aws_sdk_s3::types::OwnershipControlsRule| json!({ "object_ownership": rule.object_ownership.as_str() });
    let policy = cloud.policies.lock().unwrap().values().next().unwrap().replace(bucket, "acme-blobs");
    vec![
        (
            "aws_s3_bucket_versioning",
            json!({ "versioning_configuration": [{ "status": versioning.as_str() }] }),
        ),
        (
            "aws_s3_bucket_public_access_block",
            json!({
                "block_public_acls": block.block_public_acls, "block_public_policy": block.block_public_policy,
                "ignore_public_acls": block.ignore_public_acls,
                "restrict_public_buckets": block.restrict_public_buckets,
            }),
        ),
        (
            "aws_s3_bucket_ownership_controls",
            json!({ "rule": ownership.ownership_controls.unwrap().rules().iter().map(rule).collect::<Vec<_>>() }),
        ),
        (
            "aws_s3_bucket_server_side_encryption_configuration",
            json!({ "rule": encryption.rules().iter().map(of_rule).collect::<Vec<_>>() }),
        ),
        ("aws_s3_bucket_policy", ordered(&serde_json::from_str(&policy).unwrap())),
    ]
}

/// Every argument of every resource of the module, with its defaults: one that is added to one side alone is found.
#[test]
fn init_makes_what_the_module_plans() {
    let cloud = Cloud::new();
    let made: Map<_, _> = cloud.runtime.block_on(async {
        let mut made = of_bucket(&cloud).await;
        made.push(("aws_dynamodb_table", of_table(&cloud).await));
        made.push(("aws_s3_bucket_lifecycle_configuration", of_lifecycle(&cloud).await));
        made.push(("aws_s3_bucket", Value::Null));
        made.into_iter()
            .map(|(kind, values)| (kind.to_owned(), pruned(&values).unwrap_or_default()))
            .collect()
    });
    for (kind, planned) in &of_module() {
        let made = made.get(kind).unwrap_or_else(|| panic!("`init` makes nothing like {kind}: {planned}"));
        assert_eq!(made, planned, "{kind}");
    }
}
