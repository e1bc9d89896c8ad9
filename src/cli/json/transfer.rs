//! The lines of commands that move or verify a whole ledger.

use crate::{
    model::{PackageName, Version},
    ops::{CopyReport, PackageCopied, SavedHead},
};
use serde::Serialize;

/// The totals of `import` and `copy`.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct CopyTotals {
    packages: u64,
    changed: u64,
    versions: u64,
    blobs: u64,
    bytes: u64,
    dry_run: bool,
}

impl CopyTotals {
    pub fn of(report: &CopyReport, dry_run: bool) -> Self {
        let CopyReport { packages, changed, versions, blobs, bytes } = *report;
        Self { packages, changed, versions, blobs, bytes, dry_run }
    }
}

/// A package that was imported or copied, or would be.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct CopiedLine<'a> {
    package: &'a PackageName,
    versions: u64,
    events: u64,
    blobs: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    numbering: Vec<NumberedFile<'a>>,
}

/// A file and the number that it would get.
#[derive(Debug, Serialize)]
struct NumberedFile<'a> {
    version: Version,
    source: &'a str,
}

impl<'a> CopiedLine<'a> {
    pub fn of(copied: &'a PackageCopied) -> Self {
        let PackageCopied { package, versions, events, blobs, bytes, numbering } = copied;
        let numbered = |(version, source): &'a (_, String)| NumberedFile { version: *version, source };
        let numbering = numbering.iter().map(numbered).collect();
        Self { package, versions: *versions, events: *events, blobs: *blobs, bytes: *bytes, numbering }
    }
}

/// A saved head that the ledger does not fit to.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct HeadLine<'a> {
    #[serde(flatten)]
    pub head: &'a SavedHead,
    /// The difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<&'a str>,
}
