//! The store in HDFS: a real `NameNode` and `DataNode`.

use super::{
    Bench, Files, a_store_is_missing, address, again::RetryingStore, conformance, hash, holds, kind, list,
    put,
};
use crate::support::{backends, hdfs::namenode};
use async_trait::async_trait;
use hdfs_native::{Client, ClientBuilder, HdfsError, WriteOptions};
use sacker::{
    fault::FaultKind,
    model::{Created, SettingState},
    store::{Put, PutError, Store, hdfs::HdfsStore},
};
use std::sync::Arc;

/// A folder of its own.
struct Folder {
    client: Client,
    path: String,
}

impl Folder {
    /// A folder that is yet to be made.
    fn unmade() -> Self {
        let client = ClientBuilder::new().with_url(format!("hdfs://{}", namenode())).build().unwrap();
        Self { client, path: format!("/{}/to/be/made", backends::unique("store")) }
    }

    async fn new() -> Self {
        let folder = Self::unmade();
        folder.client.mkdirs(&folder.path, 0o755, true).await.unwrap();
        folder
    }

    fn hdfs(&self) -> RetryingStore<HdfsStore> {
        RetryingStore(HdfsStore::new(&namenode(), &self.path).unwrap())
    }

    fn as_user(&self, user: &str) -> HdfsStore {
        HdfsStore::as_user(&namenode(), &self.path, user).unwrap()
    }

    async fn names(&self, folder: &str) -> Vec<String> {
        match self.client.list_status(&format!("{}/{folder}", self.path), false).await {
            Ok(listed) => {
                listed.iter().map(|status| status.path.rsplit('/').next().unwrap().to_owned()).collect()
            }
            Err(HdfsError::FileNotFound(_)) => Vec::new(),
            Err(error) => panic!("{error}"),
        }
    }

    async fn write(&self, name: &str, bytes: Vec<u8>) {
        let path = format!("{}/{name}", self.path);
        let options = WriteOptions::default().overwrite(true);
        let mut writer = self.client.create(&path, &options).await.unwrap();
        Box::pin(writer.write_bytes(bytes.into())).await.unwrap();
        Box::pin(writer.close()).await.unwrap();
    }
}

#[async_trait]
impl Bench for Folder {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.hdfs())
    }

    async fn plant(&self, name: &str, bytes: Vec<u8>) {
        let shard = name.get(..2).unwrap_or(name);
        Box::pin(self.write(&format!("sha256/{shard}/{name}"), bytes)).await;
    }

    async fn plant_leftovers(&self) -> Vec<String> {
        self.names("tmp").await
    }
}

async fn bench() -> Folder {
    Folder::new().await
}

conformance!(bench());
conformance!(bench(); a_blob_of_many_parts);

#[tokio::test]
async fn a_folder_is_made_once_and_private() {
    let folder = Folder::unmade();
    let store = folder.hdfs();
    assert_eq!(store.create().await.unwrap(), Created::Made);
    let status = folder.client.get_file_info(&folder.path).await.unwrap();
    assert_eq!((status.isdir, status.permission), (true, 0o700));
    assert_eq!(store.create().await.unwrap(), Created::Present);
    let files = Files::new();
    let content = hash(&files.with(b"bytes"));
    assert_eq!(put(&store, &content).await.unwrap(), Put::Stored);
    for (path, mode) in
        [("tmp".to_owned(), 0o700), (format!("sha256/{}", &content.sha256().as_str()[..2]), 0o700)]
    {
        let status = folder.client.get_file_info(&format!("{}/{path}", folder.path)).await.unwrap();
        assert_eq!(status.permission, mode, "{path}");
    }
    let at = address(&content, 0);
    let path = format!("{}/sha256/{}/{at}", folder.path, &at.to_string()[..2]);
    assert_eq!(folder.client.get_file_info(&path).await.unwrap().permission, 0o444);
}

#[tokio::test]
async fn a_missing_folder_is_not_a_missing_blob() {
    let folder = Folder::unmade();
    let store = folder.hdfs();
    a_store_is_missing(&store).await;
    folder.client.mkdirs(&folder.path, 0o755, true).await.unwrap();
    assert_eq!(list(&store).await[0].objects, []);
    assert_eq!(store.owner().await.unwrap(), None);
}

