//! `scripts/restore-drill`, on moto, which restores tables.

use crate::support::{backends, sandbox::Sandbox};
use std::{env, process::Command};

#[test]
fn the_restore_drill_reaches_its_end() {
    let sandbox = Sandbox::new();
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/restore-drill"));
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", sandbox.home())
        .env("TMPDIR", sandbox.path("tmp"));
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
        command.env(name, env::var(name).unwrap());
    }
    let output = command
        .env("SACKER", env!("CARGO_BIN_EXE_sacker"))
        .env("SACKER_ACTOR", "tester@host")
        .env("SACKER_DRILL_ENDPOINT", backends::moto())
        .env("SACKER_DRILL_TABLE", backends::unique("drill"))
        .output()
        .unwrap();
    let transcript = String::from_utf8(output.stdout).unwrap();
    println!("{transcript}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{transcript}");
    let mut rest = transcript.as_str();
    for step in [
        "$ sacker add app build --tag live\n1\n",
        "$ aws dynamodb restore-table-to-point-in-time",
        "live          1\n",
        "$ sacker fsck\nerror: ",
        "(a copy of ",
        "$ sacker init --adopt-store\n",
        "adopted: former owner ",
        "$ sacker fsck --read-data\nnote: checked 1 package, 2 versions and 2 blobs",
        "verified 2 heads",
        "$ sacker add app build\n3\n",
        "belongs to another ledger",
        "checked 1 package, 3 versions and 3 blobs",
        "# Done.",
    ] {
        let at = rest.find(step).unwrap_or_else(|| panic!("{step}: {transcript}"));
        rest = &rest[at + step.len()..];
    }
    assert!(sandbox.files("tmp").is_empty());
}
