//! Creating the table.

use super::client::DynamoTable;
use crate::{
    aws,
    failpoint::reach,
    fault::{Fault, FaultKind},
    model::Created,
};
use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        create_table::CreateTableError, describe_table::DescribeTableError,
        update_continuous_backups::UpdateContinuousBackupsError,
    },
    types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, PointInTimeRecoverySpecification,
        ScalarAttributeType, TableDescription, TableStatus,
    },
};
use std::sync::atomic::Ordering;
use tracing::{Instrument, debug, debug_span};

/// The number of past days to which a table can be restored: the most that DynamoDB has.
const RECOVERY_DAYS: i32 = 35;
const KEYS: [(&str, KeyType); 2] = [("pk", KeyType::Hash), ("sk", KeyType::Range)];

/// Makes one step towards an existing table. While DynamoDB is still working on it, the result is a transient fault.
///
/// A new table is billed by request, protected from deletion, encrypted (as all tables are), and can be restored to any
/// point in time of the last 35 days.
pub(super) async fn create(table: &DynamoTable) -> Result<Created, Fault> {
    let doing = format!("creating the table `{}`", table.name);
    let Some(description) = describe(table, &doing).await? else {
        make(table, &doing).await?;
        return Err(Fault::new(FaultKind::Contended, doing, "it is being created"));
    };
    check(&description, &doing)?;
    match description.table_status() {
        Some(TableStatus::Creating) => {
            return Err(Fault::new(FaultKind::Contended, doing, "it is being created"));
        }
        Some(TableStatus::Deleting) => {
            return Err(Fault::new(FaultKind::Contended, doing, "it is being deleted"));
        }
        _ => {}
    }
    if !table.making.load(Ordering::SeqCst) {
        return Ok(Created::Present);
    }
    reach("table-made");
    make_restorable(table, &doing).await?;
    table.making.store(false, Ordering::SeqCst);
    Ok(Created::Made)
}

pub(super) async fn describe(table: &DynamoTable, doing: &str) -> Result<Option<TableDescription>, Fault> {
    let request = table.client.describe_table().table_name(&table.name).customize();
    let sent = request.config_override(aws::dynamodb_control()).send();
    match sent.instrument(debug_span!("dynamodb.DescribeTable", table = table.name)).await {
        Ok(answer) => Ok(answer.table),
        Err(error)
            if error.as_service_error().is_some_and(DescribeTableError::is_resource_not_found_exception) =>
        {
            Ok(None)
        }
        Err(error) => Err(aws::fault(doing, error)),
    }
}

fn check(description: &TableDescription, doing: &str) -> Result<(), Fault> {
    let Some(keys) = wrong_keys(description) else { return Ok(()) };
    let source = format!("its keys are {keys}, not the strings pk (HASH) and sk (RANGE)");
    Err(Fault::new(FaultKind::Misconfigured, doing, source))
}

/// Returns the keys of the table, for people, if they are not those of a ledger.
pub(super) fn wrong_keys(description: &TableDescription) -> Option<String> {
    let keys: Vec<_> =
        description.key_schema().iter().map(|key| (key.attribute_name(), key.key_type().clone())).collect();
    let strings = KEYS.iter().all(|(name, _)| {
        description.attribute_definitions().iter().any(|attribute| {
            attribute.attribute_name() == *name && *attribute.attribute_type() == ScalarAttributeType::S
        })
    });
    let shown = || keys.iter().map(|(name, kind)| format!("{name} ({kind})")).collect::<Vec<_>>().join(", ");
    (keys != KEYS || !strings).then(shown)
}

async fn make(table: &DynamoTable, doing: &str) -> Result<(), Fault> {
    let mut request = table
        .client
        .create_table()
        .table_name(&table.name)
        .billing_mode(BillingMode::PayPerRequest)
        .deletion_protection_enabled(true);
    for (name, kind) in KEYS {
        let incomplete = |error| Fault::new(FaultKind::Unexpected, doing, error);
        let attribute =
            AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name(name).key_type(kind);
        request = request
            .attribute_definitions(attribute.build().map_err(incomplete)?)
            .key_schema(key.build().map_err(incomplete)?);
    }
    let sent = request.customize().config_override(aws::dynamodb_control()).send();
    match sent.instrument(debug_span!("dynamodb.CreateTable", table = table.name)).await {
        Ok(_) => {
            table.making.store(true, Ordering::SeqCst);
            Ok(())
        }
        // Another client was faster.
        Err(error)
            if error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception) =>
        {
            Ok(())
        }
        Err(error) => Err(aws::fault(doing, error)),
    }
}

async fn make_restorable(table: &DynamoTable, doing: &str) -> Result<(), Fault> {
    let enabled = PointInTimeRecoverySpecification::builder()
        .point_in_time_recovery_enabled(true)
        .recovery_period_in_days(RECOVERY_DAYS)
        .build();
    let enabled = enabled.map_err(|error| Fault::new(FaultKind::Unexpected, doing, error))?;
    let request = table.client.update_continuous_backups().table_name(&table.name);
    let request = request.point_in_time_recovery_specification(enabled).customize();
    let sent = request.config_override(aws::dynamodb_control()).send();
    match sent.instrument(debug_span!("dynamodb.UpdateContinuousBackups", table = table.name)).await {
        Ok(_) => Ok(()),
        Err(SdkError::ServiceError(error)) if error.err().code() == Some("UnknownOperationException") => {
            debug!(table = table.name, "this server has no point-in-time recovery");
            Ok(())
        }
        // Returned for a moment after the table was created.
        Err(error)
            if error
                .as_service_error()
                .is_some_and(UpdateContinuousBackupsError::is_continuous_backups_unavailable_exception) =>
        {
            Err(Fault::new(FaultKind::Contended, doing, "its backups are being set up"))
        }
        Err(error) => Err(aws::fault(doing, error)),
    }
}
