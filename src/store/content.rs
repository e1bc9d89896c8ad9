//! What is to be stored: a file, and the checksums of the one pass that hashed it.

use super::Progress;
use crate::model::Digest;
use crc_fast::CrcAlgorithm::Crc64Nvme;
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Blobs up to this size are sent in one request, larger ones in parts of at least this size: 16 MiB.
pub const PART_SIZE: u64 = 16 << 20;

/// [S3's limit](https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html) on the parts of an upload.
const MAX_PARTS: u64 = 10_000;

/// The size in bytes of every part but the last of a blob of `size` bytes: [`PART_SIZE`], or a multiple of 1 MiB
/// that keeps the parts within S3's 10,000.
#[must_use]
pub fn part_size(size: u64) -> u64 {
    const MIB: u64 = 1 << 20;
    PART_SIZE.max(size.div_ceil(MAX_PARTS).div_ceil(MIB) * MIB)
}

/// A file that was hashed: its size, its sha256, and a CRC-64/NVME of each part and of the whole.
///
/// The file stays where it is and is read again when it is sent; the checksums make sure that it is the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    path: PathBuf,
    size: u64,
    sha256: Digest,
    part_crcs: Vec<u64>,
}

impl Content {
    /// Reads the file once and hashes it. Blocks; uses one buffer of 1 MiB whatever the size.
    ///
    /// # Errors
    /// What the file system answers, and `InvalidData` if the file shrinks or grows meanwhile.
    pub fn hash(path: &Path, read: Progress<'_>) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let part_size = part_size(size);
        let mut sha256 = Sha256::new();
        let mut part_crcs = Vec::new();
        let mut buffer = vec![0; 1 << 20];
        let mut left = size;
        while left > 0 {
            let mut crc = crc_fast::Digest::new(Crc64Nvme);
            let mut in_part = left.min(part_size);
            left -= in_part;
            while in_part > 0 {
                let want = in_part.min(buffer.len() as u64);
                let buffer = &mut buffer[..usize::try_from(want).unwrap_or(usize::MAX)];
                let n = file.read(buffer)?;
                if n == 0 {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "the file shrank while it was read",
                    ));
                }
                sha256.update(&buffer[..n]);
                crc.update(&buffer[..n]);
                in_part -= n as u64;
                read(n as u64);
            }
            part_crcs.push(crc.finalize());
        }
        if file.read(&mut buffer)? != 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file grew while it was read"));
        }
        Ok(Self {
            path: path.to_owned(),
            size,
            sha256: Digest::from(<[u8; 32]>::from(sha256.finalize())),
            part_crcs,
        })
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its sha256.
    #[must_use]
    pub fn sha256(&self) -> &Digest {
        &self.sha256
    }

    /// The CRC-64/NVME of each part, the parts being [`part_size`] bytes long but for the last. Empty for an empty
    /// file.
    #[must_use]
    pub fn part_crcs(&self) -> &[u64] {
        &self.part_crcs
    }

    /// The CRC-64/NVME of the whole, combined from those of its parts.
    #[must_use]
    pub fn crc(&self) -> u64 {
        let part_size = part_size(self.size);
        let mut whole = crc_fast::Digest::new(Crc64Nvme).finalize();
        let mut left = self.size;
        for crc in &self.part_crcs {
            let length = left.min(part_size);
            whole = crc_fast::checksum_combine(Crc64Nvme, whole, *crc, length);
            left -= length;
        }
        whole
    }
}
