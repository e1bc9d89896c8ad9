//! The permission bits of a downloaded file: those recorded, less what the umask takes away.

use crate::model::Mode;
use std::{fs::Permissions, io, os::unix::fs::PermissionsExt, path::Path};

/// The permission bits that a download gives its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileMode {
    /// While the file is written: its owner may write to it, and nobody may read it who may not in the end.
    pub partial: u32,
    /// At the end. `None` if no bits were recorded: then the file keeps those of a new file.
    pub complete: Option<Mode>,
}

impl FileMode {
    /// Returns the bits for a file in `directory`: the recorded ones less the umask, or exactly those with `preserve`.
    /// May make a file in the directory and remove it.
    ///
    /// # Errors
    /// The file system's error, where the umask can be found out only by making a file.
    pub fn find(recorded: Option<Mode>, preserve: bool, directory: &Path) -> io::Result<Self> {
        let mask = if preserve && recorded.is_some() { 0 } else { umask(directory)? };
        Ok(Self::masked(recorded, mask))
    }

    fn masked(recorded: Option<Mode>, mask: u32) -> Self {
        let bits = recorded.map_or(0o666, u32::from) & !mask;
        Self { partial: bits & 0o666 | 0o600, complete: recorded.map(|_| Mode::from(bits)) }
    }
}

/// Returns the umask of this process. Asking the system call would set it for all threads; so it is read where Linux
/// shows it, and elsewhere seen on a file that is made for that.
fn umask(directory: &Path) -> io::Result<u32> {
    match shown(Path::new("/proc/self/status")) {
        Some(mask) => Ok(mask),
        None => tried(directory),
    }
}

/// See [proc(5)](https://man7.org/linux/man-pages/man5/proc_pid_status.5.html).
fn shown(status: &Path) -> Option<u32> {
    let status = std::fs::read_to_string(status).ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(mask.trim(), 8).ok()
}

fn tried(directory: &Path) -> io::Result<u32> {
    let all = Permissions::from_mode(0o777);
    let file = tempfile::Builder::new().prefix(".sacker-").permissions(all).tempfile_in(directory)?;
    Ok(!file.as_file().metadata()?.permissions().mode() & 0o777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_find_the_umask_agree() {
        let directory = tempfile::tempdir().unwrap();
        let tried = tried(directory.path()).unwrap();
        assert_eq!(umask(directory.path()).unwrap(), tried);
        assert_eq!(directory.path().read_dir().unwrap().count(), 0);
        // Where nothing is shown, it is tried.
        let status = directory.path().join("status");
        assert_eq!(shown(&status), None);
        for (text, mask) in [("Name:\tx\nUmask:\t0027\nState:\tR\n", Some(0o027)), ("Umask:\tx\n", None)] {
            std::fs::write(&status, text).unwrap();
            assert_eq!(shown(&status), mask);
        }
    }

    #[test]
    fn no_bit_is_given_that_the_umask_takes_away() {
        for mask in [0, 0o022, 0o027, 0o077, 0o002] {
            for recorded in 0..=0o777 {
                let FileMode { partial, complete } = FileMode::masked(Some(Mode::from(recorded)), mask);
                let complete = complete.map(u32::from).unwrap();
                assert_eq!(complete, recorded & !mask);
                assert_eq!(partial & 0o077 & !complete, 0, "nobody reads it who may not in the end");
                assert_eq!(partial & 0o600, 0o600);
            }
            assert_eq!(
                FileMode::masked(None, mask),
                FileMode { partial: 0o666 & !mask | 0o600, complete: None }
            );
        }
    }
}
