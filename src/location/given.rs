//! Reading the parts of a URL.

use super::{bucket::Bucket, container::Container, error::Error, folder::Folder};
use crate::endpoint::{Endpoint, has_credentials, without_credentials};
use std::path::{Component, PathBuf};
use url::Url;

const CREDENTIALS: &str = "credentials don't belong in it; they come from AWS's configuration";

/// A URL that is being read.
pub(super) struct Given<'a> {
    pub(super) what: &'static str,
    pub(super) text: &'a str,
    pub(super) url: Url,
}

impl<'a> Given<'a> {
    /// Parses `url`, which is `text` without what is no part of a URL.
    pub(super) fn parse(what: &'static str, text: &'a str, url: &str) -> Result<Self, Error> {
        let invalid = |why: String| Error::Invalid { what, url: without_credentials(text), why };
        if text.trim().is_empty() {
            return Err(invalid("it is empty".to_owned()));
        }
        let url = Url::parse(url).map_err(|error| match error {
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
        if given.url.port().is_some() && given.url.scheme() != "hdfs" {
            return Err(given.invalid("it can't have a port; say `?endpoint=http://HOST:PORT`"));
        }
        Ok(given)
    }

    pub(super) fn invalid(&self, why: impl Into<String>) -> Error {
        Error::Invalid { what: self.what, url: without_credentials(self.text), why: why.into() }
    }

    /// Refuses a URL of a back end that this build does not have.
    pub(super) fn needs(&self, is_built: bool, feature: &'static str) -> Result<(), Error> {
        needs(self.what, self.text, is_built, feature)
    }

    pub(super) fn host(&self, what: &str) -> Result<String, Error> {
        match self.url.host_str() {
            Some(host) if !host.is_empty() => Ok(host.to_owned()),
            _ => Err(self.invalid(format!("it does not name {what}"))),
        }
    }

    pub(super) fn endpoint(&self) -> Result<Endpoint, Error> {
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

    pub(super) fn bucket(&self) -> Result<Bucket, Error> {
        let bucket = self.host("a bucket")?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b);
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(plain) {
            return Err(self.invalid("a bucket's name is 3 to 63 of a-z 0-9 . -"));
        }
        let prefix = self.prefix(self.url.path())?;
        Ok(Bucket { bucket, prefix, endpoint: self.endpoint()? })
    }

    /// Reads the prefix of every name.
    fn prefix(&self, path: &str) -> Result<String, Error> {
        let prefix = path.strip_prefix('/').unwrap_or(path);
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
        if !prefix.bytes().all(plain) || prefix.len() > 512 {
            return Err(self.invalid("a prefix is at most 512 of A-Z a-z 0-9 . _ - /"));
        }
        if !prefix.is_empty() && prefix.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(self.invalid("its prefix has an empty, `.` or `..` segment"));
        }
        Ok(prefix.to_owned())
    }

    pub(super) fn container(&self) -> Result<Container, Error> {
        let account = self.host("a storage account")?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if !(3..=24).contains(&account.len()) || !account.bytes().all(plain) {
            return Err(self.invalid("a storage account's name is 3 to 24 of a-z 0-9"));
        }
        let path = self.url.path().strip_prefix('/').unwrap_or_default();
        let (container, prefix) = path.split_once('/').unwrap_or((path, ""));
        let plain = |b: u8| plain(b) || b == b'-';
        if !(3..=63).contains(&container.len()) || !container.bytes().all(plain) {
            return Err(
                self.invalid("it names no container: azure://ACCOUNT/CONTAINER, of 3 to 63 of a-z 0-9 -")
            );
        }
        let prefix = self.prefix(prefix)?;
        let endpoint = self.endpoint()?;
        if endpoint.region.is_some() {
            return Err(self.invalid("unknown parameter \"region\"; known is endpoint"));
        }
        Ok(Container { account, container: container.to_owned(), prefix, endpoint: endpoint.url })
    }

    pub(super) fn folder(&self) -> Result<Folder, Error> {
        let host = self.host("a NameNode")?;
        if let Some((name, _)) = self.url.query_pairs().next() {
            return Err(self.invalid(format!("unknown parameter {name:?}; a folder has none")));
        }
        let path = self.url.path().trim_end_matches('/');
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/=+@,".contains(&b);
        if path.is_empty() || !path.bytes().all(plain) || path.len() > 1024 {
            return Err(
                self.invalid("it names no folder: hdfs://NAMENODE/FOLDER, of A-Z a-z 0-9 . _ - = + @ , /")
            );
        }
        if path[1..].split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(self.invalid("its path has an empty, `.` or `..` segment"));
        }
        let namenode = self.url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        Ok(Folder { namenode, path: path.to_owned() })
    }

    pub(super) fn directory(&self) -> Result<PathBuf, Error> {
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

/// Refuses a URL of a back end that this build does not have.
pub(super) fn needs(
    what: &'static str,
    text: &str,
    is_built: bool,
    feature: &'static str,
) -> Result<(), Error> {
    if is_built {
        return Ok(());
    }
    Err(Error::NotBuilt { what, url: without_credentials(text), feature })
}
