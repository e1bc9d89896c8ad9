//! `import --from`: versions that another program has numbered, with their files in a directory.
//!
//! Each number becomes the same number here. A number that is missing there becomes a version that is added and deleted
//! at once, so that the numbers after it stay the same.

use super::{
    copy::{CopyReport, OnPackage, PackageCopied},
    differ::diverged,
};
use crate::{
    blocking::threaded,
    ledger::{AddRequest, Author, ChangeRequest, Error as LedgerError, NotFound, TagRequest},
    model::{
        Digest, Expectation, FileName, Labels, Mode, PackageName, ReleaseChange, Spec, TagName, Version,
    },
    ops::{
        add::AddInput,
        client::Client,
        error::Error,
        observer::{Phase, Within},
    },
    store::Content,
};
use std::{collections::BTreeMap, path::PathBuf};

/// The bytes of a version that only keeps a number: it is deleted at once.
const NO_VERSION: &[u8] = b"This number had no version where this package was imported from.\n";

/// A version of another program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignVersion {
    /// Its file.
    pub file: PathBuf,
    /// The sha256 that the other program states.
    pub sha256: Option<Digest>,
    /// The file name to record.
    pub filename: Option<FileName>,
    /// The permission bits to record.
    pub mode: Option<Mode>,
    /// The labels to record.
    pub labels: Labels,
}

/// The packages of another program.
#[derive(Debug, Default)]
pub struct Foreign {
    /// The versions, by number.
    pub packages: BTreeMap<PackageName, BTreeMap<Version, ForeignVersion>>,
    /// The versions that tags are on.
    pub tags: BTreeMap<PackageName, BTreeMap<TagName, Version>>,
    /// Everything that can't be carried, for people.
    pub differences: Vec<String>,
}

/// The state of an import of one package.
struct Adding<'a> {
    package: &'a PackageName,
    author: &'a Author,
    /// The highest active version, which must not change by others.
    latest: Option<Version>,
    done: PackageCopied,
}

impl Client {
    /// Adds all versions of another program under their numbers, and moves the tags. Warns the observer of everything
    /// that is different here. A repeat continues after the versions that are there. With `dry_run`, only reports.
    ///
    /// # Cancellation
    /// May be dropped at any time; the next run continues.
    ///
    /// # Errors
    /// [`Diverged`](crate::ledger::Refused::Diverged) if a version that is there already has another sha256;
    /// [`Conflict`](crate::ledger::Conflict) if others add to the package concurrently.
    pub async fn import_foreign(
        &self,
        foreign: &Foreign,
        author: &Author,
        dry_run: bool,
        on_package: OnPackage<'_>,
    ) -> Result<CopyReport, Error> {
        let mut report = CopyReport::of(foreign.packages.len());
        for difference in &foreign.differences {
            self.observer.warn(difference);
        }
        let importing = Within::begin(&self.observer, Phase::Uploading, None);
        for (package, versions) in &foreign.packages {
            let (present, left) = self.check_foreign(package, versions).await?;
            let last = versions.keys().next_back().map_or(0, |last| last.get());
            let done = PackageCopied { package: package.clone(), versions: 0, events: 0, blobs: 0, bytes: 0 };
            let mut adding = Adding { package, author, latest: None, done };
            adding.done.versions = last.saturating_sub(present);
            if !dry_run {
                for number in left {
                    self.delete_foreign(package, number, author).await?;
                }
                adding.latest = match self.ledger.release(package, &Spec::Latest).await {
                    Ok(latest) => Some(latest.version),
                    Err(LedgerError::NotFound(_)) => None,
                    Err(error) => return Err(error.into()),
                };
                for number in (present + 1..=last).filter_map(|number| Version::try_from(number).ok()) {
                    self.add_foreign(&mut adding, number, versions.get(&number)).await?;
                    importing.advance(1);
                }
            }
            for (tag, version) in foreign.tags.get(package).into_iter().flatten() {
                self.move_foreign(&mut adding, tag, *version, dry_run).await?;
            }
            if adding.done.versions + adding.done.events > 0 {
                report.pass(adding.done, on_package);
            }
        }
        Ok(report)
    }

