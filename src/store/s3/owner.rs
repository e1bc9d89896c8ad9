//! The owner of a store: the object `OWNER`, which is only written under a condition.

use super::{
    client::S3Store,
    faults::{code, must_be_stored, status},
};
use crate::{
    aws::fault,
    fault::{Fault, FaultKind},
    store::OWNER_MOST,
};
use aws_smithy_types::byte_stream::ByteStream;
use tokio::io::AsyncReadExt;
use tracing::{Instrument, debug_span};

fn key(store: &S3Store) -> String {
    format!("{}OWNER", store.prefix)
}

/// Returns the owner and the object's etag, if the object exists.
pub(super) async fn read(store: &S3Store) -> Result<Option<(String, String)>, Fault> {
    let doing = || store.doing("reading the owner");
    let key = key(store);
    let answer = store.client.get_object().bucket(&store.bucket).key(&key).send();
    let answer = match answer.instrument(debug_span!("s3.GetObject", key)).await {
        Ok(answer) => answer,
        Err(error) if code(&error) == "NoSuchKey" => return Ok(None),
        Err(error) => return Err(fault(doing(), error)),
    };
    let etag = answer.e_tag.unwrap_or_default();
    let mut owner = Vec::new();
    let mut body = answer.body.into_async_read().take(OWNER_MOST);
    let read = body.read_to_end(&mut owner).await;
    read.map_err(|error| Fault::new(FaultKind::Unavailable, doing(), error))?;
    Ok(Some((String::from_utf8_lossy(&owner).trim_end().to_owned(), etag)))
}

/// Writes the owner if there is none, or if the object still has that etag. Returns the present owner.
///
/// Different owners have different etags, and no former owner becomes the owner again, so the etag identifies the
/// owner that was read.
pub(super) async fn write(store: &S3Store, owner: &str, etag: Option<String>) -> Result<String, Fault> {
    let doing = || store.doing("writing the owner");
    let key = key(store);
    let request = store.client.put_object().bucket(&store.bucket).key(&key);
    let request = match etag {
        None => request.if_none_match("*"),
        Some(etag) => request.if_match(etag),
    };
    let answer = request.body(ByteStream::from(owner.as_bytes().to_vec())).send();
    match answer.instrument(debug_span!("s3.PutObject", key)).await {
        Ok(answer) => {
            must_be_stored(&answer, doing)?;
            Ok(owner.to_owned())
        }
        // The condition failed, perhaps because an earlier copy of this same request succeeded.
        Err(error) if status(&error) == Some(412) || code(&error) == "NoSuchKey" => {
            let now = read(store).await?;
            now.map(|(owner, _)| owner).ok_or_else(|| Fault::new(FaultKind::Contended, doing(), error))
        }
        Err(error) => Err(fault(doing(), error)),
    }
}
