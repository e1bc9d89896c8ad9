//! Records what `sacker --version` prints: the commit and the target of the build.
//!
//! The commit is what `SACKER_COMMIT` says; else the one that the sources of a package name; else that of the git repository,
//! in an optimised build only, or each commit would build the crate again while it is developed.

use std::{env, fs, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SACKER_COMMIT");
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let root = Path::new(&root);
    let optimised = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let given = env::var("SACKER_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(|| of_package(root)).or_else(|| of_repository(root, optimised));
    if let Some(commit) = commit {
        println!("cargo::rustc-env=BUILD_COMMIT={commit}");
    }
    println!("cargo::rustc-env=BUILD_TARGET={}", env::var("TARGET").expect("cargo sets TARGET"));
}

/// The commit that `cargo package` wrote into the sources.
fn of_package(root: &Path) -> Option<String> {
    let file = fs::read_to_string(root.join(".cargo_vcs_info.json")).ok()?;
    let (_, rest) = file.split_once("\"sha1\": \"")?;
    rest.split('"').next().map(str::to_owned)
}

/// The commit of the repository whose root this is, in an optimised build. A repository around it is another project's.
fn of_repository(root: &Path, optimised: bool) -> Option<String> {
    if !optimised || !root.join(".git").exists() {
        return None;
    }
    println!("cargo::rerun-if-changed=.git/HEAD");
    println!("cargo::rerun-if-changed=.git/logs/HEAD");
    let git = |arguments: &[&str]| {
        let output = Command::new("git").current_dir(root).args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let is_changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if is_changed { format!("{commit}-dirty") } else { commit })
}
