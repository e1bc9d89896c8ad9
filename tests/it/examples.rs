//! The examples for programs that embed the library, as they are run and what they print.

use insta::assert_snapshot;
use std::{path::PathBuf, process::Command};

/// Runs an example that was built with the tests, and returns what it printed. Its temporary directory is one of the
/// test's own.
fn run(name: &str) -> String {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let program = path.join("examples").join(name);
    assert!(program.is_file(), "{} is not there: cargo test builds it", program.display());
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(program).env_clear().env("TMPDIR", folder.path()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && stderr.is_empty(), "{name}: {stderr}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{name} leaves something behind");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn publish() {
    assert_snapshot!(run("publish"), @r"
    published app 1 (new: true)
    published again: 1
    latest: 1, sha256 62f18b95504b18e073a25a465a1a8ca5f8513fcd19aff2f3cf41cf1cdbd09ed4
    label commit=3f2a91c
    ");
}

#[test]
fn promote() {
    assert_snapshot!(run("promote"), @r"
    live: 1 -> 2
    too late: Conflict
    live: 2 -> 1
    ");
}

#[test]
fn follow() {
    assert_snapshot!(run("follow"), @r"
    installed 1: the first build
    live is on 2
    installed 2: the second build
    live is on 3
    installed 3: the third build
    ");
}

#[test]
fn custom_store() {
    assert_snapshot!(run("custom_store"), @r"
    stored app 1 in the shelf
    the shelf holds 1 blob
    fetched: the build
    ");
}
