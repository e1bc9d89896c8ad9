//! Places in HDFS.

use std::fmt;

/// A folder in HDFS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The `NameNode`, as HOST or HOST:PORT, or the logical name of several.
    pub namenode: String,
    /// The absolute path, without a `/` at its end.
    pub path: String,
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hdfs://{}{}", self.namenode, self.path)
    }
}
