//! Repositories of the git server over ssh.

use super::{backends, git_http::git};
use std::path::PathBuf;

/// An empty repository on the server.
pub struct Repository {
    pub url: String,
    pub path: PathBuf,
}

impl Repository {
    pub fn new() -> Self {
        let name = format!("{}.git", backends::unique("r"));
        let folder = state().join("repositories");
        git(&folder, &["init", "--quiet", "--bare", &name]);
        git(&folder.join(&name), &["config", "uploadpack.allowFilter", "true"]);
        let url = backends::address("SACKER_TEST_GIT", "git server").replace("ssh://", "git+ssh://git@");
        Self { url: format!("{url}/{name}"), path: folder.join(name) }
    }

    /// Lets the connection break after the next push was carried out.
    pub fn cut_next_push(&self) {
        std::fs::write(self.path.join("cut"), "").unwrap();
    }

    /// True once a connection was broken.
    pub fn was_cut(&self) -> bool {
        !self.path.join("cut").exists()
    }
}

fn state() -> PathBuf {
    PathBuf::from(backends::address("SACKER_BACKENDS_STATE", "git server")).join("git")
}

/// The command by which git reaches the server: with the key and the known host of this run, not those of the user.
pub fn command() -> (&'static str, String) {
    let state = state();
    let known = state.join("known_hosts");
    (
        "GIT_SSH_COMMAND",
        ssh(&format!("-i {} -o UserKnownHostsFile={}", state.join("key").display(), known.display())),
    )
}

/// The same without the key.
pub fn command_without_key() -> (&'static str, String) {
    ("GIT_SSH_COMMAND", ssh(&format!("-o UserKnownHostsFile={}", state().join("known_hosts").display())))
}

/// The same by a client that has never seen the server.
pub fn command_of_a_stranger() -> (&'static str, String) {
    ("GIT_SSH_COMMAND", ssh("-o UserKnownHostsFile=/dev/null"))
}

fn ssh(options: &str) -> String {
    format!(
        "ssh -F /dev/null -o IdentityAgent=none -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes {options}"
    )
}
