//! The container: creating it, listing it, deleting from it.

use super::{AzureStore, answers::time};
use crate::{
    fault::{Fault, FaultKind},
    model::{Address, Created},
    store::{Listing, Stat},
};
use serde::Deserialize;

/// Creates the container if there is none. It allows no anonymous access.
pub(super) async fn create(store: &AzureStore) -> Result<Created, Fault> {
    let doing = || store.doing("creating the container");
    // Credentials that may not create containers can use an existing one.
    let query = "restype=container";
    let there = store.service.request("GetContainerProperties", "HEAD", &store.container, query);
    match there.ok(doing).await? {
        Ok(_) => return Ok(Created::Present),
        Err(refusal) if refusal.status == 404 => {}
        Err(refusal) => return Err(refusal.fault(doing)),
    }
    match store.service.request("CreateContainer", "PUT", &store.container, query).ok(doing).await? {
        Ok(_) => Ok(Created::Made),
        Err(refusal) if refusal.code == "ContainerAlreadyExists" => Ok(Created::Present),
        Err(refusal) => Err(refusal.fault(doing)),
    }
}

pub(super) async fn delete(store: &AzureStore, at: &Address) -> Result<(), Fault> {
    let doing = || store.doing(format_args!("deleting the blob {at}"));
    let request = store.service.request("DeleteBlob", "DELETE", &store.blob(at), "");
    match request.header("x-ms-delete-snapshots", "include").ok(doing).await? {
        Ok(_) => Ok(()),
        Err(refusal) if refusal.is_missing() => Ok(()),
        Err(refusal) => Err(refusal.fault(doing)),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    blobs: Blobs,
    next_marker: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Blobs {
    #[serde(default, rename = "Blob")]
    blobs: Vec<Blob>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Blob {
    name: String,
    properties: Properties,
}

#[derive(Debug, Deserialize)]
struct Properties {
    #[serde(rename = "Content-Length")]
    size: u64,
    #[serde(rename = "Last-Modified")]
    modified: String,
}

/// Returns a page of the blobs that begin with some digits. Azure lists in the order of names.
pub(super) async fn page(store: &AzureStore, digits: &str, after: Option<&str>) -> Result<Listing, Fault> {
    let doing = || store.doing("listing the blobs");
    let prefix = format!("{}sha256/{digits}", store.prefix);
    let escaped = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let marker = after.map(|after| format!("&marker={}", escaped(after))).unwrap_or_default();
    let prefix = escaped(&prefix);
    let query = format!("restype=container&comp=list&maxresults=1000&prefix={prefix}{marker}");
    let request = store.service.request("ListBlobs", "GET", &store.container, &query);
    let answer = request.ok(doing).await?.map_err(|refusal| refusal.fault(doing))?;
    let text = answer.bytes(doing).await?;
    let unexpected = |error: quick_xml::DeError| Fault::new(FaultKind::Unexpected, doing(), error);
    // A byte order mark may precede it.
    let text = String::from_utf8_lossy(&text);
    let page: Page = quick_xml::de::from_str(text.trim_start_matches('\u{feff}')).map_err(unexpected)?;
    let objects = page.blobs.blobs.into_iter().filter_map(|blob| {
        let at = blob.name.strip_prefix(&store.prefix)?.strip_prefix("sha256/")?.parse().ok()?;
        Some((at, Stat { size: blob.properties.size, modified: time(&blob.properties.modified)? }))
    });
    Ok(Listing { objects: objects.collect(), next: page.next_marker.filter(|next| !next.is_empty()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read() {
        let text = "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"https://a/\" \
                    ContainerName=\"c\"><Prefix>p</Prefix><Blobs><Blob><Name>p/x</Name><Properties><Last-Modified>Mon, 30 Nov \
                    2026 08:41:00 GMT</Last-Modified><Content-Length>7</Content-Length><Etag>0x1</Etag></Properties>\
                    <OrMetadata /></Blob></Blobs><NextMarker /></EnumerationResults>";
        let page: Page = quick_xml::de::from_str(text).unwrap();
        assert_eq!((page.blobs.blobs.len(), page.blobs.blobs[0].properties.size), (1, 7));
        let empty = "<EnumerationResults><Blobs /><NextMarker>m</NextMarker></EnumerationResults>";
        let page: Page = quick_xml::de::from_str(empty).unwrap();
        assert_eq!((page.blobs.blobs.len(), page.next_marker.as_deref()), (0, Some("m")));
    }
}
