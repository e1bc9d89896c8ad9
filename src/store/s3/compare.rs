//! Compares the object under a key with a content.

use super::{
    client::S3Store,
    encoding::{encoded_crc, encoded_sha256},
    faults::{code, status},
};
use crate::{
    aws::fault,
    fault::{Fault, FaultKind},
    model::{Digest, Sha256},
    store::{
        Content, Sent,
        sending::{ProgressSender, replaced_while_read},
    },
};
use aws_sdk_s3::{
    config::ResponseChecksumValidation, operation::head_object::HeadObjectOutput, types::ChecksumType,
};
use tracing::{Instrument, debug, debug_span};

/// The object under a key, compared with a content.
pub(super) enum Found {
    Nothing,
    /// An object with the content's size and checksum.
    Content,
    /// Another object.
    Other {
        etag: String,
    },
}

/// Compares the object under a key with a content. An object that has the content's size but no comparable checksum,
/// such as a copy by another program, is read and hashed, in bounded memory: a missing checksum does not show that
/// the bytes differ.
pub(super) async fn look(
    store: &S3Store,
    key: &str,
    content: &Content,
    progress: &ProgressSender,
) -> Result<Found, Fault> {
    let doing = || store.doing(format_args!("comparing {key}"));
    let Some(head) = store.head(key, None).await.map_err(|error| fault(doing(), error))? else {
        return Ok(Found::Nothing);
    };
    let verdict = verdict(&head, content);
    let Some(etag) = head.e_tag else {
        return match verdict {
            Some(true) => Ok(Found::Content),
            _ => Err(Fault::new(FaultKind::Unexpected, doing(), "an object without an etag")),
        };
    };
    let same = match verdict {
        Some(same) => same,
        None => match read(store, key, &etag, progress).await? {
            Some(sha256) => sha256 == *content.sha256(),
            None => return Ok(Found::Nothing),
        },
    };
    Ok(if same { Found::Content } else { Found::Other { etag } })
}

/// Compares an object's size and checksum with a content's; `None` if the object has no comparable checksum. A
/// checksum of its parts' checksums is not comparable.
fn verdict(head: &HeadObjectOutput, content: &Content) -> Option<bool> {
    if head.content_length.and_then(|size| u64::try_from(size).ok()) != Some(content.size()) {
        return Some(false);
    }
    if head.checksum_type == Some(ChecksumType::Composite) {
        return None;
    }
    match (&head.checksum_sha256, &head.checksum_crc64_nvme) {
        (Some(sha256), _) => Some(*sha256 == encoded_sha256(content)),
        (None, Some(crc)) => Some(*crc == encoded_crc(content.crc())),
        (None, None) => None,
    }
}

/// Returns the sha256 of an object's bytes; `None` if the object no longer exists.
async fn read(
    store: &S3Store,
    key: &str,
    etag: &str,
    progress: &ProgressSender,
) -> Result<Option<Digest>, Fault> {
    let doing = || store.doing(format_args!("reading {key}, which has no checksum to compare"));
    debug!(key, "an object has no comparable checksum, and is read");
    let request = store.client.get_object().bucket(&store.bucket).key(key).if_match(etag).customize();
    let request = request.config_override(
        aws_sdk_s3::Config::builder().response_checksum_validation(ResponseChecksumValidation::WhenRequired),
    );
    let mut body = match request.send().instrument(debug_span!("s3.GetObject", key)).await {
        Ok(answer) => answer.body,
        Err(error) if code(&error) == "NoSuchKey" => return Ok(None),
        Err(error) if status(&error) == Some(412) => return Err(replaced_while_read(doing())),
        Err(error) => return Err(fault(doing(), error)),
    };
    let mut sha256 = Sha256::new();
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(|error| Fault::new(FaultKind::Unavailable, doing(), error))?;
        sha256.update(&bytes);
        // The caller may have gone.
        let _ = progress.send(Sent::Compared(bytes.len() as u64));
    }
    Ok(Some(sha256.finish()))
}
