//! The weak ledger's document of one package, and its pure functions.

use crate::{
    ledger::{
        AddRequest, Author, Conflict, Error, NotFound, Refused,
        schema::{BlobFields, TagItem, VersionItem, after},
    },
    model::{
        Digest, Expectation, Gates, IdempotencyKey, PackageName, Release, Spec, TagKind, TagName, Timestamp,
        Version,
    },
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All data of a package.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Document {
    pub(super) versions: Vec<VersionItem>,
    pub(super) tags: BTreeMap<TagName, TagItem>,
    /// The number of changes of tags.
    rev: u64,
    keys: BTreeMap<String, Remembered>,
}

/// The outcome of the operation with an idempotency key.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    request: String,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Added { version: Version, new: bool },
    Moved(Box<TagItem>),
}

impl Document {
    pub(super) fn latest(&self) -> Option<&VersionItem> {
        self.versions.last()
    }

    pub(super) fn version(&self, package: &PackageName, version: Version) -> Result<&VersionItem, Error> {
        let missing = || match self.latest() {
            Some(last) => NotFound::Version { package: package.clone(), version, last: last.n },
            None => NotFound::Package(package.clone()),
        };
        let index = usize::try_from(version.get() - 1).ok();
        Ok(index.and_then(|index| self.versions.get(index)).ok_or_else(missing)?)
    }

    pub(super) fn resolve(&self, package: &PackageName, spec: &Spec) -> Result<&VersionItem, Error> {
        let latest = self.latest().ok_or_else(|| NotFound::Package(package.clone()))?;
        let missing = |tag: &TagName| NotFound::Tag { package: package.clone(), tag: tag.clone() };
        match spec {
            Spec::Latest => Ok(latest),
            Spec::Version(version) => self.version(package, *version),
            Spec::Past(..) | Spec::At(..) => Err(Refused::Unsupported.into()),
            Spec::Tag(tag) => {
                let at = self.tags.get(tag).and_then(|item| item.version).ok_or_else(|| missing(tag))?;
                self.version(package, at)
            }
        }
    }

    pub(super) fn release(&self, package: &PackageName, item: &VersionItem) -> Release {
        let mut release = item.clone().into_release(package);
        if self.latest().is_some_and(|latest| latest.n == item.n) {
            release.tags.push("latest".to_owned());
        }
        let on = self.tags.values().filter(|tag| tag.version == Some(item.n));
        release.tags.extend(on.map(|tag| tag.tag.to_string()));
        release
    }

    /// Puts a tag on a version or removes it; if that is its state already, changes nothing.
    pub(super) fn set(
        &mut self,
        tag: &TagName,
        target: Option<(Version, BlobFields)>,
        author: &Author,
    ) -> TagItem {
        let before = self.tags.get(tag);
        let (version, blob) = target.unzip();
        if let Some(before) = before
            && before.version == version
        {
            return TagItem { previous: version, ..before.clone() };
        }
        let last = self.tags.values().map(|tag| tag.when).max();
        let item = TagItem {
            tag: tag.clone(),
            version,
            blob,
            previous: before.and_then(|before| before.version),
            kind: if version.is_some() { TagKind::Move } else { TagKind::Untag },
            set: self.rev + 1,
            back: before.map(|before| before.set),
            who: author.who(),
            when: after(Timestamp::now(), last),
            message: author.message.clone(),
            protection: None,
            gates: Gates::default(),
            no_override: false,
            top: None,
            rest: crate::table::Item::new(),
        };
        self.rev += 1;
        self.tags.insert(tag.clone(), item.clone());
        item
    }

    /// Returns the outcome of an earlier run with the author's key, if there was one.
    pub(super) fn remembered(&self, author: &Author, request: &str) -> Result<Option<Outcome>, Error> {
        let Some(key) = author.key.as_ref().map(ToString::to_string) else { return Ok(None) };
        match self.keys.get(&key) {
            Some(first) if first.request != request => {
                Err(Conflict::Key { key, first: first.request.clone(), now: request.to_owned() }.into())
            }
            first => Ok(first.map(|first| first.outcome.clone())),
        }
    }

    pub(super) fn remember(&mut self, key: Option<&IdempotencyKey>, request: String, outcome: Outcome) {
        if let Some(key) = key {
            self.keys.insert(key.to_string(), Remembered { request, outcome });
        }
    }
}

pub(super) fn check_expectation(
    document: &Document,
    package: &PackageName,
    tag: &TagName,
    expected: Option<Expectation>,
) -> Result<(), Error> {
    let before = document.tags.get(tag);
    let found = before.and_then(|before| before.version);
    match expected {
        Some(expected) if !expected.is_met_by(found) => {
            let by = before.map(|before| (before.who.clone(), before.when));
            let (package, tag, kind) = (package.clone(), tag.clone(), None);
            Err(Conflict::Tag { package, tag, expected, found, kind, by }.into())
        }
        _ => Ok(()),
    }
}

/// Returns the version that has the content already, if the request must not add it again.
pub(super) fn unchanged(
    document: &Document,
    request: &AddRequest,
    sha256: &Digest,
) -> Result<Option<Version>, Error> {
    let latest = document.latest();
    match request.expect_latest {
        Some(expected) if !expected.is_met_by(latest.map(|latest| latest.n)) => {
            let (package, found) = (request.package.clone(), latest.map(|latest| latest.n));
            return Err(Conflict::Latest { package, expected, found }.into());
        }
        _ => {}
    }
    let same = latest.filter(|latest| request.if_changed && latest.blob.sha256 == *sha256);
    Ok(same.map(|latest| latest.n))
}
