//! Adding the versions of another program under their numbers.
//!
//! A number that is missing there becomes a version that is added and deleted at once, so that the numbers after it stay
//! the same.

use super::{
    contents::{Foreign, ForeignVersion},
    fetch::Fetched,
};
use crate::{
    blocking::threaded,
    failpoint::reach,
    ledger::{AddRequest, Author, ChangeRequest, Error as LedgerError, TagRequest},
    model::{Digest, Expectation, PackageName, Release, ReleaseChange, Spec, State, TagName, Version},
    ops::{
        add::AddInput,
        client::Client,
        error::Error,
        transfer::{
            copy::{CopyReport, OnPackage, PackageCopied},
            differ::diverged,
            package::JOBS,
        },
    },
    store::{Content, named::NamedFiles},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::{collections::BTreeMap, io, num::NonZeroUsize};

/// The bytes of a version that only keeps a number: it is deleted at once.
const NO_VERSION: &[u8] = b"This number had no version where this package was imported from.\n";

/// The versions of a package, by number.
type Versions = BTreeMap<Version, ForeignVersion>;

/// The result of comparing a version that is there with that of the source.
enum Found {
    Same,
    /// An interrupted run has left it there only for its number.
    Left,
    Differs(&'static str),
}

/// The bytes of a version, on this machine.
struct Bytes {
    file: Fetched,
    content: Content,
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
        for (package, versions) in &foreign.packages {
            let (present, left) = self.check_foreign(&*foreign.files, package, versions).await?;
            let last = last_of(versions);
            let done = PackageCopied::nothing(package.clone());
            let mut adding = Adding { package, author, latest: None, done };
            adding.done.versions = last.saturating_sub(present);
            if dry_run {
                let new = versions.iter().filter(|(number, _)| number.get() > present);
                adding.done.numbering = new
                    .map(|(number, it)| (*number, it.title.as_ref().unwrap_or(&it.name).clone()))
                    .collect();
            } else {
                for number in left {
                    self.delete_foreign(package, number, author).await?;
                }
                self.add_all(&mut adding, foreign, versions, present).await?;
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
        files: &dyn NamedFiles,
        package: &PackageName,
        versions: &Versions,
    ) -> Result<(u64, Vec<Version>), Error> {
        let present = self.ledger.positions(std::slice::from_ref(package)).await?;
        let present = present.first().map_or(0, |it| it.versions);
        let last = last_of(versions);
        if present > last {
            let what = format!("it has {present} versions here, and {last} in the source");
            return Err(diverged(format!("the package {package}"), what));
        }
        if present == 0 {
            return Ok((0, Vec::new()));
        }
        let found = self.ledger.versions(package).err_into().map_ok(|release| async move {
            let found = self.compare(files, &release, versions.get(&release.version)).await?;
            Ok::<_, Error>((release.version, found))
        });
        let mut found = std::pin::pin!(found.try_buffered(self.ahead()));
        let (mut left, mut differs) = (Vec::new(), None);
        // The highest is first.
        while let Some((number, found)) = found.try_next().await? {
            match found {
                Found::Same => {}
                Found::Left => left.push(number),
                Found::Differs(what) => differs = Some((number, what)),
            }
        }
        match differs {
            Some((number, what)) => Err(diverged(format!("{package} {number}"), what)),
            None => Ok((present, left)),
        }
    }

    /// Compares a version that is there with that of the source. Its bytes are read only if nothing else identifies them.
    async fn compare(
        &self,
        files: &dyn NamedFiles,
        release: &Release,
        source: Option<&ForeignVersion>,
    ) -> Result<Found, Error> {
        let sha256 = &release.blob.address.sha256;
        if release.state == State::Deleted {
            return Ok(Found::Same);
        }
        if *sha256 == Digest::of(NO_VERSION) {
            return Ok(Found::Left);
        }
        let Some(source) = source else {
            return Ok(Found::Differs("the source does not have it"));
        };
        if let Some(stated) = &source.sha256 {
            return Ok(if stated == sha256 { Found::Same } else { Found::Differs(OTHER) });
        }
        if source.size.is_some_and(|size| size != release.blob.size) {
            return Ok(Found::Differs("it has another size in the source"));
        }
        if source.is_identified && source.message == release.message {
            return Ok(Found::Same);
        }
        match self.bytes_of(files, source).await? {
            Ok(bytes) if bytes.content.sha256() == sha256 => Ok(Found::Same),
            Ok(_) => Ok(Found::Differs(OTHER)),
            Err(_) => Ok(Found::Differs("its file is not there any more")),
        }
    }

    /// Returns the number of files that are read ahead.
    fn ahead(&self) -> usize {
        self.jobs.map_or(JOBS, NonZeroUsize::get)
    }

    /// Adds all versions after the present ones. Their bytes are read ahead.
    async fn add_all(
        &self,
        adding: &mut Adding<'_>,
        foreign: &Foreign,
        versions: &Versions,
        present: u64,
    ) -> Result<(), Error> {
        adding.latest = match self.ledger.release(adding.package, &Spec::Latest).await {
            Ok(latest) => Some(latest.version),
            Err(LedgerError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let numbers = (present + 1..=last_of(versions)).filter_map(|number| Version::try_from(number).ok());
        let read = stream::iter(numbers).map(|number| async move {
            let bytes = match versions.get(&number) {
                Some(version) => Some((version, self.bytes_of(&*foreign.files, version).await?)),
                None => None,
            };
            Ok::<_, Error>((number, bytes))
        });
        let mut read = std::pin::pin!(read.buffered(self.ahead()));
        while let Some((number, version)) = read.try_next().await? {
            self.add_foreign(adding, number, version).await?;
        }
        Ok(())
    }

    /// Reads the bytes of a version; or returns the reason why it has none, or not those that are stated.
    async fn bytes_of(
        &self,
        files: &dyn NamedFiles,
        version: &ForeignVersion,
    ) -> Result<Result<Bytes, String>, Error> {
        let name = &version.name;
        let Some(file) = self.fetch_named(files, name).await? else {
            return Ok(Err(format!("its file {}/{name}: there is no such file", files.describe())));
        };
        let path = file.path().to_owned();
        let content = threaded(move || Content::hash(&path, &|_| ())).await;
        let content = content.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => Error::Changed(file.path().to_owned()),
            _ => Error::Input { path: file.path().to_owned(), why: format!("{name}: {error}") },
        })?;
        match &version.sha256 {
            Some(stated) if stated != content.sha256() => {
                let found = content.sha256();
                Ok(Err(format!("its file {}/{name} has the sha256 {found}, not {stated}", files.describe())))
            }
            _ => Ok(Ok(Bytes { file, content })),
        }
    }

    async fn add_foreign(
        &self,
        adding: &mut Adding<'_>,
        number: Version,
        version: Option<(&ForeignVersion, Result<Bytes, String>)>,
    ) -> Result<(), Error> {
        let package = adding.package;
        let mut request = AddRequest::new(package.clone()).author(adding.author.clone());
        request.expect_latest = Some(adding.latest.map_or(Expectation::None, Expectation::Version));
        let input = match version {
            Some((version, Ok(Bytes { file, content }))) => {
                adding.done.blobs += 1;
                adding.done.bytes += content.size();
                request.labels = version.labels.clone();
                request.author.message = version.message.clone().or(request.author.message);
                Some(input(version, file))
            }
            // A file that was just listed without a digest is no gap.
            Some((ForeignVersion { sha256: None, name, .. }, Err(why))) => {
                return Err(Error::Input { path: name.into(), why });
            }
            Some((_, Err(why))) => {
                self.observer.warn(&format!("{package} {number} becomes a deleted version: {why}"));
                None
            }
            None => None,
        };
        let is_gap = input.is_none();
        let input = input.unwrap_or_else(|| AddInput::bytes(NO_VERSION));
        let (release, _) = self.add(request, input).await?;
        if release.version != number {
            return Err(diverged(
                format!("{package} {}", release.version),
                "another client has added versions",
            ));
        }
        reach("import-added");
        if is_gap {
            self.delete_foreign(package, number, adding.author).await?;
            reach("import-deleted");
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
            Ok(_) => {
                reach("import-tagged");
                Ok(())
            }
            Err(Error::Ledger(error @ (LedgerError::NotFound(_) | LedgerError::Refused(_)))) => {
                self.observer.warn(&format!("the tag {tag} of {package} is not on {version}: {error}"));
                adding.done.events -= 1;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

const OTHER: &str = "it has another sha256 in the source";

fn last_of(versions: &Versions) -> u64 {
    versions.keys().next_back().map_or(0, |last| last.get())
}

/// Returns the input of an addition: a copy has no name and no permission bits of its own.
fn input(version: &ForeignVersion, file: Fetched) -> AddInput {
    let input = match file {
        Fetched::Local(path) if version.is_original => AddInput::file(path),
        Fetched::Local(path) => AddInput::unnamed(path),
        Fetched::Copy(file) => AddInput::spooled(file),
    };
    let input = input.mode(version.mode);
    match &version.filename {
        Some(name) => input.filename(name.clone()),
        None => input,
    }
}
