//! This release and an earlier one, next to each other on one ledger.

use super::{Ran, Shared};
use serde_json::json;
use std::{path::Path, process::Command, sync::OnceLock};

/// The program of an earlier commit.
fn old() -> &'static str {
    static OLD: OnceLock<String> = OnceLock::new();
    OLD.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/old-release");
        let output = Command::new(script).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the earlier release can't be built: {said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    })
}

/// Both write in turn: each reads the other's changes, continues from them, and finds them sound.
fn alternate(shared: &Shared) {
    for name in ["one", "two", "three"] {
        shared.sandbox.write(name, name);
    }
    let new = |arguments: &[&str]| shared.run(arguments).ok();
    let old = |arguments: &[&str]| shared.run_other(old(), arguments).ok();
    old(&["init"]);
    assert_eq!(old(&["add", "app", "one", "--tag", "live"]), "1\n");
    assert_eq!(new(&["add", "app", "two", "--tag", "live", "--key", "k"]), "2\n");
    assert_eq!(old(&["add", "app", "two", "--tag", "live", "--key", "k"]), "2\n");
    assert_eq!(old(&["add", "app", "three"]), "3\n");
    assert_eq!(new(&["tag", "app", "latest", "live", "--expect", "2"]), "live: 2 -> 3\n");
    assert_eq!(old(&["rollback", "app", "live"]), "live: 3 -> 2\n");
    assert_eq!(new(&["untag", "app", "live"]), "live: 2 -> none\n");
    assert_eq!(old(&["rollback", "app", "live"]), "live: none -> 2\n");
    assert_eq!(new(&["rollback", "app", "live", "--expect", "2"]), "live: 2 -> 1\n");
    old(&["label", "app", "3", "a=b"]);
    new(&["label", "app", "3", "c=d"]);
    old(&["yank", "app", "3"]);
    new(&["delete", "app", "3"]);
    new(&["protect", "app", "live", "--confirm"]);
    shared.run_other(self::old(), &["tag", "app", "2", "live"]).refused(6, "protected");
    old(&["tag", "app", "2", "live", "--confirm", "live"]);
    for arguments in [
        &["history", "app", "--json"][..],
        &["versions", "app", "--json"],
        &["tags", "app", "--json"],
        &["info", "app", "live", "--json"],
        &["fsck"],
    ] {
        assert_eq!(old(arguments), new(arguments), "{arguments:?}");
    }
    // The earlier release does not obey freezes, so it may not change a ledger that was ever frozen.
    new(&["freeze", "--prefix", "other", "-m", "why"]);
    new(&["thaw", "--prefix", "other"]);
    shared.run_other(self::old(), &["tag", "app", "1", "canary"]).refused(2, "");
    shared.run_other(self::old(), &["add", "app", "one"]).refused(2, "");
    assert_eq!(new(&["tag", "app", "1", "canary"]), "canary: none -> 1\n");
}

/// The earlier release does not know standing gates: it refuses to move such a tag, and does not ignore them.
#[test]
fn an_earlier_release_moves_no_tag_with_standing_gates() {
    let shared = Shared::embedded();
    for name in ["one", "two"] {
        shared.sandbox.write(name, name);
    }
    let new = |arguments: &[&str]| shared.run(arguments);
    let old = |arguments: &[&str]| shared.run_other(self::old(), arguments);
    new(&["add", "app", "one", "--tag", "live", "--tag", "other"]).ok();
    new(&["add", "app", "two"]).ok();
    new(&["protect", "app", "live", "--require", "was:other"]).ok();
    old(&["tag", "app", "2", "live"]).refused(8, "unknown variant `gates`");
    new(&["tag", "app", "2", "live"]).refused(6, "was:other");
    // It moves another tag, and its entries have no `top`: this release reads the log to its beginning.
    old(&["tag", "app", "2", "other"]).ok();
    old(&["tag", "app", "1", "other"]).ok();
    new(&["tag", "app", "2", "live"]).ok();
    new(&["tag", "app", "2", "other", "--require", "soak:live=1h"]).refused(6, "are missing");
    new(&["fsck", "--repair"]);
    assert_eq!(new(&["fsck"]).ok(), "");
}

