//! The store in S3: MinIO, over the wire.

use super::{Bench, Files, MIB, address, again::RetryingStore, conformance, hash, holds, kind, list, put};
use crate::support::backends;
use async_trait::async_trait;
use aws_sdk_s3::{Client, config::retry::RetryConfig, primitives::ByteStream};
use sacker::{
    fault::FaultKind,
    model::{Address, Created},
    store::{Content, PART_SIZE, Put, PutError, Sent, Store, part_size, s3::S3Store},
};
use std::{
    fs,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};
use tempfile::TempDir;
use tokio::{runtime::Handle, sync::Notify};
use uuid::Uuid;

/// The same for what a test itself asks for: it asks again where the server has closed a connection.
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

/// Adds what went through, and gives all that did.
fn counted(sent: &AtomicU64, reported: Sent) -> u64 {
    let n = match reported {
        Sent::Now(n) => n,
        Sent::Before(_) | Sent::Compared(_) | Sent::Kept(_) => 0,
    };
    sent.fetch_add(n, Relaxed) + n
}

/// Begins to put a blob and is stopped, as by Ctrl-C, when the given number of bytes have been sent.
async fn interrupted(bucket: &Bucket, content: &Content, bytes: u64) {
    let (stop, sent) = (Notify::new(), AtomicU64::new(0));
    let count = |reported| {
        if counted(&sent, reported) >= bytes {
            stop.notify_one();
        }
    };
    let (store, at) = (bucket.s3(), address(content, 0));
    tokio::select! {
        result = store.put(&at, content, false, &count) => panic!("it went through: {result:?}"),
        () = stop.notified() => {}
    }
}

