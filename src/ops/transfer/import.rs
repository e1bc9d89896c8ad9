//! `import`: makes a ledger hold what an export holds.

use super::{
    copy::{CopyReport, OnPackage, PackageCopied},
    differ::Behind,
    file,
    package::PackageImport,
};
use crate::{
    blocking::threaded,
    ledger::{ExportItem, Positions},
    model::PackageName,
    ops::{
        client::Client,
        error::Error,
        observer::{Phase, Within},
    },
};
use futures_util::stream;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::mpsc;

/// The number of items that are read ahead.
const AHEAD: usize = 512;

/// Options of an import.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ImportOptions {
    /// The directory with the blobs; without it, they must be in the store already.
    pub blobs: Option<PathBuf>,
    /// Only report what is new.
    pub dry_run: bool,
}

impl ImportOptions {
    /// Imports what is new; the blobs must be in the store already.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the directory with the blobs.
    #[must_use]
    pub fn blobs(self, blobs: Option<PathBuf>) -> Self {
        Self { blobs, ..self }
    }

    /// Only reports what is new.
    #[must_use]
    pub fn dry_run(self, dry_run: bool) -> Self {
        Self { dry_run, ..self }
    }
}

impl Client {
    /// Does the same as [`import`](Self::import) with an export that is read from a stream: it is kept in a temporary
    /// file first, to be verified before anything is changed.
    ///
    /// # Errors
    /// The errors of [`import`](Self::import), and [`Error::Spool`].
    pub async fn import_stream(
        &self,
        stream: impl Read + Send + 'static,
        options: &ImportOptions,
        on_package: OnPackage<'_>,
    ) -> Result<CopyReport, Error> {
        let observer = Arc::clone(&self.observer);
        let kept = self.spool(Box::new(stream), &observer).await?;
        self.import(kept.path(), options, on_package).await
    }

    /// Makes this ledger hold what an export holds: the same numbers, tags and history. The ledger must be empty, or
    /// hold an earlier state of the export; a repeat, also after an interruption, writes only what is missing.
    ///
    /// The whole file is verified first. Blobs are stored before the versions that need them. While it runs, and after an
    /// interruption until the next run is done, this ledger refuses every other change.
    ///
    /// # Cancellation
    /// May be dropped at any time; the next run continues.
    ///
    /// # Errors
    /// [`Error::Export`], [`Error::NewerExport`] and [`Diverged`](crate::ledger::Refused::Diverged), and then nothing was
    /// changed; [`Error::NotCopied`] for a blob that is missing.
    pub async fn import(
        &self,
        path: &Path,
        options: &ImportOptions,
        on_package: OnPackage<'_>,
    ) -> Result<CopyReport, Error> {
        let observer = &self.observer;
        let examining = Within::begin(observer, Phase::Examining, None);
        let path = path.to_owned();
        let verified = {
            let path = path.clone();
            threaded(move || file::verify(&path)).await?
        };
        let behind = self.behind(&verified.packages).await?;
        self.check_past(&path, &behind).await?;
        drop(examining);
        let mut report = CopyReport::of(verified.packages.len());
        if options.dry_run {
            report.expect(&behind, on_package);
            return Ok(report);
        }
        self.begin_import(verified.epoch).await?;
        let copying = Within::begin(observer, Phase::Uploading, None);
        let blobs = options.blobs.as_deref().map(|directory| self.with_directory(directory));
        let behind: BTreeMap<_, _> = behind.into_iter().map(|it| (it.package.clone(), it)).collect();
        let mut items = items_of(path, behind.keys().cloned().collect());
        let mut importing: Option<(PackageImport<'_>, PackageCopied)> = None;
        loop {
            let item = items.recv().await.transpose()?;
            let next = item.as_ref().map(|(package, _)| package);
            if importing.as_ref().is_some_and(|(_, it)| next != Some(&it.package))
                && let Some((import, expected)) = importing.take()
            {
                let written = import.finish().await?;
                let copied = PackageCopied { blobs: written.blobs, bytes: written.bytes, ..expected };
                copying.advance(copied.bytes);
                report.pass(copied, on_package);
            }
            let Some((package, item)) = item else { break };
            if importing.is_none()
                && let Some(behind) = behind.get(&package)
            {
                let (after, present) = (Positions::default(), behind.present.versions);
                let import = PackageImport::new(self, blobs.as_ref(), package, after, present);
                importing = Some((import, behind.expected()));
            }
            if let Some((import, _)) = &mut importing {
                import.push(item).await?;
            }
        }
        self.ledger.mark_import(false).await?;
        Ok(report)
    }

    /// Makes sure that this ledger holds an earlier state of the export.
    async fn check_past(&self, path: &Path, behind: &[Behind]) -> Result<(), Error> {
        let begun = behind.iter().filter(|it| !it.present.is_start());
        let present: BTreeMap<_, _> = begun.map(|it| (it.package.clone(), it.present.clone())).collect();
        if present.is_empty() {
            return Ok(());
        }
        let at = path.to_owned();
        let Some(package) = threaded(move || file::first_diverged(&at, present)).await? else {
            return Ok(());
        };
        let items = items_of(path.to_owned(), BTreeSet::from([package.clone()]));
        let entries = stream::unfold(items, |mut items| async {
            let item = items.recv().await?;
            Some((item.map(|(_, item)| item), items))
        });
        Err(self.first_difference(&package, entries).await?)
    }
}

/// Reads the items of these packages on a thread.
fn items_of(
    path: PathBuf,
    packages: BTreeSet<PackageName>,
) -> mpsc::Receiver<Result<(PackageName, ExportItem), Error>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        let pass = |package, item| sender.blocking_send(Ok((package, item))).is_ok();
        if let Err(error) = file::each_item(&path, |package| packages.contains(package), pass) {
            let _ = sender.blocking_send(Err(error));
        }
    });
    receiver
}
