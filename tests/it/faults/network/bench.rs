//! A ledger and a store on the real servers, with clients that reach them directly or through proxies.

pub use crate::support::world::author;
use crate::support::{
    audit::{Audited, audit},
    backends,
    world::{adding, of},
};
use sacker::{
    ledger::TagRequest,
    model::Expectation,
    ops::{AddInput, Client, Download, Error, Target},
    retry::{Cancellation, RetryPolicy},
    table::dynamodb::DynamoTable,
};

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

/// More than one part.
pub const LARGE: usize = (16 << 20) + 4321;

pub struct Bench {
    table: String,
    bucket: String,
    files: TempDir,
}

impl Bench {
    pub async fn new() -> Self {
        let (table, bucket) = (backends::unique("proxy"), format!("proxy-{}", uuid::Uuid::new_v4()));
        let bench = Self { table, bucket, files: tempfile::tempdir().unwrap() };
        bench.clean().await.init().await.unwrap();
        bench
    }

    /// A client that reaches the servers directly.
    pub async fn clean(&self) -> Client {
        self.client(&backends::dynamodb(), &backends::s3()).await
    }

    /// A client that reaches the servers at these addresses.
    pub async fn client(&self, dynamodb: &str, s3: &str) -> Client {
        let ledger = format!("dynamodb://{}?region=us-east-1&endpoint={dynamodb}", self.table);
        let store = format!("s3://{}/blobs?region=us-east-1&endpoint={s3}", self.bucket);
        let retry_policy = RetryPolicy::new(Duration::from_mins(1), Cancellation::new());
        let builder = Client::builder(ledger, store).retry_policy(retry_policy).aws(backends::aws());
        let builder = builder.uploads_directory(self.files.path().join("uploads"));
        builder.temporary_directory(self.files.path()).build().await.unwrap()
    }

    /// Checks every item of a package, past everything.
    pub async fn audit(&self, package: &str) -> Audited {
        let client = backends::aws().dynamodb(&backends::at(backends::dynamodb())).await.unwrap();
        audit(&backends::RetryingTable(DynamoTable::new(client, self.table.clone())), package).await
    }

    /// A new file of random bytes.
    pub fn file(&self, size: usize) -> PathBuf {
        let mut bytes = vec![0; size];
        fastrand::fill(&mut bytes);
        let path = self.path("file");
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A name for a file that is not there.
    pub fn path(&self, what: &str) -> PathBuf {
        self.files.path().join(backends::unique(what))
    }

    /// Returns `true` if a version's bytes, fetched directly, are those of a file.
    pub async fn holds(&self, package: &str, version: u64, file: &Path) -> bool {
        let to = self.path("check");
        download(&self.clean().await, package, &version.to_string(), &to).await.unwrap();
        let same = fs::read(&to).unwrap() == fs::read(file).unwrap();
        fs::remove_file(to).unwrap();
        same
    }
}

/// Adds a file as the next version, moving a tag to it; gives the version.
pub async fn add(
    client: &Client,
    package: &str,
    file: &Path,
    tag: Option<&str>,
    key: Option<&str>,
) -> Result<u64, Error> {
    let tags = tag.into_iter().map(of);
    let request = adding(package).author(author(key)).tags(tags);
    let (release, new) = client.add(request, AddInput::file(file)).await?;
    assert!(new);
    Ok(release.version.get())
}

/// Moves a tag that has to be on `expected`.
pub async fn tag(
    client: &Client,
    package: &str,
    version: u64,
    tag: &str,
    expected: Expectation,
    key: Option<&str>,
) -> Result<(), Error> {
    let spec = of(&version.to_string());
    let (package, tag, author) = (of(package), of(tag), author(key));
    let moved = client.tag(&TagRequest::new(package, spec, tag).expect(expected).author(author)).await?;
    assert_eq!(moved.version.map(sacker::model::Version::get), Some(version));
    Ok(())
}

/// Downloads to a path; gives the version.
pub async fn download(client: &Client, package: &str, spec: &str, to: &Path) -> Result<u64, Error> {
    let download = Download::new(of(package), of(spec), Target::Path(to.to_owned()));
    Ok(client.download(download).await?.version.get())
}
