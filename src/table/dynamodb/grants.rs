//! The permissions that the credentials have on the table, tried by requests that change nothing.

use super::client::DynamoTable;
use crate::{
    fault::{Fault, FaultKind},
    model::{Grant, GrantState},
    table::{Access, Action, Change, Condition, Item, Key, Order, Query, Table, TransactError, Transaction},
};
use std::collections::BTreeMap;

/// Tries each access on the partition of its key.
pub(super) async fn grants(table: &DynamoTable, accesses: &[(Access, Key)]) -> Result<Vec<Grant>, Fault> {
    let mut found = Vec::new();
    for (access, key) in accesses {
        let state = match attempt(table, *access, key).await {
            Ok(()) => GrantState::Granted,
            Err(fault) if fault.kind == FaultKind::Denied => GrantState::Denied(fault.source.to_string()),
            Err(fault) if fault.kind.is_transient() => return Err(fault),
            Err(fault) => GrantState::NotKnown(format!("{fault}: {}", fault.source)),
        };
        let resource = match access {
            Access::Scan => "the whole table".to_owned(),
            _ => key.pk.clone(),
        };
        found.push(Grant { action: action(*access), resource, state });
    }
    Ok(found)
}

fn action(access: Access) -> &'static str {
    match access {
        Access::Get => "dynamodb:GetItem",
        Access::GetMany => "dynamodb:BatchGetItem",
        Access::Query => "dynamodb:Query",
        Access::Scan => "dynamodb:Scan",
        Access::Put => "dynamodb:PutItem",
        Access::Update => "dynamodb:UpdateItem",
        Access::Check => "dynamodb:ConditionCheckItem",
    }
}

async fn attempt(table: &DynamoTable, access: Access, key: &Key) -> Result<(), Fault> {
    let change = match access {
        Access::Get => return table.get_one(key).await.map(drop),
        Access::GetMany => return table.get_batch(&[key]).await.map(drop),
        Access::Query => {
            let (pk, from) = (key.pk.clone(), key.sk.clone());
            let to = from.clone();
            let query = Query { pk, from, to, after: None, order: Order::Ascending, limit: 1 };
            return table.query(&query).await.map(drop);
        }
        Access::Scan => return table.scan_at_most(None, 1).await.map(drop),
        Access::Put => Change::Put(Item::new()),
        Access::Update => Change::Update { set: Item::new(), add: BTreeMap::from([("n", 0)]) },
        Access::Check => Change::Check,
    };
    match table.transact(&impossible(key, change)).await {
        Ok(()) => Err(Fault::new(
            FaultKind::Unexpected,
            table.writing(),
            "an item both existed and did not exist in one condition",
        )),
        Err(TransactError::Refused(_)) => Ok(()),
        Err(TransactError::Fault(fault)) => Err(fault),
    }
}

/// Returns a transaction whose condition never holds.
fn impossible(key: &Key, change: Change) -> Transaction {
    let condition = Condition::All(vec![Condition::Present, Condition::Absent]);
    // A token matters only for a transaction that succeeds.
    let mut transaction = Transaction::new("never-succeeds".to_owned());
    transaction.push(Action { key: key.clone(), condition, change });
    transaction
}