#[tokio::test]
async fn a_killed_put_is_an_upload_that_can_be_removed() {
    let (folder, files) = (Folder::new().await, Files::new());
    let store = folder.hdfs();
    Box::pin(folder.write("tmp/left", b"half".to_vec())).await;
    let uploads = store.uploads(None).await.unwrap().uploads;
    assert_eq!(uploads.iter().map(|upload| upload.name.as_str()).collect::<Vec<_>>(), ["tmp/left"]);
    assert!(store.last_written(&uploads[0]).await.unwrap().unwrap() >= uploads[0].since);
    let path = files.random(1000);
    let content = hash(&path);
    assert_eq!(put(&store, &content).await.unwrap(), Put::Stored);
    assert!(holds(&store, &address(&content, 0), &path).await);
    assert_eq!(folder.names("tmp").await, ["left"]);
    for _ in 0..2 {
        store.abort(&uploads[0]).await.unwrap();
    }
    assert_eq!(folder.names("tmp").await, [""; 0]);
    assert_eq!(store.last_written(&uploads[0]).await.unwrap(), None);
}

/// The owners before it stay, and the highest number counts, not the last in the order of names.
#[tokio::test]
async fn an_owner_is_followed_by_the_next_number() {
    let folder = Folder::new().await;
    let store = folder.hdfs();
    store.claim("0").await.unwrap();
    for number in 1..12 {
        let (from, to) = ((number - 1).to_string(), number.to_string());
        assert_eq!(store.replace_owner(&from, &to).await.unwrap(), to);
    }
    assert_eq!(store.owner().await.unwrap().unwrap(), "11");
    let mut names = folder.names("").await;
    names.retain(|name| name.starts_with("OWNER"));
    assert_eq!(names.len(), 12);
    assert!(names.contains(&"OWNER".to_owned()) && names.contains(&"OWNER.11".to_owned()), "{names:?}");
}

#[tokio::test]
async fn another_user_may_do_what_the_modes_allow() {
    let (folder, files) = (Folder::new().await, Files::new());
    let content = hash(&files.random(1000));
    let at = address(&content, 0);
    assert_eq!(put(&folder.hdfs(), &content).await.unwrap(), Put::Stored);
    let stranger = folder.as_user("stranger");
    assert_eq!(stranger.stat(&at).await.unwrap().unwrap().size, 1000);
    match put(&stranger, &hash(&files.random(10))).await {
        Err(PutError::Fault(fault)) => {
            assert_eq!(fault.kind, FaultKind::Denied, "{fault:?}");
            assert!(fault.remedy.unwrap().contains("HADOOP_USER_NAME"));
        }
        result => panic!("{result:?}"),
    }
    assert_eq!(kind(stranger.delete(&at).await), FaultKind::Denied);
    folder.client.set_permission(&folder.path, 0o700).await.unwrap();
    assert_eq!(kind(stranger.stat(&at).await), FaultKind::Denied);
    assert_eq!(kind(stranger.owner().await), FaultKind::Denied);
}

#[tokio::test]
async fn settings_and_properties_are_found() {
    let folder = Folder::new().await;
    let store = folder.hdfs();
    let state = |settings: &[sacker::model::Setting]| -> Vec<_> {
        settings.iter().map(|setting| (setting.name, setting.state.clone())).collect()
    };
    store.claim("ledger").await.unwrap();
    folder.client.set_permission(&folder.path, 0o777).await.unwrap();
    // One DataNode holds one replica.
    assert_eq!(
        state(&store.settings().await.unwrap()),
        [
            ("folder_not_public", SettingState::Off),
            ("folder_replication", SettingState::Off),
            ("folder_quota", SettingState::On),
        ]
    );
    folder.client.set_permission(&folder.path, 0o755).await.unwrap();
    assert_eq!(store.settings().await.unwrap()[0].state, SettingState::On);
    let found = store.probe("ledger").await.unwrap();
    assert_eq!(
        state(&found),
        [
            ("server_exclusive_create", SettingState::On),
            ("server_exclusive_rename", SettingState::On),
            ("server_atomic_replace", SettingState::On),
        ]
    );
    assert_eq!(folder.names("tmp").await, [""; 0]);
    assert_eq!(kind(store.probe("another").await), FaultKind::Contended);
    let denied = folder.as_user("stranger").probe("ledger").await.unwrap();
    assert!(denied.iter().all(|found| matches!(found.state, SettingState::NotKnown(_))), "{denied:?}");
}
