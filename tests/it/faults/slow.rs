//! Large packages over a slow link.

use crate::support::{
    backends,
    link::{Link, Shape},
    world::of,
};
use futures_util::TryStreamExt;
use sacker::{
    ledger::{Ledger, TableLedger},
    table::{Action, Change, Condition, Item, Key, Table, Transaction, dynamodb::DynamoTable},
};
use serde_json::json;
use std::sync::Arc;

/// A page of 1 MB takes longer over this link than an answer may pause.
const BYTES_A_SECOND: u64 = 300_000;
const VERSIONS: u64 = 500;

async fn table(url: String, name: &str) -> Arc<dyn Table> {
    Arc::new(DynamoTable::new(backends::aws().dynamodb(&backends::at(url)).await.unwrap(), name))
}

/// Puts versions with long messages past the protocol: 4 KB each, nothing but `versions` is to read them.
async fn seed(table: &dyn Table) {
    let version = |number: u64| {
        let item = json!({
            "n": number, "rev": number, "when": number, "op": format!("{number:032x}"), "chain": "", "who": "seed",
            "state": "active", "sha256": "0".repeat(64), "gen": 0, "size": 1,
            "labels": { "filler": "x".repeat(3500) },
        });
        Action {
            key: Key::new("P#app", format!("V#{number:016}")),
            condition: Condition::Absent,
            change: Change::Put(item.as_object().unwrap().clone()),
        }
    };
    let numbers: Vec<_> = (1..=VERSIONS).collect();
    for some in numbers.chunks(50) {
        let mut put = Transaction::new(uuid::Uuid::new_v4().to_string());
        for number in some {
            put.push(version(*number));
        }
        backends::retry_policy()
            .run("seeding", || async {
                match table.transact(&put).await {
                    Err(sacker::table::TransactError::Fault(fault)) => Err(fault),
                    // Again after no answer, and it was done.
                    _ => Ok(()),
                }
            })
            .await
            .unwrap();
    }
    let blob = json!({ "sha256": "0".repeat(64), "gen": 0, "size": 1 });
    let head = json!({
        "n": VERSIONS, "rev": VERSIONS, "when": VERSIONS, "chain": "", "latest": VERSIONS, "blob": blob,
    });
    let mut put = Transaction::new(uuid::Uuid::new_v4().to_string());
    let change = Change::Put(Item::from_iter(head.as_object().unwrap().clone()));
    put.push(Action { key: Key::new("P#app", "H"), condition: Condition::Always, change });
    table.transact(&put).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_of_several_pages_arrive_over_a_slow_link() {
    let name = backends::unique("slow");
    let near = table(backends::dynamodb(), &name).await;
    backends::retry_policy().run("making a table", || near.create()).await.unwrap();
    seed(&*near).await;
    let shape = Shape { rate: Some(BYTES_A_SECOND), ..Shape::default() };
    let link = Link::start(&backends::dynamodb(), shape).await;
    let ledger = TableLedger::new(table(link.url(), &name).await, backends::retry_policy());
    let package = of("app");
    let versions: Vec<_> =
        ledger.versions(&package).map_ok(|release| release.version.get()).try_collect().await.unwrap();
    assert_eq!(versions, (1..=VERSIONS).rev().collect::<Vec<_>>());
    // At most some bytes were fetched again: no page is restarted repeatedly.
    let most = 2 * VERSIONS * 4_000;
    assert!(link.counts().down < most, "{:?}", link.counts());
}
