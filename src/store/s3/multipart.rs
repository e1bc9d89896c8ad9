//! Blobs that are sent in parts, and resumed after an interruption.
//!
//! See [multipart upload](https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html) and, for concurrent
//! writes,
//! [`CompleteMultipartUpload`](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html).

mod parts;

use super::{
    body,
    client::S3Store,
    compare::{Found, look},
    encoding::encoded_crc,
    faults::{code, is_unreadable, refused_bytes, status},
    journal::{Entry, Upload},
    single::ROUNDS,
    uploads,
};
use crate::{
    aws::fault,
    blocking::threaded,
    failpoint::reach,
    fault::{Fault, FaultKind},
    store::{Content, Put, PutError, part_size, sending::ProgressSender},
};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, Part};
use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc};
use tracing::{Instrument, debug, debug_span, warn};

/// The reason why an upload failed.
enum UploadFailure {
    /// S3 does not know the upload: it was completed, aborted, or removed by a lifecycle rule.
    Gone,
    /// The upload can never be completed; a new one may.
    Invalidated(PutError),
    /// Another failure. The upload can be resumed later.
    Failed(PutError),
}

impl From<Fault> for UploadFailure {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.into())
    }
}

/// A blob in transfer.
struct Transfer<'a> {
    store: &'a S3Store,
    key: &'a str,
    content: &'a Content,
    buffers: body::Buffers,
    progress: ProgressSender,
}

/// Puts a blob as a multipart upload, unless it exists.
pub(super) async fn put(
    store: &S3Store,
    key: &str,
    content: &Content,
    progress: ProgressSender,
) -> Result<Put, PutError> {
    let transfer = Transfer { store, key, content, buffers: body::Buffers::default(), progress };
    let replaced = match look(store, key, content, &transfer.progress).await? {
        Found::Content => {
            transfer.abandon().await;
            return Ok(Put::Present);
        }
        Found::Nothing => None,
        Found::Other { etag } => Some(etag),
    };
    let entry = transfer.entry().await;
    let (upload, there) = transfer.begin(entry.as_ref()).await?;
    let result = match transfer.send_parts(&upload, there).await {
        Ok(parts) => transfer.complete(&upload, parts, replaced).await,
        Err(stop) => Err(stop),
    };
    // The result, then `open`: the upload must be aborted, then `over`: the upload is never resumed.
    let (result, open, over) = match result {
        Ok(Put::Present) => (Ok(Put::Present), true, true),
        Ok(put) => (Ok(put), false, true),
        Err(UploadFailure::Gone) => (transfer.after_gone().await, false, true),
        Err(UploadFailure::Invalidated(error)) => (Err(error), true, true),
        Err(UploadFailure::Failed(error)) => {
            let over = entry.is_none() || never_resumed(&error);
            (Err(error), true, over)
        }
    };
    if over {
        if open {
            transfer.abort(&upload.id).await;
        }
        if let Some(entry) = entry {
            let forgotten = threaded(move || entry.forget());
            transfer.logged("forgetting a finished upload", forgotten.await);
        }
    }
    result
}

