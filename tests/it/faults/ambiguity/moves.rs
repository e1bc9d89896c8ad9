//! Rollback, protection, and plans of three packages, under each fate; and reads while rivals come first.

use super::{
    DEADLINE, Scene,
    deadlines::{cut_off, fences_alone, keyed, unavailable, unknown},
};
use crate::{
    conformance::ledger::{
        plans::{applying, moving},
        steps::{Step, live, prepare},
    },
    support::{
        audit::audit,
        faulty_table::Fate,
        world::{add, author, edit, of, partition, tag, tagging, tags, version},
    },
};
use sacker::{
    ledger::{ApplyRequest, Author, Conflict, Error, Ledger, Refused, TableLedger},
    model::{Gate, IdempotencyKey},
    table::Transaction,
};
use serde_json::json;
use std::sync::Arc;
use tokio::time::Instant;

fn packages() -> [String; 3] {
    ["a", "b", "c"].map(str::to_owned)
}

/// Everything is as before a step.
async fn before(scene: &Scene, step: Step) {
    let sound = scene.sound();
    prepare(&sound, &packages()).await;
    for earlier in Step::ALL.into_iter().take_while(|it| *it != step) {
        earlier.take(&sound, &packages(), author(None)).await.unwrap();
    }
}

/// The version that `live` is on and the number of changes in each package, and the number of fences in all.
async fn stands(scene: &Scene, (where_to, moves): (&str, [usize; 3]), fences: usize) {
    assert_eq!(live(&scene.sound(), &packages()).await, where_to);
    let mut found = 0;
    for (package, moves) in packages().iter().zip(moves) {
        let audited = audit(&*scene.table, package).await;
        assert_eq!(audited.moves, moves, "{package}");
        found += audited.fences;
    }
    assert_eq!(found, fences);
}

async fn take(scene: &Scene, step: Step, author: Author) -> Result<String, Error> {
    step.take(&scene.ledger, &packages(), author).await
}

