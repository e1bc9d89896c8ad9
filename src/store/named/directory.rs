//! The files of a directory, without those that symbolic links lead to.

use super::interface::{NamedBytes, NamedFile, NamedFiles, NamedPage};
use crate::{
    blocking::threaded,
    fault::{Fault, FaultKind},
    model::Timestamp,
    store::files::found,
};
use async_trait::async_trait;
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

const LINK: &str = "it is a symbolic link";

/// The files of a directory and of the directories in it.
#[derive(Debug, Clone)]
pub struct DirectoryFiles {
    root: PathBuf,
}

impl DirectoryFiles {
    /// Returns the files of this directory.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

#[async_trait]
impl NamedFiles for DirectoryFiles {
    fn describe(&self) -> String {
        self.root.display().to_string()
    }

    /// Lists all files at once, by name.
    async fn list(&self, prefix: &str, _: Option<&str>) -> Result<NamedPage, Fault> {
        let (root, prefix) = (self.root.clone(), prefix.to_owned());
        threaded(move || {
            let mut page = NamedPage::default();
            walk(&root, "", &mut page)?;
            page.files.retain(|file| file.name.starts_with(&prefix));
            page.skipped.retain(|(name, _)| name.starts_with(&prefix));
            page.files.sort_by(|one, other| one.name.cmp(&other.name));
            page.skipped.sort();
            Ok(page)
        })
        .await
    }

    async fn open(&self, name: &str, _: u64, _: Option<&str>) -> Result<Option<NamedBytes>, Fault> {
        let (root, name) = (self.root.clone(), name.to_owned());
        threaded(move || {
            let mut path = root;
            for part in name.split('/') {
                if matches!(part, "" | "." | "..") {
                    return Ok(None);
                }
                path.push(part);
                let metadata = found(fs::symlink_metadata(&path)).map_err(|error| failed(&path, error))?;
                if metadata.is_none_or(|it| it.is_symlink()) {
                    return Ok(None);
                }
            }
            Ok(path.is_file().then_some(NamedBytes::Local(path)))
        })
        .await
    }
}

fn failed(path: &Path, error: io::Error) -> Fault {
    Fault::new(FaultKind::Disk, format!("reading {}", path.display()), error)
}

/// Adds what is in a directory; `name` is its name, followed by a `/` unless it is empty.
fn walk(directory: &Path, name: &str, page: &mut NamedPage) -> Result<(), Fault> {
    let failed = |error| failed(directory, error);
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let lossy = format!("{name}{}", entry.file_name().to_string_lossy());
        let mut skip = |why: &str| page.skipped.push((lossy.clone(), why.to_owned()));
        let Some(own) = entry.file_name().to_str().map(str::to_owned) else {
            skip("its name is not UTF-8");
            continue;
        };
        // Of the link itself.
        let metadata = entry.metadata().map_err(failed)?;
        if metadata.is_dir() {
            walk(&entry.path(), &format!("{name}{own}/"), page)?;
        } else if metadata.is_symlink() {
            skip(LINK);
        } else if metadata.is_file() {
            let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            let millis = modified.and_then(|since| u64::try_from(since.as_millis()).ok()).unwrap_or_default();
            page.files.push(NamedFile {
                name: format!("{name}{own}"),
                size: metadata.len(),
                modified: Timestamp::from_millis(millis),
                etag: None,
            });
        } else {
            skip("it is not a regular file");
        }
    }
    Ok(())
}
