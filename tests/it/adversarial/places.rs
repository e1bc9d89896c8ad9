//! A configuration, and an environment, that an attacker has changed.

use super::code;
use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

fn configured(sandbox: &Sandbox, name: &str, mode: u32) {
    let home = sandbox.home().display();
    sandbox.write(name, format!(r#"{{"ledger": "file://{home}/l", "store": "file://{home}/s"}}"#));
    fs::set_permissions(sandbox.path(name), fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_that_everyone_may_write_is_not_obeyed() {
    let sandbox = Sandbox::new();
    for mode in [0o600, 0o640, 0o644, 0o664, 0o660, 0o400] {
        configured(&sandbox, ".sacker.json", mode);
        assert_eq!(code(&sandbox.command(&["list"]).output().unwrap()), 0, "{mode:o}");
    }
    configured(&sandbox, ".sacker.json", 0o666);
    assert_snapshot!(sandbox.run(&["list"]), @"
    exit 2
    2| error: the configuration file [HOME]/.sacker.json is writable by every user
    2| hint: run `chmod o-w [HOME]/.sacker.json`
    ");
    configured(&sandbox, "other.json", 0o602);
    assert_eq!(code(&sandbox.command(&["list", "--config", "other.json"]).output().unwrap()), 2);
    // By way of a link it is the same file.
    symlink("other.json", sandbox.path("link.json")).unwrap();
    assert_eq!(code(&sandbox.command(&["list", "--config", "link.json"]).output().unwrap()), 2);
    let named = Sandbox::new().set("SACKER_CONFIG", sandbox.path("other.json").display().to_string());
    assert_eq!(code(&named.command(&["list"]).output().unwrap()), 2);
}

#[test]
fn a_file_without_end_or_sense_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("huge.json", vec![b' '; 3 << 20]);
    sandbox.write("binary.json", [0xff, 0, 0x1b]);
    sandbox.write("deep.json", "[".repeat(500_000));
    sandbox.write("color.json", r#"{"\u001b[31m": 1}"#);
    for name in ["/dev/zero", "/", "huge.json", "binary.json", "deep.json", "color.json", "/dev/null"] {
        let output = sandbox.command(&["list", "--config", name]).output().unwrap();
        assert_eq!(code(&output), 2, "{name}: {}", sandbox.shown(&output));
        assert!(!output.stderr.contains(&0x1b) && output.stderr.len() < 2_000, "{name}");
    }
    let output = sandbox.shell("printf '{}' | \"$sacker\" list --config /dev/stdin").output().unwrap();
    assert_eq!(code(&output), 0, "a pipe is as good as a file: {}", sandbox.shown(&output));
}

#[test]
fn without_a_home_there_is_no_default() {
    let sandbox = Sandbox::new();
    sandbox.write("f", "x");
    for home in [None, Some(""), Some("relative"), Some(".")] {
        let mut command = sandbox.command(&["add", "app", "f"]);
        match home {
            None => command.env_remove("HOME"),
            Some(home) => command.env("HOME", home),
        };
        let output = command.output().unwrap();
        assert_eq!(code(&output), 2, "{home:?}: {}", sandbox.shown(&output));
    }
    assert_eq!(sandbox.files("."), ["f", "tmp"]);
}

#[test]
fn a_place_for_temporary_files_that_is_wrong_is_named_or_passed_over() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "x");
    for (place, expected) in [("/nowhere/at/all", 2), ("file", 0), ("", 0)] {
        let place = if place == "file" { "relative".to_owned() } else { place.to_owned() };
        let sandbox_stdin = sandbox.shell("printf x | \"$sacker\" add app -").env("TMPDIR", &place).output();
        let output = sandbox_stdin.unwrap();
        assert_eq!(code(&output), expected, "{place}: {}", sandbox.shown(&output));
    }
    let place = sandbox.path("file").display().to_string();
    let output = sandbox.shell("printf x | \"$sacker\" add app -").env("TMPDIR", place).output().unwrap();
    assert_eq!(code(&output), 2, "{}", sandbox.shown(&output));
}

#[test]
fn what_is_spooled_is_read_by_nobody_else() {
    let sandbox = Sandbox::new();
    let script = "umask 0; { printf x; n=0; while [ -z \"$(ls -A tmp)\" ] && [ $n -lt 3000 ]; do sleep 0.01; \
                  n=$((n + 1)); done; ls -lA tmp >seen; } | \"$sacker\" add app -";
    let output = sandbox.shell(script).output().unwrap();
    assert_eq!(code(&output), 0, "{}", sandbox.shown(&output));
    let seen = sandbox.read("seen");
    assert!(seen.lines().any(|line| line.starts_with("-rw-------")), "{seen}");
}

#[test]
fn credentials_in_an_address_are_refused_and_never_shown() {
    let sandbox = Sandbox::new().set("AWS_ACCESS_KEY_ID", "key").set("AWS_SECRET_ACCESS_KEY", "hidden");
    let places = [
        ("dynamodb://user:s3cr3t@table", "s3://bucket"),
        ("dynamodb://table?endpoint=http://user:s3cr3t@127.0.0.1:1", "s3://bucket"),
        ("dynamodb://table?endpoint=http%3A%2F%2Fuser%3As3cr3t%40127.0.0.1", "s3://bucket"),
        ("dynamodb://table?endpoint=http://s3cr3t@127.0.0.1:1", "s3://bucket"),
        ("dynamodb://table", "s3://user:s3cr3t@bucket/p"),
        ("dynamodb://table", "s3://user:s3cr3t@buc ket/p"),
        ("dynamodb://table", "s3://bucket?region=a&endpoint=https://user:s3cr3t@host"),
        ("dynamodb://table", "s3://bucket?zone=http://user:s3cr3t@host"),
        ("http://user:s3cr3t@host", "s3://bucket"),
        ("user:s3cr3t@host", "s3://bucket"),
        ("s3://user:s3cr3t@bucket", "s3://bucket"),
    ];
    for (ledger, store) in places {
        for more in [&[][..], &["--json"], &["-vvv"]] {
            let arguments = [&["list", "--ledger", ledger, "--store", store], more].concat();
            let output = sandbox.command(&arguments).output().unwrap();
            let shown = sandbox.shown(&output);
            assert_eq!(code(&output), 2, "{shown}");
            assert!(!shown.contains("s3cr3t"), "{shown}");
        }
    }
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_S3"] {
        let places =
            ["--ledger", "dynamodb://table?region=eu-west-1", "--store", "s3://bucket?region=eu-west-1"];
        // A command that uses the store, too.
        let arguments = [&["gc", "--deadline", "1s", "-vvv"], &places[..]].concat();
        let output =
            sandbox.command(&arguments).env(name, "http://user:s3cr3t@127.0.0.1:1").output().unwrap();
        let shown = sandbox.shown(&output);
        assert_eq!(code(&output), 2, "{name}: {shown}");
        assert!(!shown.contains("s3cr3t"), "{name}: {shown}");
    }
}
