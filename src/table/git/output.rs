//! The end of a run of git.

/// The end of a run.
#[derive(Debug)]
pub(super) struct Output {
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    /// The messages of git and of the server.
    pub stderr: String,
}

impl Output {
    pub fn is_ok(&self) -> bool {
        self.code == Some(0)
    }

    pub fn line(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }
}
