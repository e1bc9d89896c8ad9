//! The contents of the book, `docs/SUMMARY.md`: it names every page of `docs/`, once, and no page that does not exist.

use super::pages::{pages, resolve};
use crate::support::repository::{read, root};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

const SUMMARY: &str = "docs/SUMMARY.md";

const PARTS: [&str; 4] = ["Tutorial", "How-to guides", "Reference", "Explanation"];

/// The pages that the contents name, in their order.
fn named(summary: &str) -> Vec<PathBuf> {
    let targets = summary.lines().filter_map(|line| line.split_once("](")?.1.strip_suffix(')'));
    let from_root = |target: &str| {
        resolve(Path::new(SUMMARY), target).unwrap_or_else(|| panic!("{target} leaves the repository"))
    };
    targets.map(from_root).collect()
}

#[test]
fn the_contents_name_each_page_once() {
    let summary = read(SUMMARY);
    let named = named(&summary);
    let links = summary.matches("](").count();
    assert_eq!(named.len(), links, "a line of the contents has one link, and ends with it");
    let once: BTreeSet<_> = named.iter().cloned().collect();
    assert_eq!(once.len(), named.len(), "a page is named twice: {named:#?}");
    let missing: Vec<_> = once.iter().filter(|page| !root().join(page).is_file()).collect();
    assert!(missing.is_empty(), "docs/SUMMARY.md names pages that do not exist: {missing:#?}");

    let mut pages: BTreeSet<_> = pages().into_keys().filter(|page| page.starts_with("docs")).collect();
    assert!(pages.remove(Path::new(SUMMARY)) && pages.len() > 40, "the pages were not found");
    pages.extend(
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(PathBuf::from),
    );
    let unnamed: Vec<_> = pages.difference(&once).collect();
    assert!(unnamed.is_empty(), "docs/SUMMARY.md does not name these pages: {unnamed:#?}");
}

#[test]
fn the_contents_have_four_parts() {
    let summary = read(SUMMARY);
    let parts: Vec<_> = summary.lines().filter_map(|line| line.strip_prefix("# ")).collect();
    assert_eq!(parts, [&["Summary"], &PARTS[..]].concat());
}
