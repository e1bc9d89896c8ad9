//! The settings of the table, as `init` finds them. A test checks that the Terraform module in `infra/` makes the same.

use super::{client::DynamoTable, create::describe};
use crate::{
    aws,
    fault::Fault,
    model::{Setting, SettingState},
};
use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    types::PointInTimeRecoveryStatus,
};
use tracing::{Instrument, debug_span};

/// Reads each setting of the table.
pub(super) async fn look(table: &DynamoTable) -> Result<Vec<Setting>, Fault> {
    let name = &table.name;
    let doing = format!("checking the settings of the table `{name}`");
    let description = describe(table, &doing).await?;
    // DynamoDB Local has no deletion protection, and leaves it out.
    let protection =
        match description.as_ref().and_then(|description| description.deletion_protection_enabled) {
            Some(true) => SettingState::On,
            Some(false) => SettingState::Off,
            None => SettingState::NotSupported,
        };
    let recovery = recovery(table, &doing).await?;
    let region =
        table.client.config().region().map_or_else(String::new, |region| format!(" --region {region}"));
    let setting = |name: &'static str, what: &str, state: SettingState, call: &str| Setting {
        name,
        title: format!("{what} of the table {}", table.name),
        repair: (state == SettingState::Off)
            .then(|| format!("aws dynamodb {call} --table-name {}{region}", table.name)),
        state,
    };
    Ok(vec![
        setting(
            "table_deletion_protection",
            "deletion protection",
            protection,
            "update-table --deletion-protection-enabled",
        ),
        setting(
            "table_point_in_time_recovery",
            "point-in-time recovery",
            recovery,
            "update-continuous-backups --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true",
        ),
    ])
}

async fn recovery(table: &DynamoTable, doing: &str) -> Result<SettingState, Fault> {
    let request = table.client.describe_continuous_backups().table_name(&table.name).customize();
    let sent = request.config_override(aws::dynamodb_control()).send();
    let answer =
        match sent.instrument(debug_span!("dynamodb.DescribeContinuousBackups", table = table.name)).await {
            Ok(answer) => answer,
            Err(SdkError::ServiceError(error)) if error.err().code() == Some("UnknownOperationException") => {
                return Ok(SettingState::NotSupported);
            }
            Err(error) => {
                let fault = aws::fault(doing, error);
                if fault.kind.is_transient() {
                    return Err(fault);
                }
                let why = format!("dynamodb:DescribeContinuousBackups is needed: {}", fault.source);
                return Ok(SettingState::NotKnown(why));
            }
        };
    let described = answer.continuous_backups_description;
    let status =
        described.and_then(|found| found.point_in_time_recovery_description?.point_in_time_recovery_status);
    Ok(match status {
        Some(PointInTimeRecoveryStatus::Enabled) => SettingState::On,
        _ => SettingState::Off,
    })
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
