//! The owner of a store: the blob `OWNER`, which is only written under a condition.

use super::AzureStore;
use crate::{
    fault::{Fault, FaultKind},
    store::{OWNER_MOST, sending::without_owner},
};
use aws_smithy_types::body::SdkBody;
use crc_fast::CrcAlgorithm::Crc64Nvme;

/// Returns the owner and the blob's etag, if the blob exists.
pub(super) async fn read(store: &AzureStore) -> Result<Option<(String, String)>, Fault> {
    let doing = || store.doing("reading the owner");
    let answer = match store.service.request("GetBlob", "GET", &store.path("OWNER"), "").ok(doing).await? {
        Ok(answer) => answer,
        Err(refusal) if refusal.is_missing() => return Ok(None),
        Err(refusal) => return Err(refusal.fault(doing)),
    };
    let etag = answer.etag().unwrap_or_default();
    let bytes = answer.bytes(doing).await?;
    let most = usize::try_from(OWNER_MOST).unwrap_or(usize::MAX);
    let owner = String::from_utf8_lossy(&bytes[..bytes.len().min(most)]).trim_end().to_owned();
    Ok(Some((owner, etag)))
}

/// Makes `ledger` the owner if there is none.
pub(super) async fn claim(store: &AzureStore, ledger: &str) -> Result<String, Fault> {
    match read(store).await? {
        Some((owner, _)) => Ok(owner),
        None => write(store, ledger, ("if-none-match", "*")).await,
    }
}

/// Makes `to` the owner if `from` is the owner.
pub(super) async fn replace(store: &AzureStore, from: &str, to: &str) -> Result<String, Fault> {
    match read(store).await? {
        None => Err(without_owner(&store.place)),
        Some((owner, etag)) if owner == from => write(store, to, ("if-match", &etag)).await,
        Some((owner, _)) => Ok(owner),
    }
}

/// Writes the owner under a condition, and returns the present one. No former owner becomes the owner again, so the
/// etag identifies the owner that was read.
async fn write(
    store: &AzureStore,
    owner: &str,
    (name, value): (&'static str, &str),
) -> Result<String, Fault> {
    let doing = || store.doing("writing the owner");
    let crc = crc_fast::checksum(Crc64Nvme, owner.as_bytes());
    let request = store.service.request("PutBlob", "PUT", &store.path("OWNER"), "").header(name, value);
    let request = request.header("x-ms-blob-type", "BlockBlob");
    match request.body(SdkBody::from(owner), owner.len() as u64, crc).ok(doing).await? {
        Ok(_) => Ok(owner.to_owned()),
        // Perhaps because an earlier copy of this same request succeeded.
        Err(refusal) if refusal.is_unmet() || refusal.is_missing() => {
            let now = read(store).await?;
            now.map(|(owner, _)| owner).ok_or_else(|| Fault::new(FaultKind::Contended, doing(), refusal))
        }
        Err(refusal) => Err(refusal.fault(doing)),
    }
}
