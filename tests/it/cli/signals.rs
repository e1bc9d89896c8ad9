//! Ctrl-C and other signals.

use crate::support::sandbox::{Sandbox, eventually, signal};
use insta::assert_snapshot;
use std::{
    fs,
    io::{Read, Write},
    process::{Child, Command, Stdio},
};

fn start(sandbox: &Sandbox, arguments: &[&str]) -> Child {
    let mut command = sandbox.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn an_addition_that_is_interrupted_leaves_nothing() {
    for name in ["INT", "TERM"] {
        let sandbox = Sandbox::new();
        let mut child = start(&sandbox, &["add", "app", "-", "-q"]);
        // Held open: what is added never ends.
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&vec![0; 100_000]).unwrap();
        eventually("it reads what is to be added", || !sandbox.files("tmp").is_empty());
        signal(&child, name);
        let shown = sandbox.shown(&child.wait_with_output().unwrap());
        assert_eq!(shown, "exit 130\n2| error: interrupted before anything was committed\n");
        assert_eq!(sandbox.files("tmp"), Vec::<String>::new());
        assert_eq!(sandbox.ok(&["list"]), "");
    }
}

/// Puts a pipe in the place of a blob: any process that opens it waits without end.
fn stuck(sandbox: &Sandbox) {
    let info: serde_json::Value = serde_json::from_str(&sandbox.ok(&["info", "app", "1", "--json"])).unwrap();
    let blob = sandbox.data().join("store/sha256").join(info["sha256"].as_str().unwrap());
    fs::remove_file(&blob).unwrap();
    assert!(Command::new("mkfifo").arg(&blob).status().unwrap().success());
}

#[test]
fn a_download_that_is_interrupted_leaves_nothing() {
    let sandbox = Sandbox::with_app();
    stuck(&sandbox);
    fs::create_dir(sandbox.path("to")).unwrap();
    let child = start(&sandbox, &["download", "app", "1", "-o", "to/file", "--json"]);
    eventually("it has begun", || !sandbox.files("to").is_empty());
    signal(&child, "INT");
    assert_snapshot!(sandbox.shown(&child.wait_with_output().unwrap()), @r#"
    exit 130
    2| {"error":{"kind":"interrupted","message":"interrupted before anything was committed","hint":null,"exit_code":130}}
    "#);
    assert_eq!(sandbox.files("to"), Vec::<String>::new());
}

#[test]
fn a_reader_that_does_not_read_holds_up_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("f", vec![0; 4 << 20]);
    sandbox.ok(&["add", "app", "f"]);
    let mut child = start(&sandbox, &["download", "app", "1", "-o", "-"]);
    // One byte is proof that it writes; the rest does not fit into the pipe.
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
