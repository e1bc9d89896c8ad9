//! The parts for CI systems and hosts in `ci/`, `templates/` and `infra/`: their shell is run, on the embedded ledger and on
//! the real servers.

mod copies;
mod follow;
#[cfg(feature = "failpoints")]
mod kills;
mod lost;
mod publish;
mod restart;
mod version;

use crate::support::sandbox::Sandbox;
use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

/// Returns the path of a file of the project.
fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Puts the program, and scripts in the place of other programs, into `bin` of a sandbox. Returns the `PATH` for them.
fn path(sandbox: &Sandbox, scripts: &[(&str, &str)]) -> String {
    let bin = sandbox.path("bin");
    fs::create_dir_all(&bin).unwrap();
    for (name, script) in scripts {
        fs::write(bin.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    if !bin.join("sacker").exists() {
        symlink(env!("CARGO_BIN_EXE_sacker"), bin.join("sacker")).unwrap();
    }
    format!("{}:/usr/bin:/bin", bin.display())
}

/// A sandbox whose embedded ledger and store are configured, as a job of a CI system needs it.
fn embedded() -> Sandbox {
    let sandbox = Sandbox::new();
    let home = sandbox.home().display().to_string();
    let sandbox = sandbox.set("SACKER_LEDGER", format!("file://{home}/ledger"));
    sandbox.set("SACKER_STORE", format!("file://{home}/store"))
}

/// Runs `ci/publish.sh` in a run of GitHub Actions, for the package `app` and the file `f`, with more variables.
fn job(sandbox: &Sandbox, path: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = sandbox.shell("exec sh \"$script\"");
    command.env("script", project("ci/publish.sh")).env("PATH", path).envs([
        ("GITHUB_RUN_ID", "842"),
        ("GITHUB_RUN_ATTEMPT", "1"),
        ("GITHUB_REPOSITORY", "acme/app"),
        ("GITHUB_JOB", "publish"),
        ("SACKER_CI_PACKAGE", "app"),
        ("SACKER_CI_FILE", "f"),
    ]);
    command.envs(variables.iter().copied());
    command
}

/// Returns the exit code and what a job has printed on stdout.
fn outcome(sandbox: &Sandbox, output: &Output) -> (i32, String) {
    let code = output.status.code().unwrap_or_else(|| panic!("{}", sandbox.shown(output)));
    (code, String::from_utf8(output.stdout.clone()).unwrap())
}

/// Kills a process that was started as a group of its own, with all that it has started.
fn kill_group(child: &mut Child) {
    let kill = format!("kill -KILL -{}", child.id());
    // It may have ended.
    Command::new("/bin/sh").args(["-c", &kill]).stderr(Stdio::null()).status().unwrap();
    child.wait().unwrap();
}

/// Returns the number of versions of a package.
fn versions(sandbox: &Sandbox, package: &str) -> usize {
    sandbox.ok(&["versions", package, "--json"]).lines().count()
}
