//! The steps of an addition to a store in HDFS or on Azure.

use super::{Place, World, an_upload_is_resumed, each_step_of_add_in};
use crate::{cli::stores, support::sandbox::Sandbox};

/// A world on the embedded ledger, whose store is elsewhere.
fn world(sandbox: Sandbox) -> World {
    sandbox.ok(&["init"]);
    World { place: Place::Embedded, sandbox }
}

const STEPS: [&str; 8] = [
    "add-hashed",
    "add-owned",
    "add-staged",
    "add-sending",
    "add-uploaded",
    "commit-planned",
    "sqlite-written",
    "commit-answered",
];

#[cfg(feature = "hdfs")]
#[test]
fn each_step_of_an_add_to_hdfs() {
    each_step_of_add_in(&world(stores::hdfs()), 3 << 20, &[STEPS.as_slice(), &["blob-complete"]].concat());
}

/// The files that a kill leaves in `tmp/` are uploads: young ones stay, and each can be aborted.
#[cfg(feature = "hdfs")]
#[test]
fn a_killed_add_leaves_uploads_in_hdfs() {
    use sacker::store::{Store, hdfs::HdfsStore};
    let world = world(stores::hdfs());
    world.file("f", 3 << 20);
    let add = ["add", "app", "f"];
    world.killed_at("add-sending", &add);
    world.killed_at("blob-complete", &add);
    assert_eq!(world.sandbox.ok(&add), "1\n");
    let young = world.sandbox.ok(&["gc", "--min-age", "0s", "--delete", "--json"]);
    assert_eq!(young.lines().count(), 1, "{young}");
    let url = world.sandbox.variable("SACKER_STORE").trim_start_matches("hdfs://");
    let (namenode, path) = url.split_once('/').unwrap();
    let store = HdfsStore::new(namenode, &format!("/{path}")).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let uploads = store.uploads(None).await.unwrap().uploads;
        assert!(!uploads.is_empty(), "the kill left nothing");
        for upload in &uploads {
            store.abort(upload).await.unwrap();
        }
        assert_eq!(store.uploads(None).await.unwrap().uploads, []);
    });
    world.holds_once("app", "f", 0);
    world.is_sound();
}

#[cfg(feature = "hdfs")]
#[test]
fn a_store_in_hdfs_that_was_being_claimed_or_adopted() {
    let world = World { place: Place::Embedded, sandbox: stores::hdfs() };
    world.killed_at("owner-complete", &["init"]);
    world.sandbox.ok(&["init"]);
    world.file("f", 10);
    assert_eq!(world.sandbox.ok(&["add", "app", "f"]), "1\n");
    let other = format!("--ledger=file://{}", world.sandbox.path("other").display());
    world.killed_at("owner-replacing", &["init", "--adopt-store", &other]);
    // It still is its owner's.
    assert_eq!(world.sandbox.ok(&["add", "second", "f"]), "1\n");
    world.sandbox.ok(&["init", "--adopt-store", &other]);
    assert_eq!(world.sandbox.ok(&["add", "app", "f", &other]), "1\n");
}

#[cfg(feature = "azure")]
#[test]
fn each_step_of_an_add_to_azure() {
    each_step_of_add_in(&world(stores::azure()), 3 << 20, &STEPS);
}

#[cfg(feature = "azure")]
#[test]
fn each_step_of_an_add_to_azure_in_blocks() {
    let steps =
        ["add-staged", "add-sending", "parts-sent", "parts-completed", "add-uploaded", "commit-answered"];
    each_step_of_add_in(&world(stores::azure()), 33 << 20, &steps);
}

#[cfg(feature = "azure")]
#[test]
fn a_killed_upload_to_azure_is_resumed() {
    an_upload_is_resumed(&world(stores::azure()));
}
