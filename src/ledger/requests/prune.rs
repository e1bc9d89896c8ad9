//! The deletion of a version that nothing keeps.

use super::Author;
use crate::model::{Address, PackageName, Release, Version};

/// A version to be deleted unless it is `latest`, has the label that keeps it, or the logs of the package have changed
/// since the stops were read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PruneRequest {
    /// The package.
    pub package: PackageName,
    /// The version.
    pub version: Version,
    /// The address of its blob.
    pub address: Address,
    /// The name of the label that keeps a version.
    pub label_keep: Option<String>,
    /// The author of the deletion.
    pub author: Author,
}

impl PruneRequest {
    /// Deletes this version, as it was read.
    #[must_use]
    pub fn new(release: &Release) -> Self {
        Self {
            package: release.package.clone(),
            version: release.version,
            address: release.blob.address.clone(),
            label_keep: None,
            author: Author::default(),
        }
    }

    /// Keeps the version if it has a label of this name.
    #[must_use]
    pub fn label_keep(self, name: impl Into<String>) -> Self {
        Self { label_keep: Some(name.into()), ..self }
    }
}
