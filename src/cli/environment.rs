//! The process's environment, handed in as a lookup so that tests need not change their own.

use crate::durable;
use std::{
    ffi::OsString,
    fmt, fs,
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

type Lookup = dyn Fn(&str) -> Option<OsString>;

/// Where variables are looked up.
pub(super) struct Environment(Box<Lookup>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Self {
        Self::new(|name| std::env::var_os(name))
    }

    pub fn new(lookup: impl Fn(&str) -> Option<OsString> + 'static) -> Self {
        Self(Box::new(lookup))
    }

    /// A variable as it is, which may be empty.
    pub fn get(&self, name: &str) -> Option<OsString> {
        (self.0)(name)
    }

    /// A variable that is set and not empty.
    pub fn filled(&self, name: &str) -> Option<OsString> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The user's home directory. A relative one would mean another directory in every place.
    pub fn home(&self) -> Option<PathBuf> {
        self.directory("HOME")
    }

    /// Where data of this program is kept.
    pub fn data(&self) -> Option<PathBuf> {
        self.own("XDG_DATA_HOME", ".local/share")
    }

    /// Where this program remembers what it can do without. `None` also for a directory that another user owns or
    /// everyone may write to: what is in it decides who is recorded with a change, and which files are written to.
    pub fn cache(&self) -> Option<PathBuf> {
        let cache = self.own("XDG_CACHE_HOME", ".cache")?;
        let trusted = is_trusted(&cache);
        if !trusted {
            tracing::debug!("{} is not used: others may write to it", cache.display());
        }
        trusted.then_some(cache)
    }

    /// Where temporary files go.
    pub fn temporary(&self) -> PathBuf {
        self.directory("TMPDIR").unwrap_or_else(|| PathBuf::from("/tmp"))
    }

    /// The [XDG directories](https://specifications.freedesktop.org/basedir-spec/latest/): one that is not absolute
    /// is to be ignored.
    fn own(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let parent = self.directory(variable).or_else(|| Some(self.home()?.join(below_home)));
        parent.map(|parent| parent.join("sacker"))
    }

    fn directory(&self, variable: &str) -> Option<PathBuf> {
        self.filled(variable).map(PathBuf::from).filter(|path| path.is_absolute())
    }
}

/// Returns true if nobody but this user can have put anything into a directory, or it is not there. As for the
/// configuration, groups are left to their members. The superuser's directories are trusted.
fn is_trusted(directory: &Path) -> bool {
    match fs::symlink_metadata(directory) {
        Ok(found) => {
            let own = found.uid() == 0 || durable::is_own(Some(directory), found.uid());
            found.is_symlink() && own || found.is_dir() && own && found.mode() & 0o002 == 0
        }
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}
