//! Uploads in parts that are interrupted, resumed, or gone.

use super::super::{Bench, Files, MIB, address, again::RetryingStore, hash, holds, put};
use super::*;
use sacker::{
    fault::FaultKind,
    store::{Content, PART_SIZE, Put, PutError, Sent, Store, part_size, s3::S3Store},
};
use std::{
    fs,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};
use tokio::{runtime::Handle, sync::Notify};

/// Adds what went through, and gives all that did.
pub fn counted(sent: &AtomicU64, reported: Sent) -> u64 {
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