    /// Checks the versions that are there already. Returns their number, and those that an interrupted run has left
    /// there only for their number.
    async fn check_foreign(
        &self,
        package: &PackageName,
        versions: &BTreeMap<Version, ForeignVersion>,
    ) -> Result<(u64, Vec<Version>), Error> {
        let present = self.ledger.positions(std::slice::from_ref(package)).await?;
        let present = present.first().map_or(0, |it| it.versions);
        let last = versions.keys().next_back().map_or(0, |last| last.get());
        if present > last {
            let what = format!("it has {present} versions here, and {last} in the source");
            return Err(diverged(format!("the package {package}"), what));
        }
        let (mut left, placeholder) = (Vec::new(), Digest::of(NO_VERSION));
        for number in (1..=present).filter_map(|number| Version::try_from(number).ok()) {
            let found = match self.ledger.blob(package, &number.into()).await {
                Ok((_, blob)) => Some(blob.address.sha256),
                Err(LedgerError::NotFound(NotFound::Deleted { .. })) => None,
                Err(error) => return Err(error.into()),
            };
            let expected = versions.get(&number).and_then(|version| version.sha256.clone());
            if found.as_ref() == Some(&placeholder) {
                left.push(number);
            } else if found.is_some() && found != expected {
                return Err(diverged(format!("{package} {number}"), "it has another sha256 in the source"));
            }
        }
        Ok((present, left))
    }

    async fn add_foreign(
        &self,
        adding: &mut Adding<'_>,
        number: Version,
        version: Option<&ForeignVersion>,
    ) -> Result<(), Error> {
        let package = adding.package;
        let input = match version {
            None => None,
            Some(version) => match stated(version).await {
                Ok(content) => {
                    adding.done.blobs += 1;
                    adding.done.bytes += content.size();
                    let input = AddInput::file(&version.file).mode(version.mode);
                    Some(match &version.filename {
                        Some(name) => input.filename(name.clone()),
                        None => input,
                    })
                }
                Err(why) => {
                    self.observer.warn(&format!("{package} {number} becomes a deleted version: {why}"));
                    None
                }
            },
        };
        let is_gap = input.is_none();
        let mut request = AddRequest::new(package.clone()).author(adding.author.clone());
        request.expect_latest = Some(adding.latest.map_or(Expectation::None, Expectation::Version));
        if let Some(version) = version.filter(|_| !is_gap) {
            request.labels = version.labels.clone();
        }
        let input = input.unwrap_or_else(|| AddInput::bytes(NO_VERSION));
        let (release, _) = self.add(request, input).await?;
        if release.version != number {
            return Err(diverged(
                format!("{package} {}", release.version),
                "another client has added versions",
            ));
        }
        if is_gap {
            self.delete_foreign(package, number, adding.author).await?;
        } else {
            adding.latest = Some(number);
        }
        Ok(())
    }

    async fn delete_foreign(
        &self,
        package: &PackageName,
        number: Version,
        author: &Author,
    ) -> Result<(), Error> {
        let delete =
            ChangeRequest::new(package.clone(), number, ReleaseChange::Delete).author(author.clone());
        self.change(&delete).await?;
        Ok(())
    }

    async fn move_foreign(
        &self,
        adding: &mut Adding<'_>,
        tag: &TagName,
        version: Version,
        dry_run: bool,
    ) -> Result<(), Error> {
        let package = adding.package;
        let on = match self.ledger.position(package, &tag.clone().into()).await {
            Ok((on, _)) => Some(on),
            Err(LedgerError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        };
        if on == Some(version) {
            return Ok(());
        }
        adding.done.events += 1;
        if dry_run {
            return Ok(());
        }
        let request =
            TagRequest::new(package.clone(), version.into(), tag.clone()).author(adding.author.clone());
        match self.tag(&request).await {
            Ok(_) => Ok(()),
            Err(Error::Ledger(error @ (LedgerError::NotFound(_) | LedgerError::Refused(_)))) => {
                self.observer.warn(&format!("the tag {tag} of {package} is not on {version}: {error}"));
                adding.done.events -= 1;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Hashes the file of a version, and compares it with the sha256 that the source states.
async fn stated(version: &ForeignVersion) -> Result<Content, String> {
    let path = version.file.clone();
    let content = threaded(move || Content::hash(&path, &|_| ())).await;
    let content = content.map_err(|error| format!("its file {}: {error}", version.file.display()))?;
    match &version.sha256 {
        Some(stated) if stated != content.sha256() => {
            Err(format!("its file has the sha256 {}, not {stated}", content.sha256()))
        }
        _ => Ok(content),
    }
}
