//! Multipart uploads that are not finished: parts of them are stored, and paid for, until they are aborted.
//!
//! MinIO lists them only for a prefix that is a whole key, so on it none are found here; it drops them by itself.

use super::{S3Store, code, fault, stat};
use crate::{
    fault::{Fault, FaultKind},
    store::{Upload, Uploads},
};
use tracing::{Instrument, debug_span};

/// Between a key and an upload's id in our own names for them. No key of a store holds it.
const BETWEEN: char = '\n';

/// A page of the uploads under the store's prefix.
pub(super) async fn page(store: &S3Store, after: Option<&str>) -> Result<Uploads, Fault> {
    let prefix = format!("{}sha256/", store.prefix);
    let (key, id) = after.and_then(|after| after.split_once(BETWEEN)).unzip();
    let request = store.client.list_multipart_uploads().bucket(&store.bucket).prefix(&prefix);
    let request = request.set_key_marker(key.map(str::to_owned)).set_upload_id_marker(id.map(str::to_owned));
    let answer = request.send().instrument(debug_span!("s3.ListMultipartUploads", prefix)).await;
    let page = answer.map_err(|error| fault(store.doing("listing the unfinished uploads"), error))?;
    let upload = |upload: aws_sdk_s3::types::MultipartUpload| {
        let (key, id) = (upload.key?, upload.upload_id?);
        // Some servers list what lies beside the prefix too.
        let name = key.strip_prefix(&store.prefix).filter(|name| name.starts_with("sha256/"))?.to_owned();
        Some(Upload { name, id: format!("{key}{BETWEEN}{id}"), since: stat(None, upload.initiated).modified })
    };
    let next = page.next_key_marker.zip(page.next_upload_id_marker);
    Ok(Uploads {
        uploads: page.uploads.unwrap_or_default().into_iter().filter_map(upload).collect(),
        next: next.filter(|_| page.is_truncated == Some(true)).map(|(key, id)| format!("{key}{BETWEEN}{id}")),
    })
}

/// Aborts one of them.
pub(super) async fn abort(store: &S3Store, upload: &Upload) -> Result<(), Fault> {
    let doing = || store.doing(format_args!("aborting an upload of {}", upload.name));
    let Some((key, id)) = upload.id.split_once(BETWEEN) else {
        return Err(Fault::new(FaultKind::Unexpected, doing(), "it is no upload of this store"));
    };
    let request = store.client.abort_multipart_upload().bucket(&store.bucket).key(key).upload_id(id);
    match request.send().instrument(debug_span!("s3.AbortMultipartUpload", key)).await {
        Ok(_) => Ok(()),
        Err(error) if code(&error) == "NoSuchUpload" => Ok(()),
        Err(error) => Err(fault(doing(), error)),
    }
}
