//! ZooKeeper for tests: ensembles whose members are killed and started, and a link that is cut at a chosen message.

mod cut;
mod ensemble;

pub use cut::{Cut, Cuts};
pub use ensemble::Ensemble;

use super::{backends, sandbox::Sandbox};

/// A sandbox on a root of its own, which is not there yet, and on a directory store.
pub fn sandbox() -> Sandbox {
    sandbox_at(&backends::zookeeper())
}

pub fn sandbox_at(servers: &str) -> Sandbox {
    let ledger = format!("zookeeper://{servers}/{}", backends::unique("cli"));
    let sandbox = Sandbox::new();
    let store = format!("file://{}/blobs", sandbox.home().display());
    sandbox.set("SACKER_LEDGER", ledger).set("SACKER_STORE", store)
}
