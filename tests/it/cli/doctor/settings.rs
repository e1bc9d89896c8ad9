//! Each setting of a table and a bucket, broken by itself on moto.

use super::{
    clouds::{Cloud, make},
    defects, examine, find,
};
use crate::support::{backends, rewriting};
use aws_sdk_dynamodb::types::{
    BillingMode, PointInTimeRecoverySpecification, ProvisionedThroughput, TimeToLiveSpecification,
};
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketVersioningStatus, Destination, ExpirationStatus, LifecycleExpiration,
    LifecycleRule, LifecycleRuleFilter, ObjectOwnership, OwnershipControls, OwnershipControlsRule,
    PublicAccessBlockConfiguration, ReplicationConfiguration, ReplicationRule, ReplicationRuleStatus,
    VersioningConfiguration,
};
use serde_json::Value;

/// Breaks one setting of the table.
async fn break_table(cloud: &Cloud, name: &str) {
    let (client, table) = (&cloud.dynamodb, &cloud.table);
    match name {
        "table_deletion_protection" => {
            let request = client.update_table().table_name(table);
            request.deletion_protection_enabled(false).send().await.unwrap();
        }
        "table_point_in_time_recovery" => {
            let off = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(false);
            let request = client.update_continuous_backups().table_name(table);
            request.point_in_time_recovery_specification(off.build().unwrap()).send().await.unwrap();
        }
        "table_on_demand" => {
            let throughput = ProvisionedThroughput::builder().read_capacity_units(5).write_capacity_units(5);
            let request = client.update_table().table_name(table).billing_mode(BillingMode::Provisioned);
            request.provisioned_throughput(throughput.build().unwrap()).send().await.unwrap();
        }
        "table_no_expiry" => {
            let on = TimeToLiveSpecification::builder().enabled(true).attribute_name("when");
            let request = client.update_time_to_live().table_name(table);
            request.time_to_live_specification(on.build().unwrap()).send().await.unwrap();
        }
        other => panic!("{other}"),
    }
}