/// Puts a blob, and runs something else in the middle of it, once the given number of bytes have been sent.
async fn put_with(
    store: RetryingStore<S3Store>,
    content: &Content,
    bytes: u64,
    meanwhile: impl AsyncFn() + Sync,
) -> Result<Put, PutError> {
    let (sent, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let count = |reported| {
        if counted(&sent, reported) >= bytes && !done.swap(true, Relaxed) {
            tokio::task::block_in_place(|| Handle::current().block_on(meanwhile()));
        }
    };
    store.put(&address(content, 0), content, false, &count).await
}

fn contended(result: Result<Put, PutError>) {
    match result {
        Err(PutError::Fault(fault)) => assert_eq!(fault.kind, FaultKind::Contended),
        result => panic!("{result:?}"),
    }
}

const LARGE: u64 = 7 * PART_SIZE + MIB;

/// A number of bytes after which at least one part has been answered, with four in flight.
const SOME: u64 = 4 * PART_SIZE + MIB;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_upload_is_resumed() {
    let (bucket, files) = (Bucket::new().await, Files::new());
    let path = files.random(LARGE);
    let content = hash(&path);
    interrupted(&bucket, &content, SOME).await;
    let open = bucket.open_uploads().await;
    assert_eq!(open.len(), 1);
    let there = bucket.parts(&open[0].0, &open[0].1).await as u64;
    assert!(there > 0);

    let reported = Mutex::new(Vec::new());
    let record = |sent| reported.lock().unwrap().push(sent);
    let at = address(&content, 0);
    assert_eq!(bucket.s3().put(&at, &content, false, &record).await.unwrap(), Put::Stored);
    let reported = reported.into_inner().unwrap();
    let Sent::Before(before) = reported[0] else { panic!("{reported:?}") };
    // A part whose client was gone may have been stored all the same, after they were counted.
    assert!(before >= there * part_size(LARGE) && before < LARGE, "{before} bytes, {there} parts");
    let now: u64 = reported[1..].iter().map(|sent| if let Sent::Now(n) = sent { *n } else { 0 }).sum();
    let kept: u64 = reported[1..].iter().map(|sent| if let Sent::Kept(n) = sent { *n } else { 0 }).sum();
    // Each byte is reported once, however often it was sent.
    assert_eq!((now, kept), (LARGE - before, LARGE - before), "{before} before");
    assert!(holds(&bucket.s3(), &at, &path).await);
    assert_eq!(bucket.plant_leftovers().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_gone_is_restarted() {
    let (bucket, files) = (Bucket::new().await, Files::new());
    let path = files.random(LARGE);
    let content = hash(&path);
    interrupted(&bucket, &content, SOME).await;
    bucket.abort_all().await;
    assert_eq!(put(&bucket.s3(), &content).await.unwrap(), Put::Stored);
    assert!(holds(&bucket.s3(), &address(&content, 0), &path).await);
    assert_eq!(bucket.plant_leftovers().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_upload_of_a_changed_file_is_aborted() {
    let (bucket, files) = (Bucket::new().await, Files::new());
    let path = files.random(LARGE);
    let content = hash(&path);
    interrupted(&bucket, &content, SOME).await;
    fs::write(&path, vec![0; usize::try_from(LARGE).unwrap()]).unwrap();
    assert!(matches!(put(&bucket.s3(), &content).await, Err(PutError::Changed(_))));
    assert_eq!(bucket.plant_leftovers().await, [""; 0]);
    assert_eq!(bucket.s3().stat(&address(&content, 0)).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_upload_of_a_blob_that_came_to_be_there_is_aborted() {
    let (bucket, files) = (Bucket::new().await, Files::new());
    let content = hash(&files.random(LARGE));
    interrupted(&bucket, &content, SOME).await;
    let stranger = bucket.stranger();
    assert_eq!(put(&stranger, &content).await.unwrap(), Put::Stored);
    // Not the stranger's to end.
    assert_eq!(bucket.open_uploads().await.len(), 1);
    assert_eq!(put(&bucket.s3(), &content).await.unwrap(), Put::Present);
    assert_eq!(bucket.plant_leftovers().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_may_resume_one_upload() {
    let (bucket, files) = (Bucket::new().await, Files::new());
    let path = files.random(LARGE);
    let content = hash(&path);
    interrupted(&bucket, &content, SOME).await;
    let (one, two) = (bucket.s3(), bucket.s3());
    let (one, two) = tokio::join!(put(&one, &content), put(&two, &content));
    let mut outcomes = [one.unwrap() == Put::Stored, two.unwrap() == Put::Stored];
    outcomes.sort_unstable();
    assert_eq!(outcomes, [false, true]);
    assert!(holds(&bucket.s3(), &address(&content, 0), &path).await);
    assert_eq!(bucket.plant_leftovers().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_journal_is_ignored() {
    let (bucket, files) = (Bucket::new().await, Files::new());
    let content = hash(&files.random(LARGE));
    interrupted(&bucket, &content, SOME).await;
    let entries = bucket.journal();
    assert_eq!(entries.len(), 1);
    let text = fs::read_to_string(&entries[0]).unwrap();
    let foreign = text.replace(&bucket.name, "another-bucket");
    assert_ne!(text, foreign);
    for text in [&text[..text.len() / 2], &foreign] {
        fs::write(&entries[0], text).unwrap();
        bucket.s3().delete(&address(&content, 0)).await.unwrap();
        assert_eq!(put(&bucket.s3(), &content).await.unwrap(), Put::Stored);
        assert_eq!(bucket.journal(), [""; 0].map(PathBuf::from));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vanished_upload_says_nothing_of_its_object() {
    let (bucket, files) = (Bucket::new().await, Files::new());
    let path = files.random(LARGE);
    let content = hash(&path);
    let at = address(&content, 0);
    // Swept away in the middle and at the end, with nothing or with something else in its place.
    for bytes in [MIB, SOME, LARGE] {
        for there in [false, true] {
            let result = put_with(bucket.s3(), &content, bytes, async || {
                bucket.abort_all().await;
                if there {
                    bucket.plant(&at.to_string(), b"something else".to_vec()).await;
                }
            });
            contended(result.await);
            assert_eq!(bucket.plant_leftovers().await, [""; 0]);
            let expected = if there { Put::Replaced } else { Put::Stored };
            assert_eq!(put(&bucket.s3(), &content).await.unwrap(), expected);
            assert!(holds(&bucket.s3(), &at, &path).await);
            bucket.s3().delete(&at).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vanished_upload_whose_blob_is_there_is_done() {
    let (bucket, files) = (Bucket::new().await, Files::new());
    let content = hash(&files.random(LARGE));
    let stranger = bucket.stranger();
    let result = put_with(bucket.s3(), &content, LARGE, async || {
        bucket.abort_all().await;
        assert_eq!(put(&stranger, &content).await.unwrap(), Put::Stored);
    });
    result.await.unwrap();
    assert_eq!(bucket.plant_leftovers().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_to_be_there_during_an_upload_is_compared() {
    let (bucket, files) = (Bucket::new().await, Files::new());
    let path = files.random(LARGE);
    let content = hash(&path);
    let at = address(&content, 0);
    let result = put_with(bucket.s3(), &content, SOME, async || {
        bucket.plant(&at.to_string(), b"something else".to_vec()).await;
    });
    assert_eq!(result.await.unwrap(), Put::Replaced);
    assert!(holds(&bucket.s3(), &at, &path).await);
    bucket.s3().delete(&at).await.unwrap();

    let stranger = bucket.stranger();
    let result = put_with(bucket.s3(), &content, SOME, async || {
        assert_eq!(put(&stranger, &content).await.unwrap(), Put::Stored);
    });
    assert_eq!(result.await.unwrap(), Put::Present);
    assert!(holds(&bucket.s3(), &at, &path).await);
    assert_eq!(bucket.plant_leftovers().await, [""; 0]);
}

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
    let (bucket, files) = (Bucket::unmade().await, Files::new());
    let store = bucket.s3();
    let at: Address = "0".repeat(64).parse().unwrap();
    assert_eq!(kind(store.stat(&at).await), FaultKind::Missing);
    assert_eq!(kind(store.get(&at, 0..1, None).await), FaultKind::Missing);
    assert_eq!(kind(store.get(&at, 0..0, None).await), FaultKind::Missing);
    assert_eq!(kind(store.delete(&at).await), FaultKind::Missing);
    assert_eq!(kind(store.list(None).await), FaultKind::Missing);
    assert_eq!(kind(store.owner().await), FaultKind::Missing);
    assert_eq!(kind(store.claim("ledger").await), FaultKind::Missing);
    for size in [1, PART_SIZE + 1] {
        match put(&store, &hash(&files.random(size))).await {
            Err(PutError::Fault(fault)) => assert_eq!(fault.kind, FaultKind::Missing),
            result => panic!("{result:?}"),
        }
    }
}
