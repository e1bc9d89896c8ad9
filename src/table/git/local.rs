//! A repository of this machine, which is read and written in place.

use super::{
    command::Git,
    commit, failure,
    failure::Moved,
    lock::{Locked, lock},
    objects::{Oid, Tip},
    packing,
    seen::Seen,
};
use crate::{
    blocking::threaded,
    durable,
    fault::{Fault, FaultKind},
    model::{Created, Setting, SettingState, Severity},
};
use std::{
    io,
    path::{Path, PathBuf},
};

const RECREATE: &str = "run `sacker init` to create it, or check the path and the ref";

/// A repository of this machine.
#[derive(Debug)]
pub(super) struct Local {
    directory: PathBuf,
    pub git: Git,
    seen: Option<Seen>,
}

impl Local {
    pub fn new(directory: PathBuf, seen: Option<Seen>) -> Self {
        Self { git: Git::at(&directory), directory, seen }
    }

    /// Returns the folder of git's own files: the repository itself if it is bare.
    fn git_dir(&self) -> PathBuf {
        let inner = self.directory.join(".git");
        if inner.join("objects").is_dir() { inner } else { self.directory.clone() }
    }

    pub fn missing(doing: &str, reference: &str) -> Fault {
        let source = format!("the repository has no `{reference}`");
        Fault { remedy: Some(RECREATE), ..Fault::new(FaultKind::Missing, doing, source) }
    }

    /// Returns an identity that differs in a copy elsewhere.
    pub fn home(&self, reference: &str) -> Option<String> {
        let path = self.directory.canonicalize().ok()?;
        Some(format!("git:{}#{reference}", path.display()))
    }

    /// Waits for the writers before this one. There must be a repository.
    pub async fn lock(&self, doing: &str) -> Result<Locked, Fault> {
        if !self.git_dir().join("objects").is_dir() {
            let source = "there is no git repository";
            return Err(Fault { remedy: Some(RECREATE), ..Fault::new(FaultKind::Missing, doing, source) });
        }
        lock(&self.git_dir().join("sacker.lock"), doing).await
    }

    /// Checks that a tip descends from the one that this machine knew before, and remembers it.
    pub async fn check(&self, doing: &str, tip: &Tip) -> Result<(), Fault> {
        match &self.seen {
            Some(seen) => seen.check(&self.git, doing, &tip.commit).await,
            None => Ok(()),
        }
    }

    /// Refuses a ref that is gone although this machine knew it.
    pub fn check_absent(&self, doing: &str) -> Result<(), Fault> {
        self.seen.as_ref().map_or(Ok(()), |seen| seen.check_absent(doing))
    }

    /// Moves the ref from one commit to another, durably.
    ///
    /// Git flushes the files that it writes, but not their directories: the pack must have its name before the ref
    /// leads to it, and the ref before the change is acknowledged.
    pub async fn advance(&self, doing: &str, reference: &str, from: &str, to: &Oid) -> Result<Moved, Fault> {
        let git_dir = self.git_dir();
        let disk = |error| Fault::new(FaultKind::Disk, doing, error);
        flush(git_dir.join("objects/pack")).await.map_err(disk)?;
        let output = self.git.run(doing, &["update-ref", reference, to, from], b"").await?;
        match failure::updated(&output) {
            Moved::Unknown => Err(failure::of(doing, &output)),
            Moved::Done => {
                for directory in Path::new(reference).ancestors().skip(1) {
                    // The change is visible; if it lasts is not known.
                    let unknown = |error| Fault::new(FaultKind::Unavailable, doing, error);
                    flush(git_dir.join(directory)).await.map_err(unknown)?;
                }
                if let Some(seen) = &self.seen {
                    seen.remember(to);
                }
                Ok(Moved::Done)
            }
            moved => Ok(moved),
        }
    }

    /// Combines packs if there are many.
    pub async fn tidy(&self) {
        packing::combine(&self.git, &self.git_dir()).await;
    }

    /// Creates the repository, bare, unless there is one.
    pub async fn create(&self, doing: &str) -> Result<Created, Fault> {
        let disk = |error| Fault::new(FaultKind::Disk, doing, error);
        if self.git_dir().join("objects").is_dir() {
            return Ok(Created::Present);
        }
        if let Ok(mut entries) = std::fs::read_dir(&self.directory)
            && entries.next().is_some()
        {
            let why = "the directory is no git repository, and it is not empty";
            return Err(Fault::new(FaultKind::Misconfigured, doing, why));
        }
        durable::make_private_dir(&self.directory).map_err(disk)?;
        let path = self.directory.to_string_lossy();
        let make = ["init", "--quiet", "--bare", "--template=", "--", &path];
        Git::nowhere().ok(doing, &make, b"").await?;
        let git = Git::at(&self.directory);
        for known in &KNOWN {
            git.ok(doing, &["config", known.key, "true"], b"").await?;
        }
        Ok(Created::Made)
    }

    pub async fn first(&self, doing: &str) -> Result<Oid, Fault> {
        commit::first(&Git::at(&self.directory), doing).await
    }

    /// Reports the settings that protect the history against pushes.
    pub async fn settings(&self, doing: &str) -> Result<Vec<Setting>, Fault> {
        let mut settings = Vec::new();
        for known in &KNOWN {
            let output = self.git.run(doing, &["config", "--type=bool", "--get", known.key], b"").await?;
            let state = if output.line() == "true" { SettingState::On } else { SettingState::Off };
            let directory = self.directory.display();
            settings.push(Setting {
                name: known.name,
                title: format!("{} of the repository {directory}", known.title),
                repair: (state == SettingState::Off)
                    .then(|| format!("git -C {directory} config {} true", known.key)),
                state,
                severity: known.severity,
                found: None,
            });
        }
        Ok(settings)
    }
}

/// Flushes a directory. A format of refs that has none in this place keeps its files elsewhere.
async fn flush(directory: PathBuf) -> io::Result<()> {
    threaded(move || match durable::flush_directory(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        flushed => flushed,
    })
    .await
}

/// A setting of a repository that other machines push to.
struct Known {
    key: &'static str,
    name: &'static str,
    title: &'static str,
    severity: Severity,
}

const KNOWN: [Known; 3] = [
    Known {
        key: "receive.denyNonFastForwards",
        name: "git_deny_rewrites",
        title: "refusal of pushes that rewrite the history",
        severity: Severity::Serious,
    },
    Known {
        key: "receive.denyDeletes",
        name: "git_deny_deletes",
        title: "refusal of pushes that delete a ref",
        severity: Severity::Serious,
    },
    Known {
        key: "uploadpack.allowFilter",
        name: "git_partial_clones",
        title: "permission of clones without the records that they don't need",
        severity: Severity::Minor,
    },
];
