//! The sha256 of a blob.

use super::{Invalid, text::text_type};
use ring::digest::{Context, SHA256};
use std::{fmt, str::FromStr};

/// A sha256: the identity of a blob. Printed and stored as 64 lower-case hex digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

impl Digest {
    const WHAT: &'static str = "sha256";

    /// Returns the sha256 of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut sha256 = Sha256::new();
        sha256.update(bytes);
        sha256.finish()
    }

    /// Returns the 64 lower-case hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the 32 bytes.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "can't panic")]
    pub fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        hex::decode_to_slice(&self.0, &mut bytes).expect("a Digest is 64 hex digits");
        bytes
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(hex::encode(bytes))
    }
}

text_type!(Digest);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.0)
    }
}

/// An incremental sha256, for bytes that arrive in pieces.
///
/// It uses the implementation of `ring`: as fast as that of `sha2` on a processor that has instructions for it, and
/// faster on others (`docs/speed.md`), where hashing is most of a command's work.
#[derive(Clone)]
pub struct Sha256(Context);

impl Sha256 {
    /// Begins with no bytes.
    #[must_use]
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Appends bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of all appended bytes.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "can't panic")]
    pub fn finish(self) -> Digest {
        let bytes: [u8; 32] = self.0.finish().as_ref().try_into().expect("a sha256 has 32 bytes");
        Digest::from(bytes)
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha256")
    }
}

impl FromStr for Digest {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new(Self::WHAT, text, "is not 64 lower-case hex digits"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_implementations_agree() {
        let bytes: Vec<u8> = (0..1000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for length in [0, 1, 55, 56, 63, 64, 65, 127, 128, 1000] {
            let mut sha256 = Sha256::new();
            let (begin, end) = bytes[..length].split_at(length / 3);
            sha256.update(begin);
            let mut copy = sha256.clone();
            copy.update(end);
            assert_eq!(
                copy.finish().to_bytes(),
                <[u8; 32]>::from(<sha2::Sha256 as sha2::Digest>::digest(&bytes[..length]))
            );
        }
    }
}
