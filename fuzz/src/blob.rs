//! A blob to be stored.

use sacker::{model::Address, store::Content};
use std::io::Write;

/// A file that was hashed, with its checksums as S3 writes them.
pub struct Blob {
    pub content: Content,
    pub address: Address,
    pub sha256: String,
    pub crc: String,
    // Removed when dropped.
    _file: tempfile::NamedTempFile,
}

impl Blob {
    /// A file of this number of bytes.
    ///
    /// # Panics
    /// If there can be no temporary file.
    #[must_use]
    pub fn new(size: usize) -> Self {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(&vec![7; size]).expect("a temporary file");
        let content = Content::hash(file.path(), &|_| ()).expect("a temporary file");
        let address = Address { sha256: content.sha256().clone(), generation: 0 };
        let sha256 = aws_smithy_types::base64::encode(content.sha256().to_bytes());
        let crc = aws_smithy_types::base64::encode(content.crc().to_be_bytes());
        Self { content, address, sha256, crc, _file: file }
    }
}
