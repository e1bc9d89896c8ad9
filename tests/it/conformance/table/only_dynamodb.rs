//! Behaviour that only the table in DynamoDB has.

use crate::support::{
    backends::{self, RetryingTable},
    wire::Server,
};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use sacker::{
    fault::FaultKind,
    model::Created,
    table::{Action, Change, Condition, Item, Key, Table, TransactError, Transaction, dynamodb::DynamoTable},
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Creates a table whose client tolerates a busy machine.
async fn fresh(what: &str) -> RetryingTable<DynamoTable> {
    let table = RetryingTable(DynamoTable::new(client().await, backends::unique(what)));
    table.create().await.unwrap();
    table
}

async fn client() -> aws_sdk_dynamodb::Client {
    backends::aws().dynamodb(&backends::at(backends::dynamodb())).await.unwrap()
}

fn faulted(result: Result<(), TransactError>) -> FaultKind {
    match result {
        Err(TransactError::Fault(fault)) => fault.kind,
        other => panic!("no fault: {other:?}"),
    }
}

#[tokio::test]
async fn a_new_table_is_safe_and_made_once() {
    let (client, name) = (client().await, backends::unique("create"));
    let table = || RetryingTable(DynamoTable::new(client.clone(), &name));
    let first = table();
    assert_eq!(first.create().await.unwrap(), Created::Made);
    assert_eq!(first.create().await.unwrap(), Created::Present);
    assert_eq!(table().create().await.unwrap(), Created::Present);
    let made = client.describe_table().table_name(&name).send().await.unwrap().table.unwrap();
    assert_eq!(made.deletion_protection_enabled, Some(true));
    assert_eq!(made.billing_mode_summary.unwrap().billing_mode, Some(BillingMode::PayPerRequest));
    assert_eq!(first.describe(), format!("dynamodb://{name}"));
}

#[tokio::test]
async fn a_table_with_other_keys_is_left_alone() {
    let (client, name) = (client().await, backends::unique("other"));
    let attribute = |name, kind| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
    };
    let key = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    client
        .create_table()
        .table_name(&name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk", ScalarAttributeType::S))
        .attribute_definitions(attribute("sk", ScalarAttributeType::N))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .send()
        .await
        .unwrap();
    let fault = RetryingTable(DynamoTable::new(client, name)).create().await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Misconfigured);
}

#[tokio::test]
async fn a_missing_table_is_reported() {
    let table = RetryingTable(DynamoTable::new(client().await, backends::unique("missing")));
    let key = Key::new("p", "a");
    assert_eq!(table.get(&key).await.unwrap_err().kind, FaultKind::Missing);
    assert_eq!(
        table.get_many(&[key.clone(), Key::new("p", "b")]).await.unwrap_err().kind,
        FaultKind::Missing
    );
    assert_eq!(table.get_transact(std::slice::from_ref(&key)).await.unwrap_err().kind, FaultKind::Missing);
    assert_eq!(table.scan(None).await.unwrap_err().kind, FaultKind::Missing);
    let mut transaction = Transaction::new(uuid::Uuid::new_v4().to_string());
    transaction.push(Action { key, condition: Condition::Absent, change: Change::Put(Item::new()) });
    assert_eq!(faulted(table.transact(&transaction).await), FaultKind::Missing);
}

/// A transaction of every kind of change, with many names at every depth.
fn large(token: &str, n: u64) -> Transaction {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let nested: Item = names.iter().map(|name| ((*name).to_owned(), json!({"x": name, "y": 1}))).collect();
    let all = Condition::All(names.iter().map(|name| Condition::equals(name, 1)).collect());
    let condition = Condition::Any(vec![Condition::Absent, all]);
    let mut put = nested.clone();
    put.insert("n".to_owned(), n.into());
    let set = Item::from_iter([("set".to_owned(), json!(nested))]);
    let update = Change::Update { set, add: BTreeMap::from(names.map(|name| (name, 1))) };
    let mut transaction = Transaction::new(token.to_owned());
    for (sk, change) in
        [("put", Change::Put(put)), ("update", update), ("check", Change::Check), ("delete", Change::Delete)]
    {
        transaction.push(Action { key: Key::new("p", sk), condition: condition.clone(), change });
    }
    transaction
}

/// Though the SDK keeps names in maps of random order.
#[tokio::test]
async fn a_transaction_sent_again_is_the_same_bytes() {
    let server = Server::answering("200 OK", "{}").await;
    let client = backends::aws().dynamodb(&backends::at(server.url.clone())).await.unwrap();
    let table = DynamoTable::new(client, "table");
    for _ in 0..20 {
        table.transact(&large("token", 1)).await.unwrap();
    }
    let asked = server.asked();
    let bodies: BTreeSet<_> = asked.iter().map(|request| request.split_once("\r\n\r\n").unwrap().1).collect();
    assert_eq!((asked.len(), bodies.len()), (20, 1));
}

#[tokio::test]
async fn a_transaction_sent_again_is_recognised() {
    let table = fresh("again").await;
    let token = uuid::Uuid::new_v4().to_string();
    for _ in 0..20 {
        table.transact(&large(&token, 1)).await.unwrap();
    }
    // It was done once, and another transaction is not taken for it.
    assert_eq!(table.get(&Key::new("p", "update")).await.unwrap().unwrap()["a"], json!(1));
    assert_eq!(faulted(table.transact(&large(&token, 2)).await), FaultKind::Unexpected);
}

#[tokio::test]
async fn an_item_that_is_too_large_is_refused_by_a_fault() {
    let table = fresh("large").await;
    let mut transaction = Transaction::new(uuid::Uuid::new_v4().to_string());
    let item = Item::from_iter([("filler".to_owned(), json!("x".repeat(410_000)))]);
    transaction.push(Action {
        key: Key::new("p", "a"),
        condition: Condition::Always,
        change: Change::Put(item),
    });
    assert_eq!(faulted(table.transact(&transaction).await), FaultKind::Unexpected);
}
