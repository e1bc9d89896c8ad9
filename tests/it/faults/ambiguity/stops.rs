//! A stop that is requested while a commit is under way.

use super::Scene;
use crate::support::{
    faulty_table::{Fate, is_fence},
    world::{adding, of, tagging, try_add, version},
};
use sacker::{
    ledger::{Error, Ledger},
    retry::Cancellation,
    table::Transaction,
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A stop is requested while the first transaction is on its way; those after it meet `rest`, but fences arrive.
async fn stopped(first: Fate, rest: Fate) -> Scene {
    let scene = Scene::new(move |number, transaction: &Transaction| match number {
        0 => first,
        _ if is_fence(transaction) => Fate::Arrives,
        _ => rest,
    })
    .await;
    let (faulty, cancellation) = (Arc::clone(&scene.faulty), scene.cancellation.clone());
    tokio::spawn(async move {
        while faulty.sent().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        cancellation.cancel();
    });
    scene
}

fn interrupted(error: &Error) {
    assert!(matches!(error, Error::Interrupted), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_landed_is_reported_as_done() {
    let scene = stopped(Fate::LosesReply, Fate::IsDelayed).await;
    let began = Instant::now();
    let (release, new) = try_add(&scene.ledger, &adding("app"), "three").await.unwrap();
    assert_eq!((release.version, new), (version(3), true));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(scene.audit().await, (3, 1, 0));
    let scene = stopped(Fate::LosesReply, Fate::IsDelayed).await;
    let moved = scene.ledger.tag(&tagging("app", "2", "live")).await.unwrap();
    assert_eq!(moved.version, Some(version(2)));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_did_not_land_is_ruled_out() {
    let scene = stopped(Fate::IsDelayed, Fate::IsDelayed).await;
    let began = Instant::now();
    interrupted(&try_add(&scene.ledger, &adding("app"), "three").await.unwrap_err());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(scene.audit().await, (2, 1, 1));
    assert_eq!(scene.faulty.deliver_late().await, 0);
    assert_eq!(scene.audit().await, (2, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn contention_and_throttling_are_not_retried_after_cancellation() {
    for fate in [Fate::IsThrottled, Fate::MeetsContention, Fate::ComesSecond] {
        let scene = Scene::new(move |_, _| fate).await;
        let cancellation = scene.cancellation.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            cancellation.cancel();
        });
        let began = Instant::now();
        interrupted(&scene.ledger.tag(&tagging("app", "2", "live")).await.unwrap_err());
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        let on = scene.sound().blob(&of("app"), &of("live")).await.unwrap().0;
        assert_eq!(on, version(1));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_after_cancellation() {
    let scene = Scene::new(|_, _| Fate::Arrives).await;
    scene.cancellation.cancel();
    interrupted(&scene.ledger.tag(&tagging("app", "2", "live")).await.unwrap_err());
    interrupted(&try_add(&scene.ledger, &adding("app"), "three").await.unwrap_err());
    assert_eq!(scene.faulty.sent().len(), 0);
    assert_eq!(scene.audit().await, (2, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn work_may_be_dropped_only_while_no_commit_is_under_way() {
    let cancellation = Cancellation::new();
    let committing = cancellation.begin_commit().unwrap();
    cancellation.cancel();
    assert!(cancellation.begin_commit().is_none());
    let waiting = tokio::time::timeout(Duration::from_mins(1), cancellation.may_drop());
    assert!(waiting.await.is_err());
    drop(committing);
    cancellation.may_drop().await;
}
