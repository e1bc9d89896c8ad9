//! A remote repository, and the clone of its ledger in the cache.
//!
//! The clone has the newest commit with its trees and, later, all commits after it; files are fetched when they are
//! read. It is bare and can be removed at any time: only what this machine knew of the history is lost with it.

use super::{
    command::Git,
    commit, failure,
    failure::Moved,
    lock::{Locked, lock},
    objects::Oid,
    packing,
    seen::rewritten,
};
use crate::{
    durable,
    fault::{Fault, FaultKind},
};
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};
use tokio::sync::Mutex;

/// The ref in the clone that is on the last known commit of the remote.
pub(super) const KNOWN: &str = "refs/sacker/known";
const LOST_REF: &str = "run `sacker init` to create it, or check the URL and the ref";
const HOOK: &str =
    "the server's own rules refuse the change: a hook, a protected branch or missing permissions";

/// A remote repository with its clone.
#[derive(Debug)]
pub(super) struct Remote {
    url: String,
    folder: PathBuf,
    reference: String,
    /// For what only reads the clone: a file that it lacks is missing there.
    pub git: Git,
    /// For what may ask the remote.
    asking: Git,
    is_made: AtomicBool,
    /// The number of calls that asked for the newest commit.
    asked: AtomicU64,
    /// The number of those that had asked when the last fetch began.
    fetched: Mutex<u64>,
    /// The folder, if it is one for this value alone.
    _temporary: Option<tempfile::TempDir>,
}

impl Remote {
    /// Opens a clone in a folder of the cache, or in a temporary folder. Touches nothing yet but the latter.
    pub fn new(url: &str, reference: &str, folder: PathBuf, temporary: Option<tempfile::TempDir>) -> Self {
        let protocols = match url.split(':').next() {
            Some("http") => "http:https:ssh",
            _ => "https:ssh",
        };
        let git = Git::of_clone(&folder.join("clone.git"), protocols);
        let asking = git
            .clone()
            .with(format!("remote.ledger.url={url}"))
            .with("remote.ledger.promisor=true".to_owned())
            .with("remote.ledger.partialCloneFilter=blob:none".to_owned());
        Self {
            url: url.to_owned(),
            folder,
            reference: reference.to_owned(),
            git,
            asking,
            is_made: AtomicBool::new(false),
            asked: AtomicU64::new(0),
            fetched: Mutex::new(0),
            _temporary: temporary,
        }
    }

    fn git_dir(&self) -> PathBuf {
        self.folder.join("clone.git")
    }

    /// Returns an identity that differs in a copy elsewhere.
    pub fn home(&self) -> String {
        home(&self.url, &self.reference)
    }

    pub fn missing(doing: &str, reference: &str) -> Fault {
        let source = format!("the repository has no `{reference}`");
        Fault { remedy: Some(LOST_REF), ..Fault::new(FaultKind::Missing, doing, source) }
    }

    /// Waits until no other process fetches into the clone or pushes from it, and creates the clone if it is missing.
    pub async fn lock(&self, doing: &str) -> Result<Locked, Fault> {
        let disk = |error| Fault::new(FaultKind::Disk, doing, error);
        if !self.is_made.load(Ordering::Relaxed) {
            durable::make_private(&self.folder).map_err(disk)?;
        }
        let locked = lock(&self.folder.join("lock"), doing).await?;
        // Another process may have removed it; half a clone has no HEAD yet.
        if !self.git_dir().join("HEAD").is_file() {
            let path = self.git_dir();
            let path = path.to_string_lossy();
            let make = ["init", "--quiet", "--bare", "--template=", "--object-format=sha1", "--", &path];
            Git::nowhere().ok(doing, &make, b"").await?;
        }
        self.is_made.store(true, Ordering::Relaxed);
        Ok(locked)
    }

