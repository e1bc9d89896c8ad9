//! Blobs that fit into one request.

use super::{
    AzureStore,
    compare::{CHECKSUM, Found, ROUNDS, explained, look, unreadable},
    requests::encoded,
};
use crate::{
    fault::{Fault, FaultKind},
    store::{Content, Put, PutError, body, sending::ProgressSender},
};
use aws_smithy_types::body::SdkBody;

/// Puts a blob with one `Put Blob`, unless it exists; checks first if it is expected to exist.
pub(super) async fn put(
    store: &AzureStore,
    path: &str,
    content: &Content,
    expected: bool,
    progress: ProgressSender,
) -> Result<Put, PutError> {
    let doing = || store.doing(format_args!("storing {path}"));
    let count = body::Count::new(progress.clone());
    let mut found = if expected { look(store, path, content, &progress).await? } else { Found::Nothing };
    for _ in 0..ROUNDS {
        let Some((name, value)) = found.condition() else { return Ok(Put::Present) };
        let sent = if content.size() == 0 {
            // A body of unknown length would be sent in chunks, which Azure refuses.
            SdkBody::empty()
        } else {
            let sent = body::body(content, 0, &body::Buffers::default(), count.clone());
            sent.map_err(|error| unreadable(content, error))?.into_inner()
        };
        let request = store.service.request("PutBlob", "PUT", path, "").header("x-ms-blob-type", "BlockBlob");
        let request = request.header(name, value).header(CHECKSUM, encoded(content.crc()));
        match request.body(sent, content.size(), content.crc()).ok(doing).await {
            Ok(Ok(_)) => {
                return Ok(if matches!(found, Found::Nothing) { Put::Stored } else { Put::Replaced });
            }
            Ok(Err(refusal)) if refusal.is_unmet() || refusal.is_missing() => {}
            Ok(Err(refusal)) if refusal.is_of_bytes() => {
                return Err(explained(content, 0, refusal.fault(doing)).await);
            }
            Ok(Err(refusal)) => return Err(refusal.fault(doing).into()),
            Err(fault) if fault.kind == FaultKind::Unavailable => {
                return Err(explained(content, 0, fault).await);
            }
            Err(fault) => return Err(fault.into()),
        }
        found = look(store, path, content, &progress).await?;
    }
    if matches!(found, Found::Content) {
        return Ok(Put::Present);
    }
    Err(Fault::new(FaultKind::Contended, doing(), "it was replaced or removed repeatedly").into())
}
