//! The permissions that each command needs on S3, as `SECURITY.md` lists them: the rows of its table are made here, from the
//! calls.

use crate::support::{repository::read, servers};
use std::collections::BTreeSet;

/// The permission that a call of S3 needs.
fn permission(call: &str) -> &'static str {
    match call {
        "GetObject" | "HeadObject" => "`s3:GetObject`",
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => "`s3:PutObject`",
        "ListObjectsV2" | "HeadBucket" => "`s3:ListBucket`",
        "ListMultipartUploads" => "`s3:ListBucketMultipartUploads`",
        "DeleteObject" => "`s3:DeleteObject`",
        other => panic!("{other} is called and in no policy"),
    }
}

#[test]
fn the_actions_of_s3_are_those_that_are_documented() {
    let sandbox = servers::sandbox();
    sandbox.ok(&["init"]);
    sandbox.write("f", "first");
    sandbox.write("large", vec![7; 17 << 20]);
    sandbox.ok(&["add", "app", "f"]);
    sandbox.ok(&["add", "app", "f", "--tag", "live"]);
    let run = |commands: &[&[&str]]| -> BTreeSet<&'static str> {
        let mut asked = BTreeSet::new();
        for command in commands {
            let output = sandbox.command(&[command, &["-v"][..]].concat()).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            let calls = said.lines().filter_map(|line| line.strip_prefix("trace: s3."));
            asked.extend(calls.map(|line| permission(line.split([' ', ':']).next().unwrap())));
        }
        asked
    };
    let url =
        |name: &str| sandbox.variable(name).replacen("cli", "other", 1).replacen("/blobs", "/elsewhere", 1);
    let (other, elsewhere) = (url("SACKER_LEDGER"), url("SACKER_STORE"));
    sandbox.ok(&["export", "-o", "export"]);
    sandbox.ok(&["init", "--ledger", &other, "--store", &elsewhere]);
    let rows: [(&str, &[&[&str]]); 8] = [
        ("download", &[&["download", "app", "live", "-o", "copy"]]),
        ("add", &[&["add", "app", "f"], &["add", "new", "large"], &["add", "new", "large"]]),
        ("undelete", &[&["delete", "app", "1"], &["undelete", "app", "1"]]),
        ("gc", &[&["gc", "--min-age", "0s"]]),
        (
            "gc --delete",
            &[&["delete", "new", "1"], &["delete", "new", "2"], &["gc", "--delete", "--min-age", "0s"]],
        ),
        ("fsck", &[&["fsck", "--read-data"]]),
        ("export --blobs", &[&["export", "--blobs", "blobs"]]),
        (
            "import, copy",
            &[&["import", "export", "--blobs", "blobs", "--ledger", &other, "--store", &elsewhere]],
        ),
    ];
    let page = read("SECURITY.md");
    let mut missing = Vec::new();
    for (command, commands) in rows {
        let asked: Vec<_> = run(commands).into_iter().collect();
        let row = format!("| `{command}` | {} |", asked.join(" "));
        if !page.contains(&row) {
            missing.push(row);
        }
    }
    assert!(missing.is_empty(), "SECURITY.md lacks:\n{}", missing.join("\n"));
}
