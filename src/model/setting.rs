//! Settings that a table, a bucket or a server must have to be safe, as `init` finds or makes them.

use serde::Serialize;

/// The result of creating something that may exist already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Created {
    /// The object was created now.
    Made,
    /// The object existed, and is as it must be.
    Present,
}

/// A required setting, and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The stable name: `bucket_versioning`.
    pub name: &'static str,
    /// A description, for people: "versioning of the bucket acme-blobs".
    pub title: String,
    /// The state.
    pub state: SettingState,
    /// The command that turns it on, if there is one.
    pub repair: Option<String>,
    /// The consequence if it is off.
    pub severity: Severity,
    /// The value that was found, if it says more than the state: "replicas in eu-west-1".
    pub found: Option<String>,
}

/// The consequence of a setting that is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Data can be lost, changed or read by others.
    Serious,
    /// Nothing is at risk now: the set-up costs more, or differs from the recommended one.
    Minor,
}

/// The state of a [`Setting`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "why", rename_all = "snake_case")]
pub enum SettingState {
    /// The setting is on.
    On,
    /// The setting is off.
    Off,
    /// The setting can't be read, for this reason: usually a missing permission.
    NotKnown(String),
    /// The server has no such setting.
    NotSupported,
}
