//! The permissions that the credentials have on the bucket, tried by requests that change nothing.

use super::{client::S3Store, faults::status};
use crate::{
    aws::{fault, is_expired},
    fault::{Fault, FaultKind},
    model::{Grant, GrantState, Trial},
};
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_types::byte_stream::ByteStream;
use std::error::Error;
use tracing::{Instrument, debug_span};

/// The name of an object that no store has: no content that is known has this hash.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Tries what each role needs on this store.
pub(super) async fn grants(store: &S3Store, trial: Trial) -> Result<Vec<Grant>, Fault> {
    let (client, bucket) = (&store.client, store.bucket.as_str());
    let (owner, blob) = (format!("{}OWNER", store.prefix), format!("{}sha256/{NOTHING}", store.prefix));
    let blobs = format!("{}sha256/*", store.prefix);
    let answer = client.list_objects_v2().bucket(bucket).prefix(&store.prefix).max_keys(1).send();
    let list = judged(store, answer.instrument(debug_span!("s3.ListObjectsV2")).await, &[])?;
    let answer = client.get_object().bucket(bucket).key(&owner).send();
    let read_owner =
        judged(store, answer.instrument(debug_span!("s3.GetObject", key = owner)).await, &[404])?;
    let answer = client.head_object().bucket(bucket).key(&blob).send();
    let read = judged(store, answer.instrument(debug_span!("s3.HeadObject", key = blob)).await, &[404])?;
    // Who may not list learns nothing about objects that do not exist.
    let read = match (read, &list) {
        (GrantState::Denied(_), GrantState::Denied(_)) => GrantState::NotKnown(
            "without s3:ListBucket, S3 refuses to say that there is no such object".to_owned(),
        ),
        (read, _) => read,
    };
    let answer = client.list_multipart_uploads().bucket(bucket).prefix(&store.prefix).max_uploads(1).send();
    let uploads = judged(store, answer.instrument(debug_span!("s3.ListMultipartUploads")).await, &[])?;
    let [put, abort, delete] = match trial {
        Trial::Reads => [const { GrantState::NotTried }; 3],
        Trial::Writes => writes(store, &blob).await?,
    };
    let grant = |action, resource: &str, state| Grant { action, resource: resource.to_owned(), state };
    Ok(vec![
        grant("s3:ListBucket", bucket, list),
        grant("s3:GetObject", &owner, read_owner),
        grant("s3:GetObject", &blobs, read),
        grant("s3:ListBucketMultipartUploads", bucket, uploads),
        grant("s3:PutObject", &blobs, put),
        grant("s3:AbortMultipartUpload", &blobs, abort),
        grant("s3:DeleteObject", &blobs, delete),
    ])
}

/// Tries to replace and to delete an object that does not exist, and to abort an upload that does not exist. On a server
/// that ignores the conditions, the first would make an empty object: the last removes it, and so does a collection, since
/// no version has this hash.
async fn writes(store: &S3Store, blob: &str) -> Result<[GrantState; 3], Fault> {
    let (client, bucket) = (&store.client, store.bucket.as_str());
    let request =
        client.put_object().bucket(bucket).key(blob).if_match("\"0\"").body(ByteStream::from_static(b""));
    let answer = request.send().instrument(debug_span!("s3.PutObject", key = blob)).await;
    let put = judged(store, answer, &[404, 412])?;
    let request = client.abort_multipart_upload().bucket(bucket).key(blob).upload_id(NOTHING);
    let answer = request.send().instrument(debug_span!("s3.AbortMultipartUpload", key = blob)).await;
    let abort = judged(store, answer, &[404])?;
    // With `*`, S3 wants no permission but this one, and answers 404 or 412.
    let request = client.delete_object().bucket(bucket).key(blob).if_match("*");
    let answer = request.send().instrument(debug_span!("s3.DeleteObject", key = blob)).await;
    Ok([put, abort, judged(store, answer, &[404, 412])?])
}

/// Returns the meaning of an answer: a success, or an error with one of these statuses, means that the request was
/// allowed.
fn judged<T, E>(
    store: &S3Store,
    answer: Result<T, SdkError<E, HttpResponse>>,
    allowed: &[u16],
) -> Result<GrantState, Fault>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let Err(error) = answer else { return Ok(GrantState::Granted) };
    let expired = error.raw_response().is_some_and(is_expired);
    if !expired && status(&error).is_some_and(|status| allowed.contains(&status)) {
        return Ok(GrantState::Granted);
    }
    let fault = fault(store.doing("trying the permissions"), error);
    match fault.kind {
        FaultKind::Denied => Ok(GrantState::Denied(fault.source.to_string())),
        kind if kind.is_transient() => Err(fault),
        _ => Ok(GrantState::NotKnown(format!("{fault}: {}", fault.source))),
    }
}
