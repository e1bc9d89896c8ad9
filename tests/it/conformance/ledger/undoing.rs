//! Taking back the moves of a plan.

use super::plans::{PACKAGES, apply, applying, everything, keyed, moving, refused, shown, three, undoing};
use super::rollback::{change, rolling_back};
use crate::support::world::{Tables, World, tag, version};
use sacker::{
    ledger::{Conflict, Error, NotFound, Refused},
    model::{ReleaseChange, State, TagKind},
};

pub async fn a_release_is_taken_back(world: &Tables) {
    let ledger = world.ledger();
    three(&*ledger).await;
    let plan = moving(&[
        ("web", "live", r#""canary""#, ""),
        ("old", "live", "null", ""),
        ("app", "live", "3", ""),
        ("app", "first", "1", ""),
    ]);
    let before = everything(world, &PACKAGES).await;
    apply(&*ledger, &applying(&plan)).await;
    let undone = ledger.apply(&keyed(undoing(&plan), "u")).await.unwrap();
    assert_eq!(shown(&undone), "web live 2>1 old live 0>1 app live 3>1 app first 1>0");
    assert!(undone.iter().all(|it| it.kind == TagKind::Rollback));
    assert_eq!(everything(world, &PACKAGES).await, before);
    // Again: only with the key, as nothing of it stands any more; and what was undone can't be undone.
    assert_eq!(world.ledger().apply(&keyed(undoing(&plan), "u")).await.unwrap(), undone);
    let reasons = refused(&*ledger, &undoing(&plan)).await;
    assert_eq!(reasons.len(), 4);
    assert!(reasons.iter().all(|(_, error)| matches!(error, Error::Conflict(Conflict::NotApplied { .. }))));
    // A rollback goes on from where each tag is back at.
    let error = ledger.rollback(&rolling_back("app", "live")).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(NotFound::Past { .. })), "{error:?}");
    assert_eq!(everything(world, &PACKAGES).await, before);
}

pub async fn a_plan_whose_tags_moved_again_is_not_undone(world: &Tables) {
    let ledger = world.ledger();
    three(&*ledger).await;
    let plan = moving(&[("web", "live", "2", ""), ("app", "live", "2", ""), ("old", "live", "2", "")]);
    let never = refused(&*ledger, &undoing(&plan)).await;
    assert_eq!(never.len(), 3);
    apply(&*ledger, &applying(&plan)).await;
    tag(&*ledger, "app", "3", "live").await;
    let before = everything(world, &PACKAGES).await;
    let reasons = refused(&*ledger, &undoing(&plan)).await;
    assert_eq!(reasons.iter().map(|(tag, _)| tag.as_str()).collect::<Vec<_>>(), ["app live"]);
    assert!(
        matches!(&reasons[0].1, Error::Conflict(Conflict::NotApplied { found, .. }) if *found == Some(version(3)))
    );
    // Nor a part of it; nor by moving a tag to where the plan had put it.
    let part = moving(&[("web", "live", "2", ""), ("old", "live", "2", "")]);
    let error = ledger.apply(&undoing(&part)).await.unwrap_err();
    assert!(
        matches!(&error, Error::Conflict(Conflict::OtherPlan { moved }) if moved == "app live"),
        "{error:?}"
    );
    tag(&*ledger, "app", "2", "live").await;
    assert_eq!(refused(&*ledger, &undoing(&plan)).await.len(), 1);
    ledger.rollback(&rolling_back("app", "live")).await.unwrap();
    assert_eq!(everything(world, &PACKAGES).await, before);
    // Applied once more, that is what stands.
    apply(&*ledger, &applying(&plan)).await;
    assert_eq!(apply(&*ledger, &undoing(&plan)).await, "web live 2>2 app live 2>3 old live 2>2");
}

pub async fn what_can_not_be_restored_is_named(world: &Tables) {
    let ledger = world.ledger();
    three(&*ledger).await;
    let plan = moving(&[("web", "live", "2", ""), ("app", "live", "2", "")]);
    apply(&*ledger, &applying(&plan)).await;
    change(&*ledger, 1, ReleaseChange::Yank).await;
    let reasons = refused(&*ledger, &undoing(&plan)).await;
    assert!(matches!(
        &reasons[..],
        [(tag, Error::Refused(Refused::Rollback { to: Some((_, State::Yanked)), .. }))] if tag == "app live"
    ));
    change(&*ledger, 1, ReleaseChange::Unyank).await;
    assert_eq!(apply(&*ledger, &undoing(&plan)).await, "web live 2>1 app live 2>1");
}
