//! The store in S3: MinIO, over the wire.

mod uploads;

use uploads::counted;

use super::{
    Bench, Files, a_store_is_missing, address, again::RetryingStore, conformance, hash, holds, list, put,
};
use crate::support::backends;
use async_trait::async_trait;
use aws_sdk_s3::{Client, config::retry::RetryConfig, primitives::ByteStream};
use sacker::{
    model::Created,
    store::{PART_SIZE, Put, Sent, Store, s3::S3Store},
};
use std::{
    fs,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tempfile::TempDir;
use uuid::Uuid;

/// A client for a test's own requests: it retries if the server has closed a connection.
pub fn retrying(client: &Client) -> Client {
    let again = RetryConfig::standard().with_max_attempts(5);
    Client::from_conf(client.config().to_builder().retry_config(again).build())
}

/// A bucket of its own.
struct Bucket {
    client: Client,
    of_stores: Client,
    name: String,
    // Where the clients under test remember their uploads.
    uploads: TempDir,
}

const PREFIX: &str = "a/prefix";

impl Bucket {
    /// A bucket that is yet to be made.
    async fn unmade() -> Self {
        let name = format!("sacker-test-{}", Uuid::new_v4());
        let of_stores = backends::s3_client(&backends::s3()).await;
        Self { client: retrying(&of_stores), of_stores, name, uploads: tempfile::tempdir().unwrap() }
    }

    async fn new() -> Self {
        let bucket = Self::unmade().await;
        bucket.client.create_bucket().bucket(&bucket.name).send().await.unwrap();
        bucket
    }

    fn uploads(&self) -> PathBuf {
        self.uploads.path().join("to/be/made")
    }

    fn s3(&self) -> RetryingStore<S3Store> {
        let store = S3Store::new(self.of_stores.clone(), &self.name, PREFIX, Some(self.uploads()));
        RetryingStore(store.with_jobs(NonZeroUsize::new(4).unwrap()))
    }

    async fn open_uploads(&self) -> Vec<(String, String)> {
        let answer = self.client.list_multipart_uploads().bucket(&self.name).send().await.unwrap();
        let uploads = answer.uploads.unwrap_or_default().into_iter();
        uploads.map(|upload| (upload.key.unwrap(), upload.upload_id.unwrap())).collect()
    }

    /// A client that has no part in the uploads of the others.
    fn stranger(&self) -> RetryingStore<S3Store> {
        RetryingStore(S3Store::new(self.of_stores.clone(), &self.name, PREFIX, None))
    }

    async fn parts(&self, key: &str, upload_id: &str) -> usize {
        let answer = self.client.list_parts().bucket(&self.name).key(key).upload_id(upload_id).send().await;
        answer.unwrap().parts.unwrap_or_default().len()
    }

    async fn abort_all(&self) {
        for (key, id) in self.open_uploads().await {
            self.client
                .abort_multipart_upload()
                .bucket(&self.name)
                .key(key)
                .upload_id(id)
                .send()
                .await
                .unwrap();
        }
    }

    fn journal(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.uploads()).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

#[async_trait]
impl Bench for Bucket {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.s3())
    }

    async fn plant(&self, name: &str, bytes: Vec<u8>) {
        let key = format!("{PREFIX}/sha256/{name}");
        self.client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .body(ByteStream::from(bytes))
            .send()
            .await
            .unwrap();
    }

    async fn plant_leftovers(&self) -> Vec<String> {
        let uploads = self.open_uploads().await.into_iter().map(|(key, _)| key);
        uploads.chain(self.journal().into_iter().map(|path| path.display().to_string())).collect()
    }
}

async fn bench() -> Bucket {
    Bucket::new().await
}

conformance!(bench());
conformance!(bench(); a_blob_of_many_parts);

/// As another program may have copied them there: unknown is not damaged.
#[tokio::test]
async fn an_object_without_a_checksum_is_read_and_compared() {
    let (bucket, files) = (Bucket::new().await, Files::new());
    for size in [1000, PART_SIZE + 1] {
        let path = files.random(size);
        let (content, mut bytes) = (hash(&path), fs::read(&path).unwrap());
        bucket.plant(content.sha256().as_str(), bytes.clone()).await;
        let read = AtomicU64::new(0);
        let count = |reported| match reported {
            Sent::Compared(n) => _ = read.fetch_add(n, Relaxed),
            reported => panic!("{reported:?}"),
        };
        // By the store itself: a try that is made again would read again.
        let found = bucket.s3().put(&address(&content, 0), &content, true, &count).await.unwrap();
        assert_eq!((found, read.into_inner()), (Put::Present, size));
        // Another byte, and the same size.
        bytes[7] ^= 1;
        bucket.plant(content.sha256().as_str(), bytes).await;
        assert_eq!(put(&bucket.s3(), &content).await.unwrap(), Put::Replaced);
        assert_eq!(put(&bucket.s3(), &content).await.unwrap(), Put::Present);
    }
}

/// Over plain HTTP to another machine payloads are signed, and the server compares them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signed_payloads_are_the_same_blobs() {
    let (bucket, files) = (Bucket::new().await, Files::new());
    // It reaches this machine all the same.
    let elsewhere = backends::s3().replace("127.0.0.1", "0.0.0.0");
    assert_ne!(elsewhere, backends::s3());
    let store =
        RetryingStore(S3Store::new(backends::s3_client(&elsewhere).await, &bucket.name, PREFIX, None));
    for size in [0, 1000, PART_SIZE + 1] {
        let path = files.random(size);
        let content = hash(&path);
        let sent = AtomicU64::new(0);
        let count = |reported| _ = counted(&sent, reported);
        assert_eq!(store.put(&address(&content, 0), &content, false, &count).await.unwrap(), Put::Stored);
        assert_eq!(sent.load(Relaxed), size);
        assert!(holds(&store, &address(&content, 0), &path).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_is_made_once_and_versioned() {
    let bucket = Bucket::unmade().await;
    let store = bucket.s3();
    assert_eq!(store.create().await.unwrap(), Created::Made);
    let versioning = || bucket.client.get_bucket_versioning().bucket(&bucket.name).send();
    assert_eq!(versioning().await.unwrap().status.unwrap().as_str(), "Enabled");
    assert_eq!(store.create().await.unwrap(), Created::Present);
    assert_eq!(bucket.s3().create().await.unwrap(), Created::Present);
    let files = Files::new();
    let content = hash(&files.with(b"versioned"));
    let at = address(&content, 0);
    assert_eq!(put(&store, &content).await.unwrap(), Put::Stored);
    store.delete(&at).await.unwrap();
    assert_eq!(store.stat(&at).await.unwrap(), None);
    assert!(store.get(&at, 0..9, None).await.unwrap().is_none());
    assert_eq!(list(&store).await[0].objects, []);
    assert_eq!(put(&store, &content).await.unwrap(), Put::Stored);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_existing_bucket_is_not_changed() {
    let bucket = Bucket::new().await;
    assert_eq!(bucket.s3().create().await.unwrap(), Created::Present);
    let versioning = bucket.client.get_bucket_versioning().bucket(&bucket.name).send().await.unwrap();
    assert_eq!(versioning.status, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_bucket_is_not_a_missing_blob() {
    a_store_is_missing(&Bucket::unmade().await.s3()).await;
}
