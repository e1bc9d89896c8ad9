//! Keys `OP@SLOT`: finding out what became of an operation whose outcome was unknown.

use crate::support::{
    audit::audit,
    world::{
        Tables, World, add, add_many, adding, adding_with_key, author, of, read, tag, tagging, tags, try_add,
        untag, untagging, version,
    },
};
use sacker::{
    ledger::{Conflict, Error, TagRequest},
    table::Table,
};

const OP: &str = "0123456789abcdef0123456789abcdef";

async fn op_of(table: &dyn Table, pk: &str, sk: &str) -> String {
    read(table, pk, sk).await.unwrap()["op"].as_str().unwrap().to_owned()
}

fn move_with(spec: &str, key: &str) -> TagRequest {
    tagging("app", spec, "live").author(author(Some(key)))
}

pub async fn what_landed_is_found(world: &Tables) {
    let ledger = world.ledger();
    let table = world.table();
    let first = add(&*ledger, "app", "one").await;
    add(&*ledger, "app", "two").await;
    let key = format!("{}@1", op_of(&*table, "P#app", "V#0000000000000001").await);
    let (found, new) = try_add(&*world.ledger(), &adding_with_key("app", &key), "one").await.unwrap();
    assert_eq!((found, new), (first, true));

    let moved = tag(&*ledger, "app", "latest", "live").await;
    let key = format!("{}@1", op_of(&*table, "T#app", "E#0000000000000001").await);
    tag(&*ledger, "app", "1", "live").await;
    assert_eq!(world.ledger().tag(&move_with("latest", &key)).await.unwrap(), moved);
    let off = untag(&*ledger, "app", "live").await;
    let key = format!("{}@3", op_of(&*table, "T#app", "E#0000000000000003").await);
    let request = untagging("app", "live").author(author(Some(&key)));
    tag(&*ledger, "app", "1", "live").await;
    assert_eq!(world.ledger().untag(&request).await.unwrap(), off);

    // An addition that only moved tags has its entry among them.
    let request = adding("app").if_changed(true).tags([of("canary")]);
    try_add(&*ledger, &request, "two").await.unwrap();
    let key = format!("{}@5", op_of(&*table, "T#app", "E#0000000000000005").await);
    tag(&*ledger, "app", "1", "canary").await;
    let again = request.author(author(Some(&key)));
    let (found, new) = try_add(&*ledger, &again, "two").await.unwrap();
    assert_eq!((found.version, new), (version(2), false));
    assert_eq!(tags(&*ledger, "app").await, "latest=2 canary=1 live=1");
    let audited = audit(&*table, "app").await;
    assert_eq!((audited.versions, audited.moves, audited.fences), (2, 6, 0));
}

pub async fn what_did_not_land_is_done_once(world: &Tables) {
    let ledger = world.ledger();
    let key = format!("{OP}@1");
    for _ in 0..3 {
        let (release, new) = try_add(&*world.ledger(), &adding_with_key("app", &key), "one").await.unwrap();
        assert_eq!((release.version, new), (version(1), true));
    }
    add(&*ledger, "app", "two").await;
    let first = ledger.tag(&move_with("1", &key)).await.unwrap();
    tag(&*ledger, "app", "2", "live").await;
    for _ in 0..2 {
        assert_eq!(world.ledger().tag(&move_with("1", &key)).await.unwrap(), first);
    }
    assert_eq!(tags(&*ledger, "app").await, "latest=2 live=2");
    let audited = audit(&*world.table(), "app").await;
    // The fences made sure that the tries that the keys speak of can't land any more.
    assert_eq!((audited.versions, audited.moves, audited.fences), (2, 2, 2));
}

pub async fn a_rerun_in_another_slot_is_found_as_well(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    let key = format!("{OP}@2");
    for _ in 0..3 {
        let (release, new) = try_add(&*world.ledger(), &adding_with_key("app", &key), "three").await.unwrap();
        assert_eq!((release.version, new), (version(3), true));
    }
    tag(&*ledger, "app", "1", "live").await;
    let key = format!("{OP}@1");
    let first = ledger.tag(&move_with("2", &key)).await.unwrap();
    tag(&*ledger, "app", "1", "live").await;
    assert_eq!(world.ledger().tag(&move_with("2", &key)).await.unwrap(), first);
    let audited = audit(&*world.table(), "app").await;
    assert_eq!((audited.versions, audited.moves, audited.fences), (3, 3, 0));
}

pub async fn a_key_of_something_else_is_refused(world: &Tables) {
    let ledger = world.ledger();
    let table = world.table();
    add_many(&*ledger, "app", 2).await;
    tag(&*ledger, "app", "1", "live").await;
    untag(&*ledger, "app", "live").await;
    let refused = |error: Error, first: &str| match error {
        Error::Conflict(Conflict::Key { first: found, .. }) => assert!(found.starts_with(first), "{found}"),
        other => panic!("{other:?}"),
    };
    let of_one = format!("{}@1", op_of(&*table, "P#app", "V#0000000000000001").await);
    refused(try_add(&*ledger, &adding_with_key("app", &of_one), "other").await.unwrap_err(), "add ");
    let of_move = format!("{}@1", op_of(&*table, "T#app", "E#0000000000000001").await);
    refused(ledger.tag(&move_with("2", &of_move)).await.unwrap_err(), "tag 1 live");
    let other_tag = {
        let mut it = move_with("1", &of_move);
        it.tag = of("canary");
        it
    };
    refused(ledger.tag(&other_tag).await.unwrap_err(), "tag 1 live");
    let off = |key: &str| untagging("app", "live").author(author(Some(key)));
    refused(ledger.untag(&off(&of_move)).await.unwrap_err(), "tag 1 live");
    let of_untag = format!("{}@2", op_of(&*table, "T#app", "E#0000000000000002").await);
    refused(ledger.tag(&move_with("latest", &of_untag)).await.unwrap_err(), "untag live");
    let audited = audit(&*table, "app").await;
    assert_eq!((audited.versions, audited.moves, audited.fences), (2, 2, 0));
}
