//! The implementation of [`Store`] on a bucket.

use super::{
    bucket, client::S3Store, encoding::stat, faults::status, grants, multipart, owner, probe, range,
    settings, single, uploads,
};
use crate::{
    aws::{ConnectOnly, fault},
    fault::{Fault, FaultKind},
    model::{Address, Created, Grant, Setting, Timestamp, Trial},
    store::{
        Body, Content, Listing, PART_SIZE, Put, PutError, Sending, Stat, Store, Upload, Uploads,
        sending::{belongs, relay_progress, replaced_while_read, without_owner},
    },
};
use async_trait::async_trait;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use futures_util::{StreamExt, stream};
use std::ops::Range;
use tracing::{Instrument, debug, debug_span};

#[async_trait]
impl Store for S3Store {
    fn describe(&self) -> String {
        self.shown()
    }

    async fn connect(&self) {
        // Any request goes to the same address. Its error only states that it was not sent.
        let request = self.client.get_object().bucket(&self.bucket).key("OWNER").customize();
        let _ = request.interceptor(ConnectOnly).send().await;
    }

    async fn create(&self) -> Result<Created, Fault> {
        bucket::create(self).await
    }

    async fn settings(&self) -> Result<Vec<Setting>, Fault> {
        settings::look(self).await
    }

    async fn probe(&self, owner: &str) -> Result<Vec<Setting>, Fault> {
        probe::run(self, owner).await
    }

    async fn grants(&self, trial: Trial) -> Result<Vec<Grant>, Fault> {
        grants::grants(self, trial).await
    }

    async fn owner(&self) -> Result<Option<String>, Fault> {
        Ok(owner::read(self).await?.map(|(owner, _)| owner))
    }

    async fn claim(&self, ledger: &str) -> Result<String, Fault> {
        match owner::read(self).await? {
            Some((owner, _)) => Ok(owner),
            None => owner::write(self, ledger, None).await,
        }
    }

    async fn replace_owner(&self, from: &str, to: &str) -> Result<String, Fault> {
        match owner::read(self).await? {
            Some((owner, etag)) if owner == from => owner::write(self, to, Some(etag)).await,
            Some((owner, _)) => Ok(owner),
            None => Err(without_owner(self.describe())),
        }
    }

    async fn stat(&self, at: &Address) -> Result<Option<Stat>, Fault> {
        let doing = || self.doing(format_args!("checking for the blob {at}"));
        match self.head(&self.key(at), None).await {
            Ok(Some(head)) => Ok(Some(stat(head.content_length, head.last_modified))),
            Ok(None) => self.bucket_is_there(doing).await.map(|()| None),
            Err(error) => Err(fault(doing(), error)),
        }
    }

    async fn put(
        &self,
        at: &Address,
        content: &Content,
        expected: bool,
        sent: Sending<'_>,
    ) -> Result<Put, PutError> {
        belongs(at, content)?;
        let key = self.key(at);
        let key = key.as_str();
        let put = relay_progress(sent, |progress| async move {
            if content.size() <= PART_SIZE {
                single::put(self, key, content, expected, progress).await
            } else {
                multipart::put(self, key, content, progress).await
            }
        });
        let put = put.await?;
        if put == Put::Replaced {
            debug!(blob = %at, store = self.describe(), "the stored blob was damaged and has been replaced");
        }
        Ok(put)
    }

    async fn get(&self, at: &Address, range: Range<u64>, etag: Option<&str>) -> Result<Option<Body>, Fault> {
        if !range.is_empty() {
            return range::get(self, at, range, etag).await;
        }
        let doing = || self.doing(format_args!("reading the blob {at}"));
        match self.head(&self.key(at), etag).await {
            Ok(Some(HeadObjectOutput { e_tag: Some(etag), content_length, .. })) => {
                let size = stat(content_length, None).size;
                Ok(Some(Body { etag, size, stream: stream::empty().boxed() }))
            }
            Ok(Some(_)) => Err(Fault::new(FaultKind::Unexpected, doing(), "an object without an etag")),
            Ok(None) => self.bucket_is_there(doing).await.map(|()| None),
            Err(error) if status(&error) == Some(412) => Err(replaced_while_read(doing())),
            Err(error) => Err(fault(doing(), error)),
        }
    }

    async fn delete(&self, at: &Address) -> Result<(), Fault> {
        let key = self.key(at);
        let answer = self.client.delete_object().bucket(&self.bucket).key(&key).send();
        match answer.instrument(debug_span!("s3.DeleteObject", key)).await {
            Ok(_) => Ok(()),
            Err(error) => Err(fault(self.doing(format_args!("deleting the blob {at}")), error)),
        }
    }

    async fn uploads(&self, after: Option<&str>) -> Result<Uploads, Fault> {
        uploads::page(self, after).await
    }

    async fn last_written(&self, upload: &Upload) -> Result<Option<Timestamp>, Fault> {
        uploads::last_written(self, upload).await
    }

    async fn abort(&self, upload: &Upload) -> Result<(), Fault> {
        uploads::abort(self, upload).await
    }

    fn time(&self) -> Option<Timestamp> {
        self.clock.now()
    }

    async fn list(&self, after: Option<&str>) -> Result<Listing, Fault> {
        self.list_part("", after).await
    }

    fn lists_in_parts(&self) -> bool {
        true
    }

    async fn list_part(&self, prefix: &str, after: Option<&str>) -> Result<Listing, Fault> {
        let blobs = format!("{}sha256/", self.prefix);
        let prefix = format!("{blobs}{prefix}");
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix);
        let answer = request.set_continuation_token(after.map(str::to_owned)).send();
        let page = answer.instrument(debug_span!("s3.ListObjectsV2", prefix)).await;
        let page = page.map_err(|error| fault(self.doing("listing the blobs"), error))?;
        let object = |object: aws_sdk_s3::types::Object| {
            let at = object.key.as_deref()?.strip_prefix(&blobs)?.parse().ok()?;
            Some((at, stat(object.size, object.last_modified)))
        };
        let objects = page.contents.unwrap_or_default().into_iter().filter_map(object).collect();
        Ok(Listing {
            objects,
            next: page.next_continuation_token.filter(|_| page.is_truncated == Some(true)),
        })
    }
}
