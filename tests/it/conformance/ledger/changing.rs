//! Yanking, deleting and labelling versions.

use super::rollback::rolling_back;
use crate::support::{
    audit::audit,
    world::{
        Tables, World, add, add_many, adding, author, edit, of, partition, read, sha256, tag, tagging, tags,
        untag, version,
    },
};
use futures_util::TryStreamExt;
use sacker::{
    ledger::{ChangeRequest, Changed, Conflict, Error, Ledger, NotFound, ProtectRequest, Refused},
    model::{Labels, Protection, Release, ReleaseChange, State},
};
use serde_json::json;

pub fn changing(number: u64, change: ReleaseChange) -> ChangeRequest {
    ChangeRequest::new(of("app"), version(number), change).author(author(None))
}

pub fn with_key(number: u64, change: ReleaseChange, key: &str) -> ChangeRequest {
    changing(number, change).author(author(Some(key)))
}

pub fn label(pairs: &[&str]) -> ReleaseChange {
    ReleaseChange::Label(Labels::parse(pairs.iter().copied()).unwrap())
}

pub async fn change(ledger: &dyn Ledger, number: u64, change: ReleaseChange) -> Changed {
    ledger.change(&changing(number, change)).await.unwrap()
}

pub async fn refused(ledger: &dyn Ledger, number: u64, change: ReleaseChange) -> Error {
    ledger.change(&changing(number, change)).await.unwrap_err()
}

/// `1 active, 2 yanked …`, oldest first.
pub async fn states(ledger: &dyn Ledger) -> String {
    let mut all: Vec<Release> = ledger.versions(&of("app")).try_collect().await.unwrap();
    all.reverse();
    all.iter().map(|it| format!("{} {}", it.version, it.state)).collect::<Vec<_>>().join(", ")
}

pub async fn events(world: &Tables) -> usize {
    partition(&*world.table(), "P#app").await.iter().filter(|(sk, _)| sk.starts_with("A#")).count()
}

pub async fn refs(world: &Tables, content: &str) -> u64 {
    read(&*world.table(), &format!("B#{}", sha256(content)), "B").await.unwrap()["refs"].as_u64().unwrap()
}

pub async fn latest_falls_to_the_highest_active_version(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 4).await;
    let yanked = change(&*ledger, 3, ReleaseChange::Yank).await;
    assert_eq!((yanked.release.state, yanked.previous), (State::Yanked, State::Active));
    assert_eq!(yanked.release.tags, [""; 0]);
    assert_eq!(tags(&*ledger, "app").await, "latest=4");
    change(&*ledger, 4, ReleaseChange::Yank).await;
    assert_eq!(tags(&*ledger, "app").await, "latest=2");
    assert_eq!(ledger.blob(&of("app"), &of("latest")).await.unwrap().1.address.sha256, sha256("2"));
    change(&*ledger, 2, ReleaseChange::Delete).await;
    change(&*ledger, 1, ReleaseChange::Yank).await;
    assert_eq!(tags(&*world.ledger(), "app").await, "");
    match ledger.blob(&of("app"), &of("latest")).await.unwrap_err() {
        Error::NotFound(missing) => assert_eq!(missing, NotFound::Latest(of("app"))),
        other => panic!("{other:?}"),
    }
    // By number a yanked one is still there.
    assert_eq!(ledger.blob(&of("app"), &of("3")).await.unwrap().1.address.sha256, sha256("3"));
    let unyanked = change(&*ledger, 3, ReleaseChange::Unyank).await;
    assert_eq!((unyanked.release.state, unyanked.previous), (State::Active, State::Yanked));
    assert_eq!(unyanked.release.tags, ["latest"]);
    change(&*ledger, 1, ReleaseChange::Unyank).await;
    assert_eq!(tags(&*ledger, "app").await, "latest=3");
    change(&*ledger, 4, ReleaseChange::Unyank).await;
    assert_eq!(tags(&*ledger, "app").await, "latest=4");
    assert_eq!(states(&*ledger).await, "1 active, 2 deleted, 3 active, 4 active");
    assert_eq!(add(&*ledger, "app", "5").await.version, version(5));
    assert_eq!(audit(&*world.table(), "app").await.versions, 5);
}

