//! The contents of the book, `docs/SUMMARY.md`: it names every page of `docs/`, once, and no page that does not exist.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

const PARTS: [&str; 4] = ["Tutorial", "How-to guides", "Reference", "Explanation"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages below a folder, by their paths from the root of the repository.
fn pages(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.insert(path);
        }
    }
    found
}

/// The pages that the contents name, in their order.
fn named(summary: &str) -> Vec<PathBuf> {
    let targets = summary.lines().filter_map(|line| line.split_once("](")?.1.strip_suffix(')'));
    let from_root = |target: &str| {
        let mut path = PathBuf::from("docs");
        for part in Path::new(target).components() {
            match part {
                Component::ParentDir => assert!(path.pop(), "{target} leaves the repository"),
                part => path.push(part),
            }
        }
        path
    };
    targets.map(from_root).collect()
}

#[test]
fn the_contents_name_each_page_once() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let named = named(&summary);
    let links = summary.matches("](").count();
    assert_eq!(named.len(), links, "a line of the contents has one link, and ends with it");
    let once: BTreeSet<_> = named.iter().cloned().collect();
    assert_eq!(once.len(), named.len(), "a page is named twice: {named:#?}");
    let missing: Vec<_> = once.iter().filter(|page| !root().join(page).is_file()).collect();
    assert!(missing.is_empty(), "docs/SUMMARY.md names pages that do not exist: {missing:#?}");

    let mut pages = pages(Path::new("docs"));
    assert!(pages.remove(Path::new("docs/SUMMARY.md")) && pages.len() > 40, "the pages were not found");
    pages.extend(
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(PathBuf::from),
    );
    let unnamed: Vec<_> = pages.difference(&once).collect();
    assert!(unnamed.is_empty(), "docs/SUMMARY.md does not name these pages: {unnamed:#?}");
}

#[test]
fn the_contents_have_four_parts() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let parts: Vec<_> = summary.lines().filter_map(|line| line.strip_prefix("# ")).collect();
    assert_eq!(parts, [&["Summary"], &PARTS[..]].concat());
}
