//! The ledger in ZooKeeper under faults: members that are killed, connections that break after a change was sent, and
//! each error that a server reports.

mod commands;
mod cuts;
mod errors;
mod histories;
mod members;

use sacker::{
    ledger::{Error, TableLedger},
    retry::{Cancellation, RetryPolicy},
    table::{Table, zookeeper::ZookeeperTable},
};
use std::{sync::Arc, time::Duration};

fn table(servers: &str, root: &str) -> ZookeeperTable {
    ZookeeperTable::new(servers, root, None)
}

/// A ledger as a process of its own has it.
fn ledger(servers: &str, root: &str, deadline: Duration) -> TableLedger {
    let table: Arc<dyn Table> = Arc::new(table(servers, root));
    TableLedger::new(table, RetryPolicy::new(deadline, Cancellation::new()))
}

/// Returns true for what the command line exits with 7 or 9 for.
fn is_unavailable_or_unknown(error: &Error) -> bool {
    match error {
        Error::Unknown { .. } => true,
        Error::Fault(fault) => {
            use sacker::fault::FaultKind::{Throttled, Unavailable, Unsent};
            matches!(fault.kind, Throttled | Unavailable | Unsent)
        }
        _ => false,
    }
}