pub async fn latest_falls_past_many_yanked_ones(world: &Tables) {
    let ledger = world.ledger();
    let many = 108;
    add_many(&*ledger, "app", many).await;
    for number in 3..many {
        // As if they had been yanked, without waiting for it.
        let sk = format!("V#{number:016}");
        edit(&*world.table(), "P#app", &sk, json!({ "state": "yanked" })).await;
    }
    change(&*ledger, many, ReleaseChange::Yank).await;
    assert_eq!(tags(&*ledger, "app").await, "latest=2");
    change(&*ledger, 2, ReleaseChange::Yank).await;
    change(&*ledger, 1, ReleaseChange::Yank).await;
    assert_eq!(tags(&*ledger, "app").await, "");
    change(&*ledger, many, ReleaseChange::Unyank).await;
    change(&*ledger, many, ReleaseChange::Delete).await;
    // No audit: no event says that those in between were yanked.
    assert_eq!(tags(&*ledger, "app").await, "");
}

pub async fn a_change_already_in_effect_changes_nothing(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    let same = change(&*ledger, 1, ReleaseChange::Unyank).await;
    assert_eq!((same.release.state, same.previous), (State::Active, State::Active));
    change(&*ledger, 1, label(&[])).await;
    assert_eq!(events(world).await, 0);
    change(&*ledger, 1, ReleaseChange::Yank).await;
    let same = change(&*ledger, 1, ReleaseChange::Yank).await;
    assert_eq!((same.release.state, same.previous), (State::Yanked, State::Yanked));
    change(&*ledger, 1, label(&["a=b"])).await;
    change(&*ledger, 1, label(&["a=b"])).await;
    assert_eq!(events(world).await, 2);
    change(&*ledger, 1, ReleaseChange::Delete).await;
    let same = change(&*ledger, 1, ReleaseChange::Delete).await;
    assert_eq!((same.release.state, same.previous), (State::Deleted, State::Deleted));
    assert_eq!(events(world).await, 3);
    assert_eq!(refs(world, "1").await, 0);
    audit(&*world.table(), "app").await;
}

