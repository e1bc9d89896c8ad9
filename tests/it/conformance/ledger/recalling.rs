//! Recalls: all tags on a version go back, and it is yanked, at one instant.

use super::{
    concurrent::at_once,
    freezing::freezing,
    rollback::{change, rolling_back},
};
use crate::support::{
    audit::audit,
    world::{Tables, World, add_many, author, of, read, tag, tagging, tags, version},
};
use futures_util::TryStreamExt;
use sacker::{
    ledger::{Error, Ledger, NotFound, ProtectRequest, RecallRequest, Refused},
    model::{EventKind, Protection, ReleaseChange, State, TagKind},
};

const OP: &str = "0123456789abcdef0123456789abcdef";

pub fn recalling(package: &str, number: u64) -> RecallRequest {
    RecallRequest::new(of(package), version(number)).author(author(None))
}

async fn through(ledger: &dyn Ledger, name: &str, specs: &[&str]) {
    for spec in specs {
        tag(ledger, "app", spec, name).await;
    }
}

pub async fn every_tag_goes_back(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 6).await;
    // Past the version itself, a yanked one and a deleted one.
    through(&*ledger, "live", &["1", "2", "3", "4", "6", "4", "6"]).await;
    through(&*ledger, "canary", &["5", "6"]).await;
    through(&*ledger, "other", &["6", "5"]).await;
    change(&*ledger, 4, ReleaseChange::Yank).await;
    change(&*ledger, 3, ReleaseChange::Delete).await;
    ledger.freeze(&freezing("")).await.unwrap();
    let previewed = ledger.preview_recall(&recalling("app", 6)).await.unwrap();
    assert_eq!(tags(&*ledger, "app").await, "latest=6 canary=6 live=6 other=5");
    let recalled = ledger.recall(&recalling("app", 6)).await.unwrap();
    let moves: Vec<_> = recalled
        .moves
        .iter()
        .map(|it| (it.tag.as_str(), it.previous.map(u64::from), it.version.map(u64::from), it.kind))
        .collect();
    let rollback = TagKind::Rollback;
    assert_eq!(moves, [("canary", Some(6), Some(5), rollback), ("live", Some(6), Some(2), rollback)]);
    assert_eq!((recalled.previous, recalled.release.state), (State::Active, State::Yanked));
    assert_eq!(previewed.moves.len(), 2);
    assert_eq!(tags(&*ledger, "app").await, "latest=5 canary=5 live=2 other=5");
    // A rollback continues from there.
    ledger.rollback(&rolling_back("app", "live")).await.unwrap();
    assert_eq!(tags(&*ledger, "app").await, "latest=5 canary=5 live=1 other=5");
    let again = ledger.recall(&recalling("app", 6)).await.unwrap();
    assert_eq!((again.previous, again.moves.len()), (State::Yanked, 0));
    let events: Vec<_> = ledger.history(&of("app"), None).try_collect().await.unwrap();
    assert_eq!(events.iter().filter(|event| event.kind == EventKind::Yank).count(), 2);
    audit(&*world.table(), "app").await;
    let mut found = Vec::new();
    ledger.audit(false, &mut |it| found.push(it)).await.unwrap();
    assert_eq!(found, []);
}

