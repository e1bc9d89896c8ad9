//! Outcomes that are unknown when the deadline passes.

use super::{DEADLINE, Scene};
use crate::support::{
    faulty_table::{Fate, Faulty, is_fence},
    world::{add, adding, adding_with_key, author, of, tag, tagging, tags, try_add, untagging, version},
};
use sacker::{
    fault::FaultKind,
    ledger::{Author, Conflict, Error, Ledger},
    model::IdempotencyKey,
    table::Transaction,
};
use std::sync::Arc;
use tokio::time::Instant;

/// Only fences arrive.
pub(super) fn fences_alone(_: usize, transaction: &Transaction) -> Fate {
    if is_fence(transaction) { Fate::Arrives } else { Fate::IsDelayed }
}

pub(super) fn unavailable(error: Error) {
    match error {
        Error::Fault(fault) => assert_eq!(fault.kind, FaultKind::Unavailable),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_changed_by_what_arrives_after_the_deadline() {
    let scene = Scene::new(fences_alone).await;
    let began = Instant::now();
    let request = adding("app").tags([of("live")]);
    unavailable(try_add(&scene.ledger, &request, "three").await.unwrap_err());
    assert!(began.elapsed() >= DEADLINE);
    assert!(began.elapsed() < DEADLINE * 2);
    assert_eq!(scene.audit().await, (2, 1, 1));
    assert_eq!(scene.faulty.deliver_late().await, 0);
    assert_eq!(scene.audit().await, (2, 1, 1));

    unavailable(scene.ledger.tag(&tagging("app", "2", "live")).await.unwrap_err());
    assert_eq!(scene.faulty.deliver_late().await, 0);
    unavailable(scene.ledger.untag(&untagging("app", "live")).await.unwrap_err());
    assert_eq!(scene.faulty.deliver_late().await, 0);
    let key = tagging("app", "1", "live").author(author(Some("there")));
    unavailable(scene.ledger.tag(&key).await.unwrap_err());
    assert_eq!(scene.faulty.deliver_late().await, 0);
    let unchanged = adding("app").if_changed(true).tags([of("canary")]);
    unavailable(try_add(&scene.ledger, &unchanged, "2").await.unwrap_err());
    assert_eq!(scene.faulty.deliver_late().await, 0);
    assert_eq!(scene.audit().await, (2, 1, 5));
    assert_eq!(tags(&scene.sound(), "app").await, "latest=2 live=1");
}

#[tokio::test(start_paused = true)]
async fn what_landed_is_found_at_the_deadline() {
    // The first one lands, and no answer ever comes but to fences: the head has moved, so none is needed.
    let answers = |number, transaction: &Transaction| match number {
        0 => Fate::LosesReply,
        _ => fences_alone(number, transaction),
    };
    let scene = Scene::new(answers).await;
    let (release, new) = try_add(&scene.ledger, &adding("app"), "three").await.unwrap();
    assert_eq!((release.version, new), (version(3), true));
    assert_eq!(scene.audit().await, (3, 1, 0));
    let scene = Scene::new(answers).await;
    let moved = scene.ledger.tag(&tagging("app", "2", "live")).await.unwrap();
    assert_eq!((moved.previous, moved.version), (Some(version(1)), Some(version(2))));
    // Also where all that landed is the key.
    let scene = Scene::new(answers).await;
    let key = tagging("app", "1", "live").author(author(Some("there")));
    let there = scene.ledger.tag(&key).await.unwrap();
    assert_eq!((there.previous, there.version), (Some(version(1)), Some(version(1))));
    assert_eq!(scene.audit().await, (2, 1, 0));
}

pub(super) fn unknown(error: Error) -> IdempotencyKey {
    match error {
        Error::Unknown { key, .. } => key,
        other => panic!("{other:?}"),
    }
}

/// After the first transaction, which meets `fate`, nothing is reachable.
pub(super) async fn cut_off(fate: Fate) -> Scene {
    let scene = Scene::new(move |_, _| fate).await;
    let faulty = Arc::clone(&scene.faulty);
    tokio::spawn(async move {
        while faulty.sent().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        faulty.set_unreachable(true);
    });
    scene
}

pub(super) fn keyed(key: &IdempotencyKey) -> Author {
    author(None).key(key.clone())
}

#[tokio::test(start_paused = true)]
async fn an_unknown_addition_is_found_out_by_a_rerun() {
    for fate in [Fate::LosesReply, Fate::IsDelayed] {
        let scene = cut_off(fate).await;
        let request = adding("app").tags([of("live")]);
        let key = unknown(try_add(&scene.ledger, &request, "three").await.unwrap_err());
        assert!(matches!(key, IdempotencyKey::Resume { slot: 3, .. }), "{key}");
        assert!(key.to_string().parse::<IdempotencyKey>().unwrap() == key);
        let again = request.clone().author(keyed(&key));
        // Still nothing is reachable: still unknown, under the same key.
        let restarted = scene.ledger.begin_add(&again, None).await;
        assert!(restarted.is_err());
        for _ in 0..2 {
            let (release, new) = try_add(&scene.sound(), &again, "three").await.unwrap();
            assert_eq!((release.version, new), (version(3), true));
        }
        assert_eq!(scene.faulty.deliver_late().await, 0);
        let fences = usize::from(fate == Fate::IsDelayed);
        assert_eq!(scene.audit().await, (3, 2, fences));
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_addition_may_land_before_the_rerun() {
    let scene = cut_off(Fate::IsDelayed).await;
    let key = unknown(try_add(&scene.ledger, &adding("app"), "three").await.unwrap_err());
    assert_eq!(scene.faulty.deliver_late().await, 1);
    add(&scene.sound(), "app", "four").await;
    let again = adding("app").author(keyed(&key));
    let (release, new) = try_add(&scene.sound(), &again, "three").await.unwrap();
    assert_eq!((release.version, new), (version(3), true));
    assert_eq!(scene.audit().await, (4, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_addition_whose_slot_was_taken_is_done_once() {
    let scene = cut_off(Fate::IsDelayed).await;
    let key = unknown(try_add(&scene.ledger, &adding("app"), "three").await.unwrap_err());
    add(&scene.sound(), "app", "between").await;
    let again = adding("app").author(keyed(&key));
    for _ in 0..2 {
        let (release, new) = try_add(&scene.sound(), &again, "three").await.unwrap();
        assert_eq!((release.version, new), (version(4), true));
    }
    assert_eq!(scene.faulty.deliver_late().await, 0);
    assert_eq!(scene.audit().await, (4, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_move_is_found_out_by_a_rerun() {
    for fate in [Fate::LosesReply, Fate::IsDelayed] {
        let scene = cut_off(fate).await;
        let key = unknown(scene.ledger.tag(&tagging("app", "latest", "live")).await.unwrap_err());
        assert!(matches!(key, IdempotencyKey::Resume { slot: 2, .. }), "{key}");
        let again = tagging("app", "latest", "live").author(keyed(&key));
        let first = scene.sound().tag(&again).await.unwrap();
        assert_eq!((first.previous, first.version), (Some(version(1)), Some(version(2))));
        tag(&scene.sound(), "app", "1", "live").await;
        assert_eq!(scene.sound().tag(&again).await.unwrap(), first);
        assert_eq!(scene.faulty.deliver_late().await, 0);
        assert_eq!(tags(&scene.sound(), "app").await, "latest=2 live=1");
        scene.audit().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_rerun_without_an_answer_reports_the_same_key() {
    let scene = cut_off(Fate::IsDelayed).await;
    let key = unknown(scene.ledger.tag(&tagging("app", "2", "live")).await.unwrap_err());
    let again = tagging("app", "2", "live").author(keyed(&key));
    assert_eq!(unknown(scene.ledger.tag(&again).await.unwrap_err()), key);
    let moved = scene.sound().tag(&again).await.unwrap();
    assert_eq!(moved.version, Some(version(2)));
    assert_eq!(scene.faulty.deliver_late().await, 0);
    assert_eq!(scene.audit().await, (2, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_with_a_key_names_that_key() {
    for (fate, landed) in [(Fate::LosesReply, 0), (Fate::IsDelayed, 1)] {
        let scene = cut_off(fate).await;
        let request = adding_with_key("app", "job 7");
        let key = unknown(try_add(&scene.ledger, &request, "three").await.unwrap_err());
        assert_eq!(key, of("job 7"));
        if landed == 1 {
            // Before the rerun, as late as it is.
            assert_eq!(scene.faulty.deliver_late().await, 1);
        }
        add(&scene.sound(), "app", "four").await;
        let (release, new) = try_add(&scene.sound(), &request, "three").await.unwrap();
        assert_eq!((release.version, new), (version(3), true));
        assert_eq!(scene.audit().await, (4, 1, 0));
        // And one that arrives after the rerun finds the key.
        let scene = cut_off(Fate::IsDelayed).await;
        unknown(try_add(&scene.ledger, &request, "three").await.unwrap_err());
        try_add(&scene.sound(), &request, "three").await.unwrap();
        assert_eq!(scene.faulty.deliver_late().await, 0);
        assert_eq!(scene.audit().await, (3, 1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn the_resume_key_names_the_last_attempt() {
    // The first try only moves a tag, since `latest` has the content; then it has not, and the next is an addition.
    let scene = cut_off_after(
        |faulty| faulty.sent().len() > 3,
        |number, _| match number {
            0 => Fate::IsDelayed,
            1 => Fate::ComesSecond,
            2 => Fate::Arrives,
            _ => Fate::LosesReply,
        },
    )
    .await;
    scene.set_rival(|rival| async move {
        add(&rival, "app", "three").await;
    });
    let request = adding("app").if_changed(true).tags([of("live")]);
    let mut draft = scene.ledger.begin_add(&request, None).await.unwrap();
    let sha256 = crate::support::world::sha256("2");
    scene.ledger.stage(&request, &sha256, &mut draft).await.unwrap();
    let blob = crate::support::world::blob("2", 0);
    // Nothing had to be stored; now it has.
    let restage = scene.ledger.add(&request, &blob, &mut draft).await.unwrap();
    assert_eq!(restage, sacker::ledger::Added::Restage(0));
    let key = unknown(scene.ledger.add(&request, &blob, &mut draft).await.unwrap_err());
    assert!(matches!(key, IdempotencyKey::Resume { slot: 4, .. }), "{key}");
    let again = request.author(keyed(&key));
    let (release, new) = try_add(&scene.sound(), &again, "2").await.unwrap();
    assert_eq!((release.version, new), (version(4), true));
    assert_eq!(scene.faulty.deliver_late().await, 0);
    assert_eq!(scene.audit().await.0, 4);
}

async fn cut_off_after(
    when: impl Fn(&Faulty) -> bool + Send + 'static,
    script: impl FnMut(usize, &Transaction) -> Fate + Send + 'static,
) -> Scene {
    let scene = Scene::new(script).await;
    let faulty = Arc::clone(&scene.faulty);
    tokio::spawn(async move {
        while !when(&faulty) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        faulty.set_unreachable(true);
    });
    scene
}

#[tokio::test(start_paused = true)]
async fn contention_without_end_is_a_conflict() {
    let scene = Scene::new(|_, _| Fate::ComesSecond).await;
    let began = Instant::now();
    match scene.ledger.tag(&tagging("app", "2", "live")).await.unwrap_err() {
        Error::Conflict(Conflict::Contention(package)) => assert_eq!(package, of("app")),
        other => panic!("{other:?}"),
    }
    assert!(began.elapsed() >= DEADLINE);
    scene.audit().await;
}

/// As DynamoDB refuses what meets another transaction under way.
#[tokio::test(start_paused = true)]
async fn conflicts_without_end_are_contention_and_no_outage() {
    let scene = Scene::new(|_, _| Fate::MeetsContention).await;
    let contention = |error: Error| match error {
        Error::Conflict(Conflict::Contention(package)) => assert_eq!(package, of("app")),
        other => panic!("{other:?}"),
    };
    contention(scene.ledger.tag(&tagging("app", "2", "live")).await.unwrap_err());
    contention(try_add(&scene.ledger, &adding("app"), "three").await.unwrap_err());
    let scene = Scene::new(|_, _| Fate::IsThrottled).await;
    match scene.ledger.tag(&tagging("app", "2", "live")).await.unwrap_err() {
        Error::Fault(fault) => assert_eq!(fault.kind, FaultKind::Throttled),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_before_anything_was_sent_is_no_mystery() {
    let scene = Scene::new(|_, _| Fate::Arrives).await;
    scene.faulty.set_unreachable(true);
    unavailable(scene.ledger.tag(&tagging("app", "2", "live")).await.unwrap_err());
    unavailable(try_add(&scene.ledger, &adding("app"), "three").await.unwrap_err());
    assert_eq!(scene.faulty.sent().len(), 0);
}
