//! Many processes at once, and pipes that close.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;
use std::{collections::BTreeSet, io::Write, process::Stdio};

#[test]
fn processes_that_add_at_once_all_succeed() {
    const PROCESSES: usize = 24;
    let sandbox = Sandbox::new();
    sandbox.add_at_once(PROCESSES, &["-q", "--tag", "live"]);
    let listed = sandbox.ok(&["versions", "app", "--json"]);
    let names: BTreeSet<_> = listed
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["filename"].clone().to_string())
        .collect();
    assert_eq!((listed.lines().count(), names.len()), (PROCESSES, PROCESSES));
    let latest = sandbox.ok(&["info", "app", "latest"]);
    assert_eq!(sandbox.ok(&["info", "app", "live"]), format!("{latest}rev: {PROCESSES}\n"));
}

/// A pipe whose reader is gone already.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn nobody_reading_is_a_clean_end() {
    let sandbox = Sandbox::with_app();
    let commands: [&[&str]; 9] = [
        &["list"],
        &["list", "-l", "--json"],
        &["versions", "app"],
        &["tags", "app"],
        &["info", "app", "live"],
        &["download", "app", "live", "-o", "-"],
        &["add", "app", "two.txt", "-q"],
        &["completions", "bash"],
        &["--help"],
    ];
    for arguments in commands {
        let output = sandbox.command(arguments).stdout(closed()).output().unwrap();
        assert_eq!(sandbox.shown(&output), "exit 0\n", "{arguments:?}");
    }
    // What was to be printed was done.
    assert_eq!(sandbox.ok(&["info", "app", "latest"]).lines().nth(1), Some("version: 4"));
    // Nor does it matter that nobody reads the errors.
    let output = sandbox.command(&["info", "app", "9"]).stderr(closed()).output().unwrap();
    assert_snapshot!(sandbox.shown(&output), @"exit 4");
}

#[test]
fn the_head_of_a_listing_is_enough() {
    let sandbox = Sandbox::with_app();
    let output = sandbox.shell(r#""$sacker" versions app --json | head -n 1"#).output().unwrap();
    assert_eq!(sandbox.shown(&output).lines().count(), 2);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_stdout_that_is_full_is_an_error() {
    let sandbox = Sandbox::with_app();
    let output = sandbox.shell(r#""$sacker" list >/dev/full"#).output().unwrap();
    assert_snapshot!(sandbox.shown(&output), @"
    exit 2
    2| error: can't write to standard output: No space left on device
    ");
    let output = sandbox.shell(r#""$sacker" add -q app two.txt >/dev/full"#).output().unwrap();
    assert_snapshot!(sandbox.shown(&output), @"
    exit 2
    2| error: can't write to standard output: No space left on device
    2| hint: the change was made; only the output failed
    ");
    let output = sandbox.shell(r#""$sacker" download app live -o - >/dev/full"#).output().unwrap();
    assert_snapshot!(sandbox.shown(&output), @"
    exit 2
    2| error: can't write to standard output: No space left on device
    ");
}

#[test]
fn a_large_file_goes_through_pipes() {
    let sandbox = Sandbox::new();
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|n| n.to_le_bytes()[(n % 3) as usize]).collect();
    let mut child = sandbox
        .command(&["add", "app", "-", "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    assert_snapshot!(sandbox.shown(&child.wait_with_output().unwrap()), @"
    exit 0
    1| 1
    ");
    let output = sandbox.command(&["download", "app", "1", "-o", "-"]).output().unwrap();
    assert!(output.stdout == bytes, "the same bytes come out");
}
