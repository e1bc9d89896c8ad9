//! Undeleting versions.

use super::changing::{change, changing, events, label, refs, refused, states, with_key};
use crate::support::{
    audit::audit,
    world::{Tables, World, add, add_many, edit, of, read, sha256, tag, tags, version},
};
use futures_util::TryStreamExt;
use sacker::{
    ledger::{Error, NotFound, Refused},
    model::{Address, EventKind, ReleaseChange, State},
};
use serde_json::json;

fn address(content: &str) -> Address {
    Address { sha256: sha256(content), generation: 0 }
}

pub async fn a_deleted_version_comes_back_as_it_was(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    change(&*ledger, 2, label(&["a=b"])).await;
    change(&*ledger, 2, ReleaseChange::Yank).await;
    let before = change(&*ledger, 2, label(&["c=d"])).await.release;
    for number in [2, 3] {
        change(&*ledger, number, ReleaseChange::Delete).await;
    }
    assert_eq!((tags(&*ledger, "app").await.as_str(), refs(world, "2").await), ("latest=1", 0));
    let back = change(&*ledger, 2, ReleaseChange::Undelete).await;
    assert_eq!((back.previous, &back.release), (State::Deleted, &before), "it was yanked");
    let back = change(&*ledger, 3, ReleaseChange::Undelete).await;
    assert_eq!((back.release.state, back.previous), (State::Active, State::Deleted));
    assert_eq!(back.release.tags, ["latest"]);
    assert_eq!(states(&*ledger).await, "1 active, 2 yanked, 3 active");
    assert_eq!((refs(world, "2").await, refs(world, "3").await), (1, 1));
    // Again it changes nothing.
    let count = events(world).await;
    let same = change(&*ledger, 3, ReleaseChange::Undelete).await;
    assert_eq!((same.release.state, same.previous), (State::Active, State::Active));
    assert_eq!(events(world).await, count);
    // It can be deleted, and come back, any number of times, each time as it was.
    change(&*ledger, 3, ReleaseChange::Yank).await;
    for _ in 0..2 {
        change(&*ledger, 3, ReleaseChange::Delete).await;
        assert_eq!(change(&*ledger, 3, ReleaseChange::Undelete).await.release.state, State::Yanked);
    }
    assert_eq!(tags(&*ledger, "app").await, "latest=1");
    let history: Vec<_> = ledger.history(&of("app"), None).try_collect().await.unwrap();
    assert_eq!((history[0].kind, history[0].version), (EventKind::Undelete, Some(version(3))));
    change(&*ledger, 3, ReleaseChange::Unyank).await;
    tag(&*ledger, "app", "3", "live").await;
    audit(&*world.table(), "app").await;
    let report = ledger.audit(false, &mut |violation| panic!("{violation:?}")).await.unwrap();
    assert_eq!(report.versions, 3);
}

pub async fn what_was_collected_does_not_come_back(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    let gone = |number| Refused::Gone { package: of("app"), version: version(number) };
    let refused_for = async |number| match refused(&*ledger, number, ReleaseChange::Undelete).await {
        Error::Refused(why) => why,
        other => panic!("{other:?}"),
    };
    change(&*ledger, 2, ReleaseChange::Delete).await;
    assert!(ledger.condemn(&address("2")).await.unwrap());
    assert_eq!(refused_for(2).await, gone(2));
    // The same bytes at another address are those of another version.
    add(&*ledger, "app", "2").await;
    assert_eq!(refused_for(2).await, gone(2));
    // Once it is back, no collection may take it.
    change(&*ledger, 3, ReleaseChange::Delete).await;
    change(&*ledger, 3, ReleaseChange::Undelete).await;
    assert!(!ledger.condemn(&address("3")).await.unwrap());
    assert_eq!(states(&*ledger).await, "1 active, 2 deleted, 3 active, 4 active");
    match refused(&*ledger, 9, ReleaseChange::Undelete).await {
        Error::NotFound(NotFound::Version { .. }) => {}
        other => panic!("{other:?}"),
    }
    // A state that no entry explains is damage, and stays.
    edit(&*world.table(), "P#app", "V#0000000000000001", json!({ "state": "deleted" })).await;
    let error = refused(&*ledger, 1, ReleaseChange::Undelete).await;
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    edit(&*world.table(), "P#app", "V#0000000000000001", json!({ "state": "active" })).await;
    audit(&*world.table(), "app").await;
}

