//! Rivals that come first: just before a transaction arrives, or between the items of a read.

use super::{Scene, first};
use crate::{
    conformance::ledger::changing::{change, changing},
    support::{
        faulty_table::Fate,
        world::{
            add, adding, adding_with_key, author, edit, of, read, sha256, tag, tagging, tags, try_add, untag,
            version,
        },
    },
};
use sacker::{
    ledger::{Error, Ledger, Refused},
    model::{Address, ReleaseChange},
};
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_lost_race_is_run_again_at_once_and_then_after_a_while() {
    for (races, at_once) in [(1, true), (2, false), (7, false)] {
        let scene = Scene::new(first(races, Fate::ComesSecond)).await;
        let began = Instant::now();
        let (release, _) = try_add(&scene.ledger, &adding("app"), "three").await.unwrap();
        assert_eq!(release.version, version(3 + races as u64));
        assert_eq!(began.elapsed().is_zero(), at_once, "{races} races");
        assert_eq!(scene.audit().await, (3 + races, 1, 0));
        let scene = Scene::new(first(races, Fate::ComesSecond)).await;
        let began = Instant::now();
        scene.ledger.tag(&tagging("app", "2", "live")).await.unwrap();
        assert_eq!(began.elapsed().is_zero(), at_once, "{races} races");
        assert_eq!(scene.audit().await, (2, 2 + races, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_first_lost_race_is_run_again_at_once() {
    // Where many write, what a refusal brings is stale by the time it is used.
    let sent = Arc::new(Mutex::new(Vec::new()));
    let noting = Arc::clone(&sent);
    let scene = Scene::new(move |number, _| {
        noting.lock().unwrap().push(Instant::now());
        if number < 5 { Fate::ComesSecond } else { Fate::Arrives }
    });
    let scene = scene.await;
    try_add(&scene.ledger, &adding("app"), "three").await.unwrap();
    let waits: Vec<_> = sent.lock().unwrap().windows(2).map(|pair| !(pair[1] - pair[0]).is_zero()).collect();
    assert_eq!(waits, [false, true, true, true, true]);
}

#[tokio::test(start_paused = true)]
async fn a_promotion_is_read_again_after_a_lost_race() {
    // The items that come with the refusal don't show where the other tag is now.
    let scene = Scene::new(first(1, Fate::ComesSecond)).await;
    tag(&scene.sound(), "app", "2", "rival").await;
    let promoted = scene.ledger.tag(&tagging("app", "rival", "live")).await;
    // The rival moved its tag from 2 to 1, where `live` is.
    let promoted = promoted.unwrap();
    assert_eq!((promoted.previous, promoted.version), (Some(version(1)), Some(version(1))));
    assert_eq!(tags(&scene.sound(), "app").await, "latest=2 live=1 rival=1");
}

#[tokio::test(start_paused = true)]
async fn latest_is_what_it_is_when_the_tag_moves() {
    let scene = Scene::new(first(1, Fate::ComesSecond)).await;
    scene.set_rival(|rival| async move {
        add(&rival, "app", "three").await;
    });
    let moved = scene.ledger.tag(&tagging("app", "latest", "live")).await.unwrap();
    assert_eq!((moved.previous, moved.version), (Some(version(1)), Some(version(3))));
    assert_eq!(scene.audit().await, (3, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_version_must_be_active_when_the_tag_moves() {
    let scene = Scene::new(first(1, Fate::ComesSecond)).await;
    let table = Arc::clone(&scene.table);
    scene.faulty.set_rival(move |_| {
        let table = Arc::clone(&table);
        async move { edit(&*table, "P#app", "V#0000000000000002", json!({ "state": "yanked" })).await }
    });
    let refused = scene.ledger.tag(&tagging("app", "2", "live")).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(Refused::NotActive { .. })), "{refused:?}");
    assert_eq!(tags(&scene.sound(), "app").await, "latest=2 live=1");
}

/// The greatest number of items that any operation reads.
const READ: usize = 8;

#[tokio::test(start_paused = true)]
async fn one_key_makes_one_version_however_it_is_read() {
    for torn in 0..READ {
        let scene = Scene::new(|_, _| Fate::Arrives).await;
        scene.set_rival(|rival| async move {
            try_add(&rival, &adding_with_key("app", "job 7"), "three").await.unwrap();
        });
        scene.faulty.tear_next_read(torn);
        let (release, new) = try_add(&scene.ledger, &adding_with_key("app", "job 7"), "three").await.unwrap();
        assert_eq!((release.version, new), (version(3), true), "torn after {torn}");
        assert_eq!(scene.audit().await, (3, 1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn one_key_moves_a_tag_once_however_it_is_read() {
    let request = tagging("app", "2", "live").author(author(Some("job 7")));
    for torn in 0..READ {
        let scene = Scene::new(|_, _| Fate::Arrives).await;
        let again = request.clone();
        scene.set_rival(move |rival| {
            let again = again.clone();
            async move {
                rival.tag(&again).await.unwrap();
                tag(&rival, "app", "1", "live").await;
            }
        });
        scene.faulty.tear_next_read(torn);
        let moved = scene.ledger.tag(&request).await.unwrap();
        assert_eq!((moved.previous, moved.version, moved.rev), (Some(version(1)), Some(version(2)), 2));
        let torn = tags(&scene.sound(), "app").await == "latest=2 live=1";
        assert_eq!(scene.audit().await, (2, if torn { 3 } else { 2 }, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_move_begins_where_the_tag_is_however_it_is_read() {
    for torn in 0..READ {
        let scene = Scene::new(|_, _| Fate::Arrives).await;
        scene.set_rival(|rival| async move {
            untag(&rival, "app", "live").await;
        });
        scene.faulty.tear_next_read(torn);
        let moved = scene.ledger.tag(&tagging("app", "2", "live")).await.unwrap();
        assert_eq!(moved.version, Some(version(2)));
        // The audit checks that every move began where the one before it ended.
        scene.audit().await;
        let request = adding("app").tags([of("live")]);
        scene.faulty.tear_next_read(torn);
        try_add(&scene.ledger, &request, "three").await.unwrap();
        assert_eq!(scene.audit().await.0, 3);
        assert_eq!(tags(&scene.sound(), "app").await, "latest=3 live=3");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_seemed_to_be_there_is_moved_however_it_is_read() {
    let request = adding("app").if_changed(true).tags([of("canary"), of("live")]);
    for torn in 0..READ {
        let scene = Scene::new(|_, _| Fate::Arrives).await;
        // One of the tags is on `latest` already, and then no longer.
        tag(&scene.sound(), "app", "2", "canary").await;
        scene.set_rival(|rival| async move {
            tag(&rival, "app", "1", "canary").await;
        });
        scene.faulty.tear_next_read(torn);
        let (release, new) = try_add(&scene.ledger, &request, "2").await.unwrap();
        assert_eq!((release.version, new), (version(2), false));
        assert_eq!(tags(&scene.sound(), "app").await, "latest=2 canary=2 live=2", "torn after {torn}");
        scene.audit().await;
    }
}

/// A blob's item is under no head, so each change of it is conditional on the releases that it needs.
#[tokio::test(start_paused = true)]
async fn a_blob_that_a_newer_release_takes_over_meanwhile_is_left_alone() {
    for what in ["add", "delete", "condemn"] {
        let scene = Scene::new(first(1, Fate::ComesSecond)).await;
        if what == "condemn" {
            change(&scene.sound(), 2, ReleaseChange::Delete).await;
        }
        let (table, pk) = (Arc::clone(&scene.table), format!("B#{}", sha256("2")));
        let blob = pk.clone();
        scene.faulty.set_rival(move |_| {
            let (table, blob) = (Arc::clone(&table), blob.clone());
            async move { edit(&*table, &blob, "B", json!({ "needs": { "write": "99.0.0" } })).await }
        });
        let mut expected = read(&*scene.table, &pk, "B").await.unwrap();
        expected.insert("needs".to_owned(), json!({ "write": "99.0.0" }));
        let error = match what {
            "add" => try_add(&scene.ledger, &adding("app"), "2").await.map(drop),
            "delete" => scene.ledger.change(&changing(2, ReleaseChange::Delete)).await.map(drop),
            _ => scene.ledger.condemn(&Address { sha256: sha256("2"), generation: 0 }).await.map(drop),
        };
        assert!(matches!(error, Err(Error::Newer { .. })), "{what}: {error:?}");
        assert_eq!(read(&*scene.table, &pk, "B").await, Some(expected), "{what}");
    }
}
