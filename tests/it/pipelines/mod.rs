//! The parts for deployments and hosts in `infra/`: their shell is run, on the embedded ledger and on
//! the real servers.

mod follow;
mod restart;
mod version;

use crate::support::sandbox::Sandbox;
use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
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

/// Kills a process that was started as a group of its own, with all that it has started.
fn kill_group(child: &mut Child) {
    let kill = format!("kill -KILL -{}", child.id());
    // It may have ended.
    Command::new("/bin/sh").args(["-c", &kill]).stderr(Stdio::null()).status().unwrap();
    child.wait().unwrap();
}
