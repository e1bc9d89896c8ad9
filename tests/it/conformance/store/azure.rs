//! The store in Azure Blob Storage: Azurite, over the wire.

use super::{
    Bench, Files, a_store_is_missing, address, again::RetryingStore, conformance, hash, holds, kind, list,
    put,
};
use crate::support::azure::{Container, PREFIX};
use async_trait::async_trait;
use sacker::{
    fault::FaultKind,
    model::{Created, SettingState},
    store::{PART_SIZE, Put, Sent, Store, azure::AzureStore},
};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// A container of its own, and a client made for each use.
struct Bucket {
    container: Container,
    store: AzureStore,
}

#[async_trait]
impl Bench for Bucket {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(RetryingStore(self.store.clone()))
    }

    async fn plant(&self, name: &str, bytes: Vec<u8>) {
        self.container.put(&format!("{PREFIX}/sha256/{name}"), bytes).await;
    }

    async fn plant_leftovers(&self) -> Vec<String> {
        Vec::new()
    }
}

async fn bench() -> Bucket {
    let container = Container::new().await;
    let store = container.store().await;
    Bucket { container, store }
}

conformance!(bench());
conformance!(bench(); a_blob_of_many_parts);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_is_made_once_and_private() {
    let container = Container::unmade();
    let store = container.store().await;
    assert_eq!(store.create().await.unwrap(), Created::Made);
    assert_eq!(store.create().await.unwrap(), Created::Present);
    let settings = store.settings().await.unwrap();
    let states: Vec<_> = settings.iter().map(|setting| (setting.name, &setting.state)).collect();
    assert_eq!(states[0], ("container_private", &SettingState::On));
    assert_eq!(states[1].0, "account_soft_delete");
    assert_eq!(list(&store).await[0].objects, []);
    assert!(store.time().unwrap().as_millis() > 1_700_000_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_container_is_not_a_missing_blob() {
    a_store_is_missing(&Container::unmade().store().await).await;
}

/// As another program may have copied them there: unknown is not damaged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_without_a_checksum_is_read_and_compared() {
    let (bucket, files) = (bench().await, Files::new());
    for size in [1000, PART_SIZE + 1] {
        let path = files.random(size);
        let (content, mut bytes) = (hash(&path), fs::read(&path).unwrap());
        bucket.plant(content.sha256().as_str(), bytes.clone()).await;
        let read = AtomicU64::new(0);
        let count = |reported| match reported {
            Sent::Compared(n) => _ = read.fetch_add(n, Relaxed),
            reported => panic!("{reported:?}"),
        };
        let found = bucket.store.put(&address(&content, 0), &content, true, &count).await.unwrap();
        assert_eq!((found, read.into_inner()), (Put::Present, size));
        // Another byte, and the same size.
        bytes[7] ^= 1;
        bucket.plant(content.sha256().as_str(), bytes).await;
        assert_eq!(put(&bucket.store, &content).await.unwrap(), Put::Replaced);
        assert_eq!(put(&bucket.store, &content).await.unwrap(), Put::Present);
    }
}

/// Blocks that an interrupted upload left need not be sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uncommitted_blocks_are_reused() {
    let (bucket, files) = (bench().await, Files::new());
    let path = files.random(PART_SIZE + 1);
    let content = hash(&path);
    let at = address(&content, 0);
    let whole = fs::read(&path).unwrap();
    // The second of three parts cannot be sent: the file is cut while the first is in transfer.
    let first = 8 << 20;
    bucket.container.block(&format!("{PREFIX}/sha256/{at}"), 0, &whole[..first]).await;
    assert_eq!(bucket.store.stat(&at).await.unwrap(), None);
    assert_eq!(list(&bucket.store).await[0].objects, []);
    let (before, now) = (AtomicU64::new(0), AtomicU64::new(0));
    let count = |reported| match reported {
        Sent::Before(n) => _ = before.fetch_add(n, Relaxed),
        Sent::Now(n) => _ = now.fetch_add(n, Relaxed),
        _ => {}
    };
    assert_eq!(bucket.store.put(&at, &content, false, &count).await.unwrap(), Put::Stored);
    assert_eq!((before.into_inner(), now.into_inner()), (first as u64, PART_SIZE + 1 - first as u64));
    assert!(holds(&bucket.store, &at, &path).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn properties_of_the_server_are_tested() {
    let bucket = bench().await;
    bucket.store.claim("ledger").await.unwrap();
    for _ in 0..2 {
        let found = bucket.store.probe("ledger").await.unwrap();
        let states: Vec<_> = found.iter().map(|setting| (setting.name, setting.state.clone())).collect();
        let on = |name| (name, SettingState::On);
        assert_eq!(states, [on("server_if_none_match"), on("server_if_match"), on("server_checksum_crc64")]);
        assert_eq!(bucket.store.owner().await.unwrap().unwrap(), "ledger");
    }
    assert_eq!(kind(bucket.store.probe("another").await), FaultKind::Contended);
}
