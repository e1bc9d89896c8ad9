//! Back ends that are not there or not right, and files that can't be read or written.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;
use rusqlite::Connection;
use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
};

const DEAD: [&str; 5] = [
    "--deadline=1s",
    "--ledger",
    "dynamodb://table?region=eu-west-1&endpoint=http://127.0.0.1:1",
    "--store",
    "s3://bucket/p?region=eu-west-1",
];

fn with_credentials() -> Sandbox {
    Sandbox::new().set("AWS_ACCESS_KEY_ID", "key").set("AWS_SECRET_ACCESS_KEY", "hidden")
}

#[test]
fn a_dead_endpoint_is_unavailable() {
    let sandbox = with_credentials();
    sandbox.write("f", "x");
    assert_snapshot!(sandbox.run(&[&["info", "app", "live"], &DEAD[..]].concat()), @"
    exit 7
    2| error: reading app live in dynamodb://table?region=eu-west-1&endpoint=http://127.0.0.1:1: reading the table `table`: no usable answer: Connection refused
    2| hint: nothing was changed; check that http://127.0.0.1:1 (`endpoint` in dynamodb://table?region=eu-west-1&endpoint=http://127.0.0.1:1) is correct and reachable
    ");
    assert_snapshot!(sandbox.run(&[&["tag", "app", "1", "live", "--json"], &DEAD[..]].concat()), @r#"
    exit 7
    2| {"error":{"kind":"unavailable","message":"moving the tag live of app to 1 in dynamodb://table?region=eu-west-1&endpoint=http://127.0.0.1:1: reading the table `table`: no usable answer: Connection refused","hint":"nothing was changed; check that http://127.0.0.1:1 (`endpoint` in dynamodb://table?region=eu-west-1&endpoint=http://127.0.0.1:1) is correct and reachable","exit_code":7}}
    "#);
    let store = format!("file://{}", sandbox.home().display());
    let sandbox =
        sandbox.set("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1").set("AWS_REGION", "eu-west-1");
    assert_snapshot!(sandbox.run(&[
        "list",
        "--deadline",
        "1s",
        "--ledger",
        "dynamodb://table",
        "--store",
        &store
    ]), @"
    exit 7
    2| error: listing the packages in dynamodb://table: reading the table `table`: no usable answer: Connection refused
    2| hint: nothing was changed; check that http://127.0.0.1:1 (AWS_ENDPOINT_URL_DYNAMODB) is correct and reachable
    ");
}

#[test]
fn an_unreachable_store_is_distinguished_from_an_unreachable_ledger() {
    let sandbox = with_credentials();
    sandbox.write("f", "x");
    let ledger = format!("file://{}/l", sandbox.home().display());
    let store = "s3://bucket/p?region=eu-west-1&endpoint=http://127.0.0.1:1";
    let arguments = ["add", "app", "f", "--deadline", "1s", "--ledger", &ledger, "--store", store];
    assert_snapshot!(sandbox.run(&arguments), @"
    exit 7
    2| error: adding f to app in s3://bucket/p?region=eu-west-1&endpoint=http://127.0.0.1:1: reading the owner in s3://bucket/p: no usable answer: Connection refused
    2| hint: nothing was changed; check that http://127.0.0.1:1 (`endpoint` in s3://bucket/p?region=eu-west-1&endpoint=http://127.0.0.1:1) is correct and reachable
    ");
    assert_eq!(sandbox.ok(&["list", "--ledger", &ledger, "--store", store]), "");
}

#[test]
fn no_credentials_are_denied() {
    assert_snapshot!(Sandbox::new().run(&[&["list"], &DEAD[..]].concat()), @"
    exit 10
    2| error: connecting to DynamoDB: access denied: no credentials found: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or use a role
    2| hint: provide credentials that allow this: AWS_PROFILE, AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, `aws sso login`, or a role
    ");
    assert_snapshot!(Sandbox::new().run(&[&["list", "--json"], &DEAD[..]].concat()), @r#"
    exit 10
    2| {"error":{"kind":"denied","message":"connecting to DynamoDB: access denied: no credentials found: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or use a role","hint":"provide credentials that allow this: AWS_PROFILE, AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, `aws sso login`, or a role","exit_code":10}}
    "#);
}

#[test]
fn no_region_is_a_configuration_error() {
    let arguments = ["list", "--ledger", "dynamodb://table", "--store", "s3://bucket"];
    assert_snapshot!(with_credentials().run(&arguments), @"
    exit 2
    2| error: connecting to DynamoDB: it can't be used with these settings: no region is set: AWS_REGION, the profile's `region`, or `region=` in the URL
    2| hint: set AWS_REGION, the profile's `region`, or `region=` in the URL, as in dynamodb://TABLE?region=eu-west-1; in a container, the instance's metadata needs a hop limit of 2
    ");
}

#[test]
fn commands_on_the_ledger_alone_need_no_store() {
    let sandbox = Sandbox::with_app();
    // Without credentials and a region it can't be opened.
    let ledger = format!("file://{}", sandbox.data().join("ledger").display());
    let places = ["--ledger", &ledger, "--store", "s3://bucket"];
    assert_eq!(sandbox.ok(&[&["list"], &places[..]].concat()), "app\n");
    sandbox.ok(&[&["tag", "app", "1", "live"], &places[..]].concat());
    sandbox.ok(&[&["info", "app", "live"], &places[..]].concat());
    assert!(sandbox.run(&[&["download", "app", "live"], &places[..]].concat()).starts_with("exit 2\n"));
}

#[test]
fn secrets_are_never_shown() {
    let sandbox = with_credentials();
    for arguments in [&["list", "-vvv"][..], &["list", "-vvv", "--json"]] {
        assert!(!sandbox.run(&[arguments, &DEAD[..]].concat()).contains("hidden"));
    }
}

fn change_ledger(sandbox: &Sandbox, change: &str) {
    let ledger = Connection::open(sandbox.data().join("ledger/ledger.db")).unwrap();
    assert_eq!(ledger.execute(change, []).unwrap(), 1);
}

#[test]
fn a_ledger_of_another_release_is_left_alone() {
    let sandbox = Sandbox::with_app();
    change_ledger(&sandbox, "UPDATE items SET item = json_set(item, '$.schema', 99) WHERE pk = 'M'");
    assert_snapshot!(sandbox.run(&["list"]), @"
    exit 2
    2| error: listing the packages in file://[HOME]/.local/share/sacker/ledger: the ledger has schema 99; this program knows schema 1
    2| hint: use a release of sacker that supports schema 99
    ");
    assert_snapshot!(sandbox.run(&["tag", "app", "2", "live", "-q", "--json"]), @r#"
    exit 2
    2| {"error":{"kind":"invalid","message":"moving the tag live of app to 2 in file://[HOME]/.local/share/sacker/ledger: the ledger has schema 99; this program knows schema 1","hint":"use a release of sacker that supports schema 99","exit_code":2}}
    "#);
}

#[test]
fn a_damaged_ledger_is_reported() {
    let sandbox = Sandbox::with_app();
    change_ledger(
        &sandbox,
        "UPDATE items SET item = json_set(item, '$.sha256', 'nonsense') WHERE pk = 'P#app' AND sk LIKE 'V#%1'",
    );
    assert_snapshot!(sandbox.run(&["info", "app", "1"]), @r#"
    exit 8
    2| error: reading app 1 in file://[HOME]/.local/share/sacker/ledger: the ledger's item P#app/V#0000000000000001 is damaged: sha256 "nonsense" is not 64 lower-case hex digits
    2| hint: it was changed by hand, or by a program other than sacker: inspect it, or restore it from a backup
    "#);
    assert_snapshot!(sandbox.run(&["versions", "app", "--json"]), @r#"
    exit 8
    1| {"package":"app","version":3,"sha256":"f7aefbdb2c63c7703a61fe46071993ecb2e76128596e894571e821777bfdf156","size":10,"filename":"three.txt","mode":"0644","labels":{},"message":null,"state":"active","added_at":"[TIME]","added_by":"tester@host","tags":["latest"]}
    1| {"package":"app","version":2,"sha256":"480c2336b410f1ad5f8bf1b28944490255804b65350c527787e74ebdd511e3a4","size":7,"filename":"two.txt","mode":"0644","labels":{},"message":null,"state":"active","added_at":"[TIME]","added_by":"tester@host","tags":["canary"]}
    2| {"error":{"kind":"integrity","message":"listing the versions of app in file://[HOME]/.local/share/sacker/ledger: the ledger's item P#app/V#0000000000000001 is damaged: sha256 \"nonsense\" is not 64 lower-case hex digits","hint":"it was changed by hand, or by a program other than sacker: inspect it, or restore it from a backup","exit_code":8}}
    "#);
}

#[test]
fn a_history_is_shown_where_a_head_is_lost() {
    let sandbox = Sandbox::with_app();
    change_ledger(&sandbox, "DELETE FROM items WHERE pk = 'P#app' AND sk = 'H'");
    assert_snapshot!(sandbox.run(&["history", "app"]), @"
    exit 8
    1| AT                      REV  EVENT      WHAT                      BY: WHY
    1| [TIME]     r3  add        3                         tester@host
    1| [TIME]     t2  move       canary: none -> 2         tester@host
    1| [TIME]     r2  add        2                         tester@host
    1| [TIME]     t1  move       live: none -> 1           tester@host: first
    1| [TIME]     r1  add        1                         tester@host: first
    2| error: reading the history of app in file://[HOME]/.local/share/sacker/ledger: the ledger's item P#app/H is damaged: it is missing, and its log has entries
    2| hint: it was changed by hand, or by a program other than sacker: inspect it, or restore it from a backup
    ");
}

#[test]
fn a_tag_that_can_not_be_read_is_named_by_a_deletion() {
    let sandbox = Sandbox::with_app();
    change_ledger(
        &sandbox,
        "UPDATE items SET item = json_set(item, '$.version', 'x') WHERE pk = 'T#app' AND sk = 't#canary'",
    );
    change_ledger(&sandbox, "DELETE FROM items WHERE pk = 'T#app' AND sk LIKE 'E#%2'");
    assert_snapshot!(sandbox.run(&["delete", "app", "3"]), @r#"
    exit 8
    2| error: deleting app 3 in file://[HOME]/.local/share/sacker/ledger: the ledger's item T#app/t#canary is damaged: invalid type: string "x", expected u64; the tag canary may be on app 3 or go back to it, so nothing was changed; run `sacker fsck --repair` to repair what can be repaired
    2| hint: it was changed by hand, or by a program other than sacker: inspect it, or restore it from a backup
    "#);
}

#[test]
fn a_file_that_is_no_ledger_is_reported() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.data().join("ledger")).unwrap();
    fs::write(sandbox.data().join("ledger/ledger.db"), vec![7; 10_000]).unwrap();
    assert_snapshot!(sandbox.run(&["list"]), @"
    exit 8
    2| error: listing the packages in file://[HOME]/.local/share/sacker/ledger: reading the ledger in `[HOME]/.local/share/sacker/ledger`: the stored data is damaged: file is not a database
    2| hint: file://[HOME]/.local/share/sacker/ledger is damaged: inspect it, or restore it from a backup
    ");
}

#[test]
fn a_file_that_cannot_be_read_is_not_added() {
    let sandbox = Sandbox::new();
    sandbox.write("f", "x");
    fs::set_permissions(sandbox.path("f"), fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = sandbox.command(&["add", "app", "f", "-q"]);
    let me = fs::metadata(sandbox.home()).unwrap().uid();
    if me == 0 {
        // Root may read everything: somebody else can't, who needs the program and a home.
        fs::copy(env!("CARGO_BIN_EXE_sacker"), sandbox.path("sacker")).unwrap();
        fs::set_permissions(sandbox.home(), fs::Permissions::from_mode(0o777)).unwrap();
        let mut other = std::process::Command::new(sandbox.path("sacker"));
        other
            .args(command.get_args())
            .env_clear()
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        other.current_dir(sandbox.home()).uid(65_534).gid(65_534);
        command = other;
    }
    assert_snapshot!(sandbox.shown(&command.output().unwrap()), @"
    exit 2
    2| error: adding f to app: permission denied
    2| hint: give a readable regular file, or - for standard input
    ");
}

/// Runs it where no file may grow beyond some MiB, which stops a write as a full disk does.
fn limited(sandbox: &Sandbox, command: &str) -> String {
    // Ignored, the signal that would kill it becomes an error of the write.
    let script = format!("trap '' XFSZ; ulimit -f 8192; exec \"$sacker\" {command}");
    sandbox.shown(&sandbox.shell(&script).output().unwrap())
}

#[test]
fn a_disk_that_is_full_leaves_no_part_of_a_file() {
    let sandbox = Sandbox::new();
    sandbox.write("f", vec![1; 30 << 20]);
    sandbox.ok(&["add", "app", "f"]);
    fs::create_dir(sandbox.path("to")).unwrap();
    assert_snapshot!(limited(&sandbox, "download app 1 -o to/file"), @"
    exit 2
    2| error: downloading app 1: can't write to/file: File too large
    2| hint: free space at to
    ");
    assert_eq!(sandbox.files("to"), Vec::<String>::new());
    sandbox.write("f", vec![2; 30 << 20]);
    assert_snapshot!(limited(&sandbox, "add app f -q"), @"
    exit 2
    2| error: adding f to app in file://[HOME]/.local/share/sacker/store: storing the blob da4df5a3d81f46b86d95bc3cb990966dafe4ebdaed311378756e6db67e4347cc in [HOME]/.local/share/sacker/store: the local disk failed: File too large
    2| hint: free space at file://[HOME]/.local/share/sacker/store
    ");
    assert_eq!(sandbox.ok(&["info", "app", "latest"]).lines().nth(1), Some("version: 1"));
    assert_eq!(sandbox.files(".local/share/sacker/store/tmp"), Vec::<String>::new());
    assert_snapshot!(limited(&sandbox, "add app - -q </dev/zero"), @"
    exit 2
    2| error: adding standard input to app: can't buffer standard input in [HOME]/tmp: File too large
    2| hint: set TMPDIR to a directory with more space: [HOME]/tmp may be in memory; or add a file by its path, which needs no copy
    ");
    assert_eq!(sandbox.files("tmp"), Vec::<String>::new());
}
