//! A store is adopted by another ledger, as after a restore, and the former owner can do no harm.

use super::{Site, collect, gc, owner::copied};
use crate::support::world::{author, of, retry_policy, sha256};
use futures_util::StreamExt;
use sacker::{
    ledger::{Identity, Invariant, Ledger, TableLedger, Violation},
    model::{Address, Generation, first_generation},
    ops::{Adopted, Client, Error, Fsck},
    store::{Store, memory::MemoryStore},
    table::{Table, memory::MemoryTable},
};
use std::sync::Arc;

fn at(content: &str, generation: Generation) -> Address {
    Address { sha256: sha256(content), generation }
}

fn ledger(table: &Arc<dyn Table>) -> Arc<dyn Ledger> {
    Arc::new(TableLedger::new(Arc::clone(table), retry_policy()))
}

/// Whatever it would do with the store, it is refused.
async fn refused(site: &Site, client: &Client) {
    let not_owner = |error: Error| assert!(matches!(error, Error::NotOwner { .. }), "{error:?}");
    not_owner(site.add_by(client, "app", "from someone else").await.unwrap_err());
    not_owner(client.init().await.unwrap_err());
    not_owner(gc(client, collect(true)).await.unwrap_err());
    not_owner(client.fsck(Fsck::default(), &mut |_| ()).await.unwrap_err());
}

/// Returns the violations in a ledger and its store, the bytes included.
async fn violations(client: &Client) -> Vec<(String, Invariant)> {
    let mut found = Vec::new();
    let mut record = |violation: Violation| found.push((violation.place, violation.rule));
    let fsck = Fsck::new().read_data(100);
    client.fsck(fsck, &mut record).await.unwrap();
    found
}

async fn adopted(client: &Client, former: Option<&Identity>) -> Generation {
    let Adopted { former: was, generation } = client.adopt().await.unwrap().adopted.unwrap();
    assert_eq!(was, former.map(Identity::mark));
    // Again, and it is so already.
    assert_eq!(client.adopt().await.unwrap().adopted, None);
    assert_eq!(client.init().await.unwrap().adopted, None);
    generation
}

async fn identity(client: &Client) -> Identity {
    client.ledger().identity().await.unwrap().unwrap()
}

async fn garbage(client: &Client) -> Vec<Address> {
    gc(client, collect(true)).await.unwrap().into_iter().map(|(address, _)| address).collect()
}

/// From the backup to the last blob: a table that was restored under another name takes the store over.
#[tokio::test]
async fn a_restored_table_takes_the_store_over() {
    let site = Site::cloud(false).await;
    for content in ["kept", "gone", "unneeded"] {
        site.add("app", content).await;
    }
    site.delete("app", 3).await;
    let copy: Arc<dyn Table> = Arc::new(copied(&*site.table()).await);
    // What the original does after the backup: it adds, and it removes what the copy needs, in the end for good.
    site.add("app", "later").await;
    site.delete("app", 2).await;
    assert_eq!(garbage(&site.client()).await.len(), 2);
    site.add("app", "unneeded").await;
    let original = identity(&site.client()).await;
    let client = site.with(ledger(&copy));
    refused(&site, &client).await;

    let first = adopted(&client, Some(&original)).await;
    assert_eq!(first, first_generation(1));
    assert_ne!(identity(&client).await.id, original.id);
    refused(&site, &site.client()).await;
    // The damage is named. It is what the restored versions need, and no longer there.
    assert_eq!(violations(&client).await, [(at("gone", 0).to_string(), Invariant::Missing)]);

    // The former owner can't remove what is added from now on, whatever it has removed or is about to remove.
    for (content, number) in [("kept", 4), ("gone", 5), ("later", 6), ("new", 7)] {
        let release = site.add_by(&client, "app", content).await.unwrap();
        assert_eq!((release.version.get(), release.blob.address), (number, at(content, first)));
    }
    for (content, generation) in [("gone", 0), ("later", 0), ("new", 0), ("unneeded", 1)] {
        site.store().delete(&at(content, generation)).await.unwrap();
    }
    assert_eq!(violations(&client).await, [(at("gone", 0).to_string(), Invariant::Missing)]);

    // Both generations of a blob are counted, each for itself.
    let restored = client.ledger().release(&of("app"), &of("1")).await.unwrap();
    assert_eq!(restored.blob.address, at("kept", 0));
    let other = site.with(ledger(&copy));
    delete(&other, "1").await;
    assert_eq!(garbage(&other).await, [at("kept", 0)]);
    delete(&other, "2").await;
    assert_eq!(garbage(&other).await, []);
    delete(&other, "4").await;
    assert_eq!(garbage(&other).await, [at("kept", first)]);
    assert_eq!(site.add_by(&other, "app", "kept").await.unwrap().blob.address, at("kept", first + 1));
    assert_eq!(violations(&other).await, []);

    // And back, if it must be.
    let now = identity(&other).await;
    assert_eq!(adopted(&site.client(), Some(&now)).await, first_generation(2));
    refused(&site, &other).await;
    assert_eq!(site.add("app", "kept").await.blob.address, at("kept", first_generation(2)));
}

