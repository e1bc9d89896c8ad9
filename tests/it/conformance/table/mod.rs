//! The conformance suite of tables: one body of cases, run against each implementation.

mod cases;
mod conditions;
mod only_dynamodb;
mod only_git;
mod only_sqlite;
mod queries;

use crate::support::backends;
use sacker::location::DEFAULT_REF;
use sacker::table::{
    Action, Change, Condition, Found, Item, Key, Table, TransactError, Transaction, dynamodb::DynamoTable,
    git::GitTable, memory::MemoryTable, sqlite::SqliteTable,
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use tempfile::TempDir;

/// A new, empty table.
struct Fresh {
    table: Arc<dyn Table>,
    _dir: Option<TempDir>,
}

impl Fresh {
    fn new(table: impl Table + 'static, dir: Option<TempDir>) -> Self {
        Self { table: Arc::new(backends::RetryingTable(table)), _dir: dir }
    }
}

async fn memory() -> Fresh {
    Fresh::new(MemoryTable::new(), None)
}

async fn sqlite() -> Fresh {
    let dir = tempfile::tempdir().unwrap();
    Fresh::new(SqliteTable::open(dir.path()), Some(dir))
}

async fn git() -> Fresh {
    let dir = tempfile::tempdir().unwrap();
    let table = GitTable::local(&dir.path().join("ledger.git"), DEFAULT_REF, Some(dir.path()));
    let fresh = Fresh::new(table, Some(dir));
    fresh.table.create().await.unwrap();
    fresh
}

async fn git_http() -> Fresh {
    let dir = tempfile::tempdir().unwrap();
    let url = crate::support::git_http::repository();
    let fresh = Fresh::new(GitTable::remote(&url, DEFAULT_REF, Some(dir.path())).unwrap(), Some(dir));
    fresh.table.create().await.unwrap();
    fresh
}

async fn dynamodb() -> Fresh {
    let client = backends::aws().dynamodb(&backends::at(backends::dynamodb())).await.unwrap();
    let fresh = Fresh::new(DynamoTable::new(client, backends::unique("table")), None);
    fresh.table.create().await.unwrap();
    fresh
}

#[cfg(feature = "zookeeper")]
async fn zookeeper_at(servers: String) -> Fresh {
    let root = format!("/{}", backends::unique("table"));
    let table = sacker::table::zookeeper::ZookeeperTable::new(servers, root, None);
    let fresh = Fresh::new(table, None);
    fresh.table.create().await.unwrap();
    fresh
}

#[cfg(feature = "postgres")]
async fn postgres() -> Fresh {
    let table = crate::support::postgres::shared().table(&crate::support::postgres::name("table"));
    let fresh = Fresh::new(table, None);
    fresh.table.create().await.unwrap();
    fresh
}

#[cfg(feature = "zookeeper")]
async fn zookeeper() -> Fresh {
    zookeeper_at(backends::zookeeper()).await
}

#[cfg(feature = "zookeeper")]
async fn zookeeper_ensemble() -> Fresh {
    zookeeper_at(backends::zookeeper_ensemble()).await
}

macro_rules! conformance {
    ($($of:ident::$case:ident)*) => {
        conformance!(@ memory $($of::$case)*);
        conformance!(@ sqlite $($of::$case)*);
        conformance!(@ git $($of::$case)*);
        conformance!(@ git_http $($of::$case)*);
        conformance!(@ dynamodb $($of::$case)*);
        #[cfg(feature = "zookeeper")]
        conformance!(@ zookeeper $($of::$case)*);
        #[cfg(feature = "zookeeper")]
        conformance!(@ zookeeper_ensemble $($of::$case)*);
        #[cfg(feature = "postgres")]
        conformance!(@ postgres $($of::$case)*);
    };
    (@ $back_end:ident $($of:ident::$case:ident)*) => {
        mod $back_end {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let fresh = super::$back_end().await;
                    super::$of::$case(fresh.table.clone()).await;
                }
            )*
        }
    };
}

conformance! {
    cases::absent_items_read_as_none
    cases::values_round_trip
    cases::a_put_replaces_the_whole_item
    cases::an_update_makes_an_item_and_adds_to_it
    cases::an_update_of_nothing_makes_an_item
    cases::a_delete_removes_and_may_be_repeated
    cases::a_refusal_changes_nothing_and_returns_the_items_found
    cases::a_transaction_of_checks_changes_nothing
    cases::an_empty_transaction_is_done
    cases::a_hundred_actions_are_one_transaction
    cases::many_keys_come_back_in_their_order
    cases::a_snapshot_never_shows_half_a_transaction
    cases::concurrent_increments_add_up
    cases::a_transaction_sent_again_does_not_happen_twice
    cases::a_table_is_created_once
    conditions::each_kind_holds_and_fails
    conditions::they_nest
    conditions::they_guard_every_kind_of_change
    queries::a_range_is_inclusive_and_bytewise
    queries::either_order_comes_in_pages
    queries::a_page_goes_on_after_any_key
    queries::only_its_partition_is_read
    queries::a_scan_reads_everything_once
}

fn item(value: Value) -> Item {
    match value {
        Value::Object(item) => item,
        other => panic!("no item: {other}"),
    }
}

fn transaction(actions: impl IntoIterator<Item = Action>) -> Transaction {
    let mut transaction = Transaction::new(uuid::Uuid::new_v4().to_string());
    actions.into_iter().for_each(|action| transaction.push(action));
    transaction
}

fn action(key: &Key, condition: Condition, change: Change) -> Action {
    Action { key: key.clone(), condition, change }
}

fn put(key: &Key, value: Value) -> Action {
    action(key, Condition::Always, Change::Put(item(value)))
}

fn check(key: &Key, condition: Condition) -> Action {
    action(key, condition, Change::Check)
}

fn update(key: &Key, set: Value, add: &[(&'static str, i64)]) -> Action {
    let add: BTreeMap<_, _> = add.iter().copied().collect();
    action(key, Condition::Always, Change::Update { set: item(set), add })
}

async fn transact(table: &dyn Table, transaction: &Transaction) -> Result<(), Vec<Option<Found>>> {
    match table.transact(transaction).await {
        Ok(()) => Ok(()),
        Err(TransactError::Refused(refused)) => Err(refused),
        Err(TransactError::Fault(fault)) => panic!("{fault:?}"),
    }
}

async fn done(table: &dyn Table, actions: impl IntoIterator<Item = Action>) {
    transact(table, &transaction(actions)).await.expect("it is refused");
}

async fn refused(table: &dyn Table, actions: impl IntoIterator<Item = Action>) -> Vec<Option<Found>> {
    transact(table, &transaction(actions)).await.expect_err("it is done")
}

async fn get(table: &dyn Table, key: &Key) -> Option<Item> {
    table.get(key).await.unwrap()
}
