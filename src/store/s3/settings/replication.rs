//! The replication of the bucket, if it has one: its state, and whether it lags.

use super::known::{Known, Seen, seen};
use crate::{
    aws::fault,
    fault::Fault,
    model::{Setting, SettingState, Severity, Timestamp},
    store::s3::client::S3Store,
};
use aws_sdk_s3::types::{ReplicationRuleStatus, ReplicationStatus};
use std::time::Duration;
use tracing::{Instrument, debug_span};

const KNOWN: Known = Known {
    name: "bucket_replication",
    title: "complete replication",
    severity: Severity::Minor,
    absent: "ReplicationConfigurationNotFoundError",
    grant: "s3:GetReplicationConfiguration",
    resource: "aws_s3_bucket_replication_configuration",
    minio: true,
};

/// The number of newest objects of the first page of the listing that are looked at. Addresses are hashes, so a page is
/// a random sample.
const SAMPLE: usize = 8;
/// The age from which an object must have been replicated: the limit that S3's
/// [replication time control](https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-time-control.html)
/// promises.
const DUE: Duration = Duration::from_mins(15);

/// Returns the state of the replication; `None` if none is configured, which is no defect.
pub(super) async fn look(store: &S3Store, server: &str) -> Result<Option<Setting>, Fault> {
    let answer = store.client.get_bucket_replication().bucket(&store.bucket).send();
    let answer = answer.instrument(debug_span!("s3.GetBucketReplication")).await;
    let (state, found) = match seen(store, &KNOWN, answer)? {
        Seen::Absent | Seen::Other(SettingState::NotSupported) => return Ok(None),
        Seen::Other(state) => (state, None),
        Seen::There(answer) => {
            let rules = answer.replication_configuration.map(|found| found.rules).unwrap_or_default();
            if rules.iter().any(|rule| rule.status == ReplicationRuleStatus::Enabled) {
                lag(store).await?
            } else {
                (SettingState::Off, Some("no rule is enabled".to_owned()))
            }
        }
    };
    let repair = (state == SettingState::Off)
        .then(|| format!("aws s3api get-bucket-replication --bucket {}{server}", store.bucket));
    let title = format!("{} of the bucket {}", KNOWN.title, store.bucket);
    Ok(Some(Setting { name: KNOWN.name, title, state, repair, severity: KNOWN.severity, found }))
}

/// Looks at the newest objects of a page of the listing: `Off` if some of them should have been replicated.
async fn lag(store: &S3Store) -> Result<(SettingState, Option<String>), Fault> {
    let doing = || store.doing("checking the replication");
    let request = store.client.list_objects_v2().bucket(&store.bucket);
    let request = request.prefix(format!("{}sha256/", store.prefix)).send();
    let page = match request.instrument(debug_span!("s3.ListObjectsV2")).await {
        Ok(page) => page,
        Err(error) => {
            let fault = fault(doing(), error);
            if fault.kind.is_transient() {
                return Err(fault);
            }
            return Ok((SettingState::NotKnown(format!("s3:ListBucket is needed: {}", fault.source)), None));
        }
    };
    let mut objects = page.contents.unwrap_or_default();
    objects.sort_by_key(|object| std::cmp::Reverse(object.last_modified));
    let keys = objects.into_iter().take(SAMPLE).filter_map(|object| object.key);
    let mut looked = Vec::new();
    for key in keys {
        looked.extend(store.head(&key, None).await.map_err(|error| fault(doing(), error))?);
    }
    let now = store.clock.now();
    let (mut late, mut failed) = (0, 0);
    for head in &looked {
        match &head.replication_status {
            Some(ReplicationStatus::Failed) => failed += 1,
            Some(ReplicationStatus::Pending) => {
                let at = head.last_modified.as_ref().and_then(|at| u64::try_from(at.to_millis().ok()?).ok());
                let age = at.zip(now).map(|(at, now)| now.since(Timestamp::from_millis(at)));
                late += usize::from(age.is_some_and(|age| age > DUE));
            }
            _ => {}
        }
    }
    let of = looked.len();
    if (late, failed) == (0, 0) {
        return Ok((SettingState::On, Some(format!("of {of} objects that were looked at, none is late"))));
    }
    let found = format!(
        "of {of} objects that were looked at, {late} wait for more than 15 minutes, and {failed} failed"
    );
    Ok((SettingState::Off, Some(found)))
}
