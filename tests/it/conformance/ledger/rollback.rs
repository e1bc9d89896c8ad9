//! Rollbacks of tags, and specs of their past.

use crate::support::{
    audit::audit,
    world::{Tables, World, add_many, author, of, read, tag, tags, untag, version},
};
use sacker::{
    ledger::{ChangeRequest, Conflict, Error, Ledger, NotFound, Refused, RollbackRequest},
    model::{ReleaseChange, State, TagKind, TagMove},
};

pub fn rolling_back(package: &str, tag: &str) -> RollbackRequest {
    RollbackRequest::new(of(package), of(tag)).author(author(None))
}

async fn back(ledger: &dyn Ledger) -> (Option<u64>, Option<u64>) {
    ends(&ledger.rollback(&rolling_back("app", "live")).await.unwrap())
}

async fn back_to(ledger: &dyn Ledger, number: u64) -> Result<TagMove, Error> {
    let request = rolling_back("app", "live").to(version(number));
    ledger.rollback(&request).await
}

fn ends(moved: &TagMove) -> (Option<u64>, Option<u64>) {
    (moved.previous.map(u64::from), moved.version.map(u64::from))
}

async fn through(ledger: &dyn Ledger, specs: &[&str]) {
    for spec in specs {
        tag(ledger, "app", spec, "live").await;
    }
}

pub async fn change(ledger: &dyn Ledger, number: u64, change: ReleaseChange) {
    let request = ChangeRequest::new(of("app"), version(number), change).author(author(None));
    ledger.change(&request).await.unwrap();
}

pub async fn a_second_rollback_goes_further_back(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 4).await;
    through(&*ledger, &["1", "2", "3"]).await;
    let first = ledger.rollback(&rolling_back("app", "live")).await.unwrap();
    assert_eq!((ends(&first), first.kind, first.rev), ((Some(3), Some(2)), TagKind::Rollback, 4));
    assert_eq!(back(&*world.ledger()).await, (Some(2), Some(1)));
    // No rollback alternates between two versions: there is nothing before the first.
    let error = ledger.rollback(&rolling_back("app", "live")).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(NotFound::Past { steps: 1, .. })), "{error:?}");
    // A move goes on from here, and a rollback of it comes back here.
    through(&*ledger, &["4"]).await;
    assert_eq!(back(&*ledger).await, (Some(4), Some(1)));
    ledger.rollback(&rolling_back("app", "live")).await.unwrap_err();
    assert_eq!(tags(&*ledger, "app").await, "latest=4 live=1");
    assert_eq!(audit(&*world.table(), "app").await.moves, 7);
}

pub async fn a_removed_tag_is_restored_by_a_rollback(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    through(&*ledger, &["1", "2"]).await;
    untag(&*ledger, "app", "live").await;
    assert_eq!(back(&*ledger).await, (None, Some(2)));
    assert_eq!(back(&*ledger).await, (Some(2), Some(1)));
    // To where it was on nothing it does not go unasked.
    untag(&*ledger, "app", "live").await;
    through(&*ledger, &["2"]).await;
    match ledger.rollback(&rolling_back("app", "live")).await.unwrap_err() {
        Error::Refused(Refused::Rollback { to: None, nearest, .. }) => assert_eq!(nearest, Some(version(1))),
        other => panic!("{other:?}"),
    }
    assert_eq!(tags(&*ledger, "app").await, "latest=2 live=2");
    audit(&*world.table(), "app").await;
}

pub async fn back_to_any_earlier_one(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 4).await;
    through(&*ledger, &["1", "2", "3"]).await;
    tag(&*ledger, "app", "4", "canary").await;
    assert_eq!(ends(&back_to(&*ledger, 1).await.unwrap()), (Some(3), Some(1)));
    // One that a rollback went over is as good, and the way goes on from where it was then.
    assert_eq!(ends(&back_to(&*ledger, 3).await.unwrap()), (Some(1), Some(3)));
    assert_eq!(back(&*ledger).await, (Some(3), Some(2)));
    // It is there already.
    let same = back_to(&*ledger, 2).await.unwrap();
    assert_eq!((ends(&same), same.rev), ((Some(2), Some(2)), 7));
    // It was never there.
    let error = back_to(&*ledger, 4).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(NotFound::Never { .. })), "{error:?}");
    let other = {
        let mut it = rolling_back("app", "live");
        it.tag = of("beta");
        it
    };
    let error = ledger.rollback(&other).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(NotFound::Tag { .. })), "{error:?}");
    let other = {
        let mut it = rolling_back("app", "live");
        it.package = of("nope");
        it
    };
    let error = ledger.rollback(&other).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(NotFound::Package(_))), "{error:?}");
    audit(&*world.table(), "app").await;
}

