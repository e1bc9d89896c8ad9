//! The blobs that are collected, and those that are not.

use super::{Site, collect};
use crate::{
    operations::gc,
    support::{
        backends::retry_policy,
        faulty_table::{Fate, Faulty},
        world::{read, sha256},
    },
};
use futures_util::{StreamExt, TryStreamExt};
use sacker::{
    ledger::{BlobStatus, Ledger, TableLedger},
    model::{Address, Timestamp},
    ops::{Client, Garbage, GcOptions},
    store::{Store, memory::MemoryStore},
    table::memory::MemoryTable,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    sync::Arc,
    time::{Duration, SystemTime},
};

async fn reported_then_removed(site: &Site) {
    let needed = site.add("app", "needed").await.blob.address;
    let shared = site.add("app", "shared").await.blob.address;
    site.add("other", "shared").await;
    let gone = site.add("app", "gone").await.blob.address;
    let twice = site.add("app", "twice").await.blob.address;
    site.add("other", "twice").await;
    let orphan = site.put("never committed", 0).await;
    for (package, number) in [("app", 2), ("app", 3), ("app", 4), ("other", 2)] {
        site.delete(package, number).await;
    }
    let client = site.client();
    let reported = gc(&client, collect(false)).await.unwrap();
    let mut expected = vec![(gone.clone(), 4), (twice.clone(), 5), (orphan.clone(), 15)];
    expected.sort();
    assert_eq!(reported, expected);
    for address in [&needed, &shared, &gone, &twice, &orphan] {
        assert!(site.holds(address).await, "listing it removed it");
    }
    assert_eq!(gc(&client, collect(true)).await.unwrap(), expected);
    for (address, there) in
        [(&needed, true), (&shared, true), (&gone, false), (&twice, false), (&orphan, false)]
    {
        assert_eq!(site.holds(address).await, there);
    }
    assert_eq!(gc(&client, collect(true)).await.unwrap(), []);
    // What comes back gets an address of its own.
    for (content, before) in [("gone", &gone), ("never committed", &orphan)] {
        let again = site.add("app", content).await.blob.address;
        assert_eq!(again, Address { generation: before.generation + 1, ..before.clone() });
        assert!(site.holds(&again).await);
    }
    // And goes again.
    site.delete("app", 5).await;
    let second = Address { generation: 1, ..gone };
    assert_eq!(gc(&client, collect(true)).await.unwrap(), [(second, 4)]);
    assert_eq!(site.add("app", "gone").await.blob.address.generation, 2);
}

#[tokio::test]
async fn garbage_is_reported_then_removed_in_memory() {
    reported_then_removed(&Site::memory()).await;
}

#[tokio::test]
async fn garbage_is_reported_then_removed_locally() {
    reported_then_removed(&Site::local()).await;
}

#[tokio::test]
async fn garbage_is_reported_then_removed_in_the_cloud() {
    reported_then_removed(&Site::cloud(false).await).await;
}

#[tokio::test]
async fn garbage_is_reported_then_removed_from_a_versioned_bucket() {
    reported_then_removed(&Site::cloud(true).await).await;
}

#[tokio::test]
async fn young_garbage_is_kept() {
    let (now, hour) = (Timestamp::from_millis(10_000_000), Duration::from_hours(1));
    let store = Arc::new(MemoryStore::with_clock(move || now));
    let dir = tempfile::tempdir().unwrap();
    let ledger = Arc::new(TableLedger::new(Arc::new(MemoryTable::new()), retry_policy()));
    let (_, id) = ledger.create().await.unwrap();
    store.claim(&id).await.unwrap();
    let address = Address { sha256: sha256("orphan"), generation: 0 };
    store.plant(&address, "orphan");
    let client = Client::new(ledger, store, retry_policy(), dir.path().to_owned());
    let found = async |after: u64, min_age| {
        let now = Timestamp::from_millis(now.as_millis() + after);
        gc(&client, GcOptions::new().min_age(min_age).now(now)).await.unwrap().len()
    };
    assert_eq!(found(3_599_999, hour).await, 0);
    assert_eq!(found(3_600_000, hour).await, 1);
    // With no age at all no clock is asked, not even one that is behind.
    let behind = GcOptions::new().min_age(Duration::ZERO).now(Timestamp::from_millis(0));
    assert_eq!(gc(&client, behind).await.unwrap().len(), 1);
    assert_eq!(GcOptions::MIN_AGE, hour);
}

