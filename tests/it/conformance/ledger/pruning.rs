//! The stops of tags, and the deletions that depend on them.

use super::{
    changing::{change, label, states},
    rollback::rolling_back,
};
use crate::support::{
    audit::audit,
    world::{Tables, World, add, add_many, author, edit, of, remove, tag, untag, version},
};
use futures_util::TryStreamExt;
use sacker::{
    ledger::{Error, Ledger, PruneRequest, Pruned, Refused, Stops},
    model::{ReleaseChange, VersionRange},
};
use serde_json::json;

async fn stops(ledger: &dyn Ledger, depth: u16) -> Stops {
    ledger.stops(&of("app"), depth).await.unwrap()
}

/// `2: live~1, 1: live~2`, newest version first.
async fn shown(ledger: &dyn Ledger, depth: u16, versions: u64) -> String {
    let stops = stops(ledger, depth).await;
    let of = |number: u64| {
        let each = stops.of(version(number)).iter().map(|stop| format!("{}~{}", stop.tag, stop.rollbacks));
        let each: Vec<_> = each.collect();
        (!each.is_empty()).then(|| format!("{number}: {}", each.join(" ")))
    };
    (1..=versions).rev().filter_map(of).collect::<Vec<_>>().join(", ")
}

async fn request(ledger: &dyn Ledger, number: u64) -> PruneRequest {
    let range = VersionRange { first: Some(version(number)), last: Some(version(number)) };
    let release = ledger.versions_in(&of("app"), range).try_next().await.unwrap().unwrap();
    PruneRequest::new(&release).label_keep("keep").author(author(None))
}

async fn prune(ledger: &dyn Ledger, number: u64, stops: &Stops) -> Result<Pruned, Error> {
    ledger.prune(&request(ledger, number).await, stops).await
}

async fn through(ledger: &dyn Ledger, name: &str, specs: &[&str]) {
    for spec in specs {
        tag(ledger, "app", spec, name).await;
    }
}

pub async fn the_stops_are_what_rollbacks_can_reach(world: &Tables) {
    let ledger = world.ledger();
    assert_eq!(shown(&*ledger, 5, 9).await, "", "there is no such package");
    add_many(&*ledger, "app", 6).await;
    assert_eq!(shown(&*ledger, 5, 6).await, "");
    through(&*ledger, "live", &["1", "2", "3", "4"]).await;
    through(&*ledger, "canary", &["2", "5"]).await;
    assert_eq!(shown(&*ledger, 0, 6).await, "");
    assert_eq!(shown(&*ledger, 1, 6).await, "3: live~1, 2: canary~1");
    assert_eq!(shown(&*ledger, 2, 6).await, "3: live~1, 2: canary~1 live~2");
    assert_eq!(shown(&*ledger, 9, 6).await, "3: live~1, 2: canary~1 live~2, 1: live~3");
    let at = stops(&*ledger, 1).await;
    assert_eq!((at.on(version(4)), at.on(version(3))), (&[of("live")][..], &[][..]));
    // What a rollback can't go to is passed over. What is yanked can be unyanked, and is a stop without being counted.
    change(&*ledger, 3, ReleaseChange::Yank).await;
    assert_eq!(shown(&*ledger, 1, 6).await, "3: live~1, 2: canary~1 live~1");
    change(&*ledger, 3, ReleaseChange::Delete).await;
    assert_eq!(shown(&*ledger, 1, 6).await, "2: canary~1 live~1");
    // A rollback goes on from where it led.
    ledger.rollback(&rolling_back("app", "live").to(version(2))).await.unwrap();
    assert_eq!(shown(&*ledger, 5, 6).await, "2: canary~1, 1: live~1");
    through(&*ledger, "live", &["6"]).await;
    assert_eq!(shown(&*ledger, 5, 6).await, "2: canary~1 live~1, 1: live~2");
    // A tag that was removed goes back to where it was; past that, to nothing, no rollback goes.
    untag(&*ledger, "app", "canary").await;
    assert_eq!(shown(&*ledger, 1, 6).await, "5: canary~1, 2: live~1");
    through(&*ledger, "canary", &["6"]).await;
    assert_eq!(shown(&*ledger, 1, 6).await, "5: canary~1, 2: live~1");
    audit(&*world.table(), "app").await;
}

pub async fn a_stop_is_never_pruned(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 8).await;
    through(&*ledger, "live", &["1", "2", "3", "4"]).await;
    change(&*ledger, 5, label(&["keep=2027"])).await;
    let mut at = stops(&*ledger, 2).await;
    for (number, outcome) in
        [(8, Pruned::Latest), (5, Pruned::Labelled), (3, Pruned::Stop), (2, Pruned::Stop)]
    {
        assert_eq!(prune(&*ledger, number, &at).await.unwrap(), outcome, "{number}");
    }
    match prune(&*ledger, 4, &at).await.unwrap_err() {
        Error::Refused(Refused::Tagged { tags, .. }) => assert_eq!(tags, ["live"]),
        other => panic!("{other:?}"),
    }
    assert!(matches!(prune(&*ledger, 6, &at).await.unwrap(), Pruned::Deleted(_)));
    // The stops are of before that deletion.
    assert_eq!(prune(&*ledger, 1, &at).await.unwrap(), Pruned::Moved);
    at = stops(&*ledger, 2).await;
    assert!(matches!(prune(&*ledger, 1, &at).await.unwrap(), Pruned::Deleted(_)));
    // Once a tag has moved, or a version has changed, they are read again.
    at = stops(&*ledger, 2).await;
    tag(&*ledger, "app", "7", "canary").await;
    assert_eq!(prune(&*ledger, 7, &at).await.unwrap(), Pruned::Moved);
    at = stops(&*ledger, 2).await;
    assert!(prune(&*ledger, 7, &at).await.is_err());
    untag(&*ledger, "app", "canary").await;
    at = stops(&*ledger, 0).await;
    add(&*ledger, "app", "9").await;
    assert_eq!(prune(&*ledger, 7, &at).await.unwrap(), Pruned::Moved);
    at = stops(&*ledger, 1).await;
    assert_eq!(prune(&*ledger, 7, &at).await.unwrap(), Pruned::Stop, "canary would go back there");
    at = stops(&*ledger, 0).await;
    assert!(matches!(prune(&*ledger, 7, &at).await.unwrap(), Pruned::Deleted(_)));
    assert_eq!(
        states(&*ledger).await,
        "1 deleted, 2 active, 3 active, 4 active, 5 active, 6 deleted, 7 deleted, 8 active, 9 active"
    );
    audit(&*world.table(), "app").await;
}

pub async fn stops_that_can_not_be_read_are_damage(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    through(&*ledger, "live", &["1", "2", "3"]).await;
    let damaged = async |why: &str| {
        let error = world.ledger().stops(&of("app"), 5).await.unwrap_err();
        assert!(matches!(&error, Error::Damaged { .. }) && error.to_string().contains(why), "{error}");
    };
    edit(&*world.table(), "T#app", "E#0000000000000002", json!({ "back": 2 })).await;
    damaged("refers to a later entry").await;
    remove(&*world.table(), "T#app", "E#0000000000000002").await;
    damaged("it is missing").await;
    edit(&*world.table(), "T#app", "t#live", json!({ "version": 1 })).await;
    damaged("not on 3").await;
    remove(&*world.table(), "T#app", "t#live").await;
    damaged("the head of the tags names it").await;
}
