//! `export`: all packages of the ledger as lines of JSON.
//!
//! The first line names the format, the release and the ledger. A line for each item follows, package by package, by
//! name. The last line has the totals and the sha256 of all lines before it, so that a truncated or changed file is
//! detected. The lines are the same whenever the ledger is.

use super::package::JOBS;
use crate::{
    ledger::{Error as LedgerError, ExportItem, Identity, NotFound, PackageQuery, Positions},
    model::{PackageName, Sha256},
    ops::{client::Client, error::Error},
};
use futures_util::{
    StreamExt, TryStreamExt, future,
    stream::{self, BoxStream},
};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The number of the format that this release writes.
pub(super) const FORMAT: u64 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// The format.
    pub sacker_export: u64,
    /// The release that wrote the export.
    pub release: String,
    pub ledger: Option<LedgerFields>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LedgerFields {
    pub id: String,
    pub epoch: u64,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trailer {
    pub end: ExportReport,
}

/// The totals of an export.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ExportReport {
    /// The number of packages.
    pub packages: u64,
    /// The number of their items.
    pub items: u64,
    /// The sha256 of all lines but the last one.
    pub sha256: String,
}

/// A line of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportLine {
    /// The text, with its end.
    pub text: String,
    /// The totals, with the last line.
    pub report: Option<ExportReport>,
}

/// The lines that were written so far.
struct Progress {
    sha256: Sha256,
    report: ExportReport,
    package: Option<PackageName>,
}

fn line(text: String) -> ExportLine {
    ExportLine { text: text + "\n", report: None }
}

/// Returns a value as a line of JSON. All of them are strings and numbers.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl Progress {
    fn pass(&mut self, item: &ExportItem, package: &PackageName) -> ExportLine {
        if self.package.as_ref() != Some(package) {
            self.package = Some(package.clone());
            self.report.packages += 1;
        }
        self.report.items += 1;
        let line = line(item.to_line());
        self.sha256.update(line.text.as_bytes());
        line
    }

    fn end(self) -> ExportLine {
        let end = ExportReport { sha256: self.sha256.finish().to_string(), ..self.report };
        ExportLine { report: Some(end.clone()), ..line(json(&Trailer { end })) }
    }
}

fn header(identity: Option<Identity>) -> Header {
    let ledger = identity.map(|Identity { id, epoch, .. }| LedgerFields { id, epoch });
    Header { sacker_export: FORMAT, release: env!("CARGO_PKG_VERSION").to_owned(), ledger }
}

impl Client {
    /// Exports all packages of the ledger, line by line. Each package is exported as of one instant; different packages
    /// may be of different instants. With `blobs`, every blob that a version needs is first copied to that directory,
    /// which has the layout of a store.
    ///
    /// The stream may be dropped at any time. It yields [`Error::NotCopied`] for a blob that is not in the store, and the
    /// errors of [`Transfers::export`](crate::ledger::Transfers::export).
    #[must_use]
    pub fn export(&self, blobs: Option<&Path>) -> BoxStream<'_, Result<ExportLine, Error>> {
        let blobs = blobs.map(|directory| self.with_directory(directory));
        let begin = async move {
            let header = line(json(&header(self.ledger.identity().await?)));
            let mut sha256 = Sha256::new();
            sha256.update(header.text.as_bytes());
            let progress = Progress { sha256, report: ExportReport::default(), package: None };
            let items = self
                .exported_items()
                .map(move |item| {
                    let blobs = blobs.clone();
                    async move {
                        let (package, item) = item?;
                        if let (Some(blobs), Some(blob)) = (blobs, item.needed_blob()?) {
                            blobs.copy_blob(Some(self), &package, &blob).await?;
                        }
                        Ok::<_, Error>((package, item))
                    }
                })
                .buffered(JOBS);
            let lines = stream::unfold(Some((items.boxed(), progress)), |state| async {
                let (mut items, mut progress) = state?;
                Some(match items.next().await {
                    Some(Ok((package, item))) => {
                        (Ok(progress.pass(&item, &package)), Some((items, progress)))
                    }
                    Some(Err(error)) => (Err(error), None),
                    None => (Ok(progress.end()), None),
                })
            });
            Ok::<_, Error>(stream::iter([Ok(header)]).chain(lines))
        };
        stream::once(begin).try_flatten().boxed()
    }

    /// Lists all items of all packages. The list of packages may name one that has no version: its first addition was
    /// interrupted. It has no item.
    fn exported_items(&self) -> BoxStream<'_, Result<(PackageName, ExportItem), Error>> {
        self.ledger
            .packages(&PackageQuery::default())
            .map_ok(|package| {
                let items = self.ledger.export(&package, &Positions::default());
                items
                    .filter(|item| {
                        future::ready(!matches!(item, Err(LedgerError::NotFound(NotFound::Package(_)))))
                    })
                    .map_ok(move |item| (package.clone(), item))
            })
            .try_flatten()
            .err_into()
            .boxed()
    }
}
