//! The process's environment, passed in as a lookup so that tests need not change their own.

use crate::durable;
use std::{
    ffi::OsString,
    fmt, fs,
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

type Lookup = dyn Fn(&str) -> Option<OsString>;

/// The lookup of environment variables.
pub(super) struct Environment(Box<Lookup>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

impl Environment {
    /// Returns the environment of this process.
    pub fn of_process() -> Self {
        Self::new(|name| std::env::var_os(name))
    }

    pub fn new(lookup: impl Fn(&str) -> Option<OsString> + 'static) -> Self {
        Self(Box::new(lookup))
    }

    /// Returns a variable's value, which may be empty.
    pub fn get(&self, name: &str) -> Option<OsString> {
        (self.0)(name)
    }

    /// Returns a variable's value if it is set and not empty.
    pub fn filled(&self, name: &str) -> Option<OsString> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Returns the user's home directory. A relative path is ignored, since its meaning would depend on the working
    /// directory.
    pub fn home(&self) -> Option<PathBuf> {
        self.directory("HOME")
    }

    /// Returns the directory of this program's data.
    pub fn data(&self) -> Option<PathBuf> {
        self.own("XDG_DATA_HOME", ".local/share")
    }

    /// Returns the directory of this program's cache. `None` also for a directory that another user owns or everyone
    /// may write to: its content determines the actor recorded with a change, and the files that are written to.
    pub fn cache(&self) -> Option<PathBuf> {
        let cache = self.own("XDG_CACHE_HOME", ".cache")?;
        let trusted = is_trusted(&cache);
        if !trusted {
            tracing::debug!("{} is not used: others may write to it", cache.display());
        }
        trusted.then_some(cache)
    }

    /// Returns the directory of temporary files.
    pub fn temporary(&self) -> PathBuf {
        self.directory("TMPDIR").unwrap_or_else(|| PathBuf::from("/tmp"))
    }

    /// Returns an [XDG directory](https://specifications.freedesktop.org/basedir-spec/latest/), or its default below
    /// the home directory; the specification says to ignore a path that is not absolute.
    fn own(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let parent = self.directory(variable).or_else(|| Some(self.home()?.join(below_home)));
        parent.map(|parent| parent.join("sacker"))
    }

    fn directory(&self, variable: &str) -> Option<PathBuf> {
        self.filled(variable).map(PathBuf::from).filter(|path| path.is_absolute())
    }
}

/// Returns true if only this user, the superuser or the directory's group can have written to the directory, or if
/// the directory does not exist. Groups are trusted, as for the configuration file.
fn is_trusted(directory: &Path) -> bool {
    match fs::symlink_metadata(directory) {
        Ok(found) => {
            let own = found.uid() == 0 || durable::is_own(Some(directory), found.uid());
            found.is_symlink() && own || found.is_dir() && own && found.mode() & 0o002 == 0
        }
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}
