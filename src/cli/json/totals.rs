//! The last line of a command's output.

use super::transfer::CopyTotals;
use serde::Serialize;

/// The last line of a command's JSON output: the totals of a complete run.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct TotalsLine {
    pub summary: Totals,
}

/// The totals of a run, by command.
#[derive(Debug, Serialize)]
#[serde(tag = "command", rename_all = "lowercase")]
pub(in crate::cli) enum Totals {
    /// The number of packages printed, and of those that may not be read.
    List {
        packages: u64,
        denied: u64,
    },
    /// The number of blobs and unfinished uploads printed, the blobs' total size, and true if they were removed.
    Gc {
        blobs: u64,
        bytes: u64,
        uploads: u64,
        removed: bool,
    },
    /// The number of versions kept, and of those deleted or to be deleted (`removed` if they were), and the number of
    /// packages without a rule.
    Prune {
        kept: u64,
        deleted: u64,
        without_rule: u64,
        removed: bool,
    },
    /// The amounts checked, the violations found, and the violations repaired.
    Fsck {
        packages: u64,
        versions: u64,
        blobs: u64,
        read: u64,
        unread: u64,
        #[serde(rename = "breaches")]
        violations: u64,
        #[serde(rename = "mended")]
        repaired: u64,
        unjudged: u64,
    },
    /// The number of heads printed or verified, of entries verified, and of heads that differ.
    Audit {
        heads: u64,
        entries: u64,
        differences: u64,
    },
    /// The totals of an export, as its last line has them.
    Export {
        packages: u64,
        items: u64,
        sha256: String,
    },
    /// The packages of the source, those in which something was new, and what was new; `dry_run` if it was not written.
    Import(CopyTotals),
    Copy(CopyTotals),
}
