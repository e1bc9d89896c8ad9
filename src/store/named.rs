//! Files under the names that another program gave them, for importers. They are only read.

mod directory;
mod interface;

pub use directory::DirectoryFiles;
pub use interface::{NamedBytes, NamedFile, NamedFiles, NamedPage};
