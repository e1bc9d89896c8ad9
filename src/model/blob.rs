//! The address of a version's bytes, and the metadata of the original file.

use super::{
    Digest,
    invalid::Invalid,
    text::{check, text_type},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The number of times that the blob with this digest was collected before this object of it was stored.
pub type Generation = u64;

/// The address of a blob's bytes: its sha256 and its generation.
///
/// A condemned generation is never used again, so deleting it is safe no matter how late the deletion arrives.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// The sha256 of the bytes.
    pub sha256: Digest,
    /// The generation.
    pub generation: Generation,
}

impl Address {
    /// The number of generations in an epoch: no blob is collected that often.
    const EPOCH: Generation = 1_000_000_000;

    /// The last epoch whose generations are all numbers that every JSON reader keeps exact.
    pub const LAST_EPOCH: u64 = (1 << 53) / Self::EPOCH - 1;

    /// Returns the epoch of the generation: the number of times that its store had been adopted by another ledger.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        epoch(self.generation)
    }
}

/// Returns the epoch of a generation.
pub(crate) fn epoch(generation: Generation) -> u64 {
    generation / Address::EPOCH
}

/// Returns the first generation of an epoch.
#[must_use]
pub fn first_generation(epoch: u64) -> Generation {
    epoch.saturating_mul(Address::EPOCH)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.generation {
            0 => write!(f, "{}", self.sha256),
            generation => write!(f, "{}.{generation}", self.sha256),
        }
    }
}

impl FromStr for Address {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let Some((sha256, generation)) = text.split_once('.') else {
            return Ok(Self { sha256: text.parse()?, generation: 0 });
        };
        let canonical = |n: &Generation| *n > 0 && n.to_string() == generation;
        let generation = generation
            .parse()
            .ok()
            .filter(canonical)
            .ok_or_else(|| Invalid::new("blob address", text, "has no generation after the `.`"))?;
        Ok(Self { sha256: sha256.parse()?, generation })
    }
}

/// The data for fetching a blob and writing it as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The address of its bytes.
    pub address: Address,
    /// The size in bytes.
    pub size: u64,
    /// The name of the original file, if it had one.
    pub filename: Option<FileName>,
    /// The permission bits of the original file, if it had any.
    pub mode: Option<Mode>,
}

/// The permission bits of a file: 0 to 0777, printed as `0644`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "u32", into = "u32")]
pub struct Mode(u32);

impl From<u32> for Mode {
    /// Keeps only the permission bits: set-user-ID, set-group-ID and sticky are never recorded nor restored.
    fn from(bits: u32) -> Self {
        Self(bits & 0o777)
    }
}

impl From<Mode> for u32 {
    fn from(mode: Mode) -> u32 {
        mode.0
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// The name of a blob's original file: 1 to 255 bytes, no `/`, no `\`, no control character, neither `.` nor `..`.
///
/// A path that joins it to a directory is therefore always inside that directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileName(String);

impl FileName {
    const MAX: usize = 255;

    /// Returns the file name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_type!(FileName);

impl FromStr for FileName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        const WHAT: &str = "file name";
        check(WHAT, text, Self::MAX, |_| false)?;
        if text.contains(['/', '\\']) {
            return Err(Invalid::new(WHAT, text, "holds a path separator"));
        }
        if matches!(text, "." | "..") {
            return Err(Invalid::new(WHAT, text, "names a directory"));
        }
        Ok(Self(text.to_owned()))
    }
}
