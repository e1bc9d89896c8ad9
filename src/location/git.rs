//! Ledgers in git repositories.

use super::{directory::file_url, error::Error, given::Given};
use crate::endpoint::{has_credentials, without_credentials};
use std::{fmt, path::PathBuf};
use url::{Host, Url};

/// The ref of a ledger whose URL names none.
pub const DEFAULT_REF: &str = "refs/sacker/ledger";
/// The beginning of the URL of a ledger in a git repository.
pub(super) const PREFIX: &str = "git+";

/// A ledger in a git repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitPlace {
    /// The repository.
    pub repository: GitRepository,
    /// The full name of the ref: `refs/sacker/ledger`.
    pub reference: String,
}

/// A git repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitRepository {
    /// In a directory of this machine, an absolute path.
    Directory(PathBuf),
    /// At an `https`, `ssh` or, on this machine only, `http` URL.
    Remote(String),
}

impl GitPlace {
    /// Parses a URL that begins with [`PREFIX`].
    pub(super) fn parse(what: &'static str, text: &str) -> Result<Self, Error> {
        if !cfg!(feature = "git") {
            return Err(Error::NotBuilt { what, url: without_credentials(text), feature: "git" });
        }
        let inner = text.strip_prefix(PREFIX).unwrap_or(text);
        let invalid = |why: String| Error::Invalid { what, url: without_credentials(text), why };
        let url = Url::parse(inner).map_err(|error| invalid(error.to_string()))?;
        let (inner, fragment) = inner.split_once('#').map_or((inner, None), |(url, name)| (url, Some(name)));
        let reference = fragment.unwrap_or(DEFAULT_REF);
        if !is_reference(reference) {
            let why = "after `#` comes the full name of a ref: `#refs/heads/NAME` of A-Z a-z 0-9 . _ - /";
            return Err(invalid(why.to_owned()));
        }
        let given = Given { what, text: inner, url };
        let repository = match given.url.scheme() {
            "file" => {
                if !inner.starts_with("file:///") {
                    return Err(invalid("it must be absolute: git+file:///REPOSITORY".to_owned()));
                }
                GitRepository::Directory(given.directory()?)
            }
            "https" | "http" | "ssh" => GitRepository::Remote(remote(&given.url).map_err(invalid)?),
            scheme => {
                let why = format!(
                    "unknown scheme \"git+{scheme}\"; git+file:///, git+https:// and git+ssh:// are known"
                );
                return Err(invalid(why));
            }
        };
        Ok(Self { repository, reference: reference.to_owned() })
    }
}

/// Returns the URL of a remote repository as git gets it.
fn remote(url: &Url) -> Result<String, String> {
    let is_ssh = url.scheme() == "ssh";
    if url.password().is_some() || !is_ssh && has_credentials(url) {
        return Err(
            "credentials don't belong in it; they come from git's credential helpers, or from ssh".to_owned()
        );
    }
    if url.query().is_some() {
        return Err("it can't have parameters".to_owned());
    }
    let Some(host) = url.host() else { return Err("it does not name a host".to_owned()) };
    if host.to_string().starts_with('-') || url.username().starts_with('-') {
        return Err("no host or user begins with `-`".to_owned());
    }
    let is_here = match &host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    if url.scheme() == "http" && !is_here {
        return Err(
            "http is not encrypted, and is for this machine only; use git+https:// or git+ssh://".to_owned()
        );
    }
    if matches!(url.path(), "" | "/") {
        return Err("it does not name a repository".to_owned());
    }
    let mut plain = url.clone();
    plain.set_fragment(None);
    Ok(plain.to_string())
}

/// Returns true for the full name of a ref, by [git's rules](https://git-scm.com/docs/git-check-ref-format), of plain
/// characters only.
fn is_reference(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    let parts = name.split('/');
    name.starts_with("refs/")
        && name.len() <= 200
        && name.bytes().all(plain)
        && !name.contains("..")
        && parts.clone().count() >= 3
        && parts.clone().all(|part| {
            let is_lock = part.rsplit_once('.').is_some_and(|(_, end)| end == "lock");
            !part.is_empty() && !part.starts_with(['.', '-']) && !part.ends_with('.') && !is_lock
        })
}

impl fmt::Display for GitPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        match &self.repository {
            GitRepository::Directory(directory) => f.write_str(&file_url(directory))?,
            GitRepository::Remote(url) => f.write_str(url)?,
        }
        if self.reference == DEFAULT_REF { Ok(()) } else { write!(f, "#{}", self.reference) }
    }
}

#[cfg(all(test, feature = "git"))]
mod tests;
