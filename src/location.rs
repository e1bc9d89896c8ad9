//! Where a ledger and a store are: their URLs, and opening what is there.
//!
//! | URL | as a ledger | as a store |
//! |---|---|---|
//! | `dynamodb://TABLE[?region=R&endpoint=URL]` | a DynamoDB table | |
//! | `s3://BUCKET[/PREFIX][?region=R&endpoint=URL]` | only with the feature `weak-s3-ledger` | an S3 bucket |
//! | `file:///DIR` | the embedded ledger | a directory |
//!
//! Credentials are never part of a URL: they come from AWS's standard configuration.

#[cfg(feature = "weak-s3-ledger")]
use crate::{aws::S3Objects, ledger::WeakS3Ledger};
use crate::{
    aws::{Aws, BUSY, Endpoint, has_credentials, without_credentials},
    fault::{Fault, FaultKind},
    ledger::{Ledger, TableLedger},
    retry::RetryPolicy,
    store::{Store, directory::DirectoryStore, s3::S3Store},
    table::{dynamodb::DynamoTable, sqlite::SqliteTable},
};
use std::{
    fmt,
    num::NonZeroUsize,
    path::{Component, PathBuf},
    str::FromStr,
    sync::Arc,
};
use url::Url;

/// A URL that names no place a ledger or store can be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not what such a URL must be.
    #[error("{what} {url:?}: {why}")]
    Invalid {
        /// "ledger URL" or "store URL".
        what: &'static str,
        /// The URL as given; without anything that might be a password.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// It names a ledger on S3, which this build does not have.
    #[error("ledger URL {url:?}: a ledger on S3 is weakly consistent and loses concurrent changes")]
    WeakLedger {
        /// The URL as given.
        url: String,
    },
}

/// Where a ledger is.
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
    /// In an embedded database in this directory, an absolute path.
    Directory(PathBuf),
    /// In JSON documents on S3; weakly consistent, for tests.
    #[cfg(feature = "weak-s3-ledger")]
    WeakS3(Bucket),
}

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// In an S3 bucket.
    S3(Bucket),
    /// In this directory, an absolute path.
    Directory(PathBuf),
}

/// A place in an S3 bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The bucket.
    pub bucket: String,
    /// What every key begins with, without a `/` at either end; may be empty.
    pub prefix: String,
    /// Settings that win over the standard configuration.
    pub endpoint: Endpoint,
}

/// How blobs are sent to a store in parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uploading {
    /// The folder in which this client remembers the uploads it began, so that it can go on with them; made when
    /// needed.
    pub folder: Option<PathBuf>,
    /// The most parts under way at once, and the number at the start. `None`: it adapts.
    pub jobs: Option<NonZeroUsize>,
}

/// Opens a ledger and a store. Nothing is made or checked: that is for `init`, and for what is done with them.
///
/// # Errors
/// [`FaultKind::Denied`] without credentials, [`FaultKind::Misconfigured`] without a region, and
/// [`FaultKind::Unavailable`] or [`FaultKind::Unsent`] if what gives them has no answer until the deadline of `retry_policy`.
pub async fn open(
    ledger: &LedgerUrl,
    store: &StoreUrl,
    aws: &Aws,
    retry_policy: RetryPolicy,
    uploading: Uploading,
) -> Result<(Arc<dyn Ledger>, Arc<dyn Store>), Fault> {
    let ledger = open_ledger(ledger, aws, retry_policy.clone()).await?;
    let store: Arc<dyn Store> = match store {
        StoreUrl::S3(Bucket { bucket, prefix, endpoint }) => {
            let Uploading { folder, jobs } = uploading;
            let client = within(&retry_policy, || aws.s3(endpoint)).await?;
            let store = S3Store::new(client, bucket, prefix, folder);
            Arc::new(match jobs {
                Some(jobs) => store.with_jobs(jobs),
                None => store,
            })
        }
        StoreUrl::Directory(directory) => Arc::new(DirectoryStore::new(directory.clone())),
    };
    Ok((ledger, store))
}

