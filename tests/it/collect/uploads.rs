//! Uploads in parts that were begun and never finished, on moto's server: MinIO lists those of one key alone.

use super::{Site, collect};
use crate::backends;
use aws_sdk_s3::{Client, primitives::ByteStream};
use futures_util::TryStreamExt;
use sacker::{
    model::Timestamp,
    ops::{Collect, Garbage},
    store::{Store, s3::S3Store},
    table::{Table, memory::MemoryTable},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

struct Moto {
    site: Site,
    client: Client,
    bucket: String,
}

impl Moto {
    async fn new() -> Self {
        let client = backends::aws().s3(&backends::at(backends::moto())).await.unwrap();
        let bucket = backends::unique("uploads");
        let store = S3Store::new(client.clone(), &bucket, "a/prefix", None);
        let table = Arc::new(MemoryTable::new());
        let site = Site {
            table: Box::new(move || Arc::clone(&table) as Arc<dyn Table>),
            store: Box::new(move || Arc::new(store.clone()) as Arc<dyn Store>),
            dir: tempfile::tempdir().unwrap(),
        };
        site.client().init().await.unwrap();
        Self { site, client, bucket }
    }

    /// Begins an upload and sends a part of it. Gives its id.
    async fn begin(&self, key: &str) -> String {
        let begun = self.client.create_multipart_upload().bucket(&self.bucket).key(key).send().await.unwrap();
        let id = begun.upload_id.unwrap();
        let part = self.client.upload_part().bucket(&self.bucket).key(key).upload_id(&id).part_number(1);
        part.body(ByteStream::from(vec![7; 100])).send().await.unwrap();
        id
    }

    /// The ids of all uploads in the bucket, and when each was begun.
    async fn open(&self) -> Vec<(String, Timestamp)> {
        let listed = self.client.list_multipart_uploads().bucket(&self.bucket).send().await.unwrap();
        let uploads = listed.uploads.unwrap_or_default().into_iter();
        let since = |upload: &aws_sdk_s3::types::MultipartUpload| {
            let millis = upload.initiated.unwrap().to_millis().unwrap();
            Timestamp::from_millis(millis.try_into().unwrap())
        };
        uploads.map(|upload| (upload.upload_id.clone().unwrap(), since(&upload))).collect()
    }

    async fn ids(&self) -> BTreeSet<String> {
        self.open().await.into_iter().map(|(id, _)| id).collect()
    }

    /// The names of the uploads that are collected.
    async fn gc(&self, delete: bool, now: Timestamp) -> Vec<String> {
        let client = self.site.client();
        let garbage: Vec<_> = client.gc(Collect { now, ..collect(delete) }).try_collect().await.unwrap();
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
}

#[tokio::test]
async fn uploads_that_were_never_finished_are_aborted_when_they_are_a_day_old() {
    let moto = Moto::new().await;
    let (one, two) = ("a".repeat(64), format!("{}.3", "b".repeat(64)));
    // Two of one blob, as two clients make them.
    for name in [&one, &one, &two] {
        moto.begin(&format!("a/prefix/sha256/{name}")).await;
    }
    // What is beside the store is no one's business here.
    let mut others = BTreeSet::new();
    for key in [format!("sha256/{one}"), format!("a/prefix-2/sha256/{one}"), "a/prefix/other".to_owned()] {
        others.insert(moto.begin(&key).await);
    }
    // And a blob that is finished is none of them.
    moto.site.add("app", "finished").await;
    let begun = moto.open().await.into_iter().map(|(_, since)| since).max().unwrap();
    let after =
        |age: Duration| Timestamp::from_millis(begun.as_millis() + u64::try_from(age.as_millis()).unwrap());
    let day = Duration::from_hours(24);

    assert_eq!(moto.gc(true, after(Duration::from_millis(86_399_999))).await, [""; 0]);
    assert_eq!(moto.ids().await.len(), 6);
    let names = [format!("sha256/{one}"), format!("sha256/{one}"), format!("sha256/{two}")];
    assert_eq!(moto.gc(false, after(day)).await, names);
    assert_eq!(moto.ids().await.len(), 6);
    assert_eq!(moto.gc(true, after(day)).await, names);
    assert_eq!(moto.ids().await, others);
    assert_eq!(moto.gc(true, after(day)).await, [""; 0]);
    assert_eq!(moto.site.store().list(None).await.unwrap().objects.len(), 1);
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
    // Of today: more than a day after the one in 2010 on which moto says that all were begun.
    assert_eq!(moto.gc(true, Timestamp::now()).await.len(), 30);
    assert_eq!(moto.ids().await, BTreeSet::new());
}
