//! Moving tags, and taking them off.

use crate::support::world::{World, add, add_many, of, tag, tagging, tags, untag, untagging, version};
use sacker::{
    ledger::{Conflict, Error, NotFound},
    model::TagKind,
};

pub async fn tags_come_with_latest(world: &dyn World) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    for (spec, name) in [("2", "live"), ("1", "Canary"), ("3", "canary")] {
        tag(&*ledger, "app", spec, name).await;
    }
    assert_eq!(tags(&*world.ledger(), "app").await, "latest=3 Canary=1 canary=3 live=2");
    let releases = [("1", vec!["Canary"]), ("2", vec!["live"]), ("3", vec!["latest", "canary"])];
    for (number, expected) in releases {
        assert_eq!(ledger.release(&of("app"), &of(number)).await.unwrap().tags, expected);
    }
}

pub async fn a_move_reports_where_the_tag_was(world: &dyn World) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    let first = tag(&*ledger, "app", "1", "live").await;
    assert_eq!((first.previous, first.version, first.kind), (None, Some(version(1)), TagKind::Move));
    let other = tag(&*ledger, "app", "1", "canary").await;
    let second = tag(&*world.ledger(), "app", "3", "live").await;
    assert_eq!((second.previous, second.version), (Some(version(1)), Some(version(3))));
    let back = tag(&*ledger, "app", "1", "live").await;
    assert_eq!((back.previous, back.version), (Some(version(3)), Some(version(1))));
    // One for each change of any tag of the package.
    assert_eq!([first.rev, other.rev, second.rev, back.rev], [1, 2, 3, 4]);
    assert_eq!(ledger.tags(&of("app")).await.unwrap().tags, [other, back]);
}

pub async fn already_there_changes_nothing(world: &dyn World) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    let first = tag(&*ledger, "app", "1", "live").await;
    let again = tag(&*ledger, "app", "1", "live").await;
    assert_eq!(again.previous, again.version);
    assert_eq!((again.rev, again.moved_at), (first.rev, first.moved_at));
    assert_eq!(tag(&*ledger, "app", "live", "live").await, again);
    assert_eq!(ledger.tags(&of("app")).await.unwrap().tags, [first]);
}

pub async fn a_spec_is_resolved(world: &dyn World) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    tag(&*ledger, "app", "2", "canary").await;
    let promoted = tag(&*ledger, "app", "canary", "live").await;
    assert_eq!((promoted.previous, promoted.version), (None, Some(version(2))));
    let promoted = tag(&*ledger, "app", "latest", "live").await;
    assert_eq!((promoted.previous, promoted.version), (Some(version(2)), Some(version(3))));
    assert_eq!(tag(&*ledger, "app", "latest", "live").await.previous, Some(version(3)));
    assert_eq!(tags(&*ledger, "app").await, "latest=3 canary=2 live=3");
}

pub async fn a_tag_must_be_where_it_is_expected(world: &dyn World) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    let expecting = |spec: &str, expected: &str| tagging("app", spec, "live").expect(of(expected));
    let met = async |spec, expected| ledger.tag(&expecting(spec, expected)).await.unwrap().version;
    let unmet = async |spec, expected| match ledger.tag(&expecting(spec, expected)).await.unwrap_err() {
        Error::Conflict(Conflict::Tag { found, by, .. }) => (found, by.is_some()),
        other => panic!("{other:?}"),
    };
    assert_eq!(unmet("1", "1").await, (None, false));
    assert_eq!(met("1", "none").await, Some(version(1)));
    assert_eq!(unmet("2", "none").await, (Some(version(1)), true));
    assert_eq!(unmet("2", "3").await, (Some(version(1)), true));
    // Also where it is at the target already.
    assert_eq!(unmet("1", "3").await, (Some(version(1)), true));
    assert_eq!(met("1", "1").await, Some(version(1)));
    assert_eq!(met("2", "1").await, Some(version(2)));
    assert_eq!(tags(&*ledger, "app").await, "latest=3 live=2");

    let off = |expected: &str| untagging("app", "live").expect(of(expected));
    assert!(matches!(ledger.untag(&off("1")).await, Err(Error::Conflict(Conflict::Tag { .. }))));
    assert_eq!(ledger.untag(&off("2")).await.unwrap().previous, Some(version(2)));
    assert!(matches!(ledger.untag(&off("2")).await, Err(Error::Conflict(Conflict::Tag { .. }))));
    assert_eq!(ledger.untag(&off("none")).await.unwrap().previous, None);
    // Taken off counts as none.
    assert_eq!(met("3", "none").await, Some(version(3)));
}

