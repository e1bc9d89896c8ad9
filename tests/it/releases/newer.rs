//! This release on a ledger that a made-up newer one writes to as well.

use super::{Shared, shown};
use sacker::ledger::TableLedger;
use serde_json::{Value, json};
use std::sync::Arc;

/// `app` has versions 1 to 3, and `live` is on 1.
fn app(shared: &Shared) {
    shared.run(&["init"]).ok();
    for name in ["one", "two", "three"] {
        shared.sandbox.write(name, name);
        shared.run(&["add", "app", name]).ok();
    }
    shared.run(&["tag", "app", "1", "live"]).ok();
}

/// Returns attributes of every form that a newer release may write into an item.
fn future() -> Value {
    json!({ "future": { "list": [1, "two", { "three": true }], "word": "new" } })
}

/// Checks that unknown attributes stay, whichever command writes the item again.
async fn attributes(shared: &Shared) {
    app(shared);
    let blob = format!(
        "B#{}",
        shared.run(&["info", "app", "3"]).ok().lines().nth(2).unwrap().replace("sha256: ", "")
    );
    let places = [
        ("P#app", "H"),
        ("P#app", "V#0000000000000003"),
        ("T#app", "H"),
        ("T#app", "t#live"),
        (&*blob, "B"),
        ("M", "M"),
    ];
    for (pk, sk) in places {
        // An entry's attributes are in the chain; those that may change begin with `more_`.
        let more = if sk.starts_with("V#") { json!({ "more_future": 1 }) } else { future() };
        shared.set(pk, sk, more).await;
    }
    for pk in ["P#app", "T#app"] {
        let sk = if pk == "P#app" { "H" } else { "t#live" };
        let mut copied = shared.item(pk, sk).await["blob"].clone();
        copied["future"] = json!("of the blob");
        shared.set(pk, sk, json!({ "blob": copied })).await;
    }
    for arguments in [
        &["label", "app", "3", "a=b"][..],
        &["protect", "app", "live", "--confirm"],
        &["unprotect", "app", "live"],
    ] {
        shared.run(arguments).ok();
        for (pk, sk) in [("P#app", "H"), ("T#app", "t#live")] {
            assert_eq!(shared.item(pk, sk).await["blob"]["future"], "of the blob", "{arguments:?} {pk}");
        }
    }
    for arguments in [
        &["tag", "app", "latest", "live"][..],
        &["rollback", "app", "live"],
        &["untag", "app", "live"],
        &["add", "app", "three", "--tag", "live", "--tag", "new"],
        &["yank", "app", "3"],
        &["unyank", "app", "3"],
        &["delete", "app", "3"],
        &["init"],
        &["fsck", "--repair"],
        &["gc", "--delete", "--min-age", "0s"],
        &["init", "--adopt-store"],
    ] {
        shared.run(arguments).ok();
        for (pk, sk) in places {
            let item = shared.item(pk, sk).await;
            let kept = if sk.starts_with("V#") {
                item["more_future"] == 1
            } else {
                item["future"] == future()["future"]
            };
            assert!(kept, "{arguments:?} dropped it from {pk}/{sk}: {item}");
        }
    }
    shared.run(&["delete", "app", "2"]).ok();
    shared.run(&["gc", "--delete", "--min-age", "0s"]).ok();
    assert_eq!(shared.run(&["fsck"]).ok(), "");
}