#[test]
fn both_releases_alternate_on_an_embedded_ledger() {
    alternate(&Shared::embedded());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_releases_alternate_on_dynamodb() {
    alternate(&Shared::dynamodb().await);
}

/// The earlier release drops what it does not know: so a newer one that needs it kept raises the ledger's schema, and
/// says which releases may use it. The earlier one is then locked out, and this one is not.
async fn a_newer_schema(shared: &Shared) {
    shared.sandbox.write("one", "one");
    shared.run(&["init"]).ok();
    shared.run(&["add", "app", "one", "--tag", "live"]).ok();
    shared.set("T#app", "H", json!({ "future": ["kept"] })).await;
    let old = |arguments: &[&str]| -> Ran { shared.run_other(old(), arguments) };
    // Before that: this release keeps it, the earlier one does not, and neither sees anything wrong.
    shared.run(&["tag", "app", "1", "canary"]).ok();
    assert_eq!(shared.item("T#app", "H").await["future"], json!(["kept"]));
    old(&["tag", "app", "1", "other"]).ok();
    assert_eq!(shared.item("T#app", "H").await["future"], json!(null), "the earlier release drops it");

    let needs = json!({ "schema": 2, "needs": { "read": "0.1.0", "write": "0.1.0" } });
    shared.set("M", "M", needs).await;
    shared.set("T#app", "H", json!({ "future": ["kept"] })).await;
    let before = shared.dump().await;
    for arguments in [
        &["add", "app", "one"][..],
        &["tag", "app", "1", "canary"],
        &["untag", "app", "live"],
        &["yank", "app", "1"],
        &["info", "app", "live"],
        &["download", "app", "live", "-o", "-"],
        &["fsck", "--repair"],
        &["gc", "--delete", "--min-age", "0s"],
    ] {
        old(arguments).refused(2, "schema 2");
    }
    assert_eq!(shared.dump().await, before, "nothing was changed");
    shared.run(&["add", "app", "one", "--tag", "live"]).ok();
    shared.run(&["untag", "app", "canary"]).ok();
    shared.run(&["fsck"]).ok();
    assert_eq!(shared.item("T#app", "H").await["future"], json!(["kept"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_earlier_one_is_locked_out_of_an_embedded_ledger() {
    a_newer_schema(&Shared::embedded()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_earlier_one_is_locked_out_of_dynamodb() {
    a_newer_schema(&Shared::dynamodb().await).await;
}

/// The earlier release does not know that the head of the tags names those that are on a version. What it leaves behind
/// is not believed, and this release says it again.
async fn live_tags(shared: &Shared) {
    shared.sandbox.write("one", "one");
    shared.run(&["init"]).ok();
    shared.run(&["add", "app", "one", "--tag", "live"]).ok();
    let shown = |what: &str| {
        let info: serde_json::Value =
            serde_json::from_str(&shared.run(&["info", "app", "1", "--json"]).ok()).unwrap();
        assert_eq!(info["tags"].to_string(), what);
        shared.run(&["fsck"]).ok();
    };
    let stale = shared.item("T#app", "H").await["live"].clone();
    assert_eq!(stale, json!({ "rev": 1, "count": 1, "on": { "live": 1 } }));
    shared.run_other(old(), &["tag", "app", "1", "canary"]).ok();
    assert_eq!(shared.item("T#app", "H").await["live"], json!(null));
    shown(r#"["latest","canary","live"]"#);
    // One that keeps what it does not know.
    shared.set("T#app", "H", json!({ "live": stale })).await;
    shown(r#"["latest","canary","live"]"#);
    shared.run(&["yank", "app", "1"]).refused(6, "canary, live");
    shared.run(&["untag", "app", "live"]).ok();
    let said = shared.item("T#app", "H").await["live"].clone();
    assert_eq!(said, json!({ "rev": 3, "count": 1, "on": { "canary": 1 } }));
    shown(r#"["latest","canary"]"#);
    shared.run_other(old(), &["untag", "app", "canary"]).ok();
    shown(r#"["latest"]"#);
    shared.run_other(old(), &["fsck"]).ok();
    shared.run(&["delete", "app", "1"]).ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_tags_on_an_embedded_ledger() {
    live_tags(&Shared::embedded()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_tags_on_dynamodb() {
    live_tags(&Shared::dynamodb().await).await;
}
