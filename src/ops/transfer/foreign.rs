//! `import --from`: versions that another program has named or numbered, with their files.
//!
//! An importer makes a [`Foreign`] of what it reads. [`Client::import_foreign`](crate::ops::Client::import_foreign) adds
//! it, whatever the importer.

mod adding;
mod contents;
mod fetch;
mod files;
mod numbering;
mod oci;
mod pattern;
mod python;

pub use contents::{Foreign, ForeignVersion};
pub use files::FilesOptions;
pub use numbering::Order;
pub use pattern::Pattern;
pub use python::PythonTables;
