//! Compares the blob under a path with a content, and a file with its checksums.

use super::{AzureStore, read::head, requests::encoded};
use crate::{
    blocking::threaded,
    fault::{Fault, FaultKind},
    model::Sha256,
    store::{
        Content, PutError, Sent, body,
        received::exactly,
        sending::{ProgressSender, replaced_while_read},
    },
};
use futures_util::StreamExt;
use std::io;
use tracing::debug;

/// The header with the checksum of the whole blob, which was compared block by block.
pub(super) const CHECKSUM: &str = "x-ms-meta-crc64nvme";

/// The number of times that a put compares again after it lost a race, before it returns a fault.
pub(super) const ROUNDS: usize = 3;

/// The blob under a path, compared with a content.
pub(super) enum Found {
    Nothing,
    /// A blob with the content's size and checksum.
    Content,
    /// Another blob.
    Other {
        etag: String,
    },
}

impl Found {
    /// Returns the headers under which the blob may be written: only if it is still so. `None` if it need not be.
    pub fn condition(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Nothing => Some(("if-none-match", "*")),
            Self::Other { etag } => Some(("if-match", etag)),
            Self::Content => None,
        }
    }
}

/// Compares the blob under a path with a content. A blob that has the content's size but not its checksum, such as a
/// copy by another program, is read and hashed.
pub(super) async fn look(
    store: &AzureStore,
    path: &str,
    content: &Content,
    progress: &ProgressSender,
) -> Result<Found, Fault> {
    let doing = || store.doing(format_args!("comparing {path}"));
    let Some(answer) = head(store, path, doing).await? else { return Ok(Found::Nothing) };
    let incomplete = || Fault::new(FaultKind::Unexpected, doing(), "a blob without a size or an etag");
    let (stat, etag) = answer.stat().zip(answer.etag()).ok_or_else(incomplete)?;
    if stat.size != content.size() {
        return Ok(Found::Other { etag });
    }
    if answer.header(CHECKSUM) == Some(&encoded(content.crc())) {
        return Ok(Found::Content);
    }
    debug!(path, "a blob has not the expected checksum, and is read");
    let mut sha256 = Sha256::new();
    let request = store.service.request("GetBlob", "GET", path, "").header("if-match", &etag);
    let answer = match request.ok(doing).await? {
        Ok(answer) => answer,
        Err(refusal) if refusal.is_missing() => return Ok(Found::Nothing),
        Err(refusal) if refusal.status == 412 => return Err(replaced_while_read(doing())),
        Err(refusal) => return Err(refusal.fault(doing)),
    };
    let mut stream = exactly(answer.stream(), stat.size, doing());
    while let Some(bytes) = stream.next().await.transpose()? {
        sha256.update(&bytes);
        // The caller may have gone.
        let _ = progress.send(Sent::Compared(bytes.len() as u64));
    }
    let same = sha256.finish() == *content.sha256();
    Ok(if same { Found::Content } else { Found::Other { etag } })
}

/// Returns the error of a failed attempt to send a part: `Changed` if the file no longer matches its checksums.
pub(super) async fn explained(content: &Content, part: usize, fault: Fault) -> PutError {
    let checked = content.clone();
    match threaded(move || body::part_is_unchanged(&checked, part)).await {
        Ok(true) => fault.into(),
        Ok(false) => PutError::Changed(content.path().to_owned()),
        Err(error) => unreadable(content, error),
    }
}

/// Returns the error of a file that can't be read.
pub(super) fn unreadable(content: &Content, error: io::Error) -> PutError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => {
            PutError::Changed(content.path().to_owned())
        }
        _ => Fault::new(FaultKind::Disk, format!("reading {}", content.path().display()), error).into(),
    }
}