pub async fn what_can_not_be_tagged(world: &dyn World) {
    let ledger = world.ledger();
    let missing = async |package: &str, spec: &str| match ledger
        .tag(&tagging(package, spec, "live"))
        .await
        .unwrap_err()
    {
        Error::NotFound(missing) => missing,
        other => panic!("{other:?}"),
    };
    assert_eq!(missing("app", "1").await, NotFound::Package(of("app")));
    assert_eq!(missing("app", "latest").await, NotFound::Package(of("app")));
    assert_eq!(missing("app", "canary").await, NotFound::Package(of("app")));
    add(&*ledger, "app", "one").await;
    let no_version = NotFound::Version { package: of("app"), version: version(2), last: version(1) };
    assert_eq!(missing("app", "2").await, no_version);
    let no_tag = NotFound::Tag { package: of("app"), tag: of("canary") };
    assert_eq!(missing("app", "canary").await, no_tag);
    tag(&*ledger, "app", "1", "canary").await;
    untag(&*ledger, "app", "canary").await;
    assert_eq!(missing("app", "canary").await, no_tag);
    assert_eq!(tags(&*ledger, "app").await, "latest=1");
}

pub async fn untag_once_and_again(world: &dyn World) {
    let ledger = world.ledger();
    let never = async || match ledger.untag(&untagging("app", "live")).await.unwrap_err() {
        Error::NotFound(missing) => missing,
        other => panic!("{other:?}"),
    };
    assert_eq!(never().await, NotFound::Package(of("app")));
    add_many(&*ledger, "app", 2).await;
    assert_eq!(never().await, NotFound::Tag { package: of("app"), tag: of("live") });
    tag(&*ledger, "app", "2", "live").await;
    tag(&*ledger, "app", "1", "canary").await;
    let off = untag(&*ledger, "app", "live").await;
    assert_eq!((off.previous, off.version, off.kind), (Some(version(2)), None, TagKind::Untag));
    assert_eq!(off.rev, 3);
    assert_eq!(tags(&*world.ledger(), "app").await, "latest=2 canary=1");
    let again = untag(&*ledger, "app", "live").await;
    assert_eq!((again.previous, again.version, again.rev), (None, None, 3));
    match ledger.release(&of("app"), &of("live")).await.unwrap_err() {
        Error::NotFound(missing) => {
            assert_eq!(missing, NotFound::Tag { package: of("app"), tag: of("live") });
        }
        other => panic!("{other:?}"),
    }
    let on = tag(&*ledger, "app", "1", "live").await;
    assert_eq!((on.previous, on.version, on.rev), (None, Some(version(1)), 4));
}

pub async fn messages_are_kept(world: &dyn World) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 1).await;
    let mut request = tagging("app", "1", "live");
    request.author.message = Some(of("because"));
    request.author.actor = Some(of("someone else"));
    let moved = ledger.tag(&request).await.unwrap();
    assert_eq!(
        (&moved.message, Some(&moved.moved_by)),
        (&request.author.message, request.author.actor.as_ref())
    );
    assert_eq!(world.ledger().tags(&of("app")).await.unwrap().tags, [moved]);
    let mut off = untagging("app", "live");
    off.author.message = Some(of("enough"));
    assert_eq!(ledger.untag(&off).await.unwrap().message, off.author.message);
}
