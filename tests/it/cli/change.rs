//! Changes of versions, garbage collection, and `fsck`.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

/// Two versions, the first of them live.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    for (content, tags) in [("one", &["--tag", "live"][..]), ("two", &[])] {
        sandbox.write("app.txt", content);
        let add = [&["add", "app", "app.txt", "-q"], tags].concat();
        sandbox.ok(&add);
    }
    sandbox
}

#[test]
fn a_yanked_version_is_not_latest_until_it_is_unyanked() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run(&["yank", "app", "2", "-m", "it leaks"]), @"
    exit 0
    1| 2: active -> yanked
    2| note: nothing is configured; using the embedded ledger and store under [HOME]/.local/share/sacker
    ");
    assert_snapshot!(sandbox.run(&["yank", "app", "2", "-q"]), @"
    exit 0
    1| 2: yanked -> yanked
    ");
    assert_snapshot!(sandbox.run(&["tags", "app"]), @"
    exit 0
    1| TAG     VERSION
    1| latest        1
    1| live          1
    ");
    assert_snapshot!(sandbox.run(&["tag", "app", "2", "live", "-q"]), @"
    exit 6
    2| error: moving the tag live of app to 2 in file://[HOME]/.local/share/sacker/ledger: app 2 is yanked and can't be tagged
    2| hint: nothing was changed; `sacker versions app` lists the active versions
    ");
    assert_snapshot!(sandbox.run(&["unyank", "app", "2", "-q", "--json"]), @r#"
    exit 0
    1| {"package":"app","version":2,"sha256":"3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3","size":3,"filename":"app.txt","mode":"0644","labels":{},"message":null,"state":"active","added_at":"[TIME]","added_by":"tester@host","tags":["latest"]}
    "#);
    assert_snapshot!(sandbox.run(&["tags", "app"]), @"
    exit 0
    1| TAG     VERSION
    1| latest        2
    1| live          1
    ");
}

#[test]
fn a_tagged_version_is_neither_yanked_nor_deleted() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run(&["yank", "app", "1", "-q"]), @"
    exit 6
    2| error: yanking app 1 in file://[HOME]/.local/share/sacker/ledger: app 1 is tagged live
    2| hint: nothing was changed; remove the tags first: `sacker untag app live`
    ");
    assert_snapshot!(sandbox.run(&["delete", "app", "1", "-q"]), @"
    exit 6
    2| error: deleting app 1 in file://[HOME]/.local/share/sacker/ledger: app 1 is tagged live
    2| hint: nothing was changed; remove the tags first: `sacker untag app live`
    ");
    assert_snapshot!(sandbox.run(&["delete", "app", "3", "-q"]), @"
    exit 4
    2| error: deleting app 3 in file://[HOME]/.local/share/sacker/ledger: app has no version 3; its last is 2
    2| hint: `sacker versions app` lists its versions
    ");
}

#[test]
fn a_label_is_added_and_never_replaced() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run(&["label", "app", "1", "tests=passed", "by=ann", "-q"]), @"
    exit 0
    1| 1: by=ann
    1| 1: tests=passed
    ");
    assert_snapshot!(sandbox.run(&["label", "app", "1", "tests=failed", "-q"]), @"
    exit 6
    2| error: labelling app 1 in file://[HOME]/.local/share/sacker/ledger: app 1 has the label tests=passed already
    2| hint: nothing was changed; `sacker info app 1` shows its labels
    ");
    assert_snapshot!(sandbox.run(&["label", "app", "1", "tests", "-q"]), @r#"
    exit 2
    2| error: label "tests" is not of the form NAME=VALUE
    "#);
    assert_snapshot!(sandbox.run(&["info", "app", "1"]), @"
    exit 0
    1| package: app
    1| version: 1
    1| sha256: 7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed
    1| size: 3
    1| filename: app.txt
    1| mode: 0644
    1| label.by: ann
    1| label.tests: passed
    1| state: active
    1| added_at: [TIME]
    1| added_by: tester@host
    1| tags: live
    ");
}

#[test]
fn a_deleted_version_is_collected_and_its_number_stays_spent() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run(&["delete", "app", "2", "--key", "clean-up", "-q"]), @"
    exit 0
    1| 2: active -> deleted
    ");
    assert_snapshot!(sandbox.run(&["delete", "app", "2", "--key", "clean-up", "-q"]), @"
    exit 0
    1| 2: active -> deleted
    ");
    assert_snapshot!(sandbox.run(&["info", "app", "2"]), @"
    exit 4
    2| error: reading app 2 in file://[HOME]/.local/share/sacker/ledger: app 2 was deleted
    2| hint: `sacker versions app` lists its versions; `sacker undelete app 2` brings it back until it is collected
    ");
    assert_snapshot!(sandbox.run(&["gc"]), @"
    exit 0
    2| note: 0 blobs, 0 B, can be removed with --delete
    ");
    assert_snapshot!(sandbox.run(&["gc", "--min-age", "0s"]), @"
    exit 0
    1| 3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3
    2| note: 1 blob, 3 B, can be removed with --delete
    ");
    assert_snapshot!(sandbox.run(&["gc", "--min-age", "0s", "--delete", "--json", "-q"]), @r#"
    exit 0
    1| {"sha256":"3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3","generation":0,"size":3,"upload":null,"removed":true}
    1| {"summary":{"command":"gc","blobs":1,"bytes":3,"uploads":0,"removed":true}}
    "#);
    assert_snapshot!(sandbox.run(&["gc", "--min-age", "0s", "--json", "-q"]), @r#"
    exit 0
    1| {"summary":{"command":"gc","blobs":0,"bytes":0,"uploads":0,"removed":false}}
    "#);
    assert_snapshot!(sandbox.run(&["fsck", "--json", "-q"]), @r#"
    exit 0
    1| {"summary":{"command":"fsck","packages":1,"versions":2,"blobs":1,"read":0,"unread":0,"breaches":0,"mended":0,"unjudged":0}}
    "#);
    assert_snapshot!(sandbox.run(&["gc", "--min-age", "0s"]), @"
    exit 0
    2| note: 0 blobs, 0 B, can be removed with --delete
    ");
    sandbox.write("app.txt", "two");
    assert_snapshot!(sandbox.run(&["add", "app", "app.txt", "-q"]), @"
    exit 0
    1| 3
    ");
    assert_snapshot!(sandbox.run(&["fsck", "--read-data"]), @"
    exit 0
    2| note: checked 1 package, 3 versions and 2 blobs; read the bytes of 2 blobs
    ");
}

#[test]
fn what_is_wrong_is_named_by_fsck() {
    let sandbox = sandbox();
    let store = ".local/share/sacker/store/sha256";
    let one = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
    std::fs::remove_file(sandbox.path(&format!("{store}/{one}"))).unwrap();
    assert_snapshot!(sandbox.run(&["fsck"]), @"
    exit 8
    1| missing  7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed: it is not in the store
    2| note: checked 1 package, 2 versions and 2 blobs; read the bytes of 0 blobs
    2| error: 1 violation found, 1 not repaired
    2| hint: `sacker fsck --repair` repairs what can be derived from the logs
    ");
    assert_snapshot!(sandbox.run(&["fsck", "--json", "-q"]), @r#"
    exit 8
    1| {"rule":"missing","place":"7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed","what":"it is not in the store","mended":false}
    1| {"summary":{"command":"fsck","packages":1,"versions":2,"blobs":2,"read":0,"unread":0,"breaches":1,"mended":0,"unjudged":0}}
    2| {"error":{"kind":"integrity","message":"1 violation found, 1 not repaired","hint":"`sacker fsck --repair` repairs what can be derived from the logs","exit_code":8}}
    "#);
    assert_snapshot!(sandbox.run(&["fsck", "--repair", "--read-data=101"]), @"
    exit 2
    2| error: invalid value '101' for '--read-data[=<PERCENT>]': 101 is not in 0..=100
    2|
    2| For more information, try '--help'.
    ");
}