impl Transfer<'_> {
    fn doing(&self) -> String {
        self.store.doing(format_args!("storing {}", self.key))
    }

    /// Opens the journal's entry for this blob. Without an entry (no journal, another process holds the lock, the
    /// disk fails) the upload still runs, but can't be resumed.
    async fn entry(&self) -> Option<Arc<Entry>> {
        let path = self.entry_path().await?;
        let entry =
            self.logged("opening the journal of uploads", threaded(move || Entry::open(path)).await)?;
        if entry.is_none() {
            debug!(key = self.key, "another process is uploading this blob");
        }
        entry.map(Arc::new)
    }

    async fn entry_path(&self) -> Option<PathBuf> {
        let dir = self.store.uploads.as_ref()?;
        // An upload id of one server is of no use on another.
        Some(Entry::path(dir, self.store.endpoint().await?, &self.store.bucket, self.key))
    }

    fn logged<T>(&self, doing: &str, result: io::Result<T>) -> Option<T> {
        result.inspect_err(|error| warn!(key = self.key, %error, "{doing} failed")).ok()
    }

    /// Aborts the upload that this client may have begun for a blob that exists by now.
    async fn abandon(&self) {
        let Some(path) = self.entry_path().await else { return };
        if !tokio::fs::try_exists(path).await.unwrap_or_default() {
            return;
        }
        let Some(entry) = self.entry().await else { return };
        if let Some(upload) = self.recall(&entry).await {
            self.abort(&upload.id).await;
        }
        self.logged("forgetting a finished upload", threaded(move || entry.forget()).await);
    }

    /// Returns the journal's upload if it is one of exactly this blob.
    async fn recall(&self, entry: &Arc<Entry>) -> Option<Upload> {
        let entry = Arc::clone(entry);
        let upload =
            self.logged("reading the journal of uploads", threaded(move || Ok(entry.recall())).await)??;
        (upload == self.upload(upload.id.clone())).then_some(upload)
    }

    fn upload(&self, id: String) -> Upload {
        let size = self.content.size();
        let (bucket, key) = (self.store.bucket.clone(), self.key.to_owned());
        Upload { bucket, key, id, size, part_size: part_size(size) }
    }

    /// Returns the upload to resume and its parts, or a new upload.
    async fn begin(&self, entry: Option<&Arc<Entry>>) -> Result<(Upload, BTreeMap<i32, Part>), Fault> {
        let mut given_up = None;
        if let Some(entry) = entry
            && let Some(upload) = self.recall(entry).await
        {
            if let Some(parts) = self.list_parts(&upload.id).await? {
                debug!(key = self.key, parts = parts.len(), "resuming an upload");
                return Ok((upload, parts));
            }
            given_up = Some(upload);
        }
        let request = self.store.client.create_multipart_upload().bucket(&self.store.bucket).key(self.key);
        let request =
            request.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).checksum_type(ChecksumType::FullObject);
        let answer = request.send().instrument(debug_span!("s3.CreateMultipartUpload", key = self.key)).await;
        let upload_id = answer.map_err(|error| fault(self.doing(), error))?.upload_id;
        let upload_id = upload_id
            .ok_or_else(|| Fault::new(FaultKind::Unexpected, self.doing(), "an upload without an id"))?;
        let upload = self.upload(upload_id);
        if let Some(entry) = entry {
            let (entry, upload) = (Arc::clone(entry), upload.clone());
            let remembered = threaded(move || entry.remember(&upload)).await;
            self.logged("writing the journal of uploads", remembered);
        }
        if let Some(old) = given_up {
            self.abort(&old.id).await;
        }
        Ok((upload, BTreeMap::new()))
    }

    /// Returns the parts of an upload, by number; `None` if the upload can't be resumed: it no longer exists, its
    /// parts may not be listed, or the server's list can't be read. Only a transient fault is worth another attempt.
    async fn list_parts(&self, upload_id: &str) -> Result<Option<BTreeMap<i32, Part>>, Fault> {
        let mut parts = BTreeMap::new();
        let mut after = None;
        loop {
            let request = self.store.client.list_parts().bucket(&self.store.bucket).key(self.key);
            let answer = request.upload_id(upload_id).set_part_number_marker(after).send();
            let page = match answer.instrument(debug_span!("s3.ListParts", key = self.key)).await {
                Ok(page) => page,
                Err(error) if code(&error) == "NoSuchUpload" => return Ok(None),
                Err(error) => {
                    let unreadable = is_unreadable(&error);
                    let error = fault(self.doing(), error);
                    if error.kind.is_transient() && !unreadable {
                        return Err(error);
                    }
                    warn!(key = self.key, %error, "an upload can't be resumed, and a new one begins");
                    return Ok(None);
                }
            };
            let listed = page.parts.unwrap_or_default().into_iter();
            parts.extend(listed.filter_map(|part| Some((part.part_number?, part))));
            after = page.next_part_number_marker.filter(|_| page.is_truncated == Some(true));
            if after.is_none() {
                return Ok(Some(parts));
            }
        }
    }

    /// Completes the upload, under the condition that no object was created meanwhile, or that the existing object is
    /// still the one to be replaced.
    async fn complete(
        &self,
        upload: &Upload,
        parts: Vec<CompletedPart>,
        mut replaced: Option<String>,
    ) -> Result<Put, UploadFailure> {
        let store = self.store;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let size = i64::try_from(self.content.size()).unwrap_or(i64::MAX);
        for _ in 0..ROUNDS {
            let request = store.client.complete_multipart_upload().bucket(&store.bucket).key(self.key);
            let request = request
                .upload_id(&upload.id)
                .multipart_upload(parts.clone())
                .checksum_type(ChecksumType::FullObject)
                .checksum_crc64_nvme(encoded_crc(self.content.crc()))
                .mpu_object_size(size);
            let request = match &replaced {
                None => request.if_none_match("*"),
                Some(etag) => request.if_match(etag),
            };
            // The SDK returns an error inside an answer of 200 as an error.
            let answer = request.send();
            reach("parts-sent");
            let answer = answer.instrument(debug_span!("s3.CompleteMultipartUpload", key = self.key)).await;
            reach("parts-completed");
            let Err(error) = answer else {
                return Ok(if replaced.is_none() { Put::Stored } else { Put::Replaced });
            };
            match (status(&error), code(&error)) {
                (_, "NoSuchUpload") => return Err(UploadFailure::Gone),
                (Some(412), _) | (_, "PreconditionFailed" | "NoSuchKey") => {}
                // Another write was in progress, whose outcome is unknown; S3 requires the parts of such an upload to
                // be sent again. Or another client replaced one of the parts.
                (Some(409), _) | (_, "ConditionalRequestConflict" | "InvalidPart" | "InvalidPartOrder") => {
                    return Err(UploadFailure::Invalidated(
                        Fault::new(FaultKind::Contended, self.doing(), error).into(),
                    ));
                }
                _ if refused_bytes(&error) => {
                    return Err(UploadFailure::Invalidated(
                        store.explain_failed_put(self.content, None, self.doing(), error).await,
                    ));
                }
                _ => return Err(fault(self.doing(), error).into()),
            }
            replaced = match look(store, self.key, self.content, &self.progress).await? {
                Found::Content => return Ok(Put::Present),
                Found::Nothing => None,
                Found::Other { etag } => Some(etag),
            };
        }
        let why = "it was replaced or removed repeatedly";
        Err(Fault::new(FaultKind::Contended, self.doing(), why).into())
    }

    /// Handles an upload that no longer exists. If it was completed, perhaps by a request of this client whose answer
    /// was lost, the blob exists; that *some* object exists would not prove it.
    async fn after_gone(&self) -> Result<Put, PutError> {
        match look(self.store, self.key, self.content, &self.progress).await? {
            Found::Content => Ok(Put::Stored),
            Found::Nothing | Found::Other { .. } => {
                let why = "another client ended the upload";
                Err(Fault::new(FaultKind::Contended, self.doing(), why).into())
            }
        }
    }

    async fn abort(&self, upload_id: &str) {
        uploads::abandon(self.store, self.key, upload_id, || self.doing()).await;
    }
}

/// Returns true if a resumed upload would fail the same way: S3 refused the request itself, and may accept that of a
/// new upload.
fn never_resumed(error: &PutError) -> bool {
    matches!(error, PutError::Fault(fault) if fault.kind == FaultKind::Unexpected)
}
