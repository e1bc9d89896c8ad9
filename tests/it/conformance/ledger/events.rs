//! The entries of a package's logs after a position.

use super::rollback::{change, rolling_back};
use crate::support::world::{Tables, World, add, adding, of, remove, tag, try_add, untag};
use futures_util::TryStreamExt;
use sacker::{
    ledger::{Error, Ledger, NotFound},
    model::{Event, Labels, ReleaseChange, Revs},
};

async fn events(ledger: &dyn Ledger, after: Revs) -> Result<Vec<Event>, Error> {
    ledger.events(&of("app"), after).try_collect().await
}

/// Changes of every kind, in both logs.
async fn prepare(ledger: &dyn Ledger) {
    try_add(ledger, &adding("app").tags([of("canary")]), "one").await.unwrap();
    for content in ["two", "three", "four"] {
        add(ledger, "app", content).await;
        tag(ledger, "app", "latest", "live").await;
    }
    change(ledger, 2, ReleaseChange::Label(Labels::parse(["tests=passed"]).unwrap())).await;
    ledger.rollback(&rolling_back("app", "live")).await.unwrap();
    change(ledger, 2, ReleaseChange::Yank).await;
    change(ledger, 2, ReleaseChange::Delete).await;
    add(ledger, "app", "five").await;
    untag(ledger, "app", "canary").await;
    change(ledger, 5, ReleaseChange::Yank).await;
    change(ledger, 5, ReleaseChange::Unyank).await;
}

fn revs(tags: u64, releases: u64) -> Revs {
    Revs { tags: Some(tags), releases: Some(releases) }
}

pub async fn events_continue_after_any_position(world: &Tables) {
    let ledger = world.ledger();
    assert_eq!(events(&*ledger, Revs::START).await.unwrap(), []);
    prepare(&*ledger).await;
    let all = events(&*ledger, Revs::START).await.unwrap();
    let mut history: Vec<Event> = ledger.history(&of("app"), None).try_collect().await.unwrap();
    history.reverse();
    for of_tags in [false, true] {
        let of_log = |events: &[Event]| {
            let of_it = events.iter().filter(|event| event.kind.is_of_tags() == of_tags);
            of_it.cloned().collect::<Vec<_>>()
        };
        assert_eq!(of_log(&all), of_log(&history));
        assert!(of_log(&all).iter().map(|event| event.rev).eq(1..=of_log(&all).len() as u64));
    }
    assert_eq!(ledger.revs(&[of("app"), of("nosuch")]).await.unwrap(), [revs(6, 10), revs(0, 0)]);
    // After each pair of positions: exactly what is after them, in the same order.
    for tags in 0..=6 {
        for releases in 0..=10 {
            let rest = events(&*world.ledger(), revs(tags, releases)).await.unwrap();
            let is_after = |event: &&Event| event.rev > if event.kind.is_of_tags() { tags } else { releases };
            assert_eq!(rest, all.iter().filter(is_after).cloned().collect::<Vec<_>>(), "t{tags},r{releases}");
        }
    }
    let of_tags = events(&*ledger, Revs { tags: Some(2), releases: None }).await.unwrap();
    assert!(of_tags.iter().map(|event| event.rev).eq(3..=6));
    let ahead = events(&*ledger, revs(7, 0)).await.unwrap_err();
    assert!(matches!(ahead, Error::NotFound(NotFound::Revision { .. })), "{ahead}");
}

pub async fn a_missing_entry_ends_the_events(world: &Tables) {
    let ledger = world.ledger();
    prepare(&*ledger).await;
    for (pk, sk) in [
        ("T#app", "E#0000000000000003"),
        ("T#app", "E#0000000000000006"),
        ("P#app", "V#0000000000000003"),
        ("P#app", "A#0000000000000005"),
        ("P#app", "A#0000000000000010"),
    ] {
        let table = world.table();
        let item = crate::support::world::read(&*table, pk, sk).await.unwrap();
        remove(&*table, pk, sk).await;
        let error = events(&*ledger, Revs::START).await.unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{sk}: {error}");
        crate::support::world::write(&*table, pk, sk, item.into()).await;
    }
    assert_eq!(events(&*ledger, Revs::START).await.unwrap().len(), 16);
}
