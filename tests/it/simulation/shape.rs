//! The inputs of a run, and its result.

use super::specification::File;
use bytes::Bytes;
use sacker::model::Digest;
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc};

/// The files that are added.
pub struct Blobs {
    pub paths: Vec<PathBuf>,
    pub files: Vec<File>,
    pub contents: Arc<BTreeMap<Digest, Bytes>>,
    pub _dir: tempfile::TempDir,
}

impl Blobs {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (mut paths, mut files, mut contents) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (number, mode) in (0..).zip([0o644, 0o755, 0o600]) {
            let filename = format!("blob-{number}");
            let path = dir.path().join(&filename);
            let content = format!("content {number}");
            std::fs::write(&path, &content).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let sha256 = Digest::from(<[u8; 32]>::from(Sha256::digest(&content)));
            files.push(File { sha256: sha256.to_string(), size: content.len() as u64, filename, mode });
            contents.insert(sha256, Bytes::from(content));
            paths.push(path);
        }
        Self { paths, files, contents: Arc::new(contents), _dir: dir }
    }
}

/// The parameters of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A few clients of one package or two.
    Few,
    /// 2 to 16 clients of one package.
    Crowd,
    /// Outages and throttling of a minute, for all or for some.
    Lasting,
}

/// The result of a run.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub violations: Vec<String>,
    pub requests: usize,
    pub answered: usize,
    pub unknown: usize,
    pub crashed: usize,
    pub deleted: usize,
    pub fences: usize,
    /// Plans that moved something in both packages, and plans that were taken back.
    pub applied: usize,
    pub undone: usize,
    pub rolled_back: usize,
    /// Freezes and thaws, and moves that passed a freeze.
    pub freezes: usize,
    pub thaws: usize,
    pub emergencies: usize,
    /// Recalls that moved a tag.
    pub recalls: usize,
    /// Prunes that deleted a version, and versions that came back.
    pub prunes: usize,
    pub undeletions: usize,
    /// The number of times that `fsck --repair` ended well.
    pub repairs: usize,
    /// The number of times that the ledger adopted the store.
    pub adopted: usize,
    /// The number of transactions that were committed.
    pub commits: usize,
    /// The most clients at once, and how many faults lasted.
    pub clients: usize,
    pub lasting: usize,
    pub wrong_clocks: usize,
    /// A hash of all items, to compare runs by.
    pub digest: String,
}
