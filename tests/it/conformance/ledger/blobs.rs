//! Generations of blobs: a version is committed only against one that is kept.

use crate::support::{
    audit::audit,
    world::{Tables, World, add, adding, blob, of, partition, read, sha256, tag, try_add, version, write},
};
use sacker::{
    ledger::{Added, Error, Ledger, Staged},
    model::Generation,
};
use serde_json::json;

async fn staged(ledger: &dyn Ledger, content: &str) -> Staged {
    let request = adding("app");
    let mut draft = ledger.begin_add(&request, None).await.unwrap();
    ledger.stage(&request, &sha256(content), &mut draft).await.unwrap()
}

fn upload(generation: Generation, expected: bool) -> Staged {
    Staged::Upload { generation, expected }
}

async fn set(world: &Tables, content: &str, state: &str, generation: Generation, refs: u64) {
    let item = json!({ "state": state, "gen": generation, "refs": refs });
    write(&*world.table(), &format!("B#{}", sha256(content)), "B", item).await;
}

async fn found(world: &Tables, content: &str) -> (String, u64, u64) {
    let item = read(&*world.table(), &format!("B#{}", sha256(content)), "B").await.unwrap();
    let number = |name: &str| item[name].as_u64().unwrap();
    (item["state"].as_str().unwrap().to_owned(), number("gen"), number("refs"))
}

pub async fn generations_follow_the_blob_item(world: &Tables) {
    let ledger = world.ledger();
    assert_eq!(staged(&*ledger, "new").await, upload(0, false));
    set(world, "needed", "kept", 3, 2).await;
    assert_eq!(staged(&*ledger, "needed").await, upload(3, true));
    set(world, "unneeded", "kept", 3, 0).await;
    assert_eq!(staged(&*ledger, "unneeded").await, upload(3, false));
    set(world, "condemned", "condemned", 3, 0).await;
    assert_eq!(staged(&*ledger, "condemned").await, upload(4, false));
    for (content, generation) in [("new", 0), ("needed", 3), ("unneeded", 3), ("condemned", 4)] {
        assert_eq!(add(&*ledger, "app", content).await.blob.address.generation, generation);
        assert_eq!(found(world, content).await.0, "kept");
        assert_eq!(staged(&*ledger, content).await, upload(generation, true));
    }
    assert_eq!(found(world, "needed").await, ("kept".to_owned(), 3, 3));
    assert_eq!(found(world, "condemned").await, ("kept".to_owned(), 4, 1));
    audit(&*world.table(), "app").await;
}

/// An item must not send an addition to a generation that another item counts.
pub async fn a_generation_of_another_epoch_is_damage(world: &Tables) {
    let ledger = world.ledger();
    let others: Generation = 1_000_000_000;
    for (content, state, generation) in [("kept", "kept", others), ("condemned", "condemned", others - 1)] {
        set(world, content, state, generation, 0).await;
        let error = try_add(&*ledger, &adding("app"), content).await.unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
        assert_eq!(found(world, content).await, (state.to_owned(), generation, 0));
        let other = format!("B#{:016}", 1);
        assert_eq!(read(&*world.table(), &format!("B#{}", sha256(content)), &other).await, None);
    }
    assert!(partition(&*world.table(), "P#app").await.is_empty());
}

pub async fn a_blob_condemned_meanwhile_is_stored_again(world: &Tables) {
    let ledger = world.ledger();
    let request = adding("app");
    // Condemned in its first generation, in a later one, and before anything was known of it.
    for (at, before) in [None, Some(0), Some(6)].into_iter().enumerate() {
        let content = &format!("content {at}");
        if let Some(generation) = before {
            set(world, content, "kept", generation, 0).await;
        }
        let mut draft = ledger.begin_add(&request, None).await.unwrap();
        let first = before.unwrap_or(0);
        assert_eq!(ledger.stage(&request, &sha256(content), &mut draft).await.unwrap(), upload(first, false));
        set(world, content, "condemned", first, 0).await;
        let restage = ledger.add(&request, &blob(content, first), &mut draft).await.unwrap();
        assert_eq!(restage, Added::Restage(first + 1));
        // Once more, while it is being stored again.
        set(world, content, "condemned", first + 1, 0).await;
        let restage = ledger.add(&request, &blob(content, first + 1), &mut draft).await.unwrap();
        assert_eq!(restage, Added::Restage(first + 2));
        match ledger.add(&request, &blob(content, first + 2), &mut draft).await.unwrap() {
            Added::Version { release, new: true } => {
                assert_eq!(release.version, version(at as u64 + 1));
                assert_eq!(release.blob.address.generation, first + 2);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(found(world, content).await, ("kept".to_owned(), first + 2, 1));
    }
    assert_eq!(audit(&*world.table(), "app").await.versions, 3);
}

pub async fn what_was_not_stored_is_not_committed(world: &Tables) {
    let ledger = world.ledger();
    add(&*ledger, "app", "one").await;
    let request = adding("app").if_changed(true).tags([of("live")]);
    let mut draft = ledger.begin_add(&request, None).await.unwrap();
    // `latest` has it, so the reply says that nothing has to be stored …
    let settled = ledger.stage(&request, &sha256("one"), &mut draft).await.unwrap();
    assert_eq!(settled, Staged::NothingToStore);
    // … but then it is `latest` no longer, and no version needs its object any more.
    add(&*world.ledger(), "app", "two").await;
    set(world, "one", "condemned", 0, 0).await;
    let restage = ledger.add(&request, &blob("one", 0), &mut draft).await.unwrap();
    assert_eq!(restage, Added::Restage(1));
    assert_eq!(audit(&*world.table(), "app").await.versions, 2);
    match ledger.add(&request, &blob("one", 1), &mut draft).await.unwrap() {
        Added::Version { release, new: true } => assert_eq!(release.tags, ["latest", "live"]),
        other => panic!("{other:?}"),
    }
    // Nor at a generation that the caller made up.
    let request = adding("app");
    let mut draft = ledger.begin_add(&request, None).await.unwrap();
    ledger.stage(&request, &sha256("three"), &mut draft).await.unwrap();
    let restage = ledger.add(&request, &blob("three", 5), &mut draft).await.unwrap();
    assert_eq!(restage, Added::Restage(0));
    // Nor by a caller that never asked.
    let mut draft = ledger.begin_add(&request, None).await.unwrap();
    let restage = ledger.add(&request, &blob("three", 0), &mut draft).await.unwrap();
    assert_eq!(restage, Added::Restage(0));
    assert_eq!(audit(&*world.table(), "app").await.versions, 3);
}

pub async fn versions_are_counted(world: &Tables) {
    let ledger = world.ledger();
    for package in ["app", "app", "other"] {
        add(&*ledger, package, "same").await;
    }
    let unchanged = adding("app").if_changed(true).tags([of("live")]);
    try_add(&*ledger, &unchanged, "same").await.unwrap();
    tag(&*ledger, "app", "1", "live").await;
    assert_eq!(found(world, "same").await, ("kept".to_owned(), 0, 3));
}