/// Kinds of items, events, states and protections that this release does not know are shown and left alone.
async fn kinds(shared: &Shared) {
    app(shared);
    shared.write("P#app", "Z#1", json!({ "of": "a newer release" })).await;
    shared.write("Q#app", "1", json!({})).await;
    shared.append("T#app", json!({ "kind": "approve", "tag": "live", "version": 1, "by": ["ann"] })).await;
    shared.append("P#app", json!({ "kind": "sign", "version": 2 })).await;
    shared.set("P#app", "V#0000000000000002", json!({ "state": "quarantined" })).await;
    let history = shared.run(&["history", "app"]).ok();
    assert!(history.contains("approve    live (from a newer sacker)"), "{history}");
    assert!(history.contains("sign       2 (from a newer sacker)"), "{history}");
    let versions = shared.run(&["versions", "app", "--json"]).ok();
    assert!(versions.contains(r#""state":"quarantined""#), "{versions}");
    for arguments in [
        &["info", "app", "2"][..],
        &["download", "app", "2", "-o", "-"],
        &["tag", "app", "2", "live"],
        &["yank", "app", "2"],
        &["label", "app", "2", "a=b"],
        &["delete", "app", "2"],
    ] {
        shared.run(arguments).refused(2, "version 2 of app (quarantined) needs a newer release of sacker");
    }
    let newer = shared.run(&["fsck", "--json"]);
    let lines: Vec<Value> = newer.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rules: Vec<_> =
        lines.iter().filter_map(|line| Some((line.get("rule")?, line["place"].as_str()?))).collect();
    assert!(
        newer.code == 0 && rules.len() == 5 && rules.iter().all(|(rule, _)| **rule == "newer"),
        "{newer:?}"
    );
    // The rest of the package is judged, and goes on.
    shared.run(&["tag", "app", "3", "live"]).ok();
    shared.run(&["rollback", "app", "live"]).ok();
    shared.run(&["add", "app", "two"]).ok();
    shared.run(&["fsck"]).ok();
    let before = shared.dump().await;
    shared.run(&["fsck", "--repair"]).ok();
    assert_eq!(shared.dump().await, before, "there is nothing to repair");
    shared.set("T#app", "t#live", json!({ "version": 3 })).await;
    assert_eq!(shared.run(&["fsck"]).code, 8, "a breach is reported next to what can't be judged");
    let ledger = TableLedger::new(Arc::clone(&shared.table), crate::support::world::retry_policy());
    assert_eq!(shown(&ledger, "app").await, json!({ "live": 3 }));
}

/// A package says which releases may read and write it; each change is made under the head that says so.
async fn needs(shared: &Shared) {
    app(shared);
    let install = "sacker 0.9.1 or newer";
    shared.set("T#app", "H", json!({ "needs": { "read": "0.1.0", "write": "0.9.1" } })).await;
    let before = shared.dump().await;
    for arguments in [
        &["tag", "app", "2", "live"][..],
        &["untag", "app", "live"],
        &["rollback", "app", "live", "--to", "1"],
        &["protect", "app", "live", "--confirm"],
        &["add", "app", "two", "--tag", "live"],
    ] {
        let ran = shared.run(arguments);
        // A tag that is where it is to be needs no change.
        if arguments[0] == "rollback" {
            ran.ok();
        } else {
            ran.refused(2, install);
        }
    }
    assert_eq!(shared.dump().await, before, "nothing was changed");
    shared.run(&["info", "app", "live"]).ok();
    shared.run(&["add", "app", "two"]).ok();
    shared.set("P#app", "H", json!({ "needs": { "read": "0.9.1", "write": "0.9.1" } })).await;
    for arguments in [
        &["info", "app", "latest"][..],
        &["tags", "app"],
        &["add", "app", "one"],
        &["yank", "app", "2"],
        &["label", "app", "2", "a=b"],
    ] {
        shared.run(arguments).refused(2, install);
    }
    // Damage is not repaired by a release that may not write there.
    shared.set("T#app", "t#live", json!({ "version": 3 })).await;
    let before = shared.dump().await;
    shared.run(&["fsck", "--repair"]);
    assert_eq!(shared.dump().await, before);
    // And the whole ledger.
    for (needs, changes, reads) in [
        (json!({ "read": "0.1.0", "write": "0.9.1" }), 2, 0),
        (json!({ "read": "0.9.1", "write": "0.9.1" }), 2, 2),
    ] {
        shared.set("M", "M", json!({ "schema": 3, "needs": needs })).await;
        let changed = shared.run(&["add", "web", "one"]);
        assert!(changed.code == changes && changed.err.contains(install), "{changed:?}");
        assert_eq!(shared.run(&["list"]).code, reads);
    }
    shared.set("M", "M", json!({ "schema": 3, "needs": {} })).await;
    shared.run(&["list"]).refused(2, "schema 3");
}

macro_rules! on_each {
    ($($case:ident: $embedded:ident, $dynamodb:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $embedded() {
                $case(&Shared::embedded()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $dynamodb() {
                $case(&Shared::dynamodb().await).await;
            }
        )*
    };
}

on_each! {
    attributes: unknown_attributes_are_kept_embedded, unknown_attributes_are_kept_on_dynamodb;
    kinds: unknown_kinds_are_no_damage_embedded, unknown_kinds_are_no_damage_on_dynamodb;
    needs: a_package_says_what_it_needs_embedded, a_package_says_what_it_needs_on_dynamodb;
}
