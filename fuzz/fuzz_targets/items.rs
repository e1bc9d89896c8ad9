//! A ledger in which anything may stand: everything that reads it answers, and says what is damaged.
//!
//! The input is JSON lines: `["pk", "sk", {…}]`, each an item of the package `app`.
#![no_main]

use futures_util::StreamExt;
use libfuzzer_sys::fuzz_target;
use sacker::{
    ledger::{AddRequest, Author, ChangeRequest, Ledger, PackageQuery, TableLedger, TagRequest, UntagRequest},
    model::{Labels, ReleaseChange},
    retry::{Patience, Stop},
    table::{Action, Change, Condition, Key, Table, Transaction, memory::MemoryTable},
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

fn item(line: &str) -> Option<Action> {
    let (pk, sk, item): (String, String, serde_json::Map<String, Value>) = serde_json::from_str(line).ok()?;
    Some(Action { key: Key::new(pk, sk), condition: Condition::Always, change: Change::Put(item) })
}

async fn everything(table: Arc<MemoryTable>) {
    let patience = Patience::seeded(Duration::ZERO, Stop::new(), 1);
    let ledger = TableLedger::new(table, patience);
    let package = "app".parse().unwrap();
    let author = Author { actor: "a@b".parse().unwrap(), message: None, key: None };
    let _ = ledger.packages(&PackageQuery::default()).take(9).collect::<Vec<_>>().await;
    let _ = ledger.summaries(std::slice::from_ref(&package)).await;
    let _ = ledger.versions(&package).take(9).collect::<Vec<_>>().await;
    let _ = ledger.tags(&package).await;
    for spec in ["1", "latest", "live"] {
        let spec = spec.parse().unwrap();
        let _ = ledger.blob(&package, &spec).await;
        let _ = ledger.release(&package, &spec).await;
        let tag = "live".parse().unwrap();
        let _ = ledger
            .tag(&TagRequest { package: package.clone(), spec, tag, expect: None, author: author.clone() })
            .await;
    }
    for (change, key) in [(ReleaseChange::Yank, None), (ReleaseChange::Delete, Some("k"))] {
        let author = Author { key: key.map(|key| key.parse().unwrap()), ..author.clone() };
        let version = 1.try_into().unwrap();
        let _ = ledger.change(&ChangeRequest { package: package.clone(), version, change, author }).await;
    }
    let tag = "live".parse().unwrap();
    let author = Author { key: Some("k".parse().unwrap()), ..author };
    let _ = ledger
        .untag(&UntagRequest { package: package.clone(), tag, expect: None, author: author.clone() })
        .await;
    let request = AddRequest {
        package,
        author,
        labels: Labels::default(),
        tags: vec!["live".parse().unwrap()],
        if_changed: true,
        expect_latest: None,
    };
    let Ok(mut draft) = ledger.begin_add(&request).await else { return };
    let _ = ledger.stage(&request, &"0".repeat(64).parse().unwrap(), &mut draft).await;
}

fuzz_target!(|text: &str| {
    let mut transaction = Transaction::new("t".to_owned());
    let mut seen = std::collections::BTreeSet::new();
    for action in text.lines().filter_map(item).take(20) {
        if seen.insert((action.key.pk.clone(), action.key.sk.clone())) {
            transaction.push(action);
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let table = Arc::new(MemoryTable::new());
        table.transact(&transaction).await.unwrap();
        everything(table).await;
    });
});
