//! `copy`: makes a ledger and its store hold what others hold; repeated, only what is new.

use super::{differ::Behind, package::PackageImport};
use crate::{
    failpoint::reach,
    ledger::{Identity, Positions},
    model::{PackageName, Version},
    ops::{
        client::Client,
        error::Error,
        observer::{Phase, Within},
    },
};
use futures_util::{StreamExt, TryStreamExt, stream};

/// The number of packages that are copied at once.
const PACKAGES: usize = 4;

/// A package that was copied or imported, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageCopied {
    /// The package.
    pub package: PackageName,
    /// The number of versions that were new.
    pub versions: u64,
    /// The number of other entries of its logs that were new.
    pub events: u64,
    /// The number of blobs that were copied.
    pub blobs: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// The files that get these numbers, if an import of another program would add them.
    pub numbering: Vec<(Version, String)>,
}

impl PackageCopied {
    /// A package in which nothing is new.
    pub(super) fn nothing(package: PackageName) -> Self {
        Self { package, versions: 0, events: 0, blobs: 0, bytes: 0, numbering: Vec::new() }
    }
}

/// Totals of a copy or an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CopyReport {
    /// The number of packages of the source.
    pub packages: u64,
    /// The number of packages in which something was new.
    pub changed: u64,
    /// The number of versions that were new.
    pub versions: u64,
    /// The number of blobs that were copied.
    pub blobs: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

/// Receives each package as it is done.
pub type OnPackage<'a> = &'a mut (dyn FnMut(PackageCopied) + Send);

impl CopyReport {
    /// Begins the totals of a source with this number of packages.
    pub(super) fn of(packages: usize) -> Self {
        Self { packages: packages as u64, ..Self::default() }
    }

    /// Adds a package to the totals, and passes it on.
    pub(super) fn pass(&mut self, copied: PackageCopied, on_package: OnPackage<'_>) {
        self.changed += 1;
        self.versions += copied.versions;
        self.blobs += copied.blobs;
        self.bytes += copied.bytes;
        on_package(copied);
    }

    /// Adds what is expected of each package, of which nothing is written.
    pub(super) fn expect(&mut self, behind: &[Behind], on_package: OnPackage<'_>) {
        for expected in behind.iter().map(Behind::expected) {
            self.pass(expected, on_package);
        }
    }
}

impl Behind {
    /// Returns the report on the package, without what was written.
    pub(super) fn expected(&self) -> PackageCopied {
        let versions = self.source.versions.saturating_sub(self.present.versions);
        let entries = |of: &Positions| of.releases.rev + of.tags.rev;
        let events = entries(&self.source).saturating_sub(entries(&self.present) + versions);
        PackageCopied { versions, events, ..PackageCopied::nothing(self.package.clone()) }
    }
}

impl Client {
    /// Copies everything that another ledger and its store hold to this ledger and its store, and keeps numbers, tags and
    /// history. This ledger must be empty, or hold an earlier state: then only what is new is copied. With `dry_run`,
    /// only reports what is new.
    ///
    /// Blobs are stored before the versions that need them. While it runs, and after an interruption until the next run
    /// is done, this ledger refuses every other change.
    ///
    /// # Cancellation
    /// May be dropped at any time; the next run continues.
    ///
    /// # Errors
    /// [`Error::SameLedger`]; [`Error::NotCopied`] if the other store lacks a blob, after everything else was copied;
    /// [`Diverged`](crate::ledger::Refused::Diverged), and then nothing was changed.
    pub async fn copy_from(
        &self,
        from: &Self,
        dry_run: bool,
        on_package: OnPackage<'_>,
    ) -> Result<CopyReport, Error> {
        let observer = &self.observer;
        let examining = Within::begin(observer, Phase::Examining, None);
        let (source, own) = tokio::try_join!(from.ledger.identity(), self.ledger.identity())?;
        if let (Some(source), Some(own)) = (&source, &own)
            && source.id == own.id
        {
            return Err(Error::SameLedger { ledger: self.ledger.describe(), id: own.id.clone() });
        }
        let packages = from.package_positions().await?;
        let behind = self.behind(&packages).await?;
        for Behind { package, present, .. } in &behind {
            if !present.is_start() && !from.ledger.has_passed(package, present).await? {
                let entries = from.ledger.export(package, &Positions::default()).err_into();
                return Err(self.first_difference(package, entries).await?);
            }
        }
        drop(examining);
        let mut report = CopyReport::of(packages.len());
        if dry_run {
            report.expect(&behind, on_package);
            return Ok(report);
        }
        self.begin_import(source.map_or(0, |source| source.epoch)).await?;
        let copying = Within::begin(observer, Phase::Uploading, None);
        let copied = stream::iter(behind).map(|behind| self.copy_package(from, behind));
        let mut copied = std::pin::pin!(copied.buffer_unordered(PACKAGES));
        let mut missing = None;
        while let Some(copied) = copied.next().await {
            match copied {
                Ok(copied) => {
                    copying.advance(copied.bytes);
                    report.pass(copied, on_package);
                }
                Err(error @ Error::NotCopied { .. }) => {
                    observer.warn(&error.to_string());
                    missing.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(error) = missing {
            return Err(error);
        }
        self.ledger.mark_import(false).await?;
        Ok(report)
    }

    async fn copy_package(&self, from: &Self, behind: Behind) -> Result<PackageCopied, Error> {
        let expected = behind.expected();
        let Behind { package, present, .. } = behind;
        let versions = present.versions;
        let mut items = from.ledger.export(&package, &present);
        let mut import = PackageImport::new(self, Some(from), package, present, versions);
        while let Some(item) = items.try_next().await? {
            import.push(item).await?;
        }
        let written = import.finish().await?;
        Ok(PackageCopied { blobs: written.blobs, bytes: written.bytes, ..expected })
    }

    /// Makes this ledger and its store, if they are missing, and keeps other changes out until the import is done. The
    /// source may have used the generations of this epoch.
    pub(super) async fn begin_import(&self, epoch: u64) -> Result<(), Error> {
        let identity = match self.ledger.identity().await? {
            Some(identity) => identity,
            None => self.make().await?.1,
        };
        let owner = self.owner().await?;
        let is_former = |mark: &String| identity.copy_of.is_none() && owner.as_ref() == Some(mark);
        let identity = if let Some(former) = identity.former_mark.clone().filter(is_former) {
            // An interrupted import has raised the epoch.
            self.replace_own_mark(&former, identity).await?
        } else {
            self.check_owner(owner, &identity).await?;
            identity
        };
        if identity.epoch < epoch {
            let former = identity.mark();
            let raised = self.raise(identity, epoch - 1, true).await?;
            reach("import-raised");
            self.replace_own_mark(&former, raised).await?;
            reach("import-owned");
        }
        self.ledger.mark_import(true).await?;
        Ok(())
    }

    /// Marks the store, which has the former mark of this ledger, with the present one.
    async fn replace_own_mark(&self, former: &str, identity: Identity) -> Result<Identity, Error> {
        let mark = identity.mark();
        let replace = || self.store.replace_owner(former, &mark);
        let owner = self.retry_policy.run("marking the store", replace).await?;
        self.must_own(Some(owner), Some(&identity))?;
        Ok(identity)
    }
}
