//! What a table, a bucket or a server must have to be safe, as `init` finds or makes it.

use serde::Serialize;

/// Whether something was made or was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Created {
    /// It was made now.
    Made,
    /// It was there, and is as it must be.
    Present,
}

/// Something that must be so, and whether it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name, which stays the same: `bucket_versioning`.
    pub name: &'static str,
    /// What it is, for people: "versioning of the bucket acme-blobs".
    pub title: String,
    /// Whether it is so.
    pub state: SettingState,
    /// The command that turns it on, where there is one.
    pub repair: Option<String>,
}

/// Whether a [`Setting`] is as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "why", rename_all = "snake_case")]
pub enum SettingState {
    /// It is.
    On,
    /// It is not.
    Off,
    /// It can't be seen, for this reason: most often a grant is missing.
    NotKnown(String),
    /// The server has no such setting.
    NotSupported,
}
