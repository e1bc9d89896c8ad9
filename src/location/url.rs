//! The URLs of ledgers and stores, as they are read and printed.

use super::{
    bucket::{Bucket, Query},
    container::Container,
    directory::file_url,
    ensemble::{self, Ensemble},
    error::Error,
    folder::Folder,
    git::{self, GitPlace},
    given::Given,
};
use crate::endpoint::{Endpoint, PostgresPlace, without_credentials};
use std::{fmt, path::PathBuf, str::FromStr};

const LEDGER_URL: &str = "ledger URL";
const STORE_URL: &str = "store URL";

/// The place of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LedgerUrl {
    /// In a DynamoDB table.
    Dynamo {
        /// The table.
        table: String,
        /// Settings that win over the standard configuration.
        endpoint: Endpoint,
    },
    /// In a table of a PostgreSQL database.
    Postgres(PostgresPlace),
    /// In an embedded database in this directory, an absolute path.
    Directory(PathBuf),
    /// In a git repository.
    Git(GitPlace),
    /// Below a node of a ZooKeeper ensemble.
    Zookeeper(Ensemble),
    /// In JSON documents on S3; weakly consistent, for tests.
    #[cfg(feature = "weak-s3-ledger")]
    WeakS3(Bucket),
}

/// The place of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// In an S3 bucket.
    S3(Bucket),
    /// In a container of Azure Blob Storage.
    Azure(Container),
    /// In a folder in HDFS.
    Hdfs(Folder),
    /// In this directory, an absolute path.
    Directory(PathBuf),
}

macro_rules! from_text {
    ($($url:ty),+) => {$(
        impl TryFrom<&str> for $url {
            type Error = Error;

            fn try_from(text: &str) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl TryFrom<&String> for $url {
            type Error = Error;

            fn try_from(text: &String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl TryFrom<String> for $url {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }
    )+};
}

from_text!(LedgerUrl, StoreUrl);

impl FromStr for LedgerUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some(place) = postgres(text) {
            return place;
        }
        if text.starts_with(ensemble::SCHEME) {
            let ensemble = Ensemble::parse(LEDGER_URL, text)?;
            super::given::needs(LEDGER_URL, text, cfg!(feature = "zookeeper"), "zookeeper")?;
            return Ok(Self::Zookeeper(ensemble));
        }
        if text.starts_with(git::PREFIX) {
            return Ok(Self::Git(GitPlace::parse(LEDGER_URL, text)?));
        }
        let given = Given::parse(LEDGER_URL, text, text)?;
        match given.url.scheme() {
            "dynamodb" => {
                given.needs(cfg!(feature = "dynamodb"), "dynamodb")?;
                let table = given.host("a table")?;
                if !matches!(given.url.path(), "" | "/") {
                    return Err(
                        given.invalid("a table has no path; only `?region=…` and `&endpoint=…` may follow")
                    );
                }
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
                if !(3..=255).contains(&table.len()) || !table.bytes().all(plain) {
                    return Err(given.invalid("a table's name is 3 to 255 of A-Z a-z 0-9 _ . -"));
                }
                Ok(Self::Dynamo { endpoint: given.endpoint()?, table })
            }
            "file" => {
                given.needs(cfg!(feature = "sqlite"), "sqlite")?;
                Ok(Self::Directory(given.directory()?))
            }
            #[cfg(feature = "weak-s3-ledger")]
            "s3" => Ok(Self::WeakS3(given.bucket()?)),
            #[cfg(not(feature = "weak-s3-ledger"))]
            "s3" => Err(Error::WeakLedger { url: without_credentials(text) }),
            scheme => Err(given.invalid(format!(
                "unknown scheme {scheme:?}; a ledger is dynamodb://, git+…, postgres://, zookeeper:// or file:///"
            ))),
        }
    }
}

impl FromStr for StoreUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let given = Given::parse(STORE_URL, text, text)?;
        match given.url.scheme() {
            "s3" => {
                given.needs(cfg!(feature = "s3"), "s3")?;
                Ok(Self::S3(given.bucket()?))
            }
            "azure" => {
                given.needs(cfg!(feature = "azure"), "azure")?;
                Ok(Self::Azure(given.container()?))
            }
            "hdfs" => {
                given.needs(cfg!(feature = "hdfs"), "hdfs")?;
                Ok(Self::Hdfs(given.folder()?))
            }
            "file" => Ok(Self::Directory(given.directory()?)),
            "gs" => Err(given
                .invalid("there is no store on Google Cloud Storage yet, as no server to test it was found")),
            scheme => Err(given.invalid(format!(
                "unknown scheme {scheme:?}; a store is s3://, azure://, hdfs:// or file:///"
            ))),
        }
    }
}

impl fmt::Display for LedgerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dynamo { table, endpoint } => write!(f, "dynamodb://{table}{}", Query(endpoint)),
            Self::Postgres(place) => place.fmt(f),
            Self::Directory(directory) => f.write_str(&file_url(directory)),
            Self::Git(place) => place.fmt(f),
            Self::Zookeeper(ensemble) => ensemble.fmt(f),
            #[cfg(feature = "weak-s3-ledger")]
            Self::WeakS3(bucket) => bucket.fmt(f),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3(bucket) => bucket.fmt(f),
            Self::Azure(container) => container.fmt(f),
            Self::Hdfs(folder) => folder.fmt(f),
            Self::Directory(directory) => f.write_str(&file_url(directory)),
        }
    }
}

/// Reads a URL of PostgreSQL, which may name several hosts; `None` for a URL of anything else.
fn postgres(text: &str) -> Option<Result<LedgerUrl, Error>> {
    let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))?;
    // libpq would take a password as a parameter.
    let shown = match text.split_once('?') {
        Some((place, parameters)) if parameters.to_ascii_lowercase().contains("pass") => place,
        _ => text,
    };
    let url = without_credentials(shown);
    if cfg!(not(feature = "postgres")) {
        return Some(Err(Error::NotBuilt { what: LEDGER_URL, url, feature: "postgres" }));
    }
    let invalid = |why| Error::Invalid { what: LEDGER_URL, url, why };
    Some(PostgresPlace::parse(rest).map(LedgerUrl::Postgres).map_err(invalid))
}
