//! The capacity units that requests take, as events of the trace.

use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};
use tracing::{Level, enabled, trace};

/// Returns the parameter that asks for the units, if the whole trace is on: it makes each answer longer.
pub(super) fn wanted() -> Option<ReturnConsumedCapacity> {
    enabled!(Level::TRACE).then_some(ReturnConsumedCapacity::Total)
}

/// Reports the units of a request that read.
pub(super) fn read<'a>(consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) {
    if let Some(read_units) = sum(consumed) {
        trace!(read_units, "consumed");
    }
}

/// Reports the units of a transaction that wrote; those of its checks are write units, too.
pub(super) fn written<'a>(consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) {
    if let Some(write_units) = sum(consumed) {
        trace!(write_units, "consumed");
    }
}

fn sum<'a>(consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) -> Option<f64> {
    consumed.into_iter().filter_map(ConsumedCapacity::capacity_units).reduce(|one, other| one + other)
}
