//! A ledger that was edited by hand: `fsck` detects an edit of any kind of item. And one that it can't detect.
//!
//! `operations::fsck_violations` plants every breach that `fsck` knows; here the program runs on an attacker's edits.

use super::{E1, V1, code, edit, rows};
use crate::support::sandbox::Sandbox;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const A3: &str = "A#0000000000000003";

/// `app` with two versions, a label that was added later, a tag that moved, and a key.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("one", "one");
    sandbox.write("two", "two");
    sandbox.ok(&["add", "app", "one", "--tag", "live", "--key", "first"]);
    sandbox.ok(&["add", "app", "two"]);
    sandbox.ok(&["label", "app", "1", "a=b"]);
    sandbox
}

fn sha256(content: &str) -> String {
    hex::encode(Sha256::digest(content))
}

/// Returns the exit code of `fsck`, and its output.
fn fsck(sandbox: &Sandbox) -> (i32, String) {
    let output = sandbox.command(&["fsck", "--read-data"]).output().unwrap();
    (code(&output), String::from_utf8(output.stdout).unwrap())
}

type Edit = (&'static str, &'static str, &'static str, Value);

#[test]
fn an_edit_of_any_kind_of_item_is_noticed() {
    let edits: [Edit; 17] = [
        // The most important one: other bytes under a version that is live.
        ("P#app", V1, "/sha256", json!(sha256("two"))),
        ("P#app", V1, "/size", json!(4)),
        ("P#app", V1, "/filename", json!("two")),
        ("P#app", V1, "/mode", json!(0o777)),
        ("P#app", V1, "/who", json!("someone@else")),
        ("P#app", V1, "/state", json!("yanked")),
        ("P#app", V1, "/more_labels", json!({ "a": "c" })),
        ("P#app", A3, "/labels/a", json!("c")),
        ("P#app", "H", "/latest", json!(1)),
        ("P#app", "H", "/blob/sha256", json!(sha256("one"))),
        ("P#app", "H", "/n", json!(1)),
        ("P#app", "K#first", "/entry", json!("V#0000000000000009")),
        ("T#app", "t#live", "/version", json!(2)),
        ("T#app", "t#live", "/blob/sha256", json!(sha256("two"))),
        ("T#app", E1, "/version", json!(2)),
        ("T#app", "H", "/rev", json!(2)),
        ("B#", "B", "/refs", json!(0)),
    ];
    for (pk, sk, place, value) in edits {
        let sandbox = sandbox();
        assert_eq!(fsck(&sandbox), (0, String::new()), "before");
        let pk = if pk == "B#" { format!("B#{}", sha256("one")) } else { pk.to_owned() };
        edit(&sandbox, &pk, sk, |item| *item.pointer_mut(place).unwrap() = value.clone());
        let (code, said) = fsck(&sandbox);
        assert_eq!(code, 8, "{pk}/{sk}{place}: {said}");
        assert!(said.contains(&format!("{pk}/{sk}")), "{pk}/{sk}{place}: {said}");
        // A repair derives from the logs what can be: it never makes the edit true.
        sandbox.command(&["fsck", "--repair"]).output().unwrap();
        if fsck(&sandbox).0 == 0 {
            let repaired = rows(&sandbox).into_iter().find(|row| row.0 == pk && row.1 == sk).unwrap().2;
            assert_ne!(repaired.pointer(place), Some(&value), "{pk}/{sk}{place}");
        }
    }
}

#[test]
fn an_edit_of_the_ledgers_own_identity_stops_what_changes_something() {
    let edited = |place: &str, value: Value| {
        let sandbox = sandbox();
        edit(&sandbox, "M", "M", |item| item[place] = value);
        let run = |arguments: &[&str]| code(&sandbox.command(arguments).output().unwrap());
        [run(&["add", "app", "one"]), run(&["gc", "--delete", "--min-age", "0s"]), run(&["fsck"])]
    };
    // Not the store's owner; of a schema that is not known; and no identity at all. (An embedded ledger has no home
    // that a copy could be recognised by: `operations::owner` tests that of others.)
    assert_eq!(edited("ledger", json!("0123456789abcdef0123456789abcdef")), [2, 2, 2]);
    assert_eq!(edited("schema", json!(2)), [2, 2, 2]);
    assert_eq!(edited("ledger", json!(7)), [8, 8, 8]);
}

#[test]
fn replaced_bytes_are_not_served_through_a_tag() {
    let sandbox = sandbox();
    edit(&sandbox, "P#app", V1, |item| {
        item["sha256"] = sha256("two").into();
    });
    let bytes = |spec: &str| sandbox.ok(&["download", "app", spec, "-o", "-"]);
    assert_eq!((bytes("1"), bytes("live")), ("two".to_owned(), "one".to_owned()), "as `SECURITY.md` says");
}

/// The chain's value at an entry, by the words of `ARCHITECTURE.md` and with none of the ledger's code.
fn chain(previous: &str, pk: &str, sk: &str, entry: &Value) -> String {
    let mut entry = entry.as_object().unwrap().clone();
    entry.retain(|name, _| !["chain", "state", "more_labels"].contains(&name.as_str()));
    entry.insert("pk".to_owned(), pk.into());
    entry.insert("sk".to_owned(), sk.into());
    hex::encode(Sha256::digest(format!("{previous}\n{}", Value::Object(entry))))
}

#[test]
fn a_recomputed_chain_is_detected_only_by_a_head_kept_elsewhere() {
    let sandbox = sandbox();
    let head = |sandbox: &Sandbox| {
        let head = rows(sandbox).into_iter().find(|row| row.0 == "P#app" && row.1 == "H");
        head.unwrap().2["chain"].clone()
    };
    let published = head(&sandbox);
    sandbox.write("heads", sandbox.ok(&["audit"]));
    assert_eq!(sandbox.ok(&["audit", "verify", "heads"]), "");
    // Changes the author of the first version, and every value of the chain from there to the head.
    edit(&sandbox, "P#app", V1, |item| item["who"] = "someone@else".into());
    assert_eq!(fsck(&sandbox).0, 8);
    let mut last = String::new();
    for sk in [V1, "V#0000000000000002", A3, "H"] {
        edit(&sandbox, "P#app", sk, |item| {
            if sk != "H" {
                last = chain(&last, "P#app", sk, item);
            }
            item["chain"] = last.clone().into();
        });
    }
    assert_eq!(fsck(&sandbox), (0, String::new()), "as `SECURITY.md` says");
    assert_ne!(head(&sandbox), published);
    let verified = sandbox.command(&["audit", "verify", "heads"]).output().unwrap();
    let (code, said) = (verified.status.code(), String::from_utf8_lossy(&verified.stdout).into_owned());
    assert_eq!(code, Some(8), "{said}");
    assert!(said.starts_with("app releases rev 3: the ledger has the chain value "), "{said}");
    // The past is also that of a head which was saved before the last entries, even if its own entry is the same.
    edit(&sandbox, "P#app", A3, |item| item["chain"] = published.clone());
    edit(&sandbox, "P#app", "H", |item| item["chain"] = published.clone());
    assert_eq!(sandbox.command(&["audit", "verify", "heads"]).output().unwrap().status.code(), Some(8));
}
