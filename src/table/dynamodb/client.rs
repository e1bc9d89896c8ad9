//! The table, and reading items from it.

use super::{
    attributes::{Attributes, attributes, is_known, take_key},
    capacity,
};
use crate::{
    aws,
    fault::{Fault, FaultKind},
    table::{Found, Item, Key, TransactError},
};
use aws_sdk_dynamodb::{
    Client,
    types::{CancellationReason, KeysAndAttributes},
};
use std::sync::atomic::AtomicBool;
use tracing::{Instrument, debug_span};

/// The maximum number of keys in one
/// [`BatchGetItem`](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html).
pub(super) const BATCH: usize = 100;

/// A table in DynamoDB. It must have the string keys `pk` and `sk`, and must not be used through a global table in
/// another region: conditions hold within one region only.
#[derive(Debug)]
pub struct DynamoTable {
    pub(super) client: Client,
    pub(super) name: String,
    /// True while [`Table::create`](crate::table::Table::create) is creating it.
    pub(super) making: AtomicBool,
}

impl DynamoTable {
    /// Creates a handle of the table with this name. Sends nothing yet. The client should come from
    /// [`Aws::dynamodb`](crate::aws::Aws::dynamodb), which makes no retries of its own.
    #[must_use]
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into(), making: AtomicBool::new(false) }
    }

    pub(super) fn reading(&self) -> String {
        format!("reading the table `{}`", self.name)
    }

    pub(super) fn writing(&self) -> String {
        format!("writing to the table `{}`", self.name)
    }

    pub(super) async fn get_one(&self, key: &Key) -> Result<Option<Item>, Fault> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(attributes(key)));
        let request = request.consistent_read(true).set_return_consumed_capacity(capacity::wanted());
        let sent = request.send().instrument(debug_span!("dynamodb.GetItem", table = self.name));
        let answer = sent.await.map_err(|error| aws::fault(self.reading(), error))?;
        capacity::read(&answer.consumed_capacity);
        answer.item.map(|item| self.item(item).map(|(_, item)| item)).transpose()
    }

    /// Reads the items of at most [`BATCH`] different keys, in no order.
    pub(super) async fn get_batch(&self, keys: &[&Key]) -> Result<Vec<(Key, Item)>, Fault> {
        let batch = keys.iter().map(|key| attributes(key)).collect();
        let mut batch = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(batch)).build().ok();
        let mut found = Vec::new();
        // An answer may leave keys out when it grows too large or a partition is busy: asked again at once, but only
        // once.
        for _ in 0..2 {
            let Some(keys) = batch.take() else { break };
            let request = self.client.batch_get_item().request_items(&self.name, keys);
            let sent = request.set_return_consumed_capacity(capacity::wanted()).send();
            let answer = sent.instrument(debug_span!("dynamodb.BatchGetItem", table = self.name)).await;
            let answer = answer.map_err(|error| aws::fault(self.reading(), error))?;
            capacity::read(answer.consumed_capacity());
            for item in answer.responses.unwrap_or_default().into_values().flatten() {
                found.push(self.item(item)?);
            }
            batch = answer.unprocessed_keys.unwrap_or_default().into_values().next();
        }
        match batch {
            None => Ok(found),
            Some(left) => {
                let source = format!("{} of {} items were not read", left.keys().len(), keys.len());
                Err(Fault::new(FaultKind::Throttled, self.reading(), source))
            }
        }
    }

    pub(super) fn item(&self, mut attributes: Attributes) -> Result<(Key, Item), Fault> {
        let damaged = |source: String| Fault::new(FaultKind::Corrupt, self.reading(), source);
        let key = take_key(&mut attributes).ok_or_else(|| damaged("an item without its key".to_owned()))?;
        // A type that is newer than the SDK, at which serde_dynamo would panic.
        if !attributes.values().all(is_known) {
            return Err(damaged(format!("the item {key} has an attribute of an unknown type")));
        }
        let item = serde_dynamo::from_item(attributes);
        let item = item.map_err(|error| damaged(format!("the item {key}: {error}")))?;
        Ok((key, item))
    }

    /// Returns the error of a cancelled transaction. The reasons are in the order of the actions.
    pub(super) fn cancelled(&self, reasons: Vec<CancellationReason>, actions: usize) -> TransactError {
        // If some conditions could not be evaluated, the others are not conclusive: one may have failed because of an
        // item that was not seen.
        if let Some((kind, source)) = worst(&reasons) {
            return Fault::new(kind, self.writing(), source).into();
        }
        let found = |reason: CancellationReason| -> Result<Option<Found>, Fault> {
            if reason.code() != Some("ConditionalCheckFailed") {
                return Ok(None);
            }
            let item = reason.item.filter(|item| !item.is_empty());
            Ok(Some(item.map(|item| self.item(item).map(|(_, item)| item)).transpose()?))
        };
        let refused: Result<Vec<_>, _> = reasons.into_iter().map(found).collect();
        match refused {
            Ok(refused) if refused.len() == actions && refused.iter().any(Option::is_some) => {
                TransactError::Refused(refused)
            }
            Ok(_) => Fault::new(FaultKind::Unexpected, self.writing(), "cancelled without a reason").into(),
            Err(fault) => fault.into(),
        }
    }
}

/// Returns the worst reason that is not a failed condition, and its meaning. Nothing was changed. The codes are those
/// of
/// [`TransactWriteItems`](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
pub(super) fn worst(reasons: &[CancellationReason]) -> Option<(FaultKind, String)> {
    let judged = reasons.iter().filter_map(|reason| {
        let kind = match reason.code()? {
            "None" | "ConditionalCheckFailed" => return None,
            "TransactionConflict" => FaultKind::Contended,
            "ThrottlingError" | "ProvisionedThroughputExceeded" => FaultKind::Throttled,
            // The item is malformed, or too large.
            _ => FaultKind::Unexpected,
        };
        let reported = [reason.code(), reason.message()].into_iter().flatten().collect::<Vec<_>>().join(": ");
        Some((kind, reported))
    });
    // A permanent reason must not be hidden by a transient one.
    judged.max_by_key(|(kind, _)| !kind.is_transient())
}
