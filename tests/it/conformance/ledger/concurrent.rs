//! Many writers at once, each with a handle of its own.

use crate::support::{
    audit::audit,
    world::{
        Tables, World, add, add_many, adding, adding_with_key, of, partition, tag, tagging, try_add, version,
    },
};
use sacker::{
    ledger::{AddRequest, Conflict, Error},
    model::{Expectation, Release, Version},
};
use serde_json::json;
use std::{collections::BTreeMap, fmt::Debug, sync::Arc};
use tokio::task::JoinSet;

/// Runs writers at once, each in a task of its own.
pub async fn at_once<T, F>(writers: impl IntoIterator<Item = F>) -> Vec<T>
where
    T: Send + Debug + 'static,
    F: Future<Output = T> + Send + 'static,
{
    writers.into_iter().collect::<JoinSet<T>>().join_all().await
}

async fn adds(world: &Tables, requests: Vec<(AddRequest, String)>) -> Vec<(Release, bool)> {
    let writers = requests.into_iter().map(|(request, content)| {
        let ledger = world.ledger();
        async move { try_add(&*ledger, &request, &content).await.unwrap() }
    });
    at_once(writers).await
}

pub async fn sixteen_adders_lose_nothing(world: &Tables) {
    let requests = (0..16).map(|number| (adding("app"), format!("content {number}"))).collect();
    let mut added: Vec<Version> =
        adds(world, requests).await.into_iter().map(|(release, _)| release.version).collect();
    added.sort_unstable();
    assert_eq!(added, (1..=16).map(version).collect::<Vec<_>>());
    assert_eq!(audit(&*world.table(), "app").await.versions, 16);
    let mut contents: Vec<_> = partition(&*world.table(), "P#app")
        .await
        .into_iter()
        .filter_map(|(_, item)| item.get("state").and(item.get("sha256")).cloned())
        .map(|sha256| sha256.as_str().unwrap().to_owned())
        .collect();
    contents.sort_unstable();
    contents.dedup();
    assert_eq!(contents.len(), 16);
}

pub async fn concurrent_changes_with_one_expectation_have_one_winner(world: &Tables) {
    add_many(&*world.ledger(), "app", 6).await;
    let mut expected = Expectation::None;
    for round in 1..=5 {
        let writers = (1..=6).map(|number| {
            let ledger = world.ledger();
            let request = tagging("app", &number.to_string(), "live").expect(expected);
            async move { ledger.tag(&request).await }
        });
        let (won, lost): (Vec<_>, Vec<_>) = at_once(writers).await.into_iter().partition(Result::is_ok);
        // A move to the version that the tag is on changes nothing.
        let moved: Vec<_> = won.into_iter().flatten().filter(|at| at.previous != at.version).collect();
        assert_eq!(moved.len(), 1, "round {round}");
        assert!(lost.iter().all(|it| matches!(it, Err(Error::Conflict(Conflict::Tag { .. })))), "{lost:?}");
        assert_eq!(moved[0].rev, round);
        expected = Expectation::Version(moved[0].version.unwrap());
    }
    assert_eq!(audit(&*world.table(), "app").await.moves, 5);
}

pub async fn tags_set_by_adding_and_by_tagging(world: &Tables) {
    add(&*world.ledger(), "app", "first").await;
    let request = adding("app").tags([of("live"), of("canary")]);
    let adders = (0..6).map(|number| {
        let (ledger, request) = (world.ledger(), request.clone());
        Box::pin(async move {
            try_add(&*ledger, &request, &format!("content {number}")).await.unwrap();
        }) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
    });
    let taggers = ["live", "canary", "other"].into_iter().flat_map(|name| [(name, "1"), (name, "latest")]);
    let taggers = taggers.map(|(name, spec)| {
        let ledger = world.ledger();
        Box::pin(async move {
            tag(&*ledger, "app", spec, name).await;
        }) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
    });
    at_once(adders.chain(taggers)).await;
    // The audit checks that every move began where the one before it ended.
    let audited = audit(&*world.table(), "app").await;
    assert_eq!(audited.versions, 7);
    assert!(audited.moves >= 12, "{}", audited.moves);
}

pub async fn one_key_makes_one_version(world: &Tables) {
    let requests = vec![(adding_with_key("app", "job 7"), "same".to_owned()); 8];
    for (release, new) in adds(world, requests).await {
        assert_eq!((release.version, new), (version(1), true));
    }
    let writers = (0..8).map(|_| {
        let ledger = world.ledger();
        let request = tagging("app", "latest", "live").author(crate::support::world::author(Some("job 7")));
        async move { ledger.tag(&request).await.unwrap() }
    });
    let moved = at_once(writers).await;
    assert!(moved.iter().all(|it| *it == moved[0]), "{moved:?}");
    let audited = audit(&*world.table(), "app").await;
    assert_eq!((audited.versions, audited.moves), (1, 1));
}

pub async fn a_promotion_takes_what_the_tag_was_on(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 4).await;
    tag(&*ledger, "app", "1", "canary").await;
    let writers = (0..8).map(|number| {
        let ledger = world.ledger();
        async move {
            for step in 0..4 {
                if number % 2 == 0 {
                    tag(&*ledger, "app", &format!("{}", (number + step) % 4 + 1), "canary").await;
                } else {
                    tag(&*ledger, "app", "canary", "live").await;
                }
            }
        }
    });
    at_once(writers).await;
    audit(&*world.table(), "app").await;
    // The version that `canary` was on at each rev, from its own events.
    let mut canary = json!(null);
    for (sk, event) in partition(&*world.table(), "T#app").await {
        if !sk.starts_with("E#") {
            continue;
        }
        if event["tag"] == "canary" {
            canary = event["version"].clone();
        } else {
            assert_eq!(event["version"], canary, "{sk} is a promotion of what canary was not on");
        }
    }
}

pub async fn unchanged_content_is_added_once(world: &Tables) {
    let request = adding("app").if_changed(true).tags([of("live")]);
    let added = adds(world, vec![(request, "same".to_owned()); 8]).await;
    assert_eq!(added.iter().filter(|(_, new)| *new).count(), 1);
    assert!(added.iter().all(|(release, _)| release.version == version(1)));
    let audited = audit(&*world.table(), "app").await;
    assert_eq!((audited.versions, audited.moves), (1, 1));
    let counted: BTreeMap<_, _> =
        Arc::new(partition(&*world.table(), "P#app").await).iter().cloned().collect();
    assert_eq!(counted["H"]["n"], json!(1));
}
