//! Contents for stores that are used without the program.

use sacker::{
    fault::Fault,
    model::Address,
    store::{Content, Put, PutError, Store},
};
use tempfile::TempDir;

/// A file of random bytes, with its address.
pub fn random(dir: &TempDir, size: usize) -> (Content, Address) {
    let mut bytes = vec![0; size];
    fastrand::fill(&mut bytes);
    let path = dir.path().join(size.to_string());
    std::fs::write(&path, bytes).unwrap();
    let content = Content::hash(&path, &|_| ()).unwrap();
    let at = Address { sha256: content.sha256().clone(), generation: 0 };
    (content, at)
}

/// Puts a content that nobody changes.
pub async fn put(store: &dyn Store, at: &Address, content: &Content) -> Result<Put, Fault> {
    store.put(at, content, false, &|_| ()).await.map_err(|error| match error {
        PutError::Fault(fault) => fault,
        PutError::Changed(path) => panic!("{} changed", path.display()),
    })
}
