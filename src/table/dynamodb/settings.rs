//! The settings of the table: the single list of those that `init` creates and checks, and `doctor` checks. A test
//! verifies that the Terraform module in `infra/` makes the same.

use super::{
    client::DynamoTable,
    create::{describe, wrong_keys},
};
use crate::{
    aws,
    fault::{Fault, FaultKind},
    model::{Setting, SettingState, Severity},
};
use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    types::{BillingMode, PointInTimeRecoveryStatus, SseStatus, TableDescription, TimeToLiveStatus},
};
use std::error::Error;
use tracing::{Instrument, debug_span};

/// A setting of the table.
struct Known {
    name: &'static str,
    title: &'static str,
    severity: Severity,
    /// The `aws dynamodb` command that turns it on; empty if there is none.
    call: &'static str,
}

const KEYS: Known = Known {
    name: "table_keys",
    title: "the keys pk and sk",
    severity: Severity::Serious,
    // The keys of a table never change: only a new table can have others.
    call: "",
};
const ON_DEMAND: Known = Known {
    name: "table_on_demand",
    title: "on-demand capacity",
    severity: Severity::Minor,
    call: "update-table --billing-mode PAY_PER_REQUEST",
};
const DELETION_PROTECTION: Known = Known {
    name: "table_deletion_protection",
    title: "deletion protection",
    severity: Severity::Serious,
    call: "update-table --deletion-protection-enabled",
};
const RECOVERY: Known = Known {
    name: "table_point_in_time_recovery",
    title: "point-in-time recovery",
    severity: Severity::Serious,
    call: "update-continuous-backups --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true",
};
const NO_EXPIRY: Known = Known {
    name: "table_no_expiry",
    title: "keeping all items (no time to live)",
    severity: Severity::Serious,
    call: "update-time-to-live --time-to-live-specification Enabled=false,AttributeName=",
};
const ONE_REGION: Known = Known {
    name: "table_one_region",
    title: "being in one region (no replicas)",
    severity: Severity::Minor,
    call: "",
};
const KEY_AVAILABLE: Known = Known {
    name: "table_encryption",
    title: "encryption with a key that can be used",
    severity: Severity::Serious,
    call: "",
};

/// Reads each setting of the table.
pub(super) async fn look(table: &DynamoTable) -> Result<Vec<Setting>, Fault> {
    let doing = format!("checking the settings of the table `{}`", table.name);
    let Some(description) = describe(table, &doing).await? else {
        return Err(Fault::new(FaultKind::Missing, doing, "there is no such table"));
    };
    let keys = wrong_keys(&description);
    let expiry = expiry(table, &doing).await?;
    let replicas = replicas(&description);
    let key = encryption(&description);
    let (recovery, days) = recovery(table, &doing).await?;
    let on_demand = description.billing_mode_summary.as_ref().and_then(|found| found.billing_mode.as_ref())
        == Some(&BillingMode::PayPerRequest);
    // DynamoDB Local has no deletion protection, and leaves it out.
    let protection = description.deletion_protection_enabled.map_or(SettingState::NotSupported, state);
    Ok(vec![
        setting(table, &KEYS, state(keys.is_none()), keys),
        setting(table, &ON_DEMAND, state(on_demand), (!on_demand).then(|| "provisioned".to_owned())),
        setting(table, &DELETION_PROTECTION, protection, None),
        setting(table, &RECOVERY, recovery, days),
        expiry,
        setting(table, &ONE_REGION, state(replicas.is_none()), replicas),
        setting(table, &KEY_AVAILABLE, key.0, key.1),
    ])
}

fn state(is_on: bool) -> SettingState {
    if is_on { SettingState::On } else { SettingState::Off }
}

fn setting(table: &DynamoTable, known: &Known, state: SettingState, found: Option<String>) -> Setting {
    let region =
        table.client.config().region().map_or_else(String::new, |region| format!(" --region {region}"));
    let repair = (state == SettingState::Off && !known.call.is_empty()).then(|| {
        let attribute = found.as_deref().filter(|_| known.call.ends_with('=')).unwrap_or_default();
        format!("aws dynamodb {}{attribute} --table-name {}{region}", known.call, table.name)
    });
    let title = format!("{} of the table {}", known.title, table.name);
    Setting { name: known.name, title, state, repair, severity: known.severity, found }
}