pub async fn an_undeletion_is_done_once(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    change(&*ledger, 2, ReleaseChange::Delete).await;
    let first = ledger.change(&with_key(2, ReleaseChange::Undelete, "k")).await.unwrap();
    assert_eq!((first.previous, first.release.state), (State::Deleted, State::Active));
    change(&*ledger, 2, ReleaseChange::Delete).await;
    assert!(ledger.condemn(&address("2")).await.unwrap());
    let again = ledger.change(&with_key(2, ReleaseChange::Undelete, "k")).await.unwrap();
    assert_eq!((again.previous, again.release.state), (State::Deleted, State::Active), "the first outcome");
    assert_eq!(states(&*ledger).await, "1 active, 2 deleted");
    let error = ledger.change(&with_key(1, ReleaseChange::Undelete, "k")).await.unwrap_err();
    assert!(error.to_string().contains("was used for `undelete 2`"), "{error}");
    // What an operation with this id has put into the slot is found by the same key.
    let entry = read(&*world.table(), "P#app", "A#0000000000000004").await.unwrap();
    let key = format!("{}@4", entry["op"].as_str().unwrap());
    let found = ledger.change(&with_key(2, ReleaseChange::Undelete, &key)).await.unwrap();
    assert_eq!((found.previous, found.release.state), (State::Deleted, State::Active));
    let other = changing(2, ReleaseChange::Delete);
    let error = ledger.change(&other.key(of(&key))).await.unwrap_err();
    assert!(error.to_string().contains("was used for"), "{error}");
    audit(&*world.table(), "app").await;
}

pub async fn an_undeletion_of_what_is_not_deleted_never_reports_a_deletion(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    let answer = async || {
        let changed = ledger.change(&with_key(1, ReleaseChange::Undelete, "k")).await.unwrap();
        (changed.previous, changed.release.state)
    };
    assert_eq!(answer().await, (State::Active, State::Active));
    change(&*ledger, 1, ReleaseChange::Yank).await;
    assert_eq!(answer().await, (State::Yanked, State::Yanked), "the key does not record which state it was");
    change(&*ledger, 1, ReleaseChange::Delete).await;
    assert_eq!(answer().await, (State::Yanked, State::Yanked));
    assert_eq!(states(&*ledger).await, "1 deleted, 2 active");
    audit(&*world.table(), "app").await;
}

pub async fn a_forced_deletion_takes_the_target_of_a_rollback(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    for to in ["1", "2", "3"] {
        tag(&*ledger, "app", to, "live").await;
    }
    match refused(&*ledger, 2, ReleaseChange::Delete).await {
        Error::Refused(Refused::WayBack { .. }) => {}
        other => panic!("{other:?}"),
    }
    // What is tagged is not deleted by force either.
    match ledger.change(&changing(3, ReleaseChange::Delete).force(true)).await.unwrap_err() {
        Error::Refused(Refused::Tagged { .. }) => {}
        other => panic!("{other:?}"),
    }
    ledger.change(&changing(2, ReleaseChange::Delete).force(true)).await.unwrap();
    let stops = ledger.stops(&of("app"), 1).await.unwrap();
    assert!(stops.of(version(2)).is_empty());
    assert_eq!(stops.of(version(1)).len(), 1, "the next one that a rollback can go to");
    change(&*ledger, 2, ReleaseChange::Undelete).await;
    let stops = ledger.stops(&of("app"), 1).await.unwrap();
    assert_eq!((stops.of(version(2)).len(), stops.of(version(1)).len()), (1, 0));
    audit(&*world.table(), "app").await;
}
