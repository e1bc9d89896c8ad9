//! The packages of another program, as an importer has read them.

use crate::{
    model::{Digest, FileName, Labels, Message, Mode, PackageName, TagName, Version},
    store::named::NamedFiles,
};
use std::{collections::BTreeMap, sync::Arc};

/// A version of another program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ForeignVersion {
    /// The name of its file.
    pub name: String,
    /// The size of the file in bytes, if it is known.
    pub size: Option<u64>,
    /// The sha256 that the other program states.
    pub sha256: Option<Digest>,
    /// The file name to record.
    pub filename: Option<FileName>,
    /// The permission bits to record.
    pub mode: Option<Mode>,
    /// True if the file has the name and the permission bits of the version, which are recorded unless others are given.
    pub is_original: bool,
    /// The name of the version in the other program, for people, if it is not that of the file.
    pub title: Option<String>,
    /// The labels to record.
    pub labels: Labels,
    /// The message to record, instead of that of the author.
    pub message: Option<Message>,
    /// True if no two contents of the file have this message: then a version with the same message is the same version,
    /// and its bytes are not read again.
    pub is_identified: bool,
}

impl ForeignVersion {
    /// A version with this file, of which nothing else is known.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// The packages of another program.
#[derive(Debug)]
#[non_exhaustive]
pub struct Foreign {
    /// The files of the versions.
    pub files: Arc<dyn NamedFiles>,
    /// The versions, by number.
    pub packages: BTreeMap<PackageName, BTreeMap<Version, ForeignVersion>>,
    /// The versions that tags are on.
    pub tags: BTreeMap<PackageName, BTreeMap<TagName, Version>>,
    /// Everything that can't be carried, for people.
    pub differences: Vec<String>,
}

impl Foreign {
    /// No packages, whose files are these.
    #[must_use]
    pub fn new(files: Arc<dyn NamedFiles>) -> Self {
        Self { files, packages: BTreeMap::new(), tags: BTreeMap::new(), differences: Vec::new() }
    }

    /// Adds a difference for each package with numbers that have no version.
    pub(super) fn note_gaps(&mut self) {
        for (package, versions) in &self.packages {
            let last = versions.keys().next_back().map_or(0, |last| last.get());
            let missing = last - versions.len() as u64;
            if missing > 0 {
                let what = format!(
                    "{package}: {missing} of {last} numbers have no version; they become deleted versions"
                );
                self.differences.push(what);
            }
        }
    }
}
