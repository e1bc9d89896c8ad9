//! The user and the password of digest authentication.

use std::{
    fs, io,
    path::{Path, PathBuf},
};
use zookeeper_client::Acls;

/// A user of ZooKeeper's digest authentication, whose password is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    user: String,
    password_file: PathBuf,
}

impl Login {
    /// Creates the login of a user, a name without `:`. The file is read when the table connects; a line break at its
    /// end is not part of the password.
    #[must_use]
    pub fn new(user: impl Into<String>, password_file: impl Into<PathBuf>) -> Self {
        Self { user: user.into(), password_file: password_file.into() }
    }

    pub(super) fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn password_file(&self) -> &Path {
        &self.password_file
    }

    /// Returns what the server takes as the proof of the user's identity.
    pub(super) fn proof(&self) -> io::Result<Vec<u8>> {
        let mut password = fs::read(&self.password_file)?;
        while password.last().is_some_and(|last| b"\r\n".contains(last)) {
            password.pop();
        }
        if password.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it holds no password"));
        }
        Ok([self.user.as_bytes(), b":", &password].concat())
    }
}

/// Returns the access control list of each node that is made.
pub(super) fn acls(login: Option<&Login>) -> Acls<'static> {
    if login.is_some() { Acls::creator_all() } else { Acls::anyone_all() }
}
