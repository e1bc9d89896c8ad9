//! The files of the repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file, by its path from the root.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files below a folder, by the path of the folder from the root.
pub fn files(under: &str) -> Vec<PathBuf> {
    fn find(under: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(under).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                find(&entry.path(), found);
            } else {
                found.push(entry.path());
            }
        }
    }
    let mut found = Vec::new();
    find(&root().join(under), &mut found);
    found
}
