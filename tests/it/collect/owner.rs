//! One store, one ledger: no one else collects in it.

use super::{Site, collect, gc};
use crate::{backends, ledger::world::patience};
use sacker::{
    ledger::TableLedger,
    ops::{Client, Error},
    table::{Action, Change, Condition, Table, Transaction, dynamodb::DynamoTable, sqlite::SqliteTable},
};
use std::{fs, sync::Arc};

async fn refused(client: &Client) -> String {
    for delete in [false, true] {
        match gc(client, collect(delete)).await.unwrap_err() {
            Error::NotOwner { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    gc(client, collect(true)).await.unwrap_err().to_string()
}

#[tokio::test]
async fn the_store_of_another_ledger_is_left_alone() {
    let (site, other) = (Site::memory(), Site::memory());
    let orphan = site.put("orphan", 0).await;
    // No one's.
    assert!(refused(&site.client()).await.contains("no one"));
    site.ledger().create().await.unwrap();
    refused(&site.client()).await;
    // Another's, whether or not that one has anything.
    site.add("app", "one").await;
    refused(&site.with(other.ledger())).await;
    other.add("app", "two").await;
    refused(&site.with(other.ledger())).await;
    assert!(site.holds(&orphan).await);
    assert_eq!(gc(&site.client(), collect(true)).await.unwrap().len(), 1);
}

async fn drill(site: &Site, copy: Arc<dyn Table>) {
    let client = site.with(Arc::new(TableLedger::new(copy, patience())));
    // What the copy does not know of.
    let later = site.add("app", "added later").await.blob.address;
    let why = refused(&client).await;
    assert!(why.contains("a copy of"), "{why}");
    assert!(site.holds(&later).await);
    // Nor does it add to it, nor make itself its owner.
    assert!(matches!(site.add_by(&client, "app", "from the copy").await, Err(Error::NotOwner { .. })));
    assert!(matches!(client.init().await, Err(Error::NotOwner { .. })));
    assert_eq!(gc(&site.client(), collect(true)).await.unwrap(), []);
}

/// An embedded ledger has to survive a restored backup and another disk.
#[tokio::test]
async fn a_directory_that_was_moved_or_restored_is_the_ledger_still() {
    let site = Site::local();
    site.add("app", "one").await;
    let (ledger, restored) = (site.dir.path().join("ledger"), site.dir.path().join("restored"));
    fs::create_dir(&restored).unwrap();
    for entry in fs::read_dir(&ledger).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), restored.join(entry.file_name())).unwrap();
    }
    fs::remove_dir_all(&ledger).unwrap();
    let client = site.with(Arc::new(TableLedger::new(Arc::new(SqliteTable::open(&restored)), patience())));
    assert_eq!(gc(&client, collect(true)).await.unwrap(), []);
}

/// A copy of a table under another name, as a restore makes it.
pub async fn copied(original: &dyn Table) -> DynamoTable {
    let client = backends::aws().dynamodb(&backends::at(backends::dynamodb())).await.unwrap();
    let copy = DynamoTable::new(client, backends::unique("copy"));
    patience().run("making a table", || copy.create()).await.unwrap();
    let mut after = None;
    loop {
        let page = original.scan(after.as_ref()).await.unwrap();
        for (key, item) in page.items {
            let mut transaction = Transaction::new(uuid::Uuid::new_v4().to_string());
            transaction.push(Action { key, condition: Condition::Always, change: Change::Put(item) });
            copy.transact(&transaction).await.unwrap();
        }
        after = page.next;
        if after.is_none() {
            return copy;
        }
    }
}

#[tokio::test]
async fn a_restored_copy_of_a_table_collects_nothing() {
    let site = Site::cloud(false).await;
    site.add("app", "one").await;
    let copy = copied(&*site.table()).await;
    drill(&site, Arc::new(copy)).await;
}