    /// Makes sure that the clone has every commit that was acknowledged before this call. Concurrent calls share a
    /// fetch. Returns false if the remote has no such ref.
    pub async fn refresh(&self, doing: &str) -> Result<bool, Fault> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut fetched = self.fetched.lock().await;
        if *fetched >= asked {
            return Ok(true);
        }
        let began = self.asked.load(Ordering::SeqCst);
        let locked = self.lock(doing).await?;
        let exists = self.fetch(doing).await?;
        drop(locked);
        if exists {
            *fetched = began;
        }
        Ok(exists)
    }

    fn known(&self) -> Option<Oid> {
        // The only ref of the clone, and never packed: nothing here packs refs.
        let text = std::fs::read_to_string(self.git_dir().join(KNOWN)).ok()?;
        Some(text.trim().to_owned())
    }

    /// Fetches the ref, with the lock held. Returns false if the remote has none, and never had.
    ///
    /// # Errors
    /// [`FaultKind::Corrupt`] if the remote's history does not contain the commit that this clone knew.
    pub async fn fetch(&self, doing: &str) -> Result<bool, Fault> {
        let known = self.known();
        let refspec = format!("{}:{KNOWN}", self.reference);
        let mut arguments = vec![
            "fetch",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-gc",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--no-prune",
            "--show-forced-updates",
            "--filter=blob:none",
        ];
        if known.is_none() {
            arguments.push("--depth=1");
        }
        arguments.extend(["--", "ledger", &refspec]);
        let output = self.asking.run(doing, &arguments, b"").await?;
        if output.is_ok() {
            return Ok(true);
        }
        let is_gone = output.stderr.contains("couldn't find remote ref");
        match known {
            None if is_gone => Ok(false),
            Some(known) if is_gone => Err(rewritten(doing, &known, None, &self.folder)),
            Some(known) if output.stderr.contains("[rejected]") => {
                let tip = self.advertised(doing).await;
                Err(rewritten(doing, &known, Some(&tip), &self.folder))
            }
            _ => Err(failure::of(doing, &output)),
        }
    }

    /// Returns the remote's commit, for people.
    async fn advertised(&self, doing: &str) -> String {
        let listed = self.asking.run(doing, &["ls-remote", "--", "ledger", &self.reference], b"").await;
        let line = listed.map(|output| output.line()).unwrap_or_default();
        line.split_whitespace().next().unwrap_or("another commit").to_owned()
    }

    /// Fetches files that the clone lacks.
    pub async fn fetch_files(&self, doing: &str, missing: &[Oid]) -> Result<(), Fault> {
        let arguments = [
            "-c",
            "fetch.negotiationAlgorithm=noop",
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-gc",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--filter=blob:none",
            "--stdin",
            "ledger",
        ];
        let wanted = missing.iter().flat_map(|oid| [oid.as_str(), "\n"]).collect::<String>();
        self.asking.ok(doing, &arguments, wanted.as_bytes()).await.map(drop)
    }

    /// Pushes a commit, if the remote's ref is still on the one before it (`None`: is still missing). The lock must be
    /// held.
    pub async fn advance(&self, doing: &str, from: Option<&str>, to: &Oid) -> Result<Moved, Fault> {
        let lease = format!("--force-with-lease={}:{}", self.reference, from.unwrap_or_default());
        let refspec = format!("{to}:{}", self.reference);
        let tracking = format!("remote.ledger.fetch={}:{KNOWN}", self.reference);
        let arguments = [
            "-c",
            &tracking,
            "push",
            "--porcelain",
            "--no-verify",
            "--no-follow-tags",
            "--no-signed",
            "--recurse-submodules=no",
            "--thin",
            &lease,
            "--",
            "ledger",
            &refspec,
        ];
        let output = self.asking.run(doing, &arguments, b"").await?;
        match failure::pushed(&output) {
            Moved::Unknown => Err(failure::of(doing, &output)),
            Moved::Refused(why) => {
                let said = remote_lines(&output.stderr);
                let source = if said.is_empty() { why } else { format!("{why}: {said}") };
                Err(Fault { remedy: Some(HOOK), ..Fault::new(FaultKind::Denied, doing, source) })
            }
            moved => Ok(moved),
        }
    }

    pub async fn first(&self, doing: &str) -> Result<Oid, Fault> {
        commit::first(&self.git, doing).await
    }

    /// Combines packs if there are many. The lock must be held.
    pub async fn tidy(&self) {
        packing::combine_clone(&self.asking, &self.git_dir()).await;
    }
}

/// Returns what the server's hook printed.
fn remote_lines(stderr: &str) -> String {
    let text = failure::without_secrets(stderr);
    let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("remote:")).map(str::trim).collect();
    let said = lines.iter().filter(|line| !line.is_empty()).copied().collect::<Vec<_>>().join("; ");
    said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1000).collect()
}

/// Returns an identity that differs in a copy elsewhere: the host and the path of a URL, the same for https and ssh.
fn home(url: &str, reference: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit('@').next().unwrap_or(host);
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    format!("git:{host}/{path}#{reference}")
}

/// Returns the folder of a ledger in the cache.
pub(super) fn folder(cache: &Path, repository: &str, reference: &str) -> PathBuf {
    use sha2::{Digest, Sha256};
    let digits = hex::encode(Sha256::digest(format!("{repository}#{reference}")));
    cache.join("git").join(&digits[..24])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_repository_has_one_home() {
        let home = |url| super::home(url, "refs/x");
        assert_eq!(home("https://host/a/b.git"), "git:host/a/b#refs/x");
        assert_eq!(home("ssh://git@host:22/a/b"), "git:host/a/b#refs/x");
        assert_ne!(home("https://host/a/c"), home("https://host/a/b"));
    }

    #[test]
    fn the_words_of_a_hook_are_kept() {
        assert_eq!(
            remote_lines("remote: no\nerror: x\nremote:  really\u{1b}[1m  \nremote:\n"),
            "no; really [1m"
        );
    }
}
