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
    assert_snapshot!(run("publish"), @"");
}

#[test]
fn promote() {
    assert_snapshot!(run("promote"), @"");
}

#[test]
fn follow() {
    assert_snapshot!(run("follow"), @"");
}

#[test]
fn custom_store() {
    assert_snapshot!(run("custom_store"), @"");
}
