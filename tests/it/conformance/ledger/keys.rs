//! Idempotency keys of the caller's choice.

use crate::support::world::{
    World, add, add_many, adding_with_key, author, of, tag, tagging, tags, try_add, untag, untagging, version,
};
use sacker::{
    ledger::{Conflict, Error, TagRequest},
    model::TagMove,
};

pub async fn a_repeated_addition_gives_the_first_outcome(world: &dyn World) {
    let ledger = world.ledger();
    let request = adding_with_key("app", "job 7").tags([of("live")]);
    let (first, new) = try_add(&*ledger, &request, "one").await.unwrap();
    assert!(new);
    // Even after other changes, and from another machine.
    add(&*ledger, "app", "two").await;
    tag(&*ledger, "app", "2", "live").await;
    let (again, new) = try_add(&*world.ledger(), &request, "one").await.unwrap();
    assert_eq!((again, new), (first, true));
    assert_eq!(tags(&*ledger, "app").await, "latest=2 live=2");
    // What else has changed in the request does not matter: it is not done.
    let other = request.tags([of("canary")]);
    assert_eq!(try_add(&*ledger, &other, "one").await.unwrap().0.version, version(1));
    assert_eq!(tags(&*ledger, "app").await, "latest=2 live=2");
    // Another package's key is another key.
    let elsewhere = adding_with_key("other", "job 7");
    assert_eq!(try_add(&*ledger, &elsewhere, "two").await.unwrap().0.version, version(1));
}

pub async fn a_repeated_unchanged_addition_gives_the_first_outcome(world: &dyn World) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    let plain = adding_with_key("app", "job 8").if_changed(true);
    let tagged = adding_with_key("app", "job 9").if_changed(true).tags([of("live")]);
    for request in [&plain, &tagged] {
        let (same, new) = try_add(&*ledger, request, "2").await.unwrap();
        assert_eq!((same.version, new), (version(2), false));
    }
    add(&*ledger, "app", "three").await;
    tag(&*ledger, "app", "3", "live").await;
    for request in [&plain, &tagged] {
        let (same, new) = try_add(&*world.ledger(), request, "2").await.unwrap();
        assert_eq!((same.version, new), (version(2), false));
    }
    assert_eq!(tags(&*ledger, "app").await, "latest=3 live=3");
}

fn with_key(spec: &str, key: &str) -> TagRequest {
    tagging("app", spec, "live").author(author(Some(key)))
}

pub async fn a_repeated_move_gives_the_first_outcome(world: &dyn World) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    tag(&*ledger, "app", "1", "live").await;
    let first = ledger.tag(&with_key("latest", "deploy")).await.unwrap();
    assert_eq!((first.previous, first.version), (Some(version(1)), Some(version(3))));
    add(&*ledger, "app", "four").await;
    tag(&*ledger, "app", "2", "live").await;
    let again: TagMove = world.ledger().tag(&with_key("latest", "deploy")).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(tags(&*ledger, "app").await, "latest=4 live=2");
}

pub async fn a_repeated_move_that_changed_nothing_gives_the_first_outcome(world: &dyn World) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    let moved = tag(&*ledger, "app", "1", "live").await;
    let first = ledger.tag(&with_key("1", "deploy")).await.unwrap();
    assert_eq!((first.previous, first.version, first.rev), (first.version, moved.version, moved.rev));
    tag(&*ledger, "app", "2", "live").await;
    assert_eq!(world.ledger().tag(&with_key("1", "deploy")).await.unwrap(), first);
    assert_eq!(tags(&*ledger, "app").await, "latest=2 live=2");
}

pub async fn a_repeated_untag_gives_the_first_outcome(world: &dyn World) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    tag(&*ledger, "app", "1", "live").await;
    let request = |key: &str| untagging("app", "live").author(author(Some(key)));
    let first = ledger.untag(&request("off")).await.unwrap();
    let unchanged = ledger.untag(&request("off again")).await.unwrap();
    assert_eq!((first.previous, unchanged.previous), (Some(version(1)), None));
    tag(&*ledger, "app", "2", "live").await;
    assert_eq!(world.ledger().untag(&request("off")).await.unwrap(), first);
    assert_eq!(world.ledger().untag(&request("off again")).await.unwrap(), unchanged);
    assert_eq!(tags(&*ledger, "app").await, "latest=2 live=2");
    untag(&*ledger, "app", "live").await;
    assert_eq!(world.ledger().untag(&request("off")).await.unwrap(), first);
}

pub async fn a_key_is_good_for_one_thing(world: &dyn World) {
    let ledger = world.ledger();
    let refused = |error: Error| match error {
        Error::Conflict(Conflict::Key { key, first, now }) => (key, first, now),
        other => panic!("{other:?}"),
    };
    try_add(&*ledger, &adding_with_key("app", "k"), "one").await.unwrap();
    let (key, first, now) =
        refused(try_add(&*ledger, &adding_with_key("app", "k"), "two").await.unwrap_err());
    assert_eq!(key, "k");
    assert!(first.starts_with("add ") && now.starts_with("add ") && first != now);
    add(&*ledger, "app", "two").await;
    ledger.tag(&with_key("1", "t")).await.unwrap();
    let other = refused(ledger.tag(&with_key("2", "t")).await.unwrap_err());
    assert_eq!(other, ("t".to_owned(), "tag 1 live".to_owned(), "tag 2 live".to_owned()));
    let off = untagging("app", "live").author(author(Some("t")));
    assert_eq!(refused(ledger.untag(&off).await.unwrap_err()).2, "untag live");
    assert_eq!(tags(&*ledger, "app").await, "latest=2 live=1");
}
