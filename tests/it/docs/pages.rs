//! The Markdown pages of the repository: each relative link and each named path exists.

use crate::support::repository::root;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

/// The folders of the repository that pages name files of.
const ROOTS: [&str; 11] = [
    "src/",
    "tests/",
    "docs/",
    "benches/",
    "scripts/",
    "schema/",
    "infra/",
    "fuzz/",
    "examples/",
    "ci/",
    "templates/",
];

fn find(under: &Path, pages: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(under).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            if name != "target" && !name.starts_with('.') {
                find(&entry.path(), pages);
            }
        } else if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            pages.push(entry.path());
        }
    }
}

/// Each page by its path in the repository.
pub fn pages() -> BTreeMap<PathBuf, String> {
    let mut found = Vec::new();
    find(root(), &mut found);
    let pages: BTreeMap<_, _> = found
        .into_iter()
        .map(|path| (path.strip_prefix(root()).unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    assert!(pages.contains_key(Path::new("README.md")) && pages.len() > 10, "the pages were not found");
    pages
}

/// The lines of a page outside of its code blocks, with their numbers.
fn prose(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    page.lines().enumerate().filter_map(move |(at, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((at + 1, line))
    })
}

/// The text of a line with `CODE` for each code span, and the code spans.
fn split_code(line: &str) -> (String, Vec<&str>) {
    let (mut text, mut code) = (String::new(), Vec::new());
    for (at, part) in line.split('`').enumerate() {
        if at % 2 == 0 {
            text.push_str(part);
        } else {
            text.push_str("CODE");
            code.push(part);
        }
    }
    (text, code)
}

/// The anchor that a heading gets: its letters in lower case, with a hyphen for each space.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn anchors(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, line) in prose(page) {
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let name = anchor(heading.trim());
        let free = (0_u32..).map(|n| if n == 0 { name.clone() } else { format!("{name}-{n}") });
        let free = free.into_iter().find(|name| !found.contains(name)).unwrap();
        found.insert(free);
    }
    found
}

/// The targets of the links and images in a line.
fn links(line: &str) -> Vec<String> {
    let (text, _) = split_code(line);
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(to, _)| to.to_owned()).collect()
}

/// The path from the root that a link of a page names; none if it leaves the repository.
pub fn resolve(page: &Path, to: &str) -> Option<PathBuf> {
    let mut path = page.parent().unwrap().to_owned();
    for part in Path::new(to).components() {
        match part {
            Component::ParentDir => path.pop().then_some(())?,
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

#[test]
fn each_relative_link_leads_to_a_file_and_a_heading() {
    let pages = pages();
    let (mut broken, mut seen) = (Vec::new(), 0);
    for (page, text) in &pages {
        for (at, line) in prose(text) {
            for link in links(line) {
                if link.contains("://") || link.starts_with("mailto:") {
                    continue;
                }
                seen += 1;
                let (to, heading) = link.split_once('#').unwrap_or((&link, ""));
                let target = if to.is_empty() { Some(page.clone()) } else { resolve(page, to) };
                let there = target.is_some_and(|target| {
                    let is_there = root().join(&target).exists();
                    let has_heading =
                        || pages.get(&target).is_some_and(|page| anchors(page).contains(heading));
                    is_there && (heading.is_empty() || has_heading())
                });
                if !there {
                    broken.push(format!("{}:{at}: {link}", page.display()));
                }
            }
        }
    }
    assert!(seen > 30, "the links were not found");
    assert!(broken.is_empty(), "these links lead nowhere: {broken:#?}");
}

#[test]
fn each_path_that_a_page_names_exists() {
    let (mut missing, mut seen) = (Vec::new(), 0);
    for (page, text) in pages() {
        for (at, line) in prose(&text) {
            for code in split_code(line).1 {
                let is_path = ROOTS.iter().any(|root| code.starts_with(root))
                    && code.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
                if !is_path {
                    continue;
                }
                seen += 1;
                // A page in a folder may name what is in that folder.
                if ![root(), &root().join(page.parent().unwrap())].iter().any(|it| it.join(code).exists()) {
                    missing.push(format!("{}:{at}: {code}", page.display()));
                }
            }
        }
    }
    assert!(seen > 30, "the paths were not found");
    assert!(missing.is_empty(), "these paths do not exist: {missing:#?}");
}
