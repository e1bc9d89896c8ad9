//! The settings of table and bucket: on moto, which has them all, and on servers that lack some.

use crate::support::{
    backends, rewriting,
    scripted_s3::{Server, error, nothing},
};
use sacker::{
    fault::FaultKind,
    model::{Created, Setting, SettingState},
    store::{Store, s3::S3Store},
    table::{Table, dynamodb::DynamoTable},
};

/// The names and states, and the commands of those that are off.
fn shown(settings: &[Setting]) -> Vec<(&str, &SettingState, Option<&str>)> {
    settings.iter().map(|setting| (setting.name, &setting.state, setting.repair.as_deref())).collect()
}

async fn store(url: &str) -> (aws_sdk_s3::Client, String, S3Store) {
    let client = backends::aws().s3(&backends::at(url.to_owned())).await.unwrap();
    let bucket = backends::unique("settings");
    let store = S3Store::new(client.clone(), &bucket, "a/prefix", None);
    (client, bucket, store)
}

#[tokio::test]
async fn a_new_bucket_has_every_setting() {
    let (_, _, store) = store(&rewriting::moto()).await;
    assert_eq!(store.create().await.unwrap(), Created::Made);
    let settings = store.settings().await.unwrap();
    let on = |name| (name, &SettingState::On, None);
    assert_eq!(
        shown(&settings),
        [
            on("bucket_versioning"),
            on("bucket_public_access_block"),
            on("bucket_ownership"),
            on("bucket_encryption"),
            on("bucket_abort_uploads"),
            on("bucket_expire_old_versions"),
            on("bucket_keeps_blobs"),
            // It would shut out every client over plain HTTP, as this test is.
            ("bucket_tls_only", &SettingState::NotSupported, None),
            ("bucket_latest_tls", &SettingState::NotSupported, None),
            ("bucket_one_encryption", &SettingState::NotSupported, None),
        ]
    );
}

/// As a run that was killed, or may do no more than make it, leaves it.
#[tokio::test]
async fn a_bucket_without_settings_is_reported_with_the_commands_that_turn_them_on() {
    let url = rewriting::moto();
    let (client, bucket, store) = store(&url).await;
    client.create_bucket().bucket(&bucket).send().await.unwrap();
    assert_eq!(store.create().await.unwrap(), Created::Present);
    let settings = store.settings().await.unwrap();
    let off: Vec<_> = settings.iter().filter(|setting| setting.state == SettingState::Off).collect();
    let names: Vec<_> = off.iter().map(|setting| setting.name).collect();
    let expected = [
        "bucket_versioning",
        "bucket_public_access_block",
        "bucket_ownership",
        "bucket_abort_uploads",
        "bucket_expire_old_versions",
    ];
    assert!(expected.iter().all(|name| names.contains(name)), "{names:?}");
    let end = format!("--bucket {bucket} --region us-east-1 --endpoint-url {url}");
    for setting in &off {
        let repair = setting.repair.as_deref().unwrap();
        assert!(repair.starts_with("aws s3api put-") && repair.ends_with(&end), "{repair}");
    }
    assert!(off[0].repair.as_deref().unwrap().contains("--versioning-configuration Status=Enabled"));
}

#[tokio::test]
async fn what_may_not_be_seen_of_a_bucket_is_not_known() {
    let server = Server::new(|_, _| error(403, "AccessDenied"));
    for setting in server.store().await.settings().await.unwrap() {
        match (setting.name, setting.state) {
            (
                "bucket_tls_only" | "bucket_latest_tls" | "bucket_one_encryption",
                SettingState::NotSupported,
            ) => {}
            (name, SettingState::NotKnown(why)) => {
                assert!(why.starts_with("s3:Get") && why.contains("AccessDenied"), "{name}: {why}");
            }
            other => panic!("{other:?}"),
        }
    }
    let busy = Server::new(|_, _| error(503, "SlowDown"));
    assert_eq!(busy.store().await.settings().await.unwrap_err().kind, FaultKind::Throttled);
    // A server that has none of this, and one that answers another question.
    for answer in [error(501, "NotImplemented"), (200, "<ListBucketResult/>".to_owned())] {
        let other =
            Server::new(move |request, _| if request == "another" { answer.clone() } else { nothing() });
        let settings = other.store().await.settings().await.unwrap();
        assert!(settings.iter().all(|setting| !matches!(setting.state, SettingState::NotKnown(_))));
    }
}

#[tokio::test]
async fn a_table_without_recovery_is_reported_with_the_command_that_turns_it_on() {
    let client = backends::aws().dynamodb(&backends::at(backends::moto())).await.unwrap();
    let name = backends::unique("settings");
    let made = backends::RetryingTable(DynamoTable::new(client.clone(), &name));
    made.create().await.unwrap();
    let on = |name| (name, &SettingState::On, None);
    let settings = made.0.settings().await.unwrap();
    assert_eq!(
        shown(&settings),
        [
            on("table_keys"),
            on("table_on_demand"),
            on("table_deletion_protection"),
            on("table_point_in_time_recovery"),
            on("table_no_expiry"),
            on("table_one_region"),
            on("table_encryption"),
        ]
    );
    // Another process than the one that made it, and was killed before it was done.
    let off = aws_sdk_dynamodb::types::PointInTimeRecoverySpecification::builder()
        .point_in_time_recovery_enabled(false)
        .build()
        .unwrap();
    let request = client.update_continuous_backups().table_name(&name);
    request.point_in_time_recovery_specification(off).send().await.unwrap();
    client.update_table().table_name(&name).deletion_protection_enabled(false).send().await.unwrap();
    let table = DynamoTable::new(client, &name);
    assert_eq!(table.create().await.unwrap(), Created::Present);
    let settings = table.settings().await.unwrap();
    let protect = format!(
        "aws dynamodb update-table --deletion-protection-enabled --table-name {name} --region us-east-1"
    );
    let recover = format!(
        "aws dynamodb update-continuous-backups --point-in-time-recovery-specification \
         PointInTimeRecoveryEnabled=true --table-name {name} --region us-east-1"
    );
    let off: Vec<_> = settings.into_iter().filter(|setting| setting.state != SettingState::On).collect();
    assert_eq!(
        shown(&off),
        [
            ("table_deletion_protection", &SettingState::Off, Some(protect.as_str())),
            ("table_point_in_time_recovery", &SettingState::Off, Some(recover.as_str())),
        ]
    );
}

/// MinIO has few of the settings, and the missing ones are not reported.
#[tokio::test]
async fn what_minio_lacks_is_not_reported_as_off() {
    let (_, _, store) = store(&backends::s3()).await;
    store.create().await.unwrap();
    let settings = store.settings().await.unwrap();
    let state = |setting: &Setting| (setting.name, setting.state.clone());
    let lacks = |name| (name, SettingState::NotSupported);
    assert_eq!(
        settings.iter().map(state).collect::<Vec<_>>(),
        [
            ("bucket_versioning", SettingState::On),
            lacks("bucket_public_access_block"),
            lacks("bucket_ownership"),
            lacks("bucket_encryption"),
            lacks("bucket_abort_uploads"),
            ("bucket_expire_old_versions", SettingState::On),
            ("bucket_keeps_blobs", SettingState::On),
            lacks("bucket_tls_only"),
            lacks("bucket_latest_tls"),
            lacks("bucket_one_encryption"),
        ]
    );
}
