//! The command `init --adopt-store`.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

#[test]
fn a_store_goes_over_to_another_ledger() {
    let sandbox = Sandbox::with_app();
    let store = format!("file://{}", sandbox.data().join("store").display());
    let other = format!("file://{}", sandbox.path("other").display());
    let on_other = |arguments: &[&str]| {
        sandbox.run(&[arguments, &["-q", "--store", &store, "--ledger", &other]].concat())
    };
    assert_snapshot!(on_other(&["add", "app", "one.txt"]), @"
    exit 2
    2| error: adding one.txt to app: the store file://[HOME]/.local/share/sacker/store belongs to another ledger ([ID]), not to file://[HOME]/other ([ID])
    2| hint: use the ledger that the store belongs to, or give this ledger its own store: another directory
    ");
    assert_snapshot!(sandbox.run(&["init", "--adopt-store", "--store", &store, "--ledger", &other]), @"
    exit 0
    1| ledger: file://[HOME]/other (exists already), id [ID]
    1| store: file://[HOME]/.local/share/sacker/store (exists already)
    1| adopted: former owner [ID]; blobs are added at generation 1000000000 and up
    2| note: `sacker fsck` checks that the store has every blob that this ledger needs
    ");
    assert_snapshot!(on_other(&["add", "app", "one.txt"]), @"
    exit 0
    1| 1
    ");
    assert_snapshot!(on_other(&["fsck", "--read-data"]), @"exit 0");
    assert_snapshot!(on_other(&["gc", "--min-age", "0s", "--json"]), @r#"
    exit 0
    1| {"sha256":"2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806","generation":0,"size":4,"upload":null,"removed":false}
    1| {"sha256":"480c2336b410f1ad5f8bf1b28944490255804b65350c527787e74ebdd511e3a4","generation":0,"size":7,"upload":null,"removed":false}
    1| {"sha256":"f7aefbdb2c63c7703a61fe46071993ecb2e76128596e894571e821777bfdf156","generation":0,"size":10,"upload":null,"removed":false}
    1| {"summary":{"command":"gc","blobs":3,"bytes":21,"uploads":0,"removed":false}}
    "#);
    assert_snapshot!(sandbox.run(&["gc"]), @"
    exit 2
    2| error: finding garbage: the store file://[HOME]/.local/share/sacker/store belongs to another ledger ([ID] 1), not to file://[HOME]/.local/share/sacker/ledger ([ID])
    2| hint: use the ledger that the store belongs to, or give this ledger its own store: another directory
    ");
    assert_snapshot!(sandbox.run(&["init", "--adopt-store", "--json"]), @r#"
    exit 0
    1| {"ledger":"file://[HOME]/.local/share/sacker/ledger","ledger_made":false,"ledger_id":"[ID]","store":"file://[HOME]/.local/share/sacker/store","store_made":false,"adopted":true,"former_owner":"[ID] 1","generation":2000000000,"settings":[]}
    2| {"note":{"message":"`sacker fsck` checks that the store has every blob that this ledger needs"}}
    "#);
    assert_snapshot!(sandbox.run(&["init", "--adopt-store", "--json"]), @r#"
    exit 0
    1| {"ledger":"file://[HOME]/.local/share/sacker/ledger","ledger_made":false,"ledger_id":"[ID]","store":"file://[HOME]/.local/share/sacker/store","store_made":false,"adopted":false,"settings":[]}
    2| {"note":{"message":"nothing to adopt: the store already belongs to this ledger"}}
    "#);
    assert_snapshot!(sandbox.run(&["init", "--adopt-store"]), @"
    exit 0
    1| ledger: file://[HOME]/.local/share/sacker/ledger (exists already), id [ID]
    1| store: file://[HOME]/.local/share/sacker/store (exists already)
    2| note: nothing to adopt: the store already belongs to this ledger
    ");
}

/// As in a second region, when the first is lost: a copy of the ledger, and one of the store that lags it.
#[test]
fn a_store_that_lags_its_ledger_is_named_and_catches_up() {
    let sandbox = Sandbox::with_app();
    let copied = |from: &std::path::Path, to: &str| {
        let done =
            std::process::Command::new("cp").arg("-R").arg(from).arg(sandbox.path(to)).status().unwrap();
        assert!(done.success());
    };
    copied(&sandbox.data().join("ledger"), "restored");
    copied(&sandbox.data().join("store"), "copy");
    // The blob of the third version has not arrived.
    let info: serde_json::Value = serde_json::from_str(&sandbox.ok(&["info", "app", "3", "--json"])).unwrap();
    let sha256 = info["sha256"].as_str().unwrap().to_owned();
    let late = format!("sha256/{sha256}");
    std::fs::rename(sandbox.path("copy").join(&late), sandbox.path("late")).unwrap();

    let url = |name: &str| format!("file://{}", sandbox.path(name).display());
    let there = [url("restored"), url("copy")];
    let on = |arguments: &[&str]| {
        sandbox.run(&[arguments, &["-q", "--ledger", &there[0], "--store", &there[1]]].concat())
    };
    let fsck = on(&["fsck"]);
    assert!(
        fsck.starts_with("exit 8")
            && fsck.matches("missing ").count() == 1
            && fsck.contains(&format!("missing  {sha256}")),
        "{fsck}"
    );
    assert!(on(&["download", "app", "live", "-o", "first"]).starts_with("exit 0"));
    let download = on(&["download", "app", "3", "-o", "third"]);
    assert!(download.starts_with("exit 8") && !sandbox.path("third").exists(), "{download}");
    std::fs::rename(sandbox.path("late"), sandbox.path("copy").join(&late)).unwrap();
    assert_eq!(on(&["fsck", "--read-data"]).trim_end(), "exit 0");
    assert_eq!(on(&["add", "app", "one.txt"]).trim_end(), "exit 0\n1| 4");
}