async fn delete(client: &Client, number: &str) {
    let number: u64 = number.parse().unwrap();
    let request = sacker::ledger::ChangeRequest::new(
        of("app"),
        crate::support::world::version(number),
        sacker::model::ReleaseChange::Delete,
    )
    .author(author(None));
    client.change(&request).await.unwrap();
}

/// The ledger is lost, and only the store is left.
async fn a_new_ledger(site: Site) {
    for content in ["one", "two"] {
        site.add("app", content).await;
    }
    // A generation that a new ledger knows nothing of.
    let stray = site.put("one", 3).await;
    let former = identity(&site.client()).await;
    let new: Arc<dyn Table> = Arc::new(MemoryTable::new());
    let client = site.with(ledger(&new));
    // With something of its own already.
    client.ledger().create().await.unwrap();
    refused(&site, &client).await;
    let first = adopted(&client, Some(&former)).await;
    refused(&site, &site.client()).await;
    assert_eq!(site.add_by(&client, "app", "one").await.unwrap().blob.address, at("one", first));
    let mut found = garbage(&client).await;
    found.sort();
    let mut expected = [at("one", 0), stray, at("two", 0)];
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(violations(&client).await, []);
    assert!(site.holds(&at("one", first)).await);
}

#[tokio::test]
async fn a_new_ledger_takes_an_old_store_over_in_memory() {
    a_new_ledger(Site::memory()).await;
}

#[tokio::test]
async fn a_new_ledger_takes_an_old_store_over_locally() {
    a_new_ledger(Site::local()).await;
}

#[tokio::test]
async fn a_new_ledger_takes_an_old_store_over_in_the_cloud() {
    a_new_ledger(Site::cloud(false).await).await;
}

/// As if it had been killed between the two writes.
#[tokio::test]
async fn an_adoption_that_was_cut_short_is_finished_by_the_next_run() {
    let site = Site::memory();
    site.add("app", "one").await;
    let former = identity(&site.client()).await;
    let new: Arc<dyn Table> = Arc::new(MemoryTable::new());
    let client = site.with(ledger(&new));
    client.ledger().create().await.unwrap();
    let before = identity(&client).await;
    let half = client.ledger().adopt(&before, 1).await.unwrap();
    assert_ne!(half.id, before.id);
    // The store is its owner's still.
    refused(&site, &client).await;
    site.add("app", "two").await;
    adopted(&client, Some(&former)).await;
    assert_eq!(identity(&client).await, half);
    // Nor does a client that saw the former owner change it.
    assert_eq!(client.ledger().adopt(&before, 7).await.unwrap(), half);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_adoptions_have_one_winner() {
    for _ in 0..20 {
        let site = Site::memory();
        site.add("app", "one").await;
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let new: Arc<dyn Table> = Arc::new(MemoryTable::new());
                site.with(ledger(&new))
            })
            .collect();
        // Two runs on each ledger.
        let runs = clients.iter().chain(&clients).map(|client| {
            let client = client.clone();
            tokio::spawn(async move { client.adopt().await.map(|made| made.adopted) })
        });
        for run in futures_util::future::join_all(runs).await {
            assert!(matches!(run.unwrap(), Ok(_) | Err(Error::NotOwner { .. } | Error::Store(_))));
        }
        let mut owners = 0;
        for client in &clients {
            owners += usize::from(client.init().await.is_ok());
        }
        assert!(owners <= 1, "{owners}");
        clients[0].adopt().await.unwrap();
        clients[0].init().await.unwrap();
        refused(&site, &clients[1]).await;
        refused(&site, &site.client()).await;
    }
}

