//! Importing one package: its items in batches, and the blobs of each batch before it.

use crate::{
    failpoint::reach,
    ledger::{ExportItem, ImportBatch, Importing, Positions},
    model::PackageName,
    ops::{client::Client, error::Error},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::num::NonZeroUsize;

/// The number of blobs that are copied at once by default.
pub(super) const JOBS: usize = 8;

/// The blobs that were copied for a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Written {
    pub blobs: u64,
    pub bytes: u64,
}

/// The import of a package, to which its items are given one by one.
pub(super) struct PackageImport<'a> {
    to: &'a Client,
    /// The client of the store that has the blobs; `None` if they must be in the importing store already.
    from: Option<&'a Client>,
    importing: Importing,
    batch: ImportBatch,
    /// The number of versions that the importing ledger has already.
    present: u64,
    written: Written,
}

impl<'a> PackageImport<'a> {
    /// Begins an import of the items after these positions.
    pub fn new(
        to: &'a Client,
        from: Option<&'a Client>,
        package: PackageName,
        after: Positions,
        present: u64,
    ) -> Self {
        let importing = Importing::new(package, after);
        Self { to, from, importing, batch: ImportBatch::default(), present, written: Written::default() }
    }

    pub async fn push(&mut self, item: ExportItem) -> Result<(), Error> {
        let Err(next) = self.batch.push(item) else { return Ok(()) };
        self.write(false).await?;
        // An empty batch takes any item.
        let _ = self.batch.push(next);
        Ok(())
    }

    pub async fn finish(mut self) -> Result<Written, Error> {
        self.write(true).await?;
        Ok(self.written)
    }

    async fn write(&mut self, last: bool) -> Result<(), Error> {
        let batch = std::mem::take(&mut self.batch);
        let mut needed = Vec::new();
        for item in batch.items() {
            needed.extend(item.needed_blob()?.filter(|(version, _)| version.get() > self.present));
        }
        let (to, from, package) = (self.to, self.from, self.importing.package());
        let jobs = to.jobs.map_or(JOBS, NonZeroUsize::get);
        let copied = stream::iter(needed).map(|blob| async move {
            let copied = to.copy_blob(from, package, &blob).await?;
            Ok::<_, Error>(if copied { Written { blobs: 1, bytes: blob.1.size } } else { Written::default() })
        });
        let copied: Vec<_> = copied.buffer_unordered(jobs).try_collect().await?;
        for Written { blobs, bytes } in copied {
            self.written.blobs += blobs;
            self.written.bytes += bytes;
        }
        reach("import-blobs");
        to.ledger.import(&mut self.importing, &batch, last).await?;
        reach("import-batch");
        Ok(())
    }
}
