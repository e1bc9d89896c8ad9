//! Reading blobs.

use super::{AzureStore, answers::Answer};
use crate::{
    fault::{Fault, FaultKind},
    model::Address,
    store::{Body, Stat, received::ranged, sending::replaced_while_read},
};
use futures_util::{StreamExt, stream};
use std::ops::Range;

/// Returns the properties of a blob; `None` if there is no such blob.
pub(super) async fn head(
    store: &AzureStore,
    path: &str,
    doing: impl Fn() -> String,
) -> Result<Option<Answer>, Fault> {
    match store.service.request("GetBlobProperties", "HEAD", path, "").ok(&doing).await? {
        Ok(answer) => Ok(Some(answer)),
        Err(refusal) if refusal.is_missing() => Ok(None),
        Err(refusal) => Err(refusal.fault(doing)),
    }
}

pub(super) async fn stat(store: &AzureStore, at: &Address) -> Result<Option<Stat>, Fault> {
    let doing = || store.doing(format_args!("checking for the blob {at}"));
    let Some(answer) = head(store, &store.blob(at), doing).await? else { return Ok(None) };
    answer.stat().map(Some).ok_or_else(|| incomplete(doing()))
}

fn incomplete(doing: String) -> Fault {
    Fault::new(FaultKind::Unexpected, doing, "an answer without a size or an etag")
}

pub(super) async fn get(
    store: &AzureStore,
    at: &Address,
    range: Range<u64>,
    expected: Option<&str>,
) -> Result<Option<Body>, Fault> {
    let doing = || store.doing(format_args!("reading the blob {at}"));
    if range.is_empty() {
        let Some(answer) = head(store, &store.blob(at), doing).await? else { return Ok(None) };
        let (stat, etag) = answer.stat().zip(answer.etag()).ok_or_else(|| incomplete(doing()))?;
        if expected.is_some_and(|expected| expected != etag) {
            return Err(replaced_while_read(doing()));
        }
        return Ok(Some(Body { etag, size: stat.size, stream: stream::empty().boxed() }));
    }
    let request = store.service.request("GetBlob", "GET", &store.blob(at), "").maybe("if-match", expected);
    let answer =
        match request.header("range", format!("bytes={}-{}", range.start, range.end - 1)).ok(doing).await? {
            Ok(answer) => answer,
            Err(refusal) if refusal.is_missing() => return Ok(None),
            Err(refusal) if refusal.status == 412 => return Err(replaced_while_read(doing())),
            Err(refusal) if refusal.status == 416 => {
                return Err(Fault::new(FaultKind::Corrupt, doing(), refusal));
            }
            Err(refusal) => return Err(refusal.fault(doing)),
        };
    let (content_range, etag) = (answer.header("content-range").map(str::to_owned), answer.etag());
    ranged(&range, content_range.as_deref(), etag, answer.stream(), doing()).map(Some)
}
