//! Moving data: exports, imports, copies from ledger to ledger, and saved heads.
//!
//! A blob is always stored before the version that needs it, as in an addition.

mod blobs;
mod copy;
mod differ;
mod export;
mod file;
mod foreign;
mod heads;
mod import;
mod package;

pub use copy::{CopyReport, OnPackage, PackageCopied};
pub use export::{ExportLine, ExportReport};
pub use foreign::{FilesOptions, Foreign, ForeignVersion, Order, Pattern, PythonTables};
pub use heads::{HeadDiffers, SavedHead};
pub use import::ImportOptions;