/// Opens a ledger alone, as [`open`] does.
///
/// # Errors
/// Those of [`open`].
pub async fn open_ledger(
    ledger: &LedgerUrl,
    aws: &Aws,
    retry_policy: RetryPolicy,
) -> Result<Arc<dyn Ledger>, Fault> {
    Ok(match ledger {
        LedgerUrl::Dynamo { table, endpoint } => {
            let client = within(&retry_policy, || aws.dynamodb(endpoint)).await?;
            let table = DynamoTable::new(client, table.clone());
            let ledger = TableLedger::new(Arc::new(table), retry_policy);
            Arc::new(ledger.with_server_time(aws.dynamodb_time()))
        }
        LedgerUrl::Directory(directory) => {
            Arc::new(TableLedger::new(Arc::new(SqliteTable::open(directory)), retry_policy))
        }
        #[cfg(feature = "weak-s3-ledger")]
        LedgerUrl::WeakS3(Bucket { bucket, prefix, endpoint }) => {
            let client = within(&retry_policy, || aws.s3(endpoint)).await?;
            let objects = S3Objects::new(client, bucket, prefix);
            Arc::new(WeakS3Ledger::new(Arc::new(objects), retry_policy))
        }
    })
}

/// Connects, within the deadline: where the credentials and the region come from may be busy, or hang.
async fn within<T, F>(retry_policy: &RetryPolicy, connect: impl FnMut() -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    // Boxed: what gives credentials makes a large future.
    let connecting = Box::pin(retry_policy.run("connecting", connect));
    tokio::time::timeout(retry_policy.deadline(), connecting).await.unwrap_or_else(|_| {
        let source = "the source of the credentials, or of the region, did not answer";
        Err(Fault { remedy: Some(BUSY), ..Fault::new(FaultKind::Unsent, "connecting", source) })
    })
}

impl FromStr for LedgerUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let given = Given::parse("ledger URL", text)?;
        match given.url.scheme() {
            "dynamodb" => {
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
            "file" => Ok(Self::Directory(given.directory()?)),
            #[cfg(feature = "weak-s3-ledger")]
            "s3" => Ok(Self::WeakS3(given.bucket()?)),
            #[cfg(not(feature = "weak-s3-ledger"))]
            "s3" => Err(Error::WeakLedger { url: without_credentials(text) }),
            scheme => {
                Err(given.invalid(format!("unknown scheme {scheme:?}; a ledger is dynamodb:// or file:///")))
            }
        }
    }
}

impl FromStr for StoreUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let given = Given::parse("store URL", text)?;
        match given.url.scheme() {
            "s3" => Ok(Self::S3(given.bucket()?)),
            "file" => Ok(Self::Directory(given.directory()?)),
            scheme => Err(given.invalid(format!("unknown scheme {scheme:?}; a store is s3:// or file:///"))),
        }
    }
}

impl fmt::Display for LedgerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dynamo { table, endpoint } => write!(f, "dynamodb://{table}{}", Query(endpoint)),
            Self::Directory(directory) => f.write_str(&file_url(directory)),
            #[cfg(feature = "weak-s3-ledger")]
            Self::WeakS3(bucket) => bucket.fmt(f),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3(bucket) => bucket.fmt(f),
            Self::Directory(directory) => f.write_str(&file_url(directory)),
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "s3://{}{slash}{}{}", self.bucket, self.prefix, Query(&self.endpoint))
    }
}

/// The parameters of a URL.
struct Query<'a>(&'a Endpoint);

impl fmt::Display for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = [("region", &self.0.region), ("endpoint", &self.0.url)];
        let given = given.iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value)));
        for (number, (name, value)) in given.enumerate() {
            let mark = if number == 0 { '?' } else { '&' };
            // A `&`, `+`, `%` or `#` would end or change the value.
            let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            write!(f, "{mark}{name}={}", value.replace("%3A", ":").replace("%2F", "/"))?;
        }
        Ok(())
    }
}

const CREDENTIALS: &str = "credentials don't belong in it; they come from AWS's configuration";

