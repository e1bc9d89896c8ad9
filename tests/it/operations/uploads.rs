//! Uploads in parts that were begun and never finished, on moto's server: MinIO lists those of one key alone.

use super::{Site, collect};
use crate::support::{
    backends, rewriting,
    scripted_s3::{Answer, Server, error, uploads},
    world::retry_policy,
};
use aws_sdk_s3::primitives::ByteStream;
use futures_util::TryStreamExt;
use sacker::{
    ledger::{Ledger, TableLedger},
    model::Timestamp,
    ops::{Client, Garbage, GcOptions},
    store::{Store, s3::S3Store},
    table::{Table, memory::MemoryTable},
};
use std::{collections::BTreeSet, sync::Arc};

struct Moto {
    site: Site,
    client: aws_sdk_s3::Client,
    bucket: String,
}

impl Moto {
    async fn new() -> Self {
        let client = backends::aws().s3(&backends::at(rewriting::moto())).await.unwrap();
        let bucket = backends::unique("uploads");
        let store = S3Store::new(client.clone(), &bucket, "a/prefix", None);
        let table = Arc::new(MemoryTable::new());
        let site = Site {
            table: Box::new(move || Arc::clone(&table) as Arc<dyn Table>),
            store: Box::new(move || Arc::new(store.clone()) as Arc<dyn Store>),
            dir: tempfile::tempdir().unwrap(),
        };
        // Not by `init`, which refuses moto: it accepts bytes that do not match their checksums.
        let (_, id) = site.ledger().create().await.unwrap();
        site.store().create().await.unwrap();
        site.store().claim(&id).await.unwrap();
        Self { site, client, bucket }
    }

    /// Begins an upload, in 2010 by moto's account, and returns its id.
    async fn begin(&self, key: &str) -> String {
        let begun = self.client.create_multipart_upload().bucket(&self.bucket).key(key).send().await.unwrap();
        begun.upload_id.unwrap()
    }

    /// Begins an upload and sends a part of it, now.
    async fn send(&self, key: &str) -> String {
        let id = self.begin(key).await;
        let part = self.client.upload_part().bucket(&self.bucket).key(key).upload_id(&id).part_number(1);
        part.body(ByteStream::from(vec![7; 100])).send().await.unwrap();
        id
    }

    /// The ids of all uploads in the bucket.
    async fn ids(&self) -> BTreeSet<String> {
        let listed = self.client.list_multipart_uploads().bucket(&self.bucket).send().await.unwrap();
        listed.uploads.unwrap_or_default().into_iter().map(|upload| upload.upload_id.unwrap()).collect()
    }

    async fn gc(&self, delete: bool, now: Timestamp) -> Vec<String> {
        abandoned(&self.site.client(), collect(delete).now(now)).await
    }
}

/// The names of the uploads that are collected, in order.
async fn abandoned(client: &Client, collect: GcOptions) -> Vec<String> {
    let garbage: Vec<_> = client.gc(collect).try_collect().await.unwrap();
    let mut names: Vec<_> = garbage
        .into_iter()
        .map(|garbage| match garbage {
            Garbage::Upload(upload) => upload.name,
            blob @ Garbage::Blob { .. } => panic!("{blob:?}"),
        })
        .collect();
    names.sort();
    names
}

/// In the years 1970 and 2100: the collector's clock decides nothing.
fn wrong_clocks() -> [Timestamp; 2] {
    [0, 4_102_444_800_000].map(Timestamp::from_millis)
}

#[tokio::test]
async fn uploads_to_which_nothing_is_written_any_more_are_aborted() {
    let moto = Moto::new().await;
    let (one, two) = ("a".repeat(64), format!("{}.3", "b".repeat(64)));
    // Two of one blob, as two clients make them.
    for name in [&one, &one, &two] {
        moto.begin(&format!("a/prefix/sha256/{name}")).await;
    }
    // An upload that has been running for years, and still is.
    let mut others = BTreeSet::from([moto.send(&format!("a/prefix/sha256/{one}")).await]);
    // Uploads outside of the store.
    for key in [format!("sha256/{one}"), format!("a/prefix-2/sha256/{one}"), "a/prefix/other".to_owned()] {
        others.insert(moto.begin(&key).await);
    }
    // And a blob that is finished is none of them.
    moto.site.add("app", "finished").await;

    let names = [format!("sha256/{one}"), format!("sha256/{one}"), format!("sha256/{two}")];
    for now in wrong_clocks() {
        assert_eq!(moto.gc(false, now).await, names);
    }
    assert_eq!(moto.ids().await.len(), 7);
    assert_eq!(moto.gc(true, wrong_clocks()[1]).await, names);
    assert_eq!(moto.ids().await, others);
    assert_eq!(moto.gc(true, wrong_clocks()[1]).await, [""; 0]);
    assert_eq!(moto.site.store().list(None).await.unwrap().objects.len(), 1);
}

