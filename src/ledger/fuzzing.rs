//! Private functions that the fuzzers call.

use super::{
    Error,
    schema::{
        BlobItem, Head, KeyItem, Meta, ReleaseEvent, TagEvent, TagHead, TagItem, VersionItem, decode, encode,
    },
};
use crate::table::{Item, Key};
use serde::{Serialize, de::DeserializeOwned};

/// The kinds of records that items hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// The ledger itself.
    Meta,
    /// The head of a package's releases.
    Head,
    /// The head of a package's tags.
    TagHead,
    /// A version.
    Version,
    /// An event of a package's releases.
    ReleaseEvent,
    /// A tag.
    Tag,
    /// An event of a package's tags.
    TagEvent,
    /// An idempotency key.
    Key,
    /// A blob.
    Blob,
}

impl Record {
    /// Reads an item as this record, and writes the record as an item again.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the item is not such a record.
    pub fn recode(self, key: &Key, item: &Item) -> Result<Item, Error> {
        fn of<T: Serialize + DeserializeOwned>(key: &Key, item: &Item) -> Result<Item, Error> {
            Ok(encode(&decode::<T>(key, item)?))
        }
        match self {
            Self::Meta => of::<Meta>(key, item),
            Self::Head => of::<Head>(key, item),
            Self::TagHead => of::<TagHead>(key, item),
            Self::Version => of::<VersionItem>(key, item),
            Self::ReleaseEvent => of::<ReleaseEvent>(key, item),
            Self::Tag => of::<TagItem>(key, item),
            Self::TagEvent => of::<TagEvent>(key, item),
            Self::Key => of::<KeyItem>(key, item),
            Self::Blob => of::<BlobItem>(key, item),
        }
    }
}
