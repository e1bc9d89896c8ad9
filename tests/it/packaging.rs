//! Releases that are interrupted: what `scripts/release` leaves behind. `scripts/check-release` checks a whole one.

use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt, process::ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};
use tempfile::TempDir;

/// A release into a folder of a temporary directory, in which cargo and go report that they run, and then do what is asked.
struct Release(TempDir);

impl Release {
    fn new() -> Self {
        let release = Self(TempDir::new().unwrap());
        fs::create_dir(release.path("bin")).unwrap();
        release
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// Starts it. Cargo and go run this shell command.
    fn start(&self, tools_do: &str) -> Child {
        for tool in ["cargo", "go"] {
            let program = self.path("bin").join(tool);
            let marker = self.path("runs");
            fs::write(&program, format!("#!/bin/sh\n: > '{}'\n{tools_do}\n", marker.display())).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let _ = fs::remove_file(self.path("runs"));
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        // A job in the background may ignore interrupts, which a shell inherits and can't undo.
        Command::new("env")
            .arg("--default-signal=INT,TERM")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/release"))
            .args(["--only", std::env::consts::ARCH, "--out"])
            .arg(self.path("dist"))
            .env("PATH", path)
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap()
    }

    /// Starts it, and returns when a tool runs, which then never ends.
    fn start_and_wait(&self) -> Child {
        let mut running = self.start("exec sleep 600");
        while !self.path("runs").exists() {
            assert!(running.try_wait().unwrap().is_none(), "it ended before a tool ran");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        running
    }

    /// Starts it, and sends a signal to all of its processes as soon as a tool runs.
    fn interrupt(&self, signal: Signal) -> ExitStatus {
        let mut running = self.start_and_wait();
        kill_process_group(Pid::from_child(&running), signal).unwrap();
        running.wait().unwrap()
    }

    /// The names in the directory, but for the tools.
    fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let names =
            names.map(|name| name.into_string().unwrap()).filter(|name| name != "bin" && name != "runs");
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }
}

#[test]
fn an_interrupted_release_leaves_nothing() {
    let release = Release::new();
    assert_eq!(release.interrupt(Signal::INT).code(), Some(130));
    assert_eq!(release.left(), [""; 0]);
    assert_eq!(release.interrupt(Signal::TERM).code(), Some(143));
    assert_eq!(release.left(), [""; 0]);
}

#[test]
fn the_next_release_removes_what_a_killed_one_left() {
    let release = Release::new();
    assert_eq!(release.interrupt(Signal::KILL).signal(), Some(9));
    assert_eq!(release.left(), [".dist.new"], "and no dist");
    assert_eq!(release.start("exit 1").wait().unwrap().code(), Some(1));
    assert_eq!(release.left(), [""; 0]);
}

#[test]
fn a_release_that_fails_keeps_the_one_before() {
    let release = Release::new();
    fs::create_dir(release.path("dist")).unwrap();
    fs::write(release.path("dist/SHA256SUMS"), "of the release before").unwrap();
    assert_eq!(release.start("exit 1").wait().unwrap().code(), Some(1));
    assert_eq!(release.interrupt(Signal::INT).code(), Some(130));
    assert_eq!(release.left(), ["dist"]);
    assert_eq!(fs::read_to_string(release.path("dist/SHA256SUMS")).unwrap(), "of the release before");
}

#[test]
fn a_folder_that_is_no_release_is_not_replaced() {
    let release = Release::new();
    fs::create_dir(release.path("dist")).unwrap();
    fs::write(release.path("dist/precious"), "").unwrap();
    assert_eq!(release.start("exit 0").wait().unwrap().code(), Some(1));
    assert!(release.path("dist/precious").exists());
}

#[test]
fn two_releases_into_one_folder_do_not_mix() {
    let release = Release::new();
    let mut first = release.start_and_wait();
    assert_eq!(release.start("exit 0").wait().unwrap().code(), Some(1), "another release is being built");
    assert_eq!(release.left(), [".dist.new"]);
    kill_process_group(Pid::from_child(&first), Signal::INT).unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(130));
}
