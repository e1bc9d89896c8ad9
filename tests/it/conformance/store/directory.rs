//! The store in a directory.

use super::{Bench, Files, address, conformance, hash, holds, list, put};
use async_trait::async_trait;
use sacker::{
    model::{Address, Created},
    store::{Put, Store, directory::DirectoryStore},
};
use std::{
    fs,
    future::ready,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tempfile::TempDir;

struct Directory {
    parent: TempDir,
}

impl Directory {
    fn dir(&self) -> PathBuf {
        self.parent.path().join("to/be/made")
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.dir().join(folder)).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

#[async_trait]
impl Bench for Directory {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(DirectoryStore::new(self.dir()))
    }

    async fn plant(&self, name: &str, bytes: Vec<u8>) {
        let dir = self.dir().join("sha256");
        fs::create_dir_all(&dir).unwrap();
        // A new file: what the store writes can't be written to.
        let _ = fs::remove_file(dir.join(name));
        fs::write(dir.join(name), bytes).unwrap();
    }

    async fn plant_leftovers(&self) -> Vec<String> {
        self.names("tmp")
    }
}

fn bench() -> Directory {
    Directory { parent: tempfile::tempdir().unwrap() }
}

conformance!(ready(bench()));
conformance!(ready(bench()); a_blob_of_many_parts);

#[tokio::test]
async fn reading_makes_nothing() {
    let bench = bench();
    let store = bench.store();
    let at: Address = "0".repeat(64).parse().unwrap();
    assert_eq!(store.owner().await.unwrap(), None);
    assert_eq!(store.stat(&at).await.unwrap(), None);
    assert!(store.get(&at, 0..0, None).await.unwrap().is_none());
    assert_eq!(list(&*store).await[0].objects, []);
    store.delete(&at).await.unwrap();
    assert_eq!(fs::read_dir(bench.parent.path()).unwrap().count(), 0);
    assert_eq!(store.create().await.unwrap(), Created::Made);
    assert!(bench.dir().is_dir());
}

#[tokio::test]
async fn a_killed_put_leaves_nothing_under_the_address() {
    let (bench, files) = (bench(), Files::new());
    let path = files.random(1000);
    let content = hash(&path);
    let at = address(&content, 0);
    // What a kill between write and rename leaves: of this second, and of the day before yesterday.
    let tmp = bench.dir().join("tmp");
    fs::create_dir_all(&tmp).unwrap();
    for (name, age) in [("young", 0), ("old", 2 * 24 * 60 * 60)] {
        fs::copy(&path, tmp.join(name)).unwrap();
        let file = fs::File::options().write(true).open(tmp.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
    }
    let store = bench.store();
    assert_eq!(store.stat(&at).await.unwrap(), None);
    assert_eq!(list(&*store).await[0].objects, []);
    assert_eq!(put(&*store, &content).await.unwrap(), Put::Stored);
    assert!(holds(&*store, &at, &path).await);
    assert_eq!(bench.names("tmp"), ["young"]);
    assert_eq!(bench.names("sha256"), [at.to_string()]);
}

#[tokio::test]
async fn blobs_can_be_read_by_others_and_written_by_nobody() {
    let (bench, files) = (bench(), Files::new());
    let content = hash(&files.with(b"bytes"));
    put(&*bench.store(), &content).await.unwrap();
    let path = bench.dir().join("sha256").join(content.sha256().as_str());
    let mode = fs::metadata(path).unwrap().permissions().mode();
    assert_eq!((mode & 0o222, mode & 0o400), (0, 0o400));
}

#[tokio::test]
async fn an_object_cut_short_while_it_is_read_is_an_error() {
    use futures_util::StreamExt;
    let (bench, files) = (bench(), Files::new());
    let content = hash(&files.random(3 << 20));
    let at = address(&content, 0);
    let store = bench.store();
    put(&*store, &content).await.unwrap();
    let mut stream = store.get(&at, 0..3 << 20, None).await.unwrap().unwrap().stream;
    stream.next().await.unwrap().unwrap();
    let path = bench.dir().join("sha256").join(at.to_string());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_len(1 << 20).unwrap();
    assert!(stream.next().await.unwrap().is_err());
    assert!(stream.next().await.is_none());
}
