//! Reading a table of another program, whatever its keys are.

use super::{
    attributes::{Attributes, is_known},
    capacity,
};
use crate::{
    aws,
    fault::{Fault, FaultKind},
    table::Item,
};
use aws_sdk_dynamodb::Client;
use tracing::{Instrument, debug_span};

/// The position of the next page of a table.
#[derive(Debug, Clone)]
pub struct NextRows(Attributes);

/// Reads a page of the items of a table, consistently; `after` is the position that the page before has returned.
///
/// # Errors
/// [`FaultKind::Corrupt`] for an attribute of an unknown type.
pub async fn rows(
    client: &Client,
    table: &str,
    after: Option<NextRows>,
) -> Result<(Vec<Item>, Option<NextRows>), Fault> {
    let doing = || format!("reading the table `{table}`");
    let request = client.scan().table_name(table).consistent_read(true);
    let request = request.set_exclusive_start_key(after.map(|NextRows(key)| key));
    let sent = request.set_return_consumed_capacity(capacity::wanted()).send();
    let answer = sent.instrument(debug_span!("dynamodb.Scan", table)).await;
    let answer = answer.map_err(|error| aws::fault(doing(), error))?;
    capacity::read(&answer.consumed_capacity);
    let item = |attributes: Attributes| {
        if !attributes.values().all(is_known) {
            let why = "an item has an attribute of an unknown type";
            return Err(Fault::new(FaultKind::Corrupt, doing(), why));
        }
        serde_dynamo::from_item(attributes).map_err(|error| Fault::new(FaultKind::Corrupt, doing(), error))
    };
    let items = answer.items.unwrap_or_default().into_iter().map(item).collect::<Result<_, _>>()?;
    Ok((items, answer.last_evaluated_key.map(NextRows)))
}
