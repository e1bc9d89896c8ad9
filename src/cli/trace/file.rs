//! The file of `--trace-json`: everything that the trace knows, a line of JSON each.

use super::super::{log, log::RunId, notices::Notices, render::plain};
use serde_json::{Map, Value};
use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tracing::Level;

/// A file to which lines are appended. One that can't be written is reported once, and fails nothing.
#[derive(Debug)]
pub(in crate::cli) struct TraceFile {
    path: PathBuf,
    run: RunId,
    notices: Arc<Notices>,
    /// `None` after it could not be written.
    file: Mutex<Option<File>>,
}

impl TraceFile {
    pub fn open(path: &Path, run: RunId, notices: Arc<Notices>) -> Self {
        let opened = OpenOptions::new().append(true).create(true).open(path);
        let file = opened.inspect_err(|error| report(path, error, &notices)).ok();
        Self { path: path.to_owned(), run, notices, file: Mutex::new(file) }
    }

    /// Appends a line. Several processes can share the file: each line is one write.
    pub fn line(&self, level: Level, message: &str, fields: &Map<String, Value>) {
        let mut place = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = &mut *place else { return };
        let line = log::line(self.run, level, message, fields) + "\n";
        if let Err(error) = file.write_all(line.as_bytes()) {
            *place = None;
            report(&self.path, &error, &self.notices);
        }
    }
}

fn report(path: &Path, error: &std::io::Error, notices: &Notices) {
    notices.warn(&format!("can't write the trace to {}: {}", path.display(), plain(error)));
}
