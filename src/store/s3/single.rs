//! Blobs that fit into one request.

use super::{
    body,
    client::S3Store,
    compare::{Found, look},
    encoding::{encoded_sha256, unreadable},
    faults::{code, must_be_stored, status},
    payload::Payload,
};
use crate::{
    fault::{Fault, FaultKind},
    store::{Content, Put, PutError, sending::ProgressSender},
};
use tracing::{Instrument, debug_span};

/// The number of times that a put compares again after it lost a race, before it returns a fault. Each round means
/// that another client replaced or removed the object since the last.
pub(super) const ROUNDS: usize = 3;

/// Puts a blob with one `PutObject`, unless it exists; checks first if it is expected to exist. S3 itself compares
/// the bytes with their address, since the request's sha256 is the address.
pub(super) async fn put(
    store: &S3Store,
    key: &str,
    content: &Content,
    expected: bool,
    progress: ProgressSender,
) -> Result<Put, PutError> {
    let doing = || store.doing(format_args!("storing {key}"));
    let payload = Payload::whole(content, store.unsigned().await);
    let count = body::Count::new(progress.clone());
    let mut replaced = None;
    if expected {
        replaced = match look(store, key, content, &progress).await? {
            Found::Content => return Ok(Put::Present),
            Found::Nothing => None,
            Found::Other { etag } => Some(etag),
        };
    }
    for _ in 0..ROUNDS {
        let body = match body::body(content, 0, &body::Buffers::default(), count.clone()) {
            Ok(body) => body,
            Err(error) => {
                store.unchanged(content, Some(0), true).await?;
                return Err(unreadable(content, error).into());
            }
        };
        let request = store.client.put_object().bucket(&store.bucket).key(key).body(body);
        let request = request.checksum_sha256(encoded_sha256(content));
        let request = match &replaced {
            None => request.if_none_match("*"),
            Some(etag) => request.if_match(etag),
        };
        let request = request.customize().interceptor(payload.clone());
        match request.send().instrument(debug_span!("s3.PutObject", key)).await {
            Ok(answer) => {
                must_be_stored(&answer, doing)?;
                return Ok(if replaced.is_none() { Put::Stored } else { Put::Replaced });
            }
            // The condition failed. With `If-Match` on an object that no longer exists the answer is 404.
            Err(error) if status(&error) == Some(412) || code(&error) == "NoSuchKey" => {}
            Err(error) => return Err(store.explain_failed_put(content, Some(0), doing(), error).await),
        }
        replaced = match look(store, key, content, &progress).await? {
            Found::Content => return Ok(Put::Present),
            Found::Nothing => None,
            Found::Other { etag } => Some(etag),
        };
    }
    Err(Fault::new(FaultKind::Contended, doing(), "it was replaced or removed repeatedly").into())
}
