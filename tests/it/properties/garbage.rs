//! A ledger whose items hold arbitrary values, as after an edit by hand: every read answers, and nothing
//! ends in a panic.

use crate::support::world::{add, adding_with_key, author, of, tag, tagging, try_add, untagging, version};
use futures_util::StreamExt;
use proptest::prelude::*;
use sacker::{
    ledger::{ChangeRequest, Ledger, PackageQuery, TableLedger},
    model::ReleaseChange,
    retry::{Cancellation, RetryPolicy},
    table::{Action, Change, Condition, Item, Key, Table, Transaction, memory::MemoryTable},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

fn ledger(table: &Arc<MemoryTable>) -> TableLedger {
    TableLedger::new(
        Arc::clone(table) as Arc<dyn Table>,
        RetryPolicy::seeded(Duration::ZERO, Cancellation::new(), 1),
    )
}

/// A package of two versions, with tags, keys and blobs.
async fn whole() -> (Arc<MemoryTable>, Vec<(Key, Item)>) {
    let table = Arc::new(MemoryTable::new());
    let ledger = ledger(&table);
    add(&ledger, "app", "one").await;
    try_add(&ledger, &adding_with_key("app", "k"), "two").await.unwrap();
    tag(&ledger, "app", "1", "live").await;
    tag(&ledger, "app", "2", "live").await;
    let mut untag = untagging("app", "live");
    untag.author = author(Some("k"));
    ledger.untag(&untag).await.unwrap();
    tag(&ledger, "app", "1", "live").await;
    let items = table.scan(None).await.unwrap().items;
    assert!(items.len() > 12, "{}", items.len());
    (table, items)
}

/// Calls every read and every change, and ignores the results.
async fn everything(ledger: &TableLedger) {
    let package = of("app");
    drop(ledger.packages(&PackageQuery::default()).take(9).collect::<Vec<_>>().await);
    drop(ledger.summaries(std::slice::from_ref(&package)).await);
    drop(ledger.versions(&package).take(9).collect::<Vec<_>>().await);
    drop(ledger.tags(&package).await);
    for spec in ["1", "2", "latest", "live"] {
        drop(ledger.blob(&package, &of(spec)).await);
        drop(ledger.release(&package, &of(spec)).await);
        drop(ledger.tag(&tagging("app", spec, "live")).await);
    }
    for key in ["k", "00112233445566778899aabbccddeeff@2"] {
        drop(try_add(ledger, &adding_with_key("app", key), "two").await);
        let mut untag = untagging("app", "live");
        untag.author = author(Some(key));
        drop(ledger.untag(&untag).await);
    }
    let mut request = adding_with_key("app", "other");
    (request.if_changed, request.tags) = (true, vec![of("live")]);
    drop(try_add(ledger, &request, "two").await);
    for change in [ReleaseChange::Yank, ReleaseChange::Unyank, ReleaseChange::Delete, ReleaseChange::Undelete]
    {
        let (package, author) = (of("app"), author(None));
        drop(ledger.change(&ChangeRequest::new(package, version(2), change).author(author)).await);
    }
    drop(ledger.stops(&package, 3).await);
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (0..4_u64).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!(1_u64 << 53)),
        Just(json!(u64::MAX)),
        ".{0,20}".prop_map(Value::from),
        Just(json!("condemned")),
        Just(json!("fence")),
        Just(json!("V#0000000000000001")),
        Just(json!("f".repeat(64))),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// One edit: the item, the attribute, and its new value (none: the attribute is removed; `u8` 0: the item too).
fn damage() -> impl Strategy<Value = (prop::sample::Index, prop::sample::Index, Option<Value>, u8)> {
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), prop::option::of(anything()), 0..12_u8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
    #[test]
    fn any_item_content_gets_an_answer(damages in prop::collection::vec(damage(), 1..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (table, mut items) = whole().await;
            for (at, attribute, value, fate) in damages {
                let at = at.index(items.len());
                let (key, item) = &mut items[at];
                let change = if fate == 0 {
                    Change::Delete
                } else {
                    let names: Vec<_> = item.keys().cloned().collect();
                    if !names.is_empty() {
                        let name = names[attribute.index(names.len())].clone();
                        match value {
                            Some(value) => drop(item.insert(name, value)),
                            None => drop(item.remove(&name)),
                        }
                    }
                    Change::Put(item.clone())
                };
                let mut transaction = Transaction::new("damage".to_owned());
                transaction.push(Action { key: key.clone(), condition: Condition::Always, change });
                table.transact(&transaction).await.unwrap();
            }
            everything(&ledger(&table)).await;
        });
    }
}