#[tokio::test(start_paused = true)]
async fn each_fate_of_each_step() {
    for step in Step::ALL {
        for fate in
            [Fate::LosesReply, Fate::IsDelayed, Fate::IsThrottled, Fate::MeetsContention, Fate::ComesSecond]
        {
            for key in [None, Some("k")] {
                let scene = Scene::new(super::first(1, fate)).await;
                before(&scene, step).await;
                // In a package that is not the first of a plan, the rival moves the same tag's log.
                scene.set_rival(|rival| async move {
                    tag(&rival, "b", "2", "rival").await;
                });
                assert_eq!(
                    take(&scene, step, author(key)).await.unwrap(),
                    step.outcome(),
                    "{step:?} {fate:?}"
                );
                assert_eq!(scene.faulty.deliver_any().await, 0, "{step:?} {fate:?}");
                let (where_to, mut moves) = step.after();
                moves[1] += usize::from(fate == Fate::ComesSecond);
                stands(&scene, (where_to, moves), 0).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_changed_by_what_arrives_after_the_deadline() {
    for step in Step::ALL {
        let scene = Scene::new(fences_alone).await;
        before(&scene, step).await;
        let began = Instant::now();
        unavailable(take(&scene, step, author(None)).await.unwrap_err());
        assert!((DEADLINE..DEADLINE * 2).contains(&began.elapsed()));
        // One fence is enough: no part of a plan lands without the others.
        stands(&scene, step.before(), 1).await;
        assert_eq!(scene.faulty.deliver_late().await, 0);
        stands(&scene, step.before(), 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_found_out_by_a_rerun() {
    for step in Step::ALL {
        for fate in [Fate::LosesReply, Fate::IsDelayed] {
            let scene = cut_off_in(step, fate).await;
            let key = unknown(take(&scene, step, author(None)).await.unwrap_err());
            assert!(matches!(key, IdempotencyKey::Resume { .. }), "{key}");
            for _ in 0..3 {
                let again = step.take(&scene.sound(), &packages(), keyed(&key)).await.unwrap();
                assert_eq!(again, step.outcome(), "{step:?} {fate:?}");
            }
            assert_eq!(scene.faulty.deliver_late().await, 0);
            assert_eq!(live(&scene.sound(), &packages()).await, step.after().0);
            // Later changes by others don't alter the reported outcome.
            for package in packages() {
                tag(&scene.sound(), &package, "2", "canary").await;
            }
            let again = step.take(&scene.sound(), &packages(), keyed(&key)).await.unwrap();
            assert_eq!(again, step.outcome(), "{step:?} {fate:?}");
            for (package, moves) in packages().iter().zip(step.after().1) {
                assert_eq!(audit(&*scene.table, package).await.moves, moves + 1, "{package}");
            }
        }
    }
}

async fn cut_off_in(step: Step, fate: Fate) -> Scene {
    let scene = cut_off(fate).await;
    before(&scene, step).await;
    scene
}

/// A plan that finds `a` where it belongs and moves `b`; someone else takes `a` away in between.
async fn while_a_moves(undo: bool) -> (Scene, Result<Vec<(u64, u64)>, Error>) {
    let scene = Scene::new(super::first(1, Fate::ComesSecond)).await;
    prepare(&scene.sound(), &packages()).await;
    scene.set_rival(|rival| async move {
        tag(&rival, "a", "1", "live").await;
    });
    let plan = moving(&[("a", "live", "2", ""), ("b", "live", "1", "")]);
    if undo {
        scene.sound().apply(&applying(&plan)).await.unwrap();
    }
    let moved = scene.ledger.apply(&applying(&plan).undo(undo)).await;
    let ends = |version: Option<sacker::model::Version>| version.map_or(0, u64::from);
    (scene, moved.map(|all| all.iter().map(|it| (ends(it.previous), ends(it.version))).collect()))
}

#[tokio::test(start_paused = true)]
async fn what_a_plan_leaves_in_place_is_there_when_it_is_made() {
    let (scene, moved) = while_a_moves(false).await;
    assert_eq!(moved.unwrap(), [(1, 2), (2, 1)]);
    stands(&scene, ("2 1 2", [4, 3, 2]), 0).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_plan_left_in_place_is_there_when_it_is_taken_back() {
    let (scene, moved) = while_a_moves(true).await;
    match moved.unwrap_err() {
        Error::Moves { failed, of: 2 } => assert!(
            matches!(&failed[..], [only] if matches!(only.error, Error::Conflict(Conflict::NotApplied { .. })))
        ),
        other => panic!("{other:?}"),
    }
    stands(&scene, ("1 1 2", [3, 3, 2]), 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_gate_on_a_tag_is_open_when_the_move_is_made() {
    let scene = Scene::new(super::first(1, Fate::ComesSecond)).await;
    tag(&scene.sound(), "app", "2", "canary").await;
    scene.set_rival(|rival| async move {
        tag(&rival, "app", "1", "canary").await;
    });
    let gated = tagging("app", "2", "live").require(Gate::Tag(of("canary")));
    let error = scene.ledger.tag(&gated).await.unwrap_err();
    assert!(matches!(error, Error::Refused(Refused::Gates { .. })), "{error:?}");
    assert_eq!(tags(&scene.sound(), "app").await, "latest=2 canary=1 live=1");
}

/// Prepares a plan that reads 100 items: 25 heads, 37 tags and what 36 of them are promoted from, the freezes, and the
/// ledger's identity. The last one is promoted from a tag that is read already.
async fn largest(sound: &TableLedger) -> ApplyRequest {
    let mut moves = Vec::new();
    for number in 0..37 {
        let (package, pair) = (format!("p{:02}", number % 25), number / 25);
        let source = if number == 36 { 0 } else { pair };
        if pair == 0 {
            add(sound, &package, "content").await;
        }
        if source == pair {
            tag(sound, &package, "1", &format!("from{source}")).await;
        }
        moves.push(json!({"package": package, "tag": format!("to{pair}"), "to": format!("from{source}")}));
    }
    let plan = json!({"moves": moves}).to_string();
    ApplyRequest::new(of(&plan)).author(author(None))
}

/// The first transaction meets a fate; before it is sent again, someone else is first.
fn then_second(fate: Fate) -> impl FnMut(usize, &Transaction) -> Fate + Send + 'static {
    move |number, _| match number {
        0 => fate,
        1 => Fate::ComesSecond,
        _ => Fate::Arrives,
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_as_large_as_a_read_is_found_out() {
    // What became of the first transaction has to be read: its slot is one item more than there is room for.
    for fate in [Fate::LosesReply, Fate::IsDelayed] {
        let scene = Scene::new(then_second(fate)).await;
        scene.set_rival(|rival| async move { drop(tag(&rival, "p00", "1", "rival").await) });
        let request = largest(&scene.sound()).await;
        let applied = scene.ledger.apply(&request).await.unwrap();
        assert_eq!(applied.len(), 37);
        assert!(applied.iter().all(|it| it.version == Some(version(1)) && it.previous.is_none()));
        if fate == Fate::IsDelayed {
            assert_eq!(scene.faulty.deliver_late().await, 0);
        }
        let entries = partition(&*scene.table, "T#p00").await;
        let entries = entries.iter().filter(|(sk, _)| sk.starts_with("E#")).count();
        assert_eq!(entries, 5, "two to promote from, two promoted once, and the rival's");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_as_large_as_a_read_looks_again_which_release_the_ledger_needs() {
    let scene = Scene::new(then_second(Fate::IsDelayed)).await;
    let request = largest(&scene.sound()).await;
    let table = Arc::clone(&scene.table);
    scene.set_rival(move |rival| {
        let table = Arc::clone(&table);
        async move {
            tag(&rival, "p00", "1", "rival").await;
            edit(&*table, "M", "M", json!({"needs": {"write": "999.0.0"}})).await;
        }
    });
    let error = scene.ledger.apply(&request).await.unwrap_err();
    assert!(matches!(error, Error::Newer { .. }), "{error:?}");
    assert_eq!(tags(&scene.sound(), "p01").await, "latest=1 from0=1 from1=1");
    assert_eq!(scene.faulty.deliver_late().await, 0);
}
