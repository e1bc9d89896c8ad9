//! The table: its servers, its root and its session.

use super::{login::Login, paths::Paths, session::Session};

/// A table below a node of a ZooKeeper ensemble.
#[derive(Debug)]
pub struct ZookeeperTable {
    pub(super) session: Session,
    pub(super) paths: Paths,
}

impl ZookeeperTable {
    /// Creates a handle of the table below the node `root`, an absolute path, of the ensemble with these `servers`:
    /// `HOST:PORT`, separated by commas. Connects when it is first used. All nodes that it makes can be read and
    /// changed by the user of the login alone; without one, by everybody.
    #[must_use]
    pub fn new(servers: impl Into<String>, root: impl Into<String>, login: Option<Login>) -> Self {
        Self { session: Session::new(servers.into(), login), paths: Paths::new(root.into()) }
    }

    pub(super) fn reading(&self) -> String {
        format!("reading the ledger in `{}`", self.paths.root())
    }

    pub(super) fn writing(&self) -> String {
        format!("writing to the ledger in `{}`", self.paths.root())
    }
}