pub async fn a_recall_that_is_refused_names_its_tags(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    through(&*ledger, "live", &["1", "2"]).await;
    through(&*ledger, "first", &["2"]).await;
    let error = ledger.recall(&recalling("app", 2)).await.unwrap_err();
    let Error::Moves { failed, of: 2 } = error else { panic!("{error:?}") };
    assert!(
        matches!(&failed[0].error, Error::Refused(Refused::NowhereToGo { tag, .. }) if tag.as_str() == "first")
    );
    let protect = |name: &str, how| ProtectRequest::new(of("app"), of(name), how).author(author(None));
    ledger.protect(&protect("live", Protection::Confirm)).await.unwrap();
    let error = ledger.recall(&recalling("app", 2).untag(true)).await.unwrap_err();
    let Error::Moves { failed, .. } = error else { panic!("{error:?}") };
    assert!(
        matches!(&failed[0].error, Error::Refused(Refused::Protected { tag, .. }) if tag.as_str() == "live")
    );
    assert_eq!(tags(&*ledger, "app").await, "latest=2 first=2 live=2");
    let confirmed = recalling("app", 2).untag(true).confirm(of("live"));
    let recalled = ledger.recall(&confirmed).await.unwrap();
    assert_eq!((recalled.moves[0].version, recalled.moves[0].kind), (None, TagKind::Untag));
    assert_eq!(tags(&*ledger, "app").await, "latest=1 live=1");
    ledger.protect(&protect("once", Protection::WriteOnce)).await.unwrap();
    tag(&*ledger, "app", "1", "once").await;
    let error = ledger.recall(&recalling("app", 1).untag(true).confirm(of("live"))).await.unwrap_err();
    let Error::Moves { failed, .. } = error else { panic!("{error:?}") };
    assert!(
        matches!(&failed[0].error, Error::Refused(Refused::Protected { tag, .. }) if tag.as_str() == "once")
    );
    let error = ledger.recall(&recalling("app", 9)).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(NotFound::Version { .. })), "{error:?}");
    for number in 0..48 {
        tag(&*ledger, "app", "1", &format!("t{number}")).await;
    }
    let error = ledger.recall(&recalling("app", 1)).await.unwrap_err();
    assert!(matches!(error, Error::Refused(Refused::TooLarge { needed: 104, most: 100 })), "{error:?}");
    audit(&*world.table(), "app").await;
}

pub async fn a_repeated_recall_gives_the_first_outcome(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    through(&*ledger, "live", &["1", "3"]).await;
    let keyed = recalling("app", 3).key(of("k"));
    let first = ledger.recall(&keyed).await.unwrap();
    assert_eq!(first.moves.len(), 1);
    change(&*ledger, 3, ReleaseChange::Unyank).await;
    through(&*ledger, "live", &["3"]).await;
    for _ in 0..2 {
        assert_eq!(world.ledger().recall(&keyed).await.unwrap(), first);
    }
    let op = read(&*world.table(), "P#app", "A#0000000000000004").await.unwrap()["op"].clone();
    let resumed = recalling("app", 3).key(of(&format!("{}@4", op.as_str().unwrap())));
    assert_eq!(ledger.recall(&resumed).await.unwrap(), first);
    // What did not land is settled, and done once.
    let resumed = recalling("app", 3).key(of(&format!("{OP}@6")));
    let second = ledger.recall(&resumed).await.unwrap();
    assert_eq!(world.ledger().recall(&resumed).await.unwrap(), second);
    assert_eq!(tags(&*ledger, "app").await, "latest=2 live=1");
    audit(&*world.table(), "app").await;
}

/// While it is recalled, others put tags on the version: none is on it afterwards.
pub async fn no_tag_is_on_a_recalled_version(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    for number in 0..4 {
        through(&*ledger, &format!("t{number}"), &["1"]).await;
    }
    let movers = (0..4).map(|number| {
        let ledger = world.ledger();
        Box::pin(async move {
            let name = format!("t{number}");
            for _ in 0..6 {
                match ledger.tag(&tagging("app", "2", &name)).await {
                    Ok(_) => {}
                    Err(Error::Refused(Refused::NotActive { .. })) => return,
                    Err(error) => panic!("{error:?}"),
                }
                ledger.tag(&tagging("app", "1", &name)).await.unwrap();
            }
        }) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
    });
    let recalls = [world.ledger()].map(|ledger| {
        Box::pin(async move { drop(ledger.recall(&recalling("app", 2)).await.unwrap()) })
            as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
    });
    at_once(movers.chain(recalls)).await;
    assert_eq!(tags(&*ledger, "app").await, "latest=1 t0=1 t1=1 t2=1 t3=1");
    audit(&*world.table(), "app").await;
}
