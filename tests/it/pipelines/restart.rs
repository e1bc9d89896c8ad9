//! `infra/systemd/restart`: the unit is restarted once for each file with other bytes.

use super::{path, project};
use crate::support::sandbox::Sandbox;
use std::{fs, os::unix::fs::symlink, process::Command};

/// In the place of `systemctl`: writes its arguments, and ends with the code in `code`, if there is one.
const SYSTEMCTL: &str = r#"printf '%s\n' "$*" >>"$HOME/calls"
exit "$(cat "$HOME/code" 2>/dev/null || echo 0)""#;

struct Host {
    sandbox: Sandbox,
    path: String,
}

impl Host {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let path = path(&sandbox, &[("systemctl", SYSTEMCTL)]);
        fs::create_dir(sandbox.path("state")).unwrap();
        sandbox.write("calls", "");
        Self { sandbox, path }
    }

    fn command(&self) -> Command {
        let mut command = self.sandbox.shell("exec sh \"$script\"");
        command.env("script", project("infra/systemd/restart")).env("PATH", &self.path).envs([
            ("SACKER_FOLLOW_UNIT", "app.service".to_owned()),
            ("SACKER_FOLLOW_READY", self.sandbox.path("ready").display().to_string()),
            ("STATE_DIRECTORY", self.sandbox.path("state").display().to_string()),
        ]);
        command
    }

    /// Runs the script, and returns its exit code and the calls of `systemctl`.
    fn run(&self) -> (Option<i32>, String) {
        self.sandbox.write("calls", "");
        let code = self.command().output().unwrap().status.code();
        (code, self.sandbox.read("calls"))
    }
}

#[test]
fn a_unit_is_restarted_once_for_each_file() {
    let host = Host::new();
    let (one, two) = ("a".repeat(64), "b".repeat(64));
    let ready = |text: &str| host.sandbox.write("ready", text);
    let restarted = (Some(0), "restart -- app.service\n".to_owned());
    let nothing = (Some(0), String::new());
    ready(&format!("1 {one}\n"));
    assert_eq!(host.run(), restarted);
    assert_eq!(host.run(), nothing);
    // The same bytes as another version are the same file.
    ready(&format!("2 {one}\n"));
    assert_eq!(host.run(), nothing);
    ready(&format!("3 {two}\n"));
    assert_eq!(host.run(), restarted);
    // Back again.
    ready(&format!("2 {one}\n"));
    assert_eq!(host.run(), restarted);
    assert_eq!(host.run(), nothing);
    assert_eq!(host.sandbox.files("state"), ["restarted"]);
}

#[test]
fn a_restart_that_failed_is_repeated() {
    let host = Host::new();
    host.sandbox.write("ready", format!("1 {}\n", "a".repeat(64)));
    host.sandbox.write("code", "3");
    let failed = (Some(3), "restart -- app.service\n".to_owned());
    assert_eq!([host.run(), host.run()], [failed.clone(), failed]);
    host.sandbox.write("code", "0");
    assert_eq!(host.run().0, Some(0));
    assert_eq!(host.run(), (Some(0), String::new()));
    // With another action, for the next file.
    host.sandbox.write("ready", format!("2 {}\n", "b".repeat(64)));
    let output = host.command().env("SACKER_FOLLOW_ACTION", "reload").output().unwrap();
    assert!(output.status.success() && host.sandbox.read("calls").ends_with("reload -- app.service\n"));
}

/// The file is written by a service with fewer rights, which may be under the control of somebody else.
#[test]
fn what_is_no_version_and_sha256_restarts_nothing_and_is_not_printed() {
    let host = Host::new();
    host.sandbox.write("secret", "root:$y$secret\n");
    let digest = "a".repeat(64);
    let wrong = [
        String::new(),
        "\n".to_owned(),
        "secret".to_owned(),
        format!("{digest}\n"),
        format!("1 {}\n", &digest[1..]),
        format!("1 {digest}a\n"),
        format!("1 {digest} secret\n"),
        format!("$(touch x) {digest}\n"),
        format!("1/2 {digest}\n"),
        format!("1 {}\n", digest.to_uppercase()),
        format!(" {digest}\n"),
    ];
    for text in wrong {
        host.sandbox.write("ready", &text);
        let output = host.command().output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{text:?}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("secret"), "{text:?}");
    }
    fs::remove_file(host.sandbox.path("ready")).unwrap();
    symlink("secret", host.sandbox.path("ready")).unwrap();
    let output = host.command().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!host.sandbox.shown(&output).contains("secret"));
    assert_eq!(host.sandbox.read("calls"), "");
    assert!(host.sandbox.files("state").is_empty() && !host.sandbox.path("x").exists());
    for missing in ["SACKER_FOLLOW_UNIT", "SACKER_FOLLOW_READY", "STATE_DIRECTORY"] {
        assert_eq!(host.command().env_remove(missing).output().unwrap().status.code(), Some(2));
    }
}