pub async fn what_is_not_active_is_refused_with_the_nearest(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 4).await;
    through(&*ledger, &["1", "2", "3", "4"]).await;
    change(&*ledger, 3, ReleaseChange::Yank).await;
    change(&*ledger, 2, ReleaseChange::Delete).await;
    let refused = async |request: RollbackRequest| match ledger.rollback(&request).await.unwrap_err() {
        Error::Refused(Refused::Rollback { to, nearest, .. }) => (to, nearest),
        other => panic!("{other:?}"),
    };
    let yanked = (Some((version(3), State::Yanked)), Some(version(1)));
    assert_eq!(refused(rolling_back("app", "live")).await, yanked);
    let deleted = (Some((version(2), State::Deleted)), Some(version(1)));
    let to = rolling_back("app", "live").to(version(2));
    assert_eq!(refused(to).await, deleted);
    assert_eq!(tags(&*ledger, "app").await, "latest=4 live=4");
    change(&*ledger, 1, ReleaseChange::Yank).await;
    assert_eq!(refused(rolling_back("app", "live")).await.1, None);
    change(&*ledger, 3, ReleaseChange::Unyank).await;
    assert_eq!(back(&*ledger).await, (Some(4), Some(3)));
}

pub async fn a_repeated_rollback_gives_the_first_outcome(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    through(&*ledger, &["1", "2", "3"]).await;
    let keyed = |key: &str| rolling_back("app", "live").author(author(Some(key)));
    let first = ledger.rollback(&keyed("page 7")).await.unwrap();
    assert_eq!(ends(&first), (Some(3), Some(2)));
    assert_eq!(world.ledger().rollback(&keyed("page 7")).await.unwrap(), first);
    through(&*ledger, &["3"]).await;
    assert_eq!(world.ledger().rollback(&keyed("page 7")).await.unwrap(), first);
    assert_eq!(tags(&*ledger, "app").await, "latest=3 live=3");
    let to = keyed("page 7").to(version(1));
    let error = ledger.rollback(&to).await.unwrap_err();
    assert!(matches!(error, Error::Conflict(Conflict::Key { .. })), "{error:?}");
    // Its outcome is found again by its slot.
    let op = read(&*world.table(), "T#app", "E#0000000000000004").await.unwrap()["op"].clone();
    let resumed = keyed(&format!("{}@4", op.as_str().unwrap()));
    assert_eq!(world.ledger().rollback(&resumed).await.unwrap(), first);
    audit(&*world.table(), "app").await;
}

pub async fn the_past_is_named(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    let (mut moves, mut last) = (Vec::new(), None);
    for spec in ["1", "2", "3"] {
        moves.push(tag(&*ledger, "app", spec, "live").await);
        last = Some(tag(&*ledger, "app", spec, "canary").await.moved_at);
    }
    let at = |moved: &TagMove| format!("live@{{{}}}", moved.moved_at);
    let found = async |spec: &str| ledger.blob(&of("app"), &of(spec)).await.map(|(version, _)| version.get());
    let missing = async |spec: &str| match found(spec).await.unwrap_err() {
        Error::NotFound(error) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!([found("live~1").await.unwrap(), found("live~2").await.unwrap()], [2, 1]);
    assert!(matches!(missing("live~3").await, NotFound::Past { steps: 3, .. }));
    for (number, moved) in (1..).zip(&moves) {
        assert_eq!(found(&at(moved)).await.unwrap(), number);
        assert_eq!(ledger.release(&of("app"), &of(&at(moved))).await.unwrap().version.get(), number);
    }
    // The very last event of the log is in the past of its own time.
    assert_eq!(found(&format!("canary@{{{}}}", last.unwrap())).await.unwrap(), 3);
    assert_eq!(found("live@{2999-01-01T00:00:00Z}").await.unwrap(), 3);
    assert!(matches!(missing("live@{2001-01-01T00:00:00Z}").await, NotFound::Then { .. }));
    assert!(matches!(missing("beta@{2999-01-01T00:00:00Z}").await, NotFound::Tag { .. }));
    assert!(matches!(missing("beta~1").await, NotFound::Tag { .. }));
    // It is resolved within a move, too.
    assert_eq!(ends(&tag(&*ledger, "app", "live~2", "beta").await), (None, Some(1)));
    assert_eq!(ends(&tag(&*ledger, "app", &at(&moves[1]), "beta").await), (Some(1), Some(2)));
    // And what it leads to is as it is now.
    change(&*ledger, 1, ReleaseChange::Yank).await;
    assert_eq!(found("live~2").await.unwrap(), 1);
    let error = ledger.tag(&crate::support::world::tagging("app", "live~2", "beta")).await.unwrap_err();
    assert!(matches!(error, Error::Refused(Refused::NotActive { .. })), "{error:?}");
    change(&*ledger, 1, ReleaseChange::Delete).await;
    assert!(matches!(missing("live~2").await, NotFound::Deleted { .. }));
}
