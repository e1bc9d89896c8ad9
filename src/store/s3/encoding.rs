//! Checksums in S3's encoding, and metadata from S3's answers.

use crate::{
    fault::{Fault, FaultKind},
    model::Timestamp,
    store::{Content, Stat},
};
use aws_smithy_types::{DateTime, base64};
use std::io;

/// Returns a sha256 in S3's encoding: base64.
pub(super) fn encoded_sha256(content: &Content) -> String {
    base64::encode(content.sha256().to_bytes())
}

/// Returns a CRC-64/NVME in S3's encoding: base64 of its bytes, the highest first.
pub(super) fn encoded_crc(crc: u64) -> String {
    base64::encode(crc.to_be_bytes())
}

pub(super) fn unreadable(content: &Content, error: io::Error) -> Fault {
    Fault::new(FaultKind::Disk, format!("reading {}", content.path().display()), error)
}

pub(super) fn stat(size: Option<i64>, modified: Option<DateTime>) -> Stat {
    let millis = modified.and_then(|at| at.to_millis().ok()).and_then(|millis| u64::try_from(millis).ok());
    Stat {
        size: size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
        modified: Timestamp::from_millis(millis.unwrap_or_default()),
    }
}