fn file_url(directory: &std::path::Path) -> String {
    Url::from_directory_path(directory).map_or_else(
        |()| directory.display().to_string(),
        // The root's own slash stays.
        |url| match url.as_str().trim_end_matches('/') {
            "file:" => "file:///".to_owned(),
            url => url.to_owned(),
        },
    )
}

/// A URL that is being read.
struct Given<'a> {
    what: &'static str,
    text: &'a str,
    url: Url,
}

impl<'a> Given<'a> {
    fn parse(what: &'static str, text: &'a str) -> Result<Self, Error> {
        let invalid = |why: String| Error::Invalid { what, url: without_credentials(text), why };
        if text.trim().is_empty() {
            return Err(invalid("it is empty".to_owned()));
        }
        let url = Url::parse(text).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => {
                invalid("it has no scheme: dynamodb://, s3:// or file:///".to_owned())
            }
            error => invalid(error.to_string()),
        })?;
        let given = Self { what, text, url };
        if has_credentials(&given.url) {
            return Err(given.invalid(CREDENTIALS));
        }
        if given.url.fragment().is_some() {
            return Err(given.invalid("`#` begins a fragment, which it can't have"));
        }
        if given.url.port().is_some() {
            return Err(given.invalid("it can't have a port; say `?endpoint=http://HOST:PORT`"));
        }
        Ok(given)
    }

    fn invalid(&self, why: impl Into<String>) -> Error {
        Error::Invalid { what: self.what, url: without_credentials(self.text), why: why.into() }
    }

    fn host(&self, what: &str) -> Result<String, Error> {
        match self.url.host_str() {
            Some(host) if !host.is_empty() => Ok(host.to_owned()),
            _ => Err(self.invalid(format!("it does not name {what}"))),
        }
    }

    fn endpoint(&self) -> Result<Endpoint, Error> {
        let mut endpoint = Endpoint::default();
        for (name, value) in self.url.query_pairs() {
            let place = match &*name {
                "region" => &mut endpoint.region,
                "endpoint" => &mut endpoint.url,
                _ => {
                    return Err(
                        self.invalid(format!("unknown parameter {name:?}; known are region and endpoint"))
                    );
                }
            };
            if value.is_empty() {
                return Err(self.invalid(format!("the parameter {name:?} is empty")));
            }
            if place.replace(value.into_owned()).is_some() {
                return Err(self.invalid(format!("the parameter {name:?} is given twice")));
            }
        }
        if let Some(region) = &endpoint.region
            && !region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        {
            return Err(self.invalid(format!("{region:?} is no region")));
        }
        if let Some(url) = &endpoint.url {
            let http = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            let Some(http) = http else {
                return Err(self.invalid("its endpoint is no http:// or https:// URL"));
            };
            if has_credentials(&http) {
                return Err(self.invalid(CREDENTIALS));
            }
        }
        Ok(endpoint)
    }

    fn bucket(&self) -> Result<Bucket, Error> {
        let bucket = self.host("a bucket")?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b);
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(plain) {
            return Err(self.invalid("a bucket's name is 3 to 63 of a-z 0-9 . -"));
        }
        let prefix = self.url.path();
        let prefix = prefix.strip_prefix('/').unwrap_or(prefix);
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
        if !prefix.bytes().all(plain) || prefix.len() > 512 {
            return Err(self.invalid("a prefix is at most 512 of A-Z a-z 0-9 . _ - /"));
        }
        if !prefix.is_empty() && prefix.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(self.invalid("its prefix has an empty, `.` or `..` segment"));
        }
        Ok(Bucket { bucket, prefix: prefix.to_owned(), endpoint: self.endpoint()? })
    }

    fn directory(&self) -> Result<PathBuf, Error> {
        if !self.text.starts_with("file:///") {
            return Err(self.invalid("it must be absolute: file:///DIRECTORY"));
        }
        if let Some((name, _)) = self.url.query_pairs().next() {
            return Err(self.invalid(format!("unknown parameter {name:?}; a directory has none")));
        }
        let path = self.url.to_file_path().map_err(|()| self.invalid("it names no path"))?;
        // The URL has none of its own, but a `%2F` may have hidden one.
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(self.invalid("its path has a `..` segment"));
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests;