/// The parts of an upload, as S3 writes them.
fn parts(written: &[&str], truncated: bool) -> Answer {
    let part = |(number, at): (usize, &&str)| {
        let at = format!("<LastModified>2026-01-02T03:04:{at}Z</LastModified>");
        format!("<Part><PartNumber>{}</PartNumber>{at}</Part>", number + 1)
    };
    let listing: String = written.iter().enumerate().map(part).collect();
    let next = format!("<NextPartNumberMarker>{}</NextPartNumberMarker>", written.len());
    let truncated = format!("<IsTruncated>{truncated}</IsTruncated>");
    (200, format!("<?xml version=\"1.0\"?><ListPartsResult>{listing}{next}{truncated}</ListPartsResult>"))
}

/// All were begun a day ago by the server's clock.
#[tokio::test]
async fn an_upload_is_as_old_as_its_newest_part_by_the_clock_of_the_server() {
    let ledger = Arc::new(TableLedger::new(Arc::new(MemoryTable::new()), retry_policy()));
    let (_, id) = ledger.create().await.unwrap();
    let clock = || "Sat, 03 Jan 2026 03:04:05 GMT".to_owned();
    let server = Server::with_clock(clock, move |request, _| match request {
        "ListMultipartUploads" => {
            let listed = ["none", "old", "page", "young", "late", "gone"].map(|id| (id, id));
            let keys = listed.map(|(name, id)| (format!("prefix/sha256/{name}"), id));
            uploads(&keys.each_ref().map(|(key, id)| (key.as_str(), *id)), false)
        }
        "ListParts none" => parts(&[], false),
        "ListParts old" => parts(&["03.000", "05.000", "04.000"], false),
        "ListParts page" => parts(&["00.000", "01.000"], true),
        "ListParts page after 2" => parts(&["02.000"], false),
        "ListParts young" => parts(&["06.000", "01.000"], false),
        "ListParts late" => parts(&["00.000"], true),
        "ListParts late after 1" => parts(&["59.000"], false),
        "ListParts gone" => error(404, "NoSuchUpload"),
        "AbortMultipartUpload" => (204, String::new()),
        "ListObjects" => (200, "<ListBucketResult/>".to_owned()),
        _ => (200, id.clone()),
    });
    for (delete, now) in [(false, wrong_clocks()[0]), (true, wrong_clocks()[1])] {
        let store = Arc::new(server.store().await);
        let client = Client::new(ledger.clone(), store, retry_policy(), std::env::temp_dir());
        let collect = collect(delete).now(now);
        assert_eq!(abandoned(&client, collect).await, ["sha256/none", "sha256/old", "sha256/page"]);
        let aborted = server.seen().iter().filter(|request| *request == "AbortMultipartUpload").count();
        assert_eq!(aborted, if delete { 3 } else { 0 });
    }
}

/// It may have been aborted, or finished, by someone else since it was listed.
#[tokio::test]
async fn an_upload_that_is_gone_is_aborted() {
    let moto = Moto::new().await;
    moto.begin(&format!("a/prefix/sha256/{}", "a".repeat(64))).await;
    let store = moto.site.store();
    let listed = store.uploads(None).await.unwrap();
    assert_eq!((listed.uploads.len(), &listed.next), (1, &None));
    for _ in 0..2 {
        store.abort(&listed.uploads[0]).await.unwrap();
        assert_eq!(moto.ids().await, BTreeSet::new());
    }
}

#[tokio::test]
async fn any_number_of_uploads_is_aborted() {
    let moto = Moto::new().await;
    let key = |n: u32| format!("a/prefix/sha256/{:064x}", n / 2);
    for n in 0..30 {
        moto.begin(&key(n)).await;
    }
    assert_eq!(moto.gc(true, Timestamp::now()).await.len(), 30);
    assert_eq!(moto.ids().await, BTreeSet::new());
}
