//! Messages that are lost once, and outcomes that the next try finds.

use super::{Scene, first};
use crate::support::{
    faulty_table::Fate,
    world::{
        add, adding, adding_with_key, author, blob, edit, of, sha256, tagging, try_add, untagging, version,
    },
};
use sacker::{
    ledger::{Added, Ledger},
    model::Release,
};
use serde_json::json;

async fn add_three(scene: &Scene) -> Release {
    let (release, new) = try_add(&scene.ledger, &adding("app"), "three").await.unwrap();
    assert!(new);
    release
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_is_sent_again() {
    let scene = Scene::new(first(3, Fate::IsDelayed)).await;
    assert_eq!(add_three(&scene).await.version, version(3));
    let sent = scene.faulty.sent();
    assert_eq!(sent.len(), 4);
    assert!(sent.iter().all(|it| *it == sent[0]), "not the same bytes");
    // What arrives now finds the head moved.
    assert_eq!(scene.faulty.deliver_late().await, 0);
    assert_eq!(scene.audit().await, (3, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_one_s_own_success() {
    let scene = Scene::new(first(1, Fate::LosesReply)).await;
    let release = add_three(&scene).await;
    assert_eq!(release.version, version(3));
    assert_eq!(scene.audit().await, (3, 1, 0));
    let read = scene.sound().release(&of("app"), &of("3")).await.unwrap();
    assert_eq!(read, release);
}

#[tokio::test(start_paused = true)]
async fn every_reply_may_be_lost_once() {
    // A try and its reply lost, again and again, for every kind of change.
    let scene = Scene::new(|number, _| if number % 2 == 0 { Fate::LosesReply } else { Fate::Arrives }).await;
    let with_tags = adding("app").tags([of("live"), of("canary")]);
    let (release, new) = try_add(&scene.ledger, &with_tags, "three").await.unwrap();
    assert_eq!((release.version, new), (version(3), true));
    assert_eq!(release.tags, ["latest", "canary", "live"]);
    let moved = scene.ledger.tag(&tagging("app", "2", "live")).await.unwrap();
    assert_eq!((moved.previous, moved.version, moved.rev), (Some(version(3)), Some(version(2)), 4));
    let promoted = scene.ledger.tag(&tagging("app", "canary", "live")).await.unwrap();
    assert_eq!((promoted.previous, promoted.version), (Some(version(2)), Some(version(3))));
    let off = scene.ledger.untag(&untagging("app", "canary")).await.unwrap();
    assert_eq!((off.previous, off.version), (Some(version(3)), None));
    let unchanged = adding("app").if_changed(true).tags([of("canary")]);
    let (release, new) = try_add(&scene.ledger, &unchanged, "three").await.unwrap();
    assert_eq!((release.version, new), (version(3), false));
    assert_eq!(release.tags, ["latest", "canary", "live"]);
    let keyed = tagging("app", "3", "live").author(author(Some("there")));
    let there = scene.ledger.tag(&keyed).await.unwrap();
    assert_eq!((there.previous, there.version), (Some(version(3)), Some(version(3))));
    let (release, new) = try_add(&scene.ledger, &adding_with_key("app", "k"), "four").await.unwrap();
    assert_eq!((release.version, new), (version(4), true));
    assert_eq!(scene.audit().await, (4, 7, 0));
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_recognised_behind_the_changes_of_others() {
    let scene = Scene::new(|number, _| match number {
        0 => Fate::LosesReply,
        1 | 2 => Fate::ComesSecond,
        _ => Fate::Arrives,
    })
    .await;
    assert_eq!(add_three(&scene).await.version, version(3));
    assert_eq!(scene.audit().await, (4, 1, 0));
    let moved = scene.ledger.tag(&tagging("app", "2", "live")).await.unwrap();
    assert_eq!(moved.version, Some(version(2)));
    scene.audit().await;
}

#[tokio::test(start_paused = true)]
async fn throttling_and_contention_are_retried_with_the_same_bytes() {
    for fate in [Fate::IsThrottled, Fate::MeetsContention] {
        let scene = Scene::new(first(5, fate)).await;
        assert_eq!(add_three(&scene).await.version, version(3));
        let sent = scene.faulty.sent();
        assert_eq!(sent.len(), 6);
        assert!(sent.iter().all(|it| *it == sent[0]), "not the same bytes");
        assert_eq!(scene.audit().await, (3, 1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_copy_can_not_land_on_a_condemned_blob() {
    let scene = Scene::new(first(1, Fate::IsDelayed)).await;
    let request = adding("app");
    let mut draft = scene.ledger.begin_add(&request, None).await.unwrap();
    scene.ledger.stage(&request, &sha256("three"), &mut draft).await.unwrap();
    // The collector comes while the request is under way: the second copy is refused, the first may still arrive.
    crate::support::world::write(
        &*scene.table,
        &format!("B#{}", sha256("three")),
        "B",
        json!({ "state": "condemned", "gen": 0, "refs": 0 }),
    )
    .await;
    let restage = scene.ledger.add(&request, &blob("three", 0), &mut draft).await.unwrap();
    assert_eq!(restage, Added::Restage(1));
    assert_eq!(scene.audit().await, (2, 1, 1));
    // Someone else puts it back at generation 1, and takes everything away again.
    add(&scene.sound(), "other", "three").await;
    edit(&*scene.table, &format!("B#{}", sha256("three")), "B", json!({ "state": "kept", "gen": 0 })).await;
    assert_eq!(scene.faulty.deliver_late().await, 0);
    assert_eq!(scene.audit().await, (2, 1, 1));
}
