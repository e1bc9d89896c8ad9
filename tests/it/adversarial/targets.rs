//! Traps at the target of a download: nothing is written through them.

use super::code;
use crate::support::sandbox::Sandbox;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    process::Command,
};

/// A package `app` whose first version is `one.txt`, and an empty directory `in` to download into.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_app();
    fs::create_dir(sandbox.path("in")).unwrap();
    fs::create_dir(sandbox.path("elsewhere")).unwrap();
    sandbox
}

fn download(sandbox: &Sandbox, more: &[&str]) -> i32 {
    let arguments = [&["download", "app", "1"], more].concat();
    code(&sandbox.command(&arguments).current_dir(sandbox.path("in")).output().unwrap())
}

fn mode(sandbox: &Sandbox, name: &str) -> u32 {
    fs::metadata(sandbox.path(name)).unwrap().permissions().mode() & 0o777
}

/// Both ways of naming a target: by the recorded name, and with `-o`.
const WAYS: [&[&str]; 2] = [&[], &["-o", "one.txt"]];

#[test]
fn a_link_to_a_file_is_refused_and_with_force_replaced() {
    for way in WAYS {
        let sandbox = sandbox();
        sandbox.write("elsewhere/precious", "mine");
        symlink("../elsewhere/precious", sandbox.path("in/one.txt")).unwrap();
        assert_eq!(download(&sandbox, way), 6);
        assert!(sandbox.path("in/one.txt").is_symlink());
        assert_eq!(download(&sandbox, &[way, &["-f"]].concat()), 0);
        assert_eq!(sandbox.read("elsewhere/precious"), "mine");
        assert!(!sandbox.path("in/one.txt").is_symlink());
        assert_eq!(sandbox.read("in/one.txt"), "one\n");
    }
}

#[test]
fn a_link_to_the_same_bytes_changes_nothing_behind_it() {
    for way in WAYS {
        let sandbox = sandbox();
        sandbox.write("elsewhere/same", "one\n");
        fs::set_permissions(sandbox.path("elsewhere/same"), fs::Permissions::from_mode(0o600)).unwrap();
        symlink("../elsewhere/same", sandbox.path("in/one.txt")).unwrap();
        assert_eq!(download(&sandbox, way), 0);
        assert_eq!(mode(&sandbox, "elsewhere/same"), 0o600, "what is private stays private");
    }
}

#[test]
fn a_link_that_leads_nowhere_makes_nothing_there() {
    for way in WAYS {
        let sandbox = sandbox();
        symlink("../elsewhere/new", sandbox.path("in/one.txt")).unwrap();
        assert_eq!(download(&sandbox, way), 6);
        assert_eq!(download(&sandbox, &[way, &["-f"]].concat()), 0);
        assert_eq!(sandbox.files("elsewhere"), Vec::<String>::new());
        assert_eq!(sandbox.read("in/one.txt"), "one\n");
    }
}

#[test]
fn a_link_to_itself_is_no_trap() {
    let sandbox = sandbox();
    symlink("one.txt", sandbox.path("in/one.txt")).unwrap();
    assert_eq!(download(&sandbox, &[]), 6);
    assert_eq!(download(&sandbox, &["-f"]), 0);
    assert_eq!(sandbox.read("in/one.txt"), "one\n");
}

#[test]
fn a_link_to_a_directory_under_the_recorded_name_is_not_entered() {
    let sandbox = sandbox();
    symlink("../elsewhere", sandbox.path("in/one.txt")).unwrap();
    for force in [&[][..], &["-f"]] {
        assert_eq!(download(&sandbox, force), 2);
        assert!(sandbox.path("in/one.txt").is_symlink());
        assert_eq!(sandbox.files("elsewhere"), Vec::<String>::new());
    }
    // Given with `-o` it is a directory like any other, which the user chose.
    assert_eq!(download(&sandbox, &["-o", "one.txt"]), 0);
    assert_eq!(sandbox.files("elsewhere"), ["one.txt"]);
}

#[test]
fn what_is_no_file_is_neither_opened_nor_replaced() {
    for way in WAYS {
        let sandbox = sandbox();
        let fifo = sandbox.path("in/one.txt");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let before = fs::symlink_metadata(&fifo).unwrap().ino();
        assert_eq!(download(&sandbox, way), 2);
        assert_eq!(download(&sandbox, &[way, &["-f"]].concat()), 2);
        assert_eq!(fs::symlink_metadata(&fifo).unwrap().ino(), before);
        assert_eq!(sandbox.files("in"), ["one.txt"]);
    }
    let sandbox = sandbox();
    fs::create_dir_all(sandbox.path("in/one.txt")).unwrap();
    assert_eq!(download(&sandbox, &["-f"]), 2);
    assert_eq!(download(&sandbox, &["-o", "one.txt", "-f"]), 0);
    assert_eq!(sandbox.files("in/one.txt"), ["one.txt"]);
}

#[test]
fn a_private_file_is_private_from_its_first_byte() {
    let sandbox = sandbox();
    sandbox.write("secret", vec![7; 20 << 20]);
    fs::set_permissions(sandbox.path("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    sandbox.ok(&["add", "secret", "secret"]);
    #[cfg(feature = "failpoints")]
    {
        let sign = sandbox.path("sign");
        let mut child = sandbox
            .command(&["download", "secret", "1", "-o", "in/secret"])
            .env("FAILPOINTS", format!("download-writing=return({})", sign.display()))
            .spawn()
            .unwrap();
        crate::support::sandbox::eventually("it writes", || sign.exists());
        let part = sandbox.files("in").into_iter().find(|name| name.starts_with(".sacker-")).unwrap();
        let while_written = mode(&sandbox, &format!("in/{part}"));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(while_written, 0o600);
    }
    sandbox.ok(&["download", "secret", "1", "-o", "in/secret"]);
    assert_eq!(mode(&sandbox, "in/secret"), 0o600);
}

#[test]
fn nobody_else_can_read_the_default_ledger_and_store() {
    let sandbox = Sandbox::new();
    sandbox.write("f", "x");
    sandbox.ok(&["add", "app", "f"]);
    for name in [".local/share/sacker", ".local/share/sacker/ledger", ".local/share/sacker/store"] {
        assert_eq!(mode(&sandbox, name), 0o700, "{name}");
    }
}
