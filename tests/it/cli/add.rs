//! The command `add`.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;
use std::{fs, os::unix::fs::PermissionsExt, process::Command};

#[test]
fn a_version_is_added_and_its_number_printed_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("app.tar.gz", "bytes");
    assert_snapshot!(sandbox.run(&["add", "app", "app.tar.gz"]), @"
    exit 0
    1| 1
    2| note: nothing is configured; using the embedded ledger and store under [HOME]/.local/share/sacker
    ");
    assert_snapshot!(sandbox.run(&["add", "app", "app.tar.gz", "-q"]), @"
    exit 0
    1| 2
    ");
    assert_snapshot!(sandbox.run(&["add", "app", "app.tar.gz", "-q", "--json"]), @r#"
    exit 0
    1| {"package":"app","version":3,"sha256":"277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9","size":5,"filename":"app.tar.gz","mode":"0644","labels":{},"message":null,"state":"active","added_at":"[TIME]","added_by":"tester@host","tags":["latest"],"new":true}
    "#);
}

#[test]
fn what_is_known_of_it_is_recorded() {
    let sandbox = Sandbox::new();
    sandbox.write("run.sh", "#!/bin/sh\n");
    fs::set_permissions(sandbox.path("run.sh"), fs::Permissions::from_mode(0o4755)).unwrap();
    let arguments =
        ["--tag", "live", "--tag", "canary", "--label", "commit=1f3", "--label", "ci/url=https://x/?a=b"];
    sandbox.ok(&[&["add", "app", "run.sh", "-m", "why", "--filename", "start.sh"][..], &arguments].concat());
    assert_snapshot!(sandbox.run(&["info", "app", "1"]), @"
    exit 0
    1| package: app
    1| version: 1
    1| sha256: a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf
    1| size: 10
    1| filename: start.sh
    1| mode: 0755
    1| label.ci/url: https://x/?a=b
    1| label.commit: 1f3
    1| message: why
    1| state: active
    1| added_at: [TIME]
    1| added_by: tester@host
    1| tags: latest canary live
    ");
}

#[test]
fn standard_input_is_added() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run_with_stdin(&["add", "app", "-", "-q"], b"from a pipe"), @"
    exit 0
    1| 1
    ");
    assert_snapshot!(sandbox.run(&["info", "app", "1"]), @"
    exit 0
    1| package: app
    1| version: 1
    1| sha256: 467908f756ebc7a9d18673d77aab2188e41977e67a53f02802c58d1abfcf45ac
    1| size: 11
    1| state: active
    1| added_at: [TIME]
    1| added_by: tester@host
    1| tags: latest
    ");
    sandbox.run_with_stdin(&["add", "app", "-", "--filename", "named"], b"from a pipe");
    assert_snapshot!(sandbox.run(&["info", "app", "2"]), @"
    exit 0
    1| package: app
    1| version: 2
    1| sha256: 467908f756ebc7a9d18673d77aab2188e41977e67a53f02802c58d1abfcf45ac
    1| size: 11
    1| filename: named
    1| state: active
    1| added_at: [TIME]
    1| added_by: tester@host
    1| tags: latest
    ");
    assert_eq!(sandbox.ok(&["download", "app", "1", "-o", "-"]), "from a pipe");
    assert_eq!(sandbox.files("tmp"), Vec::<String>::new());
}

#[test]
fn nothing_is_added_if_nothing_changed() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["add", "app", "three.txt", "--if-changed", "--tag", "live"]), @"
    exit 0
    1| 3
    2| note: nothing was added: app 3 has this sha256 already
    ");
    assert_snapshot!(sandbox.run(&["add", "app", "three.txt", "--if-changed", "-q"]), @"
    exit 0
    1| 3
    ");
    assert_snapshot!(sandbox.run(&["add", "app", "three.txt", "--if-changed", "-q", "--json"]), @r#"
    exit 0
    1| {"package":"app","version":3,"sha256":"f7aefbdb2c63c7703a61fe46071993ecb2e76128596e894571e821777bfdf156","size":10,"filename":"three.txt","mode":"0644","labels":{},"message":null,"state":"active","added_at":"[TIME]","added_by":"tester@host","tags":["latest","live"],"new":false}
    "#);
    assert_snapshot!(sandbox.run(&["tags", "app"]), @"
    exit 0
    1| TAG     VERSION
    1| latest        3
    1| canary        2
    1| live          3
    ");
    // An earlier version with these bytes is no reason not to add.
    assert_snapshot!(sandbox.run(&["add", "app", "one.txt", "--if-changed", "-q"]), @"
    exit 0
    1| 4
    ");
}

#[test]
fn a_repeat_with_the_same_key_prints_the_first_outcome() {
    let sandbox = Sandbox::with_app();
    assert_eq!(sandbox.ok(&["add", "app", "one.txt", "--key", "build 7"]), "4\n");
    assert_eq!(sandbox.ok(&["add", "app", "two.txt"]), "5\n");
    assert_eq!(sandbox.ok(&["add", "app", "one.txt", "--key", "build 7"]), "4\n");
    assert_snapshot!(sandbox.run(&["add", "app", "two.txt", "--key", "build 7", "-q"]), @r#"
    exit 5
    2| error: adding two.txt to app in file://[HOME]/.local/share/sacker/ledger: the key "build 7" was used for `add FILE (sha256 2c8b08da…)`, not for `add FILE (sha256 480c2336…)`
    2| hint: nothing was changed; a key identifies one change permanently: use a new key for another change
    "#);
}

#[test]
fn an_expectation_that_is_not_met_adds_nothing() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["add", "app", "one.txt", "--expect-latest", "2", "-q"]), @"
    exit 5
    2| error: adding one.txt to app in file://[HOME]/.local/share/sacker/ledger: app latest is 3, not 2
    2| hint: nothing was added; `sacker versions app --limit 5` lists the last versions
    ");
    assert_snapshot!(sandbox.run(&["add", "app", "one.txt", "--expect-latest", "none", "-q", "--json"]), @r#"
    exit 5
    2| {"error":{"kind":"conflict","message":"adding one.txt to app in file://[HOME]/.local/share/sacker/ledger: app latest is 3, not none","hint":"nothing was added; `sacker versions app --limit 5` lists the last versions","exit_code":5}}
    "#);
    assert_snapshot!(sandbox.run(&["add", "app", "one.txt", "--expect-latest", "3", "-q"]), @"
    exit 0
    1| 4
    ");
    assert_snapshot!(sandbox.run(&["add", "new", "one.txt", "--expect-latest", "none", "-q"]), @"
    exit 0
    1| 1
    ");
}

#[test]
fn what_is_not_a_regular_file_is_refused() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("directory")).unwrap();
    assert!(Command::new("mkfifo").arg(sandbox.path("fifo")).status().unwrap().success());
    assert_snapshot!(sandbox.run(&["add", "app", "missing", "-q"]), @"
    exit 2
    2| error: adding missing to app: there is no such file
    2| hint: give a readable regular file, or - for standard input
    ");
    assert_snapshot!(sandbox.run(&["add", "app", "directory", "-q"]), @"
    exit 2
    2| error: adding directory to app: it is a directory
    2| hint: give a readable regular file, or - for standard input
    ");
    assert_snapshot!(sandbox.run(&["add", "app", "/dev/null", "-q"]), @"
    exit 2
    2| error: adding /dev/null to app: it is not a regular file
    2| hint: give a readable regular file, or - for standard input
    ");
    assert_snapshot!(sandbox.run(&["add", "app", "fifo", "-q", "--json"]), @r#"
    exit 2
    2| {"error":{"kind":"invalid","message":"adding fifo to app: it is not a regular file","hint":"give a readable regular file, or - for standard input","exit_code":2}}
    "#);
    assert_eq!(sandbox.ok(&["list"]), "");
}

#[test]
fn what_is_out_of_bounds_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("f", "x");
    assert_snapshot!(sandbox.run(&["add", "", "f"]), @r#"
    exit 2
    2| error: invalid value '' for '<PACKAGE>': package name "" is empty
    2|
    2| For more information, try '--help'.
    "#);
    assert_snapshot!(sandbox.run(&["add", "../etc", "f"]), @r#"
    exit 2
    2| error: invalid value '../etc' for '<PACKAGE>': package name "../etc" does not begin and end with a letter or digit
    2|
    2| For more information, try '--help'.
    "#);
    assert_snapshot!(sandbox.run(&["add", "app", "f", "--tag", "latest"]), @r#"
    exit 2
    2| error: invalid value 'latest' for '--tag <TAG>': tag "latest" is reserved
    2|
    2| For more information, try '--help'.
    "#);
    assert_snapshot!(sandbox.run(&["add", "app", "f", "--tag", "a", "--tag", "a", "-q"]), @"
    exit 2
    2| error: adding f to app: the tag a is given twice
    ");
    assert_snapshot!(sandbox.run(&["add", "app", "f", "--label", "novalue"]), @r#"
    exit 2
    2| error: --label: label "novalue" is not of the form NAME=VALUE
    "#);
    assert_snapshot!(sandbox.run(&["add", "app", "f", "--filename", "a/b"]), @r#"
    exit 2
    2| error: invalid value 'a/b' for '--filename <NAME>': file name "a/b" holds a path separator
    2|
    2| For more information, try '--help'.
    "#);
    assert_snapshot!(sandbox.run(&["add", "app", "f", "--key", ""]), @r#"
    exit 2
    2| error: invalid value '' for '--key <KEY>': key "" is empty
    2|
    2| For more information, try '--help'.
    "#);
    let tags: Vec<String> = (0..17).flat_map(|n| ["--tag".to_owned(), format!("t{n}")]).collect();
    let arguments: Vec<&str> =
        ["add", "app", "f", "-q"].into_iter().chain(tags.iter().map(String::as_str)).collect();
    assert_snapshot!(sandbox.run(&arguments), @"
    exit 2
    2| error: adding f to app: at most 16 tags can be set at once
    ");
    assert_eq!(sandbox.ok(&["list"]), "");
}