#[tokio::test]
async fn an_upload_whose_commit_never_came_is_condemned_in_its_generation() {
    let site = Site::memory();
    let first = site.add("app", "content").await.blob.address;
    site.delete("app", 1).await;
    gc(&site.client(), collect(true)).await.unwrap();
    let second = site.put("content", 1).await;
    assert_eq!(
        site.ledger().blob_statuses(std::slice::from_ref(&second)).await.unwrap(),
        [BlobStatus::Orphan]
    );
    assert_eq!(gc(&site.client(), collect(true)).await.unwrap(), [(second.clone(), 7)]);
    let item = read(&*site.table(), &format!("B#{}", first.sha256), "B").await.unwrap();
    assert_eq!(Value::Object(item), json!({ "state": "condemned", "gen": 1, "refs": 0 }));
    assert_eq!(site.add("app", "content").await.blob.address.generation, 2);
    // What was condemned before is deleted without more ado; what this ledger never gave out is left alone.
    site.put("content", 0).await;
    let foreign = site.put("content", 9).await;
    assert_eq!(gc(&site.client(), collect(true)).await.unwrap(), [(first, 7)]);
    assert!(site.holds(&foreign).await);
}

#[tokio::test]
async fn a_deletion_that_arrives_late_takes_nothing_that_is_needed() {
    let site = Site::memory();
    let first = site.add("app", "content").await.blob.address;
    site.delete("app", 1).await;
    let ledger = site.ledger();
    assert!(ledger.condemn(&first).await.unwrap());
    // The collector stalls here, and the blob is added again meanwhile.
    let second = site.add("app", "content").await.blob.address;
    site.store().delete(&first).await.unwrap();
    assert!(site.holds(&second).await);
    assert!(!ledger.condemn(&second).await.unwrap());
    assert!(ledger.condemn(&first).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_found_out() {
    let site = Site::memory();
    let mut addresses = Vec::new();
    for content in ["one", "two", "three"] {
        addresses.push(site.add("app", content).await.blob.address);
    }
    for number in [1, 2] {
        site.delete("app", number).await;
    }
    let script = |number: usize, _: &_| {
        [Fate::LosesReply, Fate::IsDelayed, Fate::IsThrottled, Fate::Arrives][number % 4]
    };
    let faulty = Arc::new(Faulty::new(site.table(), script));
    let ledger = TableLedger::new(Arc::clone(&faulty) as _, retry_policy());
    let mut condemned = Vec::new();
    for address in &addresses {
        condemned.push(ledger.condemn(address).await.unwrap());
    }
    assert_eq!(condemned, [true, true, false]);
    // What arrives late changes nothing that matters.
    let again = site.add("app", "two").await.blob.address;
    faulty.deliver_any().await;
    assert_eq!(site.ledger().blob_statuses(&[again]).await.unwrap(), [BlobStatus::Needed]);
}

#[tokio::test]
async fn a_collection_goes_through_any_number_of_pages() {
    let (table, store) = (Arc::new(MemoryTable::new()), Arc::new(MemoryStore::new()));
    let ledger = Arc::new(TableLedger::new(table, retry_policy()));
    let (_, id) = ledger.create().await.unwrap();
    store.claim(&id).await.unwrap();
    for number in 0..2500 {
        let content = number.to_string();
        store.plant(&Address { sha256: sha256(&content), generation: 0 }, content);
    }
    let dir = tempfile::tempdir().unwrap();
    let client = Client::new(ledger, Arc::clone(&store) as _, retry_policy(), dir.path().to_owned());
    let reported: BTreeSet<_> = gc(&client, collect(false)).await.unwrap().into_iter().collect();
    assert_eq!(reported.len(), 2500);
    // Dropping the stream stops the collection: only what was under way is removed.
    let first: Vec<_> = client.gc(collect(true)).take(3).try_collect().await.unwrap();
    assert_eq!(first.len(), 3);
    let left: BTreeSet<_> = gc(&client, collect(false)).await.unwrap().into_iter().collect();
    assert!((2480..=2497).contains(&left.len()), "{}", left.len());
    assert_eq!(gc(&client, collect(true)).await.unwrap().into_iter().collect::<BTreeSet<_>>(), left);
    assert_eq!(store.list(None).await.unwrap().objects, []);
}

#[tokio::test]
async fn leftovers_of_a_killed_process_are_removed_after_a_day() {
    let site = Site::local();
    site.add("app", "one").await;
    let tmp = site.dir.path().join("store/tmp");
    for (name, hours) in [("old", 25), ("young", 23)] {
        let file = fs::File::create(tmp.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(hours)).unwrap();
    }
    for (delete, left) in [(false, 2), (true, 1)] {
        let garbage: Vec<_> = site.client().gc(collect(delete)).try_collect().await.unwrap();
        match &garbage[..] {
            [Garbage::Upload(upload)] => assert_eq!(upload.name, "tmp/old"),
            other => panic!("{other:?}"),
        }
        assert_eq!(fs::read_dir(&tmp).unwrap().count(), left);
    }
    assert_eq!(site.client().gc(collect(true)).count().await, 0);
}