pub async fn a_deleted_version_is_gone_and_its_number_spent(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    let deleted = change(&*ledger, 2, ReleaseChange::Delete).await;
    assert_eq!((deleted.release.state, deleted.previous), (State::Deleted, State::Active));
    let gone = NotFound::Deleted { package: of("app"), version: version(2) };
    let not_found = |error: Error| match error {
        Error::NotFound(missing) => missing,
        other => panic!("{other:?}"),
    };
    assert_eq!(not_found(ledger.blob(&of("app"), &of("2")).await.unwrap_err()), gone);
    assert_eq!(not_found(ledger.release(&of("app"), &of("2")).await.unwrap_err()), gone);
    for change in [ReleaseChange::Yank, ReleaseChange::Unyank, label(&["a=b"])] {
        assert_eq!(not_found(refused(&*ledger, 2, change).await), gone);
    }
    match ledger.tag(&tagging("app", "2", "live")).await.unwrap_err() {
        Error::Refused(Refused::NotActive { state: State::Deleted, .. }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(tags(&*ledger, "app").await, "latest=1");
    assert_eq!(add(&*ledger, "app", "again").await.version, version(3));
    // What never was is something else.
    let none = NotFound::Version { package: of("app"), version: version(9), last: version(3) };
    assert_eq!(not_found(refused(&*ledger, 9, ReleaseChange::Yank).await), none);
    let elsewhere = {
        let mut it = changing(1, ReleaseChange::Delete);
        it.package = of("other");
        it
    };
    let missing = not_found(ledger.change(&elsewhere).await.unwrap_err());
    assert_eq!(missing, NotFound::Package(of("other")));
    audit(&*world.table(), "app").await;
}

pub async fn a_tagged_version_is_not_withdrawn(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    for name in ["live", "canary"] {
        tag(&*ledger, "app", "2", name).await;
    }
    tag(&*ledger, "app", "1", "other").await;
    for change in [ReleaseChange::Yank, ReleaseChange::Delete] {
        match refused(&*ledger, 2, change).await {
            Error::Refused(Refused::Tagged { version: at, tags, .. }) => {
                assert_eq!((at, tags), (version(2), vec!["canary".to_owned(), "live".to_owned()]));
            }
            other => panic!("{other:?}"),
        }
    }
    let labelled = change(&*ledger, 2, label(&["a=b"])).await;
    assert_eq!(labelled.release.tags, ["canary", "live"]);
    untag(&*ledger, "app", "live").await;
    tag(&*ledger, "app", "3", "canary").await;
    change(&*ledger, 2, ReleaseChange::Yank).await;
    match ledger.tag(&tagging("app", "2", "live")).await.unwrap_err() {
        Error::Refused(Refused::NotActive { state: State::Yanked, .. }) => {}
        other => panic!("{other:?}"),
    }
    // `latest` is no tag that holds one.
    change(&*ledger, 3, ReleaseChange::Unyank).await;
    untag(&*ledger, "app", "canary").await;
    change(&*ledger, 3, ReleaseChange::Delete).await;
    assert_eq!(tags(&*ledger, "app").await, "latest=1 other=1");
    audit(&*world.table(), "app").await;
}

pub async fn the_target_of_a_rollback_is_not_deleted(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 4).await;
    let is_way_back = async |number, expected: &[&str]| match refused(&*ledger, number, ReleaseChange::Delete)
        .await
    {
        Error::Refused(Refused::WayBack { version: at, tags, .. }) => {
            assert_eq!(
                (at, &tags[..]),
                (version(number), expected.iter().map(ToString::to_string).collect::<Vec<_>>().as_slice())
            );
        }
        other => panic!("{other:?}"),
    };
    let roll_back = async || ledger.rollback(&rolling_back("app", "live")).await.unwrap();
    for to in ["1", "2", "3"] {
        tag(&*ledger, "app", to, "live").await;
    }
    tag(&*ledger, "app", "2", "canary").await;
    tag(&*ledger, "app", "3", "canary").await;
    is_way_back(2, &["canary", "live"]).await;
    // Where the item of a tag does not say where it was before, its entries do.
    let protect = ProtectRequest::new(of("app"), of("live"), Some(Protection::Confirm)).author(author(None));
    ledger.protect(&protect).await.unwrap();
    is_way_back(2, &["canary", "live"]).await;
    ledger
        .protect(&{
            let mut it = protect;
            it.protection = None;
            it
        })
        .await
        .unwrap();
    untag(&*ledger, "app", "canary").await;
    is_way_back(2, &["live"]).await;
    roll_back().await;
    is_way_back(1, &["live"]).await;
    // The version that only a second rollback goes to can be deleted, and the one that a tag was rolled back from.
    tag(&*ledger, "app", "4", "live").await;
    is_way_back(2, &["live"]).await;
    change(&*ledger, 1, ReleaseChange::Delete).await;
    change(&*ledger, 3, ReleaseChange::Delete).await;
    // A yanked version is no way back.
    change(&*ledger, 2, ReleaseChange::Yank).await;
    change(&*ledger, 2, ReleaseChange::Delete).await;
    assert_eq!(states(&*ledger).await, "1 deleted, 2 deleted, 3 deleted, 4 active");
    audit(&*world.table(), "app").await;
}

pub async fn a_blob_is_counted_down_by_each_deletion(world: &Tables) {
    let ledger = world.ledger();
    for package in ["app", "app", "other"] {
        add(&*ledger, package, "same").await;
    }
    change(&*ledger, 2, ReleaseChange::Yank).await;
    assert_eq!(refs(world, "same").await, 3);
    let deleted = change(&*ledger, 2, ReleaseChange::Delete).await;
    assert_eq!(deleted.previous, State::Yanked);
    assert_eq!(refs(world, "same").await, 2);
    change(&*ledger, 1, ReleaseChange::Delete).await;
    assert_eq!(refs(world, "same").await, 1);
    assert_eq!(ledger.blob(&of("other"), &of("1")).await.unwrap().1.address.sha256, sha256("same"));
    let other = {
        let mut it = changing(1, ReleaseChange::Delete);
        it.package = of("other");
        it
    };
    ledger.change(&other).await.unwrap();
    assert_eq!(refs(world, "same").await, 0);
    add(&*ledger, "app", "same").await;
    assert_eq!(refs(world, "same").await, 1);
    audit(&*world.table(), "app").await;
}

pub async fn labels_are_added_and_never_replaced(world: &Tables) {
    let ledger = world.ledger();
    let request = adding("app").labels(Labels::parse(["a=1"]).unwrap());
    crate::support::world::try_add(&*ledger, &request, "one").await.unwrap();
    let labelled = change(&*ledger, 1, label(&["b=2", "a=1"])).await;
    let expected = Labels::parse(["a=1", "b=2"]).unwrap();
    assert_eq!(labelled.release.labels, expected);
    for pair in ["a=2", "b=1"] {
        match refused(&*ledger, 1, label(&["c=3", pair])).await {
            Error::Refused(Refused::Labelled { name, value, .. }) => {
                assert_eq!((name == "a", value == "1"), (pair == "a=2", pair == "a=2"));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ledger.release(&of("app"), &of("1")).await.unwrap().labels, expected);
    // 32 labels in all, 4 KiB in all.
    let many: Vec<_> = (0..30).map(|number| format!("l{number}=x")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    change(&*ledger, 1, label(&many)).await;
    let long = format!("long={}", "x".repeat(4000));
    for more in ["one=more", &long] {
        match refused(&*ledger, 1, label(&[more])).await {
            Error::Refused(Refused::Labels { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    change(&*ledger, 1, ReleaseChange::Yank).await;
    assert_eq!(ledger.release(&of("app"), &of("1")).await.unwrap().labels.iter().count(), 32);
    audit(&*world.table(), "app").await;
}

pub async fn a_repeated_change_gives_the_first_outcome(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    change(&*ledger, 2, ReleaseChange::Yank).await;
    let yank = with_key(1, ReleaseChange::Yank, "yank");
    let there = with_key(2, ReleaseChange::Yank, "there");
    let delete = with_key(2, ReleaseChange::Delete, "delete");
    let labels = with_key(3, label(&["a=b"]), "label");
    let mut first = Vec::new();
    for request in [&yank, &there, &delete, &labels] {
        first.push(ledger.change(request).await.unwrap());
    }
    assert_eq!(first[1].previous, State::Yanked);
    assert_eq!((first[2].previous, first[2].release.state), (State::Yanked, State::Deleted));
    change(&*ledger, 1, ReleaseChange::Unyank).await;
    change(&*ledger, 3, ReleaseChange::Delete).await;
    let before = events(world).await;
    for (request, first) in [&yank, &there, &delete, &labels].into_iter().zip(&first) {
        let again = world.ledger().change(request).await.unwrap();
        assert_eq!((again.previous, again.release.state), (first.previous, first.release.state));
        assert_eq!(again.release.labels, first.release.labels);
    }
    assert_eq!(events(world).await, before);
    assert_eq!(states(&*ledger).await, "1 active, 2 deleted, 3 deleted");
    for other in [
        with_key(1, ReleaseChange::Delete, "yank"),
        with_key(3, ReleaseChange::Yank, "yank"),
        with_key(3, label(&["a=c"]), "label"),
    ] {
        match ledger.change(&other).await.unwrap_err() {
            Error::Conflict(Conflict::Key { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    audit(&*world.table(), "app").await;
}

/// A rerun with `OP@SLOT` after an outcome that was not known.
pub async fn a_change_is_resumed(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    change(&*ledger, 2, label(&["a=b"])).await;
    let op = partition(&*world.table(), "P#app").await.into_iter().find(|(sk, _)| sk.starts_with("A#"));
    let (_, event) = op.unwrap();
    let key = format!("{}@{}", event["op"].as_str().unwrap(), event["rev"]);
    let resumed = with_key(2, label(&["a=b"]), &key);
    let again = ledger.change(&resumed).await.unwrap();
    assert_eq!(again.release.labels, Labels::parse(["a=b"]).unwrap());
    assert_eq!(events(world).await, 1);
    let other = with_key(2, label(&["c=d"]), &key);
    assert!(matches!(ledger.change(&other).await, Err(Error::Conflict(Conflict::Key { .. }))));
    // A slot that stayed free is taken now, once.
    let free = format!("{}@4", uuid::Uuid::new_v4().simple());
    let late = with_key(1, ReleaseChange::Yank, &free);
    for _ in 0..2 {
        assert_eq!(ledger.change(&late).await.unwrap().previous, State::Active);
    }
    // It was made sure that the first run's copies can't land.
    let fences = audit(&*world.table(), "app").await.fences;
    assert_eq!(events(world).await, 2 + fences);
}

pub async fn messages_of_changes_are_kept(world: &Tables) {
    let ledger = world.ledger();
    add(&*ledger, "app", "one").await;
    let author = author(None).message(of("it burns"));
    let request = changing(1, ReleaseChange::Yank).author(author);
    ledger.change(&request).await.unwrap();
    let event = read(&*world.table(), "P#app", "A#0000000000000002").await.unwrap();
    assert_eq!(
        (&event["kind"], &event["version"], &event["was"]),
        (&json!("yank"), &json!(1), &json!("active"))
    );
    assert_eq!((&event["message"], &event["who"]), (&json!("it burns"), &json!("someone@host")));
}
