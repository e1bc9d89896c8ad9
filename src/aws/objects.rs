//! Whole objects on S3, for the ledger on S3, which gives no guarantees.

use super::fault;
use crate::fault::Fault;
use async_trait::async_trait;
use aws_sdk_s3::{Client, operation::get_object::GetObjectError, primitives::ByteStream};
use std::fmt;

/// Objects that are read and written whole; the last writer wins.
#[async_trait]
pub trait Objects: fmt::Debug + Send + Sync {
    /// Returns the location of the objects, for people.
    fn describe(&self) -> String;

    /// Returns the bytes of an object; `None` if it does not exist.
    ///
    /// # Errors
    /// [`FaultKind::Missing`](crate::fault::FaultKind::Missing) if there is no such bucket.
    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Fault>;

    /// Creates an object, or replaces it.
    ///
    /// # Errors
    /// The same as [`get`](Self::get).
    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Fault>;

    /// Returns the names of all objects that begin with `prefix`, in no particular order.
    ///
    /// # Errors
    /// The same as [`get`](Self::get).
    async fn list(&self, prefix: &str) -> Result<Vec<String>, Fault>;
}

/// Objects in a bucket, under a prefix.
pub struct S3Objects {
    client: Client,
    bucket: String,
    prefix: String,
}

impl fmt::Debug for S3Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Objects").field(&self.describe()).finish()
    }
}

impl S3Objects {
    /// Returns the objects in `bucket`, under `prefix` followed by a `/`, or all if `prefix` is empty.
    #[must_use]
    pub fn new(client: Client, bucket: impl Into<String>, prefix: &str) -> Self {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { client, bucket: bucket.into(), prefix }
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

#[async_trait]
impl Objects for S3Objects {
    fn describe(&self) -> String {
        let prefix = self.prefix.trim_end_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        format!("s3://{}{slash}{prefix}", self.bucket)
    }

    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        let doing = format!("reading {name} of {}", self.describe());
        let got = match self.client.get_object().bucket(&self.bucket).key(self.key(name)).send().await {
            Ok(got) => got,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                return Ok(None);
            }
            Err(error) => return Err(fault(doing, error)),
        };
        let unfinished =
            |error| Fault::new(crate::fault::FaultKind::Unavailable, doing.clone(), Box::new(error));
        Ok(Some(got.body.collect().await.map_err(unfinished)?.to_vec()))
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Fault> {
        let put = self.client.put_object().bucket(&self.bucket).key(self.key(name));
        let put = put.content_type("application/json").body(ByteStream::from(bytes)).send().await;
        put.map_err(|error| fault(format!("writing {name} of {}", self.describe()), error))?;
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(self.key(prefix))
            .into_paginator()
            .send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault(format!("listing {}", self.describe()), error))?;
            let keys = page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key);
            names.extend(keys.filter_map(|key| Some(key.strip_prefix(&self.prefix)?.to_owned())));
        }
        Ok(names)
    }
}