/// Breaks one setting of the bucket.
async fn break_bucket(cloud: &Cloud, name: &str) {
    let (client, bucket) = (&cloud.s3, &cloud.bucket);
    let rules = async |kept: &[&str], more: Option<LifecycleRule>| {
        let found = client.get_bucket_lifecycle_configuration().bucket(bucket).send().await.unwrap();
        let kept =
            found.rules.unwrap().into_iter().filter(|rule| kept.contains(&rule.id.as_deref().unwrap()));
        let rules = kept.chain(more).collect();
        let rules = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().unwrap();
        let request = client.put_bucket_lifecycle_configuration().bucket(bucket);
        request.lifecycle_configuration(rules).send().await.unwrap();
    };
    let (abort, expire) = ("abort-incomplete-uploads", "expire-noncurrent-versions");
    match name {
        "bucket_versioning" => {
            let off = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
            let request = client.put_bucket_versioning().bucket(bucket);
            request.versioning_configuration(off).send().await.unwrap();
        }
        "bucket_public_access_block" => {
            let three = PublicAccessBlockConfiguration::builder()
                .block_public_acls(true)
                .ignore_public_acls(true)
                .block_public_policy(true)
                .restrict_public_buckets(false);
            let request = client.put_public_access_block().bucket(bucket);
            request.public_access_block_configuration(three.build()).send().await.unwrap();
        }
        "bucket_ownership" => {
            let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::ObjectWriter);
            let controls = OwnershipControls::builder().rules(rule.build().unwrap()).build().unwrap();
            let request = client.put_bucket_ownership_controls().bucket(bucket);
            request.ownership_controls(controls).send().await.unwrap();
        }
        "bucket_encryption" => {
            client.delete_bucket_encryption().bucket(bucket).send().await.unwrap();
        }
        "bucket_abort_uploads" => rules(&[expire], None).await,
        "bucket_expire_old_versions" => rules(&[abort], None).await,
        "bucket_keeps_blobs" => {
            let all = LifecycleRuleFilter::builder().prefix("").build();
            let days = LifecycleExpiration::builder().days(365).build();
            let rule = LifecycleRule::builder().id("tidy").status(ExpirationStatus::Enabled).filter(all);
            rules(&[abort, expire], Some(rule.expiration(days).build().unwrap())).await;
        }
        "bucket_tls_only" => cloud.without_statements("TlsOnly"),
        "bucket_latest_tls" => cloud.without_statements("LatestTlsOnly"),
        "bucket_one_encryption" => cloud.without_statements("NoOtherEncryption"),
        "bucket_replication" => {
            let to = Destination::builder().bucket("arn:aws:s3:::elsewhere").build().unwrap();
            let rule = ReplicationRule::builder().status(ReplicationRuleStatus::Disabled).destination(to);
            let who = "arn:aws:iam::123456789012:role/replication";
            let rules = ReplicationConfiguration::builder().role(who).rules(rule.build().unwrap());
            let request = client.put_bucket_replication().bucket(bucket);
            request.replication_configuration(rules.build().unwrap()).send().await.unwrap();
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_set_up_by_init_has_no_defect() {
    let cloud = Cloud::new();
    let (code, lines) = examine(&cloud.sandbox, &[]);
    assert_eq!((code, defects(&lines)), (0, vec![]), "{lines:?}");
    assert_eq!(find(&lines, "table_point_in_time_recovery")["status"], "ok");
    for name in ["bucket_tls_only", "bucket_latest_tls", "bucket_one_encryption"] {
        assert_eq!(find(&lines, name)["status"], "ok");
    }
    let detail = |name| find(&lines, name)["detail"].as_str().unwrap();
    assert!(detail("table_point_in_time_recovery").ends_with(": on (35 days)"));
    assert!(detail("bucket_expire_old_versions").ends_with(": on (after 30 days)"));
    assert!(detail("bucket_encryption").ends_with(": on (AES256)"));
    assert_eq!(find(&lines, "identity")["status"], "ok");
    let (code, lines) = examine(&cloud.sandbox, &["--probe"]);
    let server = find(&lines, "server");
    assert_eq!((code, server["status"].as_str()), (8, Some("fail")));
    assert!(server["detail"].as_str().unwrap().contains("x-amz-checksum-sha256"), "{server}");
}

#[test]
fn each_setting_that_is_broken_is_named_by_itself() {
    for (name, code) in [
        ("table_deletion_protection", 8),
        ("table_point_in_time_recovery", 8),
        ("table_on_demand", 0),
        ("table_no_expiry", 8),
        ("bucket_versioning", 8),
        ("bucket_public_access_block", 8),
        ("bucket_ownership", 0),
        ("bucket_encryption", 0),
        ("bucket_abort_uploads", 0),
        ("bucket_expire_old_versions", 0),
        ("bucket_keeps_blobs", 8),
        ("bucket_tls_only", 8),
        ("bucket_latest_tls", 0),
        ("bucket_one_encryption", 0),
        ("bucket_replication", 0),
    ] {
        let cloud = Cloud::new();
        cloud.runtime.block_on(async {
            if name.starts_with("table") {
                break_table(&cloud, name).await;
            } else {
                break_bucket(&cloud, name).await;
            }
        });
        let status = if code == 8 { "fail" } else { "warn" };
        let (found, lines) = examine(&cloud.sandbox, &[]);
        assert_eq!((found, defects(&lines)), (code, vec![format!("{status} {name}")]), "{lines:?}");
        println!("{name} broken: exit {found}, {}", find(&lines, name));
        let repair = find(&lines, name)["repair"].as_str();
        assert!(repair.is_some_and(|repair| repair.starts_with("aws ")), "{name}: {repair:?}");
    }
}

#[test]
fn a_table_with_other_keys_is_named() {
    let cloud = Cloud::new();
    let name = format!("{}-other", cloud.table);
    cloud.runtime.block_on(make(&cloud.dynamodb, &name, ["id", "range"]));
    let ledger = cloud.sandbox.variable("SACKER_LEDGER").replace(&cloud.table, &name);
    let (code, lines) = examine(&cloud.sandbox, &["--ledger", &ledger]);
    assert_eq!(code, 8);
    let keys = find(&lines, "table_keys");
    assert!(keys["detail"].as_str().unwrap().ends_with(": off (id (HASH), range (RANGE))"), "{keys}");
}

/// moto has no replicas and no keys that are lost: they are put into its answers.
#[test]
fn a_lost_key_and_a_replica_are_named() {
    let cloud = Cloud::new();
    for (more, code, expected) in [
        (
            r#""SSEDescription":{"Status":"ENABLED","InaccessibleEncryptionDateTime":1.0}"#,
            8,
            "fail table_encryption",
        ),
        (r#""Replicas":[{"RegionName":"eu-west-1","ReplicaStatus":"ACTIVE"}]"#, 0, "warn table_one_region"),
    ] {
        let moto = rewriting::rewriting(&backends::moto(), move |request, answer| {
            if request.kind() == "DescribeTable" {
                let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
                let more: Value = serde_json::from_str(&format!("{{{more}}}")).unwrap();
                body["Table"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                answer.remove("x-amz-crc32");
                answer.set_body(&body.to_string());
            }
        });
        let ledger = format!("dynamodb://{}?region=us-east-1&endpoint={moto}", cloud.table);
        let (found, lines) = examine(&cloud.sandbox, &["--ledger", &ledger]);
        assert_eq!((found, defects(&lines)), (code, vec![expected.to_owned()]), "{lines:?}");
    }
}

/// A restored table has another name, and none of the settings of the original.
#[test]
fn a_restored_table_is_named_with_all_that_it_lacks() {
    let cloud = Cloud::new();
    let restored = cloud.restored();
    let (code, lines) = examine(&cloud.sandbox, &["--ledger", &restored]);
    let expected = [
        "fail ledger_home",
        "warn table_on_demand",
        "fail table_deletion_protection",
        "fail table_point_in_time_recovery",
        "fail store_owner",
    ];
    assert_eq!((code, defects(&lines)), (8, expected.map(str::to_owned).to_vec()), "{lines:?}");
    for name in ["ledger_home", "store_owner"] {
        assert!(find(&lines, name)["repair"].as_str().unwrap().starts_with("sacker init --adopt-store"));
    }
}

/// As an apply of the module leaves it that was cut short: a table, and no bucket; or a bucket without its settings.
#[test]
fn a_set_up_that_was_applied_in_part_is_named() {
    let cloud = Cloud::new();
    let missing = format!("{}-missing", cloud.bucket);
    let store = cloud.sandbox.variable("SACKER_STORE").replace(&cloud.bucket, &missing);
    let (code, lines) = examine(&cloud.sandbox, &["--store", &store]);
    assert_eq!((code, defects(&lines)), (8, vec!["fail store".to_owned()]), "{lines:?}");
    assert_eq!(find(&lines, "store")["repair"], "sacker init");
    cloud.runtime.block_on(cloud.s3.create_bucket().bucket(&missing).send()).unwrap();
    let (code, lines) = examine(&cloud.sandbox, &["--store", &store]);
    let found = defects(&lines);
    assert_eq!(code, 8, "{lines:?}");
    for name in ["fail bucket_versioning", "fail bucket_public_access_block", "fail bucket_tls_only"] {
        assert!(found.contains(&name.to_owned()), "{found:?}");
    }
    let ledger = cloud.sandbox.variable("SACKER_LEDGER").replace(&cloud.table, "never-made");
    let (code, lines) = examine(&cloud.sandbox, &["--ledger", &ledger]);
    assert_eq!((code, find(&lines, "ledger")["repair"].as_str()), (8, Some("sacker init")));
}

/// moto replicates nothing: the state of an object is put into its answers.
#[test]
fn a_replication_that_lags_is_named() {
    let cloud = Cloud::new();
    cloud.runtime.block_on(async {
        break_bucket(&cloud, "bucket_replication").await;
        let found = cloud.s3.get_bucket_replication().bucket(&cloud.bucket).send().await.unwrap();
        let mut rules = found.replication_configuration.unwrap();
        rules.rules[0].status = ReplicationRuleStatus::Enabled;
        let request = cloud.s3.put_bucket_replication().bucket(&cloud.bucket);
        request.replication_configuration(rules).send().await.unwrap();
        for number in 0..3 {
            let key = format!("blobs/sha256/{number:064}");
            cloud.s3.put_object().bucket(&cloud.bucket).key(key).send().await.unwrap();
        }
    });
    for (status, days, expected) in
        [("COMPLETED", 0, "ok"), ("PENDING", 0, "ok"), ("PENDING", 1, "warn"), ("FAILED", 0, "warn")]
    {
        let moto = rewriting::rewriting(&rewriting::moto(), move |request, answer| {
            if request.kind() == "HeadObject" {
                answer.head.truncate(answer.head.len() - 2);
                answer.head.extend(format!("x-amz-replication-status: {status}\r\n\r\n").bytes());
            }
            answer.set_date(days);
        });
        let store = format!("s3://{}/blobs?region=us-east-1&endpoint={moto}", cloud.bucket);
        let (_, lines) = examine(&cloud.sandbox, &["--store", &store]);
        let found = find(&lines, "bucket_replication");
        assert_eq!(found["status"], expected, "{status}, {days}: {found}");
    }
}
