//! The items in the table, and the reading of items that this program did not write.

use super::reading::names;
use crate::support::{
    audit::audit,
    world::{
        Tables, World, add, add_many, adding_with_key, author, edit, of, partition, read, retry_policy,
        sha256, tag, tagging, tags, try_add, untag, untagging, version, write,
    },
};
use futures_util::TryStreamExt;
use sacker::{
    ledger::{Error, Ledger, NotFound, PackageQuery, Refused, TableLedger},
    model::{Labels, State, Timestamp},
    table::Table,
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// An item in which values that differ from run to run are replaced by their kind.
fn plain(item: &sacker::table::Item) -> Value {
    let mut item = item.clone();
    for (name, value) in &mut item {
        match name.as_str() {
            "op" | "chain" => *value = json!(value.as_str().unwrap().len()),
            "when" => *value = json!(value.as_u64().unwrap() > 1_600_000_000_000),
            _ => {}
        }
    }
    Value::Object(item)
}

/// The copy of a blob in a version, a head or a tag.
fn blob(content: &str) -> Value {
    json!({ "sha256": sha256(content), "gen": 0, "size": 3, "filename": "app.tar.gz", "mode": 0o755 })
}

/// An object with the members of both.
fn with(mut one: Value, other: Value) -> Value {
    let Value::Object(other) = other else { panic!("no object: {other}") };
    one.as_object_mut().unwrap().extend(other);
    one
}

/// The attributes that all entries have, by their kind.
fn entry() -> Value {
    json!({ "who": "someone@host", "when": true, "op": 32, "chain": 64 })
}

pub async fn the_items_are_what_the_schema_says(world: &Tables) {
    let ledger = world.ledger();
    let (_, id) = ledger.create().await.unwrap();
    let request =
        adding_with_key("app", "job 7").labels(Labels::parse(["a=b", "empty="]).unwrap()).tags([of("live")]);
    try_add(&*ledger, &request, "one").await.unwrap();
    add(&*ledger, "app", "two").await;
    let mut moving = tagging("app", "2", "live").author(author(Some("k")));
    moving.author.message = Some(of("why"));
    ledger.tag(&moving).await.unwrap();
    ledger.tag(&moving.author(author(Some("k2")))).await.unwrap();
    untag(&*ledger, "app", "live").await;
    tag(&*ledger, "app", "latest", "live").await;
    let table = &*world.table();
    let audited = audit(table, "app").await;
    assert_eq!((audited.versions, audited.moves, audited.fences), (2, 4, 0));

    let mut meta = json!({ "schema": 1, "ledger": id });
    if let Some(home) = table.home().await.unwrap() {
        meta["home"] = json!(home);
    }
    assert_eq!(plain(&read(table, "M", "M").await.unwrap()), meta);
    let version =
        |n: u64, content| with(with(blob(content), entry()), json!({ "n": n, "rev": n, "state": "active" }));
    let releases = [
        ("H", json!({ "n": 2, "latest": 2, "blob": blob("two"), "rev": 2, "chain": 64, "when": true })),
        (
            "K#job 7",
            json!({ "request": format!("add {}", sha256("one")), "entry": "V#0000000000000001", "op": 32 }),
        ),
        ("V#0000000000000001", with(version(1, "one"), json!({ "labels": { "a": "b", "empty": "" } }))),
        ("V#0000000000000002", version(2, "two")),
    ];
    let found = partition(table, "P#app").await;
    let found: Vec<_> = found.iter().map(|(sk, item)| (sk.as_str(), plain(item))).collect();
    assert_eq!(found, releases);

    let event = |rev: u64, other| with(with(entry(), json!({ "rev": rev, "tag": "live" })), other);
    let tags = [
        ("E#0000000000000001", event(1, json!({ "kind": "move", "version": 1, "top": 1 }))),
        (
            "E#0000000000000002",
            event(
                2,
                json!({ "kind": "move", "version": 2, "previous": 1, "back": 1, "message": "why", "top": 2 }),
            ),
        ),
        ("E#0000000000000003", event(3, json!({ "kind": "untag", "previous": 2, "back": 2, "top": 2 }))),
        ("E#0000000000000004", event(4, json!({ "kind": "move", "version": 2, "back": 3, "top": 2 }))),
        (
            "H",
            json!({ "rev": 4, "chain": 64, "when": true, "live": { "rev": 4, "count": 1, "on": { "live": 2 } } }),
        ),
        ("K#k", json!({ "request": "tag 2 live", "entry": "E#0000000000000002", "op": 32 })),
        (
            "K#k2",
            json!({ "request": "tag 2 live", "entry": "E#0000000000000002", "unchanged": true, "op": 32 }),
        ),
        (
            "t#live",
            json!({
                "tag": "live", "kind": "move", "version": 2, "set": 4, "back": 3, "blob": blob("two"),
                "who": "someone@host", "when": true, "top": { "set": 4, "version": 2 },
            }),
        ),
    ];
    let found = partition(table, "T#app").await;
    let found: Vec<_> = found.iter().map(|(sk, item)| (sk.as_str(), plain(item))).collect();
    assert_eq!(found, tags);
    let of_one = read(table, &format!("B#{}", sha256("one")), "B").await.unwrap();
    assert_eq!(Value::Object(of_one), json!({ "state": "kept", "gen": 0, "refs": 1 }));
}

pub async fn times_grow_with_any_clock(world: &Tables) {
    let clock = Arc::new(AtomicU64::new(1_800_000_000_000));
    let at = Arc::clone(&clock);
    let ledger = TableLedger::with_clock(
        world.table(),
        retry_policy(),
        Arc::new(move || Timestamp::from_millis(at.load(Ordering::Relaxed))),
    );
    let mut expected = 1_800_000_000_000;
    // It stands still, goes back by a second and to nothing, and forward again.
    for now in [1_800_000_000_000, 1_800_000_000_000, 1_799_999_999_000, 0, 1_800_000_005_000] {
        clock.store(now, Ordering::Relaxed);
        let request = crate::support::world::adding("app").tags([of("live")]);
        let (release, _) = try_add(&ledger, &request, "same").await.unwrap();
        assert_eq!(release.added_at.as_millis(), expected.max(now));
        tag(&ledger, "app", "1", "canary").await;
        untag(&ledger, "app", "canary").await;
        expected = expected.max(now) + 1;
    }
    let audited = audit(&*world.table(), "app").await;
    assert_eq!((audited.versions, audited.moves), (5, 15));
}

pub async fn an_age_that_no_clock_proves_is_reported_as_unproven(world: &Tables) {
    const NOW: u64 = 1_800_000_000_000;
    const YEAR: u64 = 365 * 24 * 3600 * 1000;
    let at = |millis: u64| {
        let clock = Arc::new(move || Timestamp::from_millis(millis));
        TableLedger::with_clock(world.table(), retry_policy(), clock)
    };
    add(&at(NOW + YEAR), "app", "one").await;
    let gated = tagging("app", "1", "live").require(of("age:1h"));
    match at(NOW).tag(&gated).await.unwrap_err() {
        Error::Refused(refused @ Refused::Gates { .. }) => {
            assert!(refused.to_string().contains("its age is not known"), "{refused}");
        }
        other => panic!("{other:?}"),
    }
    // Within what clocks differ by, it is just young.
    match at(NOW + YEAR - 1000).tag(&gated).await.unwrap_err() {
        Error::Refused(refused) => assert!(refused.to_string().contains("added 0s ago"), "{refused}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(at(NOW + YEAR + 2 * 3_600_000).tag(&gated).await.unwrap().version, Some(version(1)));
}

pub async fn an_unknown_schema_is_left_alone(world: &Tables) {
    let ledger = world.ledger();
    add(&*ledger, "app", "one").await;
    tag(&*ledger, "app", "1", "live").await;
    let table = world.table();
    edit(&*table, "M", "M", json!({ "schema": 2 })).await;
    let before = [partition(&*table, "P#app").await, partition(&*table, "T#app").await];
    let unknown = |error: Error| assert!(matches!(error, Error::Schema { found: 2, known: 1 }), "{error:?}");
    // A handle that has not read it yet, each time.
    let fresh = || world.ledger();
    unknown(fresh().create().await.unwrap_err());
    unknown(fresh().packages(&PackageQuery::default()).try_collect::<Vec<_>>().await.unwrap_err());
    unknown(fresh().summaries(&[of("app")]).await.unwrap_err());
    unknown(fresh().versions(&of("app")).try_collect::<Vec<_>>().await.unwrap_err());
    unknown(fresh().tags(&of("app")).await.unwrap_err());
    for spec in ["1", "live", "latest"] {
        unknown(fresh().blob(&of("app"), &of(spec)).await.unwrap_err());
        unknown(fresh().release(&of("app"), &of(spec)).await.unwrap_err());
    }
    unknown(try_add(&*fresh(), &crate::support::world::adding("app"), "two").await.unwrap_err());
    unknown(fresh().tag(&tagging("app", "1", "canary")).await.unwrap_err());
    unknown(fresh().untag(&untagging("app", "live")).await.unwrap_err());
    // One that knew the old one changes nothing either.
    unknown(try_add(&*ledger, &crate::support::world::adding("app"), "two").await.unwrap_err());
    unknown(ledger.tag(&tagging("app", "1", "canary")).await.unwrap_err());
    unknown(ledger.untag(&untagging("app", "live")).await.unwrap_err());
    assert_eq!([partition(&*table, "P#app").await, partition(&*table, "T#app").await], before);
}

pub async fn a_malformed_item_is_damage(world: &Tables) {
    let ledger = world.ledger();
    let table = world.table();
    let damaged = |error: Error, key: &str| match error {
        Error::Damaged { what, .. } => assert!(what.contains(key), "{what}"),
        other => panic!("{other:?}"),
    };
    add_many(&*ledger, "app", 2).await;
    tag(&*ledger, "app", "1", "live").await;

    edit(&*table, "P#app", "V#0000000000000001", json!({ "sha256": "no digest" })).await;
    damaged(ledger.release(&of("app"), &of("1")).await.unwrap_err(), "P#app/V#0000000000000001");
    damaged(ledger.versions(&of("app")).try_collect::<Vec<_>>().await.unwrap_err(), "V#0000000000000001");
    damaged(ledger.tag(&tagging("app", "1", "canary")).await.unwrap_err(), "V#0000000000000001");
    edit(&*table, "T#app", "t#live", json!({ "version": "one" })).await;
    damaged(ledger.tags(&of("app")).await.unwrap_err(), "T#app/t#live");
    damaged(ledger.blob(&of("app"), &of("live")).await.unwrap_err(), "T#app/t#live");
    damaged(ledger.tag(&tagging("app", "2", "live")).await.unwrap_err(), "T#app/t#live");
    damaged(ledger.untag(&untagging("app", "live")).await.unwrap_err(), "T#app/t#live");
    let of_one = format!("B#{}", sha256("1"));
    edit(&*table, &of_one, "B", json!({ "state": "no word" })).await;
    damaged(try_add(&*ledger, &crate::support::world::adding("app"), "1").await.unwrap_err(), &of_one);
    edit(&*table, "P#app", "H", json!({ "rev": null })).await;
    damaged(ledger.blob(&of("app"), &of("latest")).await.unwrap_err(), "P#app/H");
    damaged(try_add(&*ledger, &crate::support::world::adding("app"), "3").await.unwrap_err(), "P#app/H");
    // A key that leads nowhere.
    let lost = json!({ "request": "untag live", "entry": "E#0000000000000009", "op": "0".repeat(32) });
    write(&*table, "T#app", "K#k", lost).await;
    let request = untagging("app", "live").author(author(Some("k")));
    damaged(ledger.untag(&request).await.unwrap_err(), "T#app/E#0000000000000009");
    write(&*table, "D#0", "etc//passwd", json!({})).await;
    damaged(
        ledger.packages(&PackageQuery::default()).try_collect::<Vec<_>>().await.unwrap_err(),
        "D#0/etc//passwd",
    );
}

/// As the commands that yank and delete will leave them.
async fn set_state(table: &dyn Table, number: u64, state: &str) {
    edit(table, "P#app", &format!("V#{number:016}"), json!({ "state": state })).await;
}

pub async fn states_are_respected(world: &Tables) {
    let ledger = world.ledger();
    let table = world.table();
    add_many(&*ledger, "app", 2).await;
    set_state(&*table, 1, "deleted").await;
    set_state(&*table, 2, "yanked").await;
    edit(&*table, "P#app", "H", json!({ "latest": null, "blob": null })).await;
    let deleted = NotFound::Deleted { package: of("app"), version: version(1) };
    for error in [
        ledger.release(&of("app"), &of("1")).await.unwrap_err(),
        ledger.blob(&of("app"), &of("1")).await.map(|_| ()).unwrap_err(),
    ] {
        assert!(matches!(error, Error::NotFound(missing) if missing == deleted));
    }
    assert_eq!(ledger.release(&of("app"), &of("2")).await.unwrap().state, State::Yanked);
    for (number, state) in [(1, State::Deleted), (2, State::Yanked)] {
        match ledger.tag(&tagging("app", &number.to_string(), "live")).await.unwrap_err() {
            Error::Refused(Refused::NotActive { version: at, state: is, .. }) => {
                assert_eq!((at, is), (version(number), state));
            }
            other => panic!("{other:?}"),
        }
    }
    let none = |error: Error| assert!(matches!(error, Error::NotFound(NotFound::Latest(_))), "{error:?}");
    none(ledger.release(&of("app"), &of("latest")).await.unwrap_err());
    none(ledger.blob(&of("app"), &of("latest")).await.map(|_| ()).unwrap_err());
    none(ledger.tag(&tagging("app", "latest", "live")).await.unwrap_err());
    let listed: Vec<_> = ledger.versions(&of("app")).try_collect().await.unwrap();
    let states: Vec<State> = listed.iter().map(|release| release.state).collect();
    assert_eq!(states, [State::Yanked, State::Deleted]);
    // Their numbers stay spent.
    assert_eq!(add(&*ledger, "app", "three").await.version, version(3));
    assert_eq!(tags(&*ledger, "app").await, "latest=3");
}

pub async fn a_protected_tag_is_left_alone(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    tag(&*ledger, "app", "1", "live").await;
    edit(&*world.table(), "T#app", "t#live", json!({ "protection": "write-once" })).await;
    let refused =
        |error: Error| assert!(matches!(error, Error::Refused(Refused::Protected { .. })), "{error:?}");
    refused(ledger.tag(&tagging("app", "2", "live")).await.unwrap_err());
    refused(ledger.untag(&untagging("app", "live")).await.unwrap_err());
    let request = crate::support::world::adding("app").tags([of("live")]);
    refused(try_add(&*ledger, &request, "three").await.unwrap_err());
    assert_eq!(tags(&*ledger, "app").await, "latest=2 live=1");
    assert_eq!(tag(&*ledger, "app", "1", "live").await.previous, Some(version(1)));
}

pub async fn a_head_that_only_a_fence_made_is_no_package(world: &Tables) {
    let ledger = world.ledger();
    // A resumed addition that is refused for another reason leaves a fence behind and nothing else.
    let request = adding_with_key("app", &format!("{}@1", "a".repeat(32))).expect_latest(of("7"));
    try_add(&*ledger, &request, "one").await.unwrap_err();
    let table = world.table();
    assert_eq!(read(&*table, "P#app", "H").await.unwrap()["n"], json!(0));
    assert_eq!(audit(&*table, "app").await.fences, 1);
    let missing = |error: Error| assert!(matches!(error, Error::NotFound(NotFound::Package(_))), "{error:?}");
    missing(ledger.tags(&of("app")).await.unwrap_err());
    missing(ledger.blob(&of("app"), &of("latest")).await.unwrap_err());
    missing(ledger.release(&of("app"), &of("1")).await.unwrap_err());
    missing(ledger.versions(&of("app")).try_collect::<Vec<_>>().await.unwrap_err());
    missing(ledger.tag(&tagging("app", "latest", "live")).await.unwrap_err());
    missing(ledger.tag(&tagging("app", "1", "live")).await.unwrap_err());
    assert_eq!(ledger.summaries(&[of("app")]).await.unwrap(), []);
    assert_eq!(names(&*ledger, "", None).await, [""; 0]);
    assert_eq!(add(&*ledger, "app", "one").await.version, version(1));
    assert_eq!(names(&*ledger, "", None).await, ["app"]);
    audit(&*table, "app").await;
}