#[tokio::test]
async fn a_store_that_is_nobodys_and_empty_is_claimed() {
    let site = Site::memory();
    assert_eq!(site.client().adopt().await.unwrap().adopted, None);
    assert_eq!(site.add("app", "one").await.blob.address, at("one", 0));
    // One that holds something is not.
    let site = Site::memory();
    site.put("one", first_generation(4) + 2).await;
    assert_eq!(adopted(&site.client(), None).await, first_generation(5));
    assert_eq!(site.add("app", "one").await.blob.address, at("one", first_generation(5)));
    // What no ledger can have stored is above all that can be.
    let site = Site::memory();
    site.put("one", first_generation(Address::LAST_EPOCH)).await;
    assert!(matches!(site.client().adopt().await, Err(Error::Store(_))));
    assert_eq!(site.store().owner().await.unwrap(), None);
}

/// A claim would expose the new owner's blobs to requests of the former owner, where both have the same epoch.
#[tokio::test]
async fn a_store_that_lost_its_owner_is_only_adopted() {
    let store = Arc::new(MemoryStore::new());
    let site = Site::with_store(Arc::clone(&store), tempfile::tempdir().unwrap());
    store.plant(&at("of another", first_generation(5)), "of another");
    // Of a lower epoch than the blob that is there, of the same, and of a higher.
    for epoch in [0, 2, 5, 7] {
        let table: Arc<dyn Table> = Arc::new(MemoryTable::new());
        let client = site.with(ledger(&table));
        client.ledger().create().await.unwrap();
        if epoch > 0 {
            let fresh = identity(&client).await;
            client.ledger().adopt(&fresh, epoch).await.unwrap();
        }
        let lost = |error: Error| assert!(matches!(error, Error::OwnerLost { .. }), "{error:?}");
        lost(site.add_by(&client, "app", "one").await.unwrap_err());
        lost(client.init().await.unwrap_err());
        assert_eq!(store.owner().await.unwrap(), None);
    }
    let table: Arc<dyn Table> = Arc::new(MemoryTable::new());
    assert_eq!(adopted(&site.with(ledger(&table)), None).await, first_generation(6));
}

#[tokio::test]
async fn a_collection_under_way_ends_when_the_store_is_adopted() {
    let store = Arc::new(MemoryStore::new());
    let site = Site::with_store(Arc::clone(&store), tempfile::tempdir().unwrap());
    site.add("app", "one").await;
    let orphans = 5000;
    for n in 0..orphans {
        let content = format!("orphan {n}");
        store.plant(&at(&content, 0), content);
    }
    let former = site.client();
    let mut collecting = former.gc(collect(true));
    collecting.next().await.unwrap().unwrap();
    let new: Arc<dyn Table> = Arc::new(MemoryTable::new());
    site.with(ledger(&new)).adopt().await.unwrap();
    let mut removed = 1;
    let error = loop {
        match collecting.next().await.unwrap() {
            Ok(_) => removed += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::NotOwner { .. }), "{error:?}");
    assert!(removed <= 3000, "{removed}");
}
