//! The parts of an upload: several in transfer at once, each retried on its own.

use super::{
    super::{
        body,
        encoding::{encoded_crc, unreadable},
        faults::code,
        journal::Upload,
        payload::Payload,
    },
    Transfer, UploadFailure,
};
use crate::{
    fault::{Fault, FaultKind},
    retry::{self, Concurrency, RetryHint, Retryable},
    store::{PutError, Sent},
};
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedPart, Part};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::{collections::BTreeMap, fmt};
use tracing::{Instrument, debug_span};

/// A part that has to be sent.
struct Piece {
    index: usize,
    number: i32,
    crc: String,
    size: u64,
}

impl Retryable for UploadFailure {
    fn retry_hint(&self) -> RetryHint {
        match self {
            Self::Failed(error) => error.retry_hint(),
            Self::Gone | Self::Invalidated(_) => RetryHint::Never,
        }
    }
}

impl fmt::Display for UploadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("there is no such upload"),
            Self::Invalidated(error) | Self::Failed(error) => error.fmt(f),
        }
    }
}

impl Transfer<'_> {
    /// Sends the parts that are missing or have another size or checksum. A part that fails transiently is retried on
    /// its own while the others continue; any other failure ends all of them.
    pub(super) async fn send_parts(
        &self,
        upload: &Upload,
        mut there: BTreeMap<i32, Part>,
    ) -> Result<Vec<CompletedPart>, UploadFailure> {
        let mut before = 0;
        let parts = self.content.part_crcs().iter().enumerate().map(|(index, crc)| {
            let number = i32::try_from(index + 1).unwrap_or(i32::MAX);
            let range = body::part_range(self.content, index);
            let piece = Piece { index, number, crc: encoded_crc(*crc), size: range.end - range.start };
            let same = there.remove(&number).filter(|part| {
                part.checksum_crc64_nvme.as_ref() == Some(&piece.crc)
                    && part.size.and_then(|size| u64::try_from(size).ok()) == Some(piece.size)
            });
            let etag = same.and_then(|part| part.e_tag);
            before += etag.as_ref().map_or(0, |_| piece.size);
            (piece, etag)
        });
        let parts: Vec<_> = parts.collect();
        if before > 0 {
            let _ = self.progress.send(Sent::Before(before));
        }
        let concurrency = Concurrency::new(self.store.jobs);
        let mut parts: Vec<_> = stream::iter(parts)
            .map(|(piece, there)| {
                let concurrency = &concurrency;
                async move {
                    let etag = match there {
                        Some(etag) => etag,
                        None => self.send_part(upload, &piece, concurrency).await?,
                    };
                    Ok::<_, UploadFailure>((piece.number, etag, piece.crc))
                }
            })
            .buffer_unordered(concurrency.most())
            .try_collect()
            .await?;
        parts.sort_unstable();
        let part = |(number, etag, crc)| {
            CompletedPart::builder().part_number(number).e_tag(etag).checksum_crc64_nvme(crc).build()
        };
        Ok(parts.into_iter().map(part).collect())
    }

    /// Sends a part, with retries, and reports it once the store has it. Returns the part's etag.
    async fn send_part(
        &self,
        upload: &Upload,
        piece: &Piece,
        concurrency: &Concurrency,
    ) -> Result<String, UploadFailure> {
        let doing = format!("part {} of {}", piece.number, self.doing());
        let count = body::Count::new(self.progress.clone());
        let attempt =
            || concurrency.run(body::BUFFERED, |flow| self.try_part(upload, piece, count.clone().over(flow)));
        let etag = retry::part(&doing, attempt).await?;
        let _ = self.progress.send(Sent::Kept(piece.size));
        Ok(etag)
    }

    async fn try_part(
        &self,
        upload: &Upload,
        piece: &Piece,
        count: body::Count,
    ) -> Result<String, UploadFailure> {
        let (store, index) = (self.store, piece.index);
        let unsigned = store.unsigned().await;
        let read = Payload::part(self.content, index, unsigned).await.and_then(|payload| {
            let body = body::body(self.content, index, &self.buffers, count)?;
            Ok((payload, body))
        });
        let (payload, body) = match read {
            Ok(read) => read,
            Err(error) => {
                store.unchanged(self.content, Some(index), true).await.map_err(invalidated_if_changed)?;
                return Err(unreadable(self.content, error).into());
            }
        };
        let request = store.client.upload_part().bucket(&store.bucket).key(self.key).upload_id(&upload.id);
        // The request must name the same algorithm as the upload.
        let request = request
            .part_number(piece.number)
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
            .checksum_crc64_nvme(&piece.crc)
            .body(body)
            .customize()
            .interceptor(payload);
        let span = debug_span!("s3.UploadPart", key = self.key, number = piece.number);
        match request.send().instrument(span).await {
            Ok(part) => part.e_tag.ok_or_else(|| {
                Fault::new(FaultKind::Unexpected, self.doing(), "a part without an etag").into()
            }),
            Err(error) if code(&error) == "NoSuchUpload" => Err(UploadFailure::Gone),
            Err(error) => Err(invalidated_if_changed(
                store.explain_failed_put(self.content, Some(index), self.doing(), error).await,
            )),
        }
    }
}

/// Invalidates the upload if the file has changed: parts of a changed file are of no use.
fn invalidated_if_changed(error: PutError) -> UploadFailure {
    match error {
        PutError::Changed(_) => UploadFailure::Invalidated(error),
        PutError::Fault(_) => UploadFailure::Failed(error),
    }
}