/// Returns the regions of the replicas, for people, if there are any.
fn replicas(description: &TableDescription) -> Option<String> {
    let regions: Vec<_> = description.replicas().iter().filter_map(|replica| replica.region_name()).collect();
    (!regions.is_empty()).then(|| regions.join(", "))
}

/// Returns the state of the encryption, and the key. A table without a description of it has a key that AWS owns.
fn encryption(description: &TableDescription) -> (SettingState, Option<String>) {
    let Some(found) = &description.sse_description else { return (SettingState::On, None) };
    let lost = found.inaccessible_encryption_date_time.is_some() || found.status == Some(SseStatus::Disabled);
    (state(!lost), found.kms_master_key_arn.clone())
}

/// Returns the setting of the time to live, which would remove items; with the attribute that it is read from.
async fn expiry(table: &DynamoTable, doing: &str) -> Result<Setting, Fault> {
    let request = table.client.describe_time_to_live().table_name(&table.name).customize();
    let sent = request.config_override(aws::dynamodb_control()).send();
    let answer = sent.instrument(debug_span!("dynamodb.DescribeTimeToLive", table = table.name)).await;
    let described = match answer {
        Ok(answer) => answer.time_to_live_description,
        Err(error) => {
            let state = unseen(error, doing, "dynamodb:DescribeTimeToLive")?;
            return Ok(setting(table, &NO_EXPIRY, state, None));
        }
    };
    let on =
        |status: &TimeToLiveStatus| matches!(status, TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling);
    let expires = described.filter(|found| found.time_to_live_status.as_ref().is_some_and(on));
    let attribute = expires.map(|found| found.attribute_name.unwrap_or_default());
    Ok(setting(table, &NO_EXPIRY, state(attribute.is_none()), attribute))
}

/// Returns the state of the recovery, and the days that it reaches back, for people.
async fn recovery(table: &DynamoTable, doing: &str) -> Result<(SettingState, Option<String>), Fault> {
    let request = table.client.describe_continuous_backups().table_name(&table.name).customize();
    let sent = request.config_override(aws::dynamodb_control()).send();
    let answer = sent.instrument(debug_span!("dynamodb.DescribeContinuousBackups", table = table.name)).await;
    let described = match answer {
        Ok(answer) => answer.continuous_backups_description,
        Err(error) => return Ok((unseen(error, doing, "dynamodb:DescribeContinuousBackups")?, None)),
    };
    let found = described.and_then(|found| found.point_in_time_recovery_description);
    let is_on = found.as_ref().and_then(|found| found.point_in_time_recovery_status.as_ref())
        == Some(&PointInTimeRecoveryStatus::Enabled);
    let days = found.filter(|_| is_on).and_then(|found| found.recovery_period_in_days);
    Ok((state(is_on), days.map(|days| format!("{days} days"))))
}

/// Returns the state of a setting that could not be read.
fn unseen<E>(error: SdkError<E, HttpResponse>, doing: &str, grant: &str) -> Result<SettingState, Fault>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    if code == Some("UnknownOperationException") {
        return Ok(SettingState::NotSupported);
    }
    let fault = aws::fault(doing, error);
    if fault.kind.is_transient() {
        return Err(fault);
    }
    Ok(SettingState::NotKnown(format!("{grant} is needed: {}", fault.source)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_module_makes_the_same_settings() {
        let module = include_str!("../../../infra/table.tf");
        let (_, recovery) = module.split_once("point_in_time_recovery {").unwrap();
        let recovery = recovery.split('}').next().unwrap();
        assert!(recovery.split_whitespace().collect::<String>().contains("enabled=true"));
        assert!(module.contains("deletion_protection_enabled = var.deletion_protection"));
        let variables = include_str!("../../../infra/variables.tf");
        let (_, protection) = variables.split_once("variable \"deletion_protection\"").unwrap();
        assert!(protection.split("\n}\n").next().unwrap().contains("default     = true"));
        for same in ["hash_key     = \"pk\"", "range_key    = \"sk\"", "\"PAY_PER_REQUEST\""] {
            assert!(module.contains(same), "{same}");
        }
    }
}
