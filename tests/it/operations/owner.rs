//! One store belongs to one ledger: no other collects in it.

use super::{Site, collect, gc};
use crate::{
    conformance::ledger::{
        changing::changing,
        plans::{applying, moving},
        rollback::rolling_back,
    },
    support::{
        backends,
        world::{author, of, retry_policy, tag, tagging, untagging},
    },
};
use futures_util::{FutureExt, future::BoxFuture};
use sacker::{
    ledger::{self, Author, Ledger, ProtectRequest, TableLedger},
    model::{IdempotencyKey, Labels, Protection, ReleaseChange},
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
    site.store().delete(&orphan).await.unwrap();
    site.ledger().create().await.unwrap();
    refused(&site.client()).await;
    // Another's, whether or not that one has anything.
    site.add("app", "one").await;
    site.put("orphan", 0).await;
    refused(&site.with(other.ledger())).await;
    other.add("app", "two").await;
    refused(&site.with(other.ledger())).await;
    assert!(site.holds(&orphan).await);
    assert_eq!(gc(&site.client(), collect(true)).await.unwrap().len(), 1);
}

async fn drill(site: &Site, copy: Arc<dyn Table>) {
    let client = site.with(Arc::new(TableLedger::new(copy, retry_policy())));
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
    let client =
        site.with(Arc::new(TableLedger::new(Arc::new(SqliteTable::open(&restored)), retry_policy())));
    assert_eq!(gc(&client, collect(true)).await.unwrap(), []);
}

/// A copy of a table under another name, as a restore makes it.
pub async fn copied(original: &dyn Table) -> DynamoTable {
    let client = backends::aws().dynamodb(&backends::at(backends::dynamodb())).await.unwrap();
    let copy = DynamoTable::new(client, backends::unique("copy"));
    retry_policy().run("making a table", || copy.create()).await.unwrap();
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

/// Every change that needs no store, by name.
fn changes(ledger: &TableLedger) -> Vec<(&'static str, BoxFuture<'_, Result<(), ledger::Error>>)> {
    let plan = moving(&[("app", "canary", "1", "")]);
    let apply = move |undo| {
        let request = applying(&plan).undo(undo);
        async move { ledger.apply(&request).await.map(drop) }.boxed()
    };
    let change = |number, change| {
        let request = changing(number, change);
        async move { ledger.change(&request).await.map(drop) }.boxed()
    };
    let resumed: IdempotencyKey = "0123456789abcdef0123456789abcdef@9".parse().unwrap();
    let tagged = |author: Author| {
        let request = tagging("app", "1", "live").author(author);
        async move { ledger.tag(&request).await.map(drop) }.boxed()
    };
    let protect = |protection| {
        let request = ProtectRequest::new(of("app"), of("live"), protection).author(author(None));
        async move { ledger.protect(&request).await.map(drop) }.boxed()
    };
    vec![
        ("tag", tagged(author(None))),
        ("tag with a key", tagged(author(Some("key")))),
        ("tag, taken up again", tagged(author(None).key(resumed))),
        ("untag", async { ledger.untag(&untagging("app", "live")).await.map(drop) }.boxed()),
        ("rollback", async { ledger.rollback(&rolling_back("app", "live")).await.map(drop) }.boxed()),
        ("apply", apply(false)),
        ("apply --undo", apply(true)),
        ("protect", protect(Some(Protection::Confirm))),
        ("unprotect", protect(None)),
        ("label", change(1, ReleaseChange::Label(Labels::parse(["a=b"]).unwrap()))),
        ("yank", change(1, ReleaseChange::Yank)),
        ("unyank", change(1, ReleaseChange::Unyank)),
        ("delete", change(1, ReleaseChange::Delete)),
        ("undelete", change(1, ReleaseChange::Undelete)),
        ("fsck --repair", async { ledger.audit(true, &mut |_| ()).await.map(drop) }.boxed()),
    ]
}

#[tokio::test]
async fn a_restored_copy_of_a_table_is_not_changed() {
    let site = Site::cloud(false).await;
    for content in ["one", "two", "three"] {
        site.add("app", content).await;
    }
    tag(&*site.ledger(), "app", "2", "live").await;
    tag(&*site.ledger(), "app", "3", "live").await;
    let copy: Arc<dyn Table> = Arc::new(copied(&*site.table()).await);
    let before = copy.scan(None).await.unwrap().items;
    // Each command is a process of its own; and one that has looked at it already refuses as well.
    for fresh in [true, false] {
        let looked = TableLedger::new(Arc::clone(&copy), retry_policy());
        looked.blob(&of("app"), &of("live")).await.unwrap();
        let names = changes(&looked).into_iter().map(|(name, _)| name);
        for (number, name) in names.enumerate() {
            let new = TableLedger::new(Arc::clone(&copy), retry_policy());
            let ledger = if fresh { &new } else { &looked };
            let (_, change) = changes(ledger).swap_remove(number);
            match change.await {
                Err(ledger::Error::Copy { .. }) => {}
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    let after = copy.scan(None).await.unwrap().items;
    assert_eq!(before, after);
    // What has adopted the store is a ledger of its own.
    let ledger = TableLedger::new(copy, retry_policy());
    let identity = ledger.identity().await.unwrap().unwrap();
    ledger.adopt(&identity, identity.epoch + 1).await.unwrap();
    ledger.tag(&tagging("app", "1", "live")).await.unwrap();
}
