//! Unfinished multipart uploads: their parts are stored, and paid for, until they are aborted.
//!
//! MinIO lists them only for a prefix that is a whole key, so none are found on it; MinIO removes them on its own.

use super::{client::S3Store, encoding::stat, faults::code};
use crate::{
    aws::fault,
    fault::{Fault, FaultKind},
    model::Timestamp,
    retry,
    store::{Upload, Uploads},
};
use tracing::{Instrument, debug_span, warn};

/// The separator between a key and an upload's id in this store's identifiers. No key of a store contains it.
const BETWEEN: char = '\n';

/// Returns a page of the uploads under the store's prefix.
pub(super) async fn page(store: &S3Store, after: Option<&str>) -> Result<Uploads, Fault> {
    let prefix = format!("{}sha256/", store.prefix);
    let (key, id) = after.and_then(|after| after.split_once(BETWEEN)).unzip();
    let request = store.client.list_multipart_uploads().bucket(&store.bucket).prefix(&prefix);
    let request = request.set_key_marker(key.map(str::to_owned)).set_upload_id_marker(id.map(str::to_owned));
    let answer = request.send().instrument(debug_span!("s3.ListMultipartUploads", prefix)).await;
    let page = answer.map_err(|error| fault(store.doing("listing the unfinished uploads"), error))?;
    let upload = |upload: aws_sdk_s3::types::MultipartUpload| {
        let (key, id) = (upload.key?, upload.upload_id?);
        // Some servers also list objects outside the prefix.
        let name = key.strip_prefix(&store.prefix).filter(|name| name.starts_with("sha256/"))?.to_owned();
        Some(Upload { name, id: format!("{key}{BETWEEN}{id}"), since: stat(None, upload.initiated).modified })
    };
    let next = page.next_key_marker.zip(page.next_upload_id_marker);
    Ok(Uploads {
        uploads: page.uploads.unwrap_or_default().into_iter().filter_map(upload).collect(),
        next: next.filter(|_| page.is_truncated == Some(true)).map(|(key, id)| format!("{key}{BETWEEN}{id}")),
    })
}

/// Returns the time at which an upload was last written to: when its newest part was stored. `None` if the upload no
/// longer exists.
pub(super) async fn last_written(store: &S3Store, upload: &Upload) -> Result<Option<Timestamp>, Fault> {
    let doing = || store.doing(format_args!("checking an upload of {}", upload.name));
    let (key, id) = known(upload, doing)?;
    let (mut newest, mut after) = (upload.since, None);
    loop {
        let request = store.client.list_parts().bucket(&store.bucket).key(key).upload_id(id);
        let answer = request.set_part_number_marker(after).send();
        let page = match answer.instrument(debug_span!("s3.ListParts", key)).await {
            Ok(page) => page,
            Err(error) if code(&error) == "NoSuchUpload" => return Ok(None),
            Err(error) => return Err(fault(doing(), error)),
        };
        let written = page.parts().iter().map(|part| stat(None, part.last_modified).modified);
        newest = newest.max(written.max().unwrap_or(newest));
        after = page.next_part_number_marker.filter(|_| page.is_truncated == Some(true));
        if after.is_none() {
            return Ok(Some(newest));
        }
    }
}

/// Returns the key and the id of an upload, as S3 uses them.
fn known(upload: &Upload, doing: impl Fn() -> String) -> Result<(&str, &str), Fault> {
    let why = "it is not an upload of this store";
    upload.id.split_once(BETWEEN).ok_or_else(|| Fault::new(FaultKind::Unexpected, doing(), why))
}

/// Aborts an upload. Idempotent.
pub(super) async fn abort(store: &S3Store, upload: &Upload) -> Result<(), Fault> {
    let doing = || store.doing(format_args!("aborting an upload of {}", upload.name));
    let (key, id) = known(upload, doing)?;
    abort_known(store, key, id, doing).await
}

/// Aborts the upload with this key and id, in one attempt. Succeeds if the upload no longer exists.
pub(super) async fn abort_known(
    store: &S3Store,
    key: &str,
    id: &str,
    doing: impl Fn() -> String,
) -> Result<(), Fault> {
    let request = store.client.abort_multipart_upload().bucket(&store.bucket).key(key).upload_id(id);
    match request.send().instrument(debug_span!("s3.AbortMultipartUpload", key)).await {
        Ok(_) => Ok(()),
        Err(error) if code(&error) == "NoSuchUpload" => Ok(()),
        Err(error) => Err(fault(doing(), error)),
    }
}

/// Aborts an upload of this command. A failure does not stop the command: it is logged, and `gc --delete` or the
/// bucket's lifecycle rule aborts the upload later.
pub(super) async fn abandon(store: &S3Store, key: &str, id: &str, doing: impl Fn() -> String) {
    // A server may have closed the connection when it refused a part.
    let aborted = retry::part("aborting an upload", || abort_known(store, key, id, &doing)).await;
    if let Err(error) = aborted {
        warn!(%error, "can't abort an upload");
    }
}
