//! A file to be stored, and the checksums of the single pass that hashed it.

use crate::{
    durable::read_some,
    model::{Digest, Sha256},
};
use crc_fast::CrcAlgorithm::Crc64Nvme;
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};

/// Receives each number of bytes as it is processed. An attempt that fails and is retried counts its bytes again, so
/// the sum may exceed the total.
pub type Progress<'a> = &'a (dyn Fn(u64) + Send + Sync);

/// Blobs up to this size are sent in one request, larger ones in parts: 16 MiB.
pub const PART_SIZE: u64 = 16 << 20;

/// The smallest size of a part: 8 MiB.
const LEAST_PART: u64 = 8 << 20;

/// The number of parts of a blob of a few hundred megabytes, so that many connections are in use.
const PARTS: u64 = 32;

/// [S3's limit](https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html) on the parts of an upload.
const MAX_PARTS: u64 = 10_000;

const MIB: u64 = 1 << 20;

/// Returns the size in bytes of every part but the last of a blob of `size` bytes. For more than [`PART_SIZE`] bytes
/// it is a 32nd of the size, at least 8 MiB and at most [`PART_SIZE`], or larger to keep within S3's 10,000 parts;
/// always a multiple of 1 MiB. A smaller blob is one part.
#[must_use]
pub fn part_size(size: u64) -> u64 {
    if size <= PART_SIZE {
        return PART_SIZE;
    }
    part_size_from((size.div_ceil(PARTS).div_ceil(MIB) * MIB).clamp(LEAST_PART, PART_SIZE), size)
}

/// Returns `least`, or the larger part size that keeps a blob of `size` bytes within S3's 10,000 parts.
#[must_use]
pub fn part_size_from(least: u64, size: u64) -> u64 {
    least.max(size.div_ceil(MAX_PARTS).div_ceil(MIB) * MIB)
}

/// A hashed file: its size, its sha256, and a CRC-64/NVME of each part and of the whole.
///
/// The file stays in place and is read again when it is sent; the checksums ensure that its bytes are still the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    path: PathBuf,
    size: u64,
    sha256: Digest,
    part_crcs: Vec<u64>,
}

/// The size up to which a file is hashed in less than a millisecond, which is less than a request takes: 1 MiB.
pub const HASHED_AT_ONCE: u64 = BUFFER as u64;

/// The size of a read, in bytes.
const BUFFER: usize = 1 << 20;

/// The number of buffers: one is filled, one is hashed, and one waits between the two.
const BUFFERS: usize = 3;

/// Reads a file of this size to its end. Passes each filled buffer and its length to `sha256`, which returns an empty
/// buffer. Returns the CRC of each part.
fn checksums(
    mut file: File,
    size: u64,
    read: Progress<'_>,
    mut buffer: Vec<u8>,
    mut sha256: impl FnMut(Vec<u8>, usize) -> io::Result<Vec<u8>>,
) -> io::Result<Vec<u64>> {
    let changed = |why| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    let part_size = part_size(size);
    let mut part_crcs = Vec::new();
    let mut left = size;
    while left > 0 {
        let mut crc = crc_fast::Digest::new(Crc64Nvme);
        let mut in_part = left.min(part_size);
        left -= in_part;
        while in_part > 0 {
            let want = usize::try_from(in_part).unwrap_or(usize::MAX).min(buffer.len());
            let n = read_some(&mut file, &mut buffer[..want])?;
            if n == 0 {
                return changed("the file shrank while it was read");
            }
            crc.update(&buffer[..n]);
            buffer = sha256(buffer, n)?;
            in_part -= n as u64;
            read(n as u64);
        }
        part_crcs.push(crc.finalize());
    }
    match read_some(&mut file, &mut buffer)? {
        0 => Ok(part_crcs),
        _ => changed("the file grew while it was read"),
    }
}

/// Reads a file as [`checksums`] does, while another thread computes the sha256, which takes most of the time.
fn hash_concurrently(file: File, size: u64, read: Progress<'_>) -> io::Result<(Sha256, Vec<u64>)> {
    let (hand_on, filled) = mpsc::sync_channel::<(Vec<u8>, usize)>(BUFFERS);
    let (emptied, empty) = mpsc::channel();
    for _ in 1..BUFFERS {
        // Sending can't fail: the receiver still exists.
        let _ = emptied.send(vec![0; BUFFER]);
    }
    thread::scope(|scope| {
        let hashing = move || {
            let mut sha256 = Sha256::new();
            for (buffer, n) in filled {
                sha256.update(&buffer[..n]);
                // After the last read the buffer is no longer needed.
                let _ = emptied.send(buffer);
            }
            sha256
        };
        let hashing = thread::Builder::new().name("sha256".to_owned()).spawn_scoped(scope, hashing)?;
        let gone = || io::Error::other("the hashing thread has stopped");
        let part_crcs = checksums(file, size, read, vec![0; BUFFER], |buffer, n| {
            hand_on.send((buffer, n)).map_err(|_| gone())?;
            empty.recv().map_err(|_| gone())
        });
        drop(hand_on);
        let sha256 = hashing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((sha256, part_crcs?))
    })
}

impl Content {
    /// Reads the file once and hashes it; the sha256 of a file larger than [`HASHED_AT_ONCE`] is computed on a
    /// separate thread. Blocks; uses 3 MiB of buffers, whatever the size.
    ///
    /// # Errors
    /// The file system's error, or `InvalidData` if the file shrinks or grows meanwhile.
    pub fn hash(path: &Path, read: Progress<'_>) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let (sha256, part_crcs) = if size <= HASHED_AT_ONCE {
            let mut sha256 = Sha256::new();
            let part_crcs = checksums(file, size, read, vec![0; BUFFER], |buffer, n| {
                sha256.update(&buffer[..n]);
                Ok(buffer)
            })?;
            (sha256, part_crcs)
        } else {
            hash_concurrently(file, size, read)?
        };
        let sha256 = sha256.finish();
        Ok(Self { path: path.to_owned(), size, sha256, part_crcs })
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the sha256.
    #[must_use]
    pub fn sha256(&self) -> &Digest {
        &self.sha256
    }

    /// Returns the CRC-64/NVME of each part; all parts but the last have [`part_size`] bytes. Empty for an empty
    /// file.
    #[must_use]
    pub fn part_crcs(&self) -> &[u64] {
        &self.part_crcs
    }

    /// Returns the CRC-64/NVME of the whole file, combined from those of its parts.
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
