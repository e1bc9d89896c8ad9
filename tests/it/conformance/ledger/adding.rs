//! Adding versions.

use crate::support::world::{World, add, add_many, adding, blob, of, sha256, tag, tags, try_add, version};
use sacker::{
    ledger::{Added, Conflict, Error, Staged},
    model::{Expectation, Labels, Spec, State},
};

pub async fn the_first_version_makes_the_package(world: &dyn World) {
    let ledger = world.ledger();
    let release = add(&*ledger, "web/app", "one").await;
    assert_eq!(release.version, version(1));
    assert_eq!(release.state, State::Active);
    assert_eq!(release.tags, ["latest"]);
    let names = super::reading::names(&*world.ledger(), "", None).await;
    assert_eq!(names, ["web/app"]);
    assert_eq!(tags(&*world.ledger(), "web/app").await, "latest=1");
}

pub async fn numbers_are_dense_and_latest_follows(world: &dyn World) {
    for number in 1..=5 {
        // Another handle each time, as another run of the program.
        let ledger = world.ledger();
        let release = add(&*ledger, "app", &format!("content {number}")).await;
        assert_eq!(release.version, version(number));
        let (latest, of_latest) = ledger.blob(&of("app"), &Spec::Latest).await.unwrap();
        assert_eq!((latest, of_latest), (version(number), blob(&format!("content {number}"), 0)));
    }
    // Another package has numbers of its own.
    assert_eq!(add(&*world.ledger(), "other", "content 1").await.version, version(1));
}

pub async fn what_is_added_is_read_back(world: &dyn World) {
    let pairs = ["commit=2f4c9e", "empty=", "text=a=b \u{e9}\u{1f680}"];
    let request = adding("app")
        .labels(Labels::parse(pairs).unwrap())
        .author(crate::support::world::author(None).message(of("first\n\tof \"many\" \\ \u{1f680}")));
    let (added, new) = try_add(&*world.ledger(), &request, "one").await.unwrap();
    assert!(new);
    assert_eq!(added.labels, request.labels);
    assert_eq!(added.message, request.author.message);
    assert_eq!(Some(&added.added_by), request.author.actor.as_ref());
    assert_eq!(added.blob, blob("one", 0));
    let read = world.ledger().release(&of("app"), &of("1")).await.unwrap();
    assert_eq!(read, added);
}

pub async fn tags_move_with_the_version(world: &dyn World) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    tag(&*ledger, "app", "1", "live").await;
    let request = adding("app").tags([of("live"), of("canary")]);
    let (release, _) = try_add(&*ledger, &request, "three").await.unwrap();
    assert_eq!(release.tags, ["latest", "canary", "live"]);
    assert_eq!(tags(&*world.ledger(), "app").await, "latest=3 canary=3 live=3");
    let tagged = ledger.tags(&of("app")).await.unwrap().tags;
    assert_eq!(tagged[0].previous, None);
    assert_eq!(tagged[1].previous, Some(version(1)));
    assert_ne!(tagged[0].rev, tagged[1].rev);
}

pub async fn sixteen_tags_and_one_given_twice(world: &dyn World) {
    let ledger = world.ledger();
    let names: Vec<String> = (10..26).map(|number| format!("t{number}")).collect();
    let request = adding("app").tags(names.iter().map(|name| of(name)));
    let (release, _) = try_add(&*ledger, &request, "one").await.unwrap();
    assert_eq!(release.tags[1..], names);
    assert_eq!(ledger.tags(&of("app")).await.unwrap().tags.len(), 16);
    let twice = adding("app").tags([of("t10"), of("t10")]);
    let (release, _) = try_add(&*ledger, &twice, "two").await.unwrap();
    assert_eq!(release.tags, ["latest", "t10"]);
    let revs: Vec<u64> = ledger.tags(&of("app")).await.unwrap().tags.iter().map(|at| at.rev).collect();
    assert_eq!(revs.iter().max(), Some(&17));
}

pub async fn unchanged_content_adds_nothing(world: &dyn World) {
    let ledger = world.ledger();
    let request = adding("app").if_changed(true);
    let (first, new) = try_add(&*ledger, &request, "one").await.unwrap();
    assert!(new);
    let (same, new) = try_add(&*ledger, &request, "one").await.unwrap();
    assert_eq!((same, new), (first, false));
    let mut draft = ledger.begin_add(&request, None).await.unwrap();
    let staged = ledger.stage(&request, &sha256("one"), &mut draft).await.unwrap();
    assert_eq!(staged, Staged::NothingToStore);
    let (other, new) = try_add(&*ledger, &request, "two").await.unwrap();
    assert_eq!((other.version, new), (version(2), true));
    // It is `latest` that counts, not any version.
    let (again, new) = try_add(&*ledger, &request, "one").await.unwrap();
    assert_eq!((again.version, new), (version(3), true));
}

pub async fn unchanged_content_still_moves_tags(world: &dyn World) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    tag(&*ledger, "app", "1", "live").await;
    let request = adding("app").if_changed(true).tags([of("live"), of("canary")]);
    let (release, new) = try_add(&*ledger, &request, "2").await.unwrap();
    assert_eq!((release.version, new), (version(2), false));
    assert_eq!(release.tags, ["latest", "canary", "live"]);
    assert_eq!(tags(&*world.ledger(), "app").await, "latest=2 canary=2 live=2");
    let before = ledger.tags(&of("app")).await.unwrap();
    assert!(!try_add(&*ledger, &request, "2").await.unwrap().1);
    assert_eq!(ledger.tags(&of("app")).await.unwrap(), before);
}

pub async fn latest_must_be_as_expected(world: &dyn World) {
    let ledger = world.ledger();
    let expecting = |expected: &str| adding("app").expect_latest(of(expected));
    let refused = |found| {
        move |error: Error| match error {
            Error::Conflict(Conflict::Latest { found: is, .. }) => assert_eq!(is, found),
            other => panic!("{other:?}"),
        }
    };
    refused(None)(try_add(&*ledger, &expecting("1"), "one").await.unwrap_err());
    assert_eq!(try_add(&*ledger, &expecting("none"), "one").await.unwrap().0.version, version(1));
    refused(Some(version(1)))(try_add(&*ledger, &expecting("none"), "two").await.unwrap_err());
    refused(Some(version(1)))(try_add(&*ledger, &expecting("2"), "two").await.unwrap_err());
    assert_eq!(try_add(&*ledger, &expecting("1"), "two").await.unwrap().0.version, version(2));

    // Someone comes between the beginning and the commit.
    let request = adding("app").expect_latest(Expectation::Version(version(2)));
    let mut draft = ledger.begin_add(&request, None).await.unwrap();
    ledger.stage(&request, &sha256("three"), &mut draft).await.unwrap();
    add(&*world.ledger(), "app", "between").await;
    refused(Some(version(3)))(ledger.add(&request, &blob("three", 0), &mut draft).await.unwrap_err());
    let plain = adding("app");
    let mut draft = ledger.begin_add(&plain, None).await.unwrap();
    ledger.stage(&plain, &sha256("four"), &mut draft).await.unwrap();
    add(&*world.ledger(), "app", "between again").await;
    match ledger.add(&plain, &blob("four", 0), &mut draft).await.unwrap() {
        Added::Version { release, new: true } => assert_eq!(release.version, version(5)),
        other => panic!("{other:?}"),
    }
}
