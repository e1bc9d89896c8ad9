//! `prune`: which versions go, and what happens meanwhile.

use super::{Site, collect, gc};
use crate::{
    conformance::ledger::freezing::{freezing, thawing},
    support::{
        audit::audit,
        faulty_table::{Fate, Faulty},
        world::{add_many, author, edit, of, retry_policy, tag, version},
    },
};
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use sacker::{
    ledger::{ChangeRequest, Ledger, TableLedger},
    model::{Labels, ReleaseChange, Retention, RetentionPolicy, State},
    ops::{Client, Error, PruneAction, PruneOptions, PruneReason, PruneScope, PrunedVersion, Pruning},
    table::Transaction,
};
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

fn options(keep: u64, depth: u16) -> PruneOptions {
    let retention = Retention::new(Some(keep), None).unwrap().rollback_depth(depth);
    let policy = RetentionPolicy::for_all(retention);
    PruneOptions::new(PruneScope::Package(of("app")), policy).author(author(None)).delete(true)
}

async fn prune(client: &Client, options: &PruneOptions) -> Vec<PrunedVersion> {
    let version = |row| match row {
        Pruning::Version(version) => version,
        other => panic!("{other:?}"),
    };
    client.prune(options).map_ok(version).try_collect().await.unwrap()
}

/// `3 keep latest tag:live`, as they are reported.
fn shown(rows: &[PrunedVersion]) -> Vec<String> {
    let reasons =
        |row: &PrunedVersion| row.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    rows.iter().map(|row| format!("{} {:?} {}", row.version, row.action, reasons(row))).collect()
}

async fn change(ledger: &dyn Ledger, number: u64, change: ReleaseChange) {
    let request = ChangeRequest::new(of("app"), version(number), change).author(author(None));
    ledger.change(&request).await.unwrap();
}

fn keep() -> ReleaseChange {
    ReleaseChange::Label(Labels::parse(["keep=yes"]).unwrap())
}

#[tokio::test]
async fn each_version_has_its_reasons() {
    let site = Site::memory();
    let ledger = site.ledger();
    add_many(&*ledger, "app", 8).await;
    for to in ["1", "3", "4", "6"] {
        tag(&*ledger, "app", to, "live").await;
    }
    change(&*ledger, 2, keep()).await;
    change(&*ledger, 7, ReleaseChange::Yank).await;
    change(&*ledger, 5, ReleaseChange::Delete).await;
    let report = prune(&site.client(), &options(2, 2).delete(false)).await;
    assert_eq!(
        shown(&report),
        [
            "8 Keep latest newest:2",
            // A yanked version is as new as the active ones around it.
            "7 Keep newest:2",
            "6 Keep tag:live newest:2",
            "4 Keep rollback:live~1",
            "3 Keep rollback:live~2",
            "2 Keep label:keep",
            "1 Delete not-newest:2",
        ]
    );
    let rows = prune(&site.client(), &options(1, 1)).await;
    assert_eq!(
        shown(&rows)[1..],
        [
            "7 Deleted not-newest:1",
            "6 Keep tag:live",
            "4 Keep rollback:live~1",
            "3 Deleted not-newest:1",
            "2 Keep label:keep",
            "1 Deleted not-newest:1",
        ]
    );
    // A run has nothing to do after one that reached its end.
    assert!(prune(&site.client(), &options(1, 1)).await.iter().all(|row| row.action == PruneAction::Keep));
    audit(&*site.table(), "app").await;
}

#[tokio::test]
async fn an_age_keeps_what_is_young() {
    let site = Site::memory();
    add_many(&*site.ledger(), "app", 3).await;
    let with = |age: &str, keep| {
        let retention = Retention::new(keep, Some(of(age))).unwrap();
        let policy = RetentionPolicy::for_all(retention);
        PruneOptions::new(PruneScope::Package(of("app")), policy)
    };
    let report = prune(&site.client(), &with("1h", None)).await;
    assert_eq!(shown(&report)[1..], ["2 Keep younger:1h", "1 Keep younger:1h"]);
    let report = prune(&site.client(), &with("0s", Some(1))).await;
    assert_eq!(shown(&report)[1..], ["2 Delete not-newest:1 older:0s", "1 Delete not-newest:1 older:0s"]);
}

#[tokio::test]
async fn a_policy_decides_by_the_first_rule() {
    let site = Site::memory();
    for package in ["a/one", "a/two", "b", "c"] {
        add_many(&*site.ledger(), package, 2).await;
    }
    let policy: RetentionPolicy = of(
        r#"{"rules": [{"prefix": "a/o", "keep": "all"}, {"prefix": "a/", "keep": 1}, {"prefix": "b", "keep": 0}]}"#,
    );
    let options =
        PruneOptions::new(PruneScope::Prefix(String::new()), policy).author(author(None)).delete(true);
    let (mut deleted, mut without_rule) = (Vec::new(), Vec::new());
    for row in site.client().prune(&options).try_collect::<Vec<_>>().await.unwrap() {
        match row {
            Pruning::Version(row) if row.action == PruneAction::Deleted => {
                deleted.push(format!("{} {}", row.package, row.version));
            }
            Pruning::NoRule(package) => without_rule.push(package.to_string()),
            _ => {}
        }
    }
    deleted.sort();
    assert_eq!((deleted, without_rule), (vec!["a/two 1".to_owned(), "b 1".to_owned()], vec!["c".to_owned()]));
}

/// Returns a client during whose work others do something once, just before the first change of a version is sent.
fn preceded(site: &Site, act: impl Fn(&dyn Ledger) + Send + Sync + 'static) -> Client {
    let (rival, begun) = (site.ledger(), AtomicBool::new(false));
    let script = move |_, transaction: &Transaction| {
        let changes = transaction.actions().iter().any(|action| action.key.sk.starts_with("A#"));
        if changes && !begun.swap(true, Ordering::Relaxed) {
            act(&*rival);
        }
        Fate::Arrives
    };
    let faulty = Arc::new(Faulty::new(site.table(), script));
    site.with(Arc::new(TableLedger::new(faulty, retry_policy())))
}

/// Runs a prune during which others do something once, just before the first deletion of a version is sent.
async fn meanwhile(
    site: Site,
    options: PruneOptions,
    act: impl Fn(&dyn Ledger) + Send + Sync + 'static,
) -> Vec<String> {
    let client = preceded(&site, act);
    let rows = prune(&client, &options).await;
    audit(&*site.table(), "app").await;
    shown(&rows)
}

#[tokio::test]
async fn what_happens_meanwhile_wins() {
    let site = async || {
        let site = Site::memory();
        add_many(&*site.ledger(), "app", 4).await;
        site
    };
    let now = |future: futures_util::future::BoxFuture<'_, ()>| future.now_or_never().unwrap();
    // The first version to go is 3.
    let tagged = meanwhile(site().await, options(1, 5), move |rival| {
        now(async { drop(tag(rival, "app", "3", "live").await) }.boxed());
    });
    assert_eq!(
        tagged.await,
        ["4 Keep latest newest:1", "3 Keep tag:live", "2 Deleted not-newest:1", "1 Deleted not-newest:1"]
    );
    let passed = meanwhile(site().await, options(1, 5), move |rival| {
        let through = async {
            for to in ["3", "4"] {
                tag(rival, "app", to, "live").await;
            }
        };
        now(through.boxed());
    });
    assert_eq!(passed.await[1], "3 Keep rollback:live~1");
    let labelled = meanwhile(site().await, options(1, 5), move |rival| now(change(rival, 3, keep()).boxed()));
    assert_eq!(labelled.await[1], "3 Keep label:keep");
    let latest = meanwhile(site().await, options(1, 5), move |rival| {
        now(change(rival, 4, ReleaseChange::Yank).boxed());
    });
    assert_eq!(latest.await[1], "3 Keep latest");
    let gone = meanwhile(site().await, options(1, 5), move |rival| {
        now(change(rival, 3, ReleaseChange::Delete).boxed());
    });
    assert_eq!(gone.await, ["4 Keep latest newest:1", "2 Deleted not-newest:1", "1 Deleted not-newest:1"]);
    // A version that a rollback passed over comes back: then another one is the only stop.
    let stops = site().await;
    for to in ["1", "2", "3", "4"] {
        tag(&*stops.ledger(), "app", to, "live").await;
    }
    change(&*stops.ledger(), 3, ReleaseChange::Yank).await;
    change(&*stops.ledger(), 2, ReleaseChange::Yank).await;
    let back = meanwhile(stops, options(1, 1), move |_| ());
    assert_eq!(
        back.await[1..],
        ["3 Keep rollback:live~1", "2 Keep rollback:live~1", "1 Keep rollback:live~1"]
    );
}

#[tokio::test]
async fn nothing_goes_while_it_is_frozen() {
    let site = Site::memory();
    for package in ["app", "lib"] {
        add_many(&*site.ledger(), package, 3).await;
    }
    site.ledger().freeze(&freezing("ap")).await.unwrap();
    let kept = ["3 Keep latest newest:1 frozen:ap*", "2 Keep frozen:ap*", "1 Keep frozen:ap*"];
    for delete in [false, true] {
        assert_eq!(shown(&prune(&site.client(), &options(1, 5).delete(delete)).await), kept);
    }
    let mut all = options(1, 5);
    all.scope = PruneScope::Prefix(String::new());
    let rows = prune(&site.client(), &all).await;
    let deleted = rows.iter().filter(|row| row.action == PruneAction::Deleted);
    assert_eq!(deleted.map(|row| row.package.as_str()).collect::<Vec<_>>(), ["lib", "lib"]);
    // A freeze that begins during a prune ends the deletions, after the one that had begun.
    site.ledger().thaw(&thawing("ap")).await.unwrap();
    let frozen = meanwhile(site, options(1, 5), |rival| {
        rival.freeze(&freezing("app")).now_or_never().unwrap().unwrap();
    });
    assert_eq!(frozen.await, ["3 Keep latest newest:1", "2 Deleted not-newest:1", "1 Keep frozen:app*"]);
}

#[tokio::test]
async fn an_interrupted_prune_is_resumed_by_the_next() {
    let site = Site::memory();
    let count = 30;
    for number in 1..=count {
        site.add("app", &number.to_string()).await;
    }
    let client = site.client();
    let options = options(2, 5);
    let begun: Vec<_> = client.prune(&options).take(9).try_collect().await.unwrap();
    assert_eq!(begun.len(), 9);
    let rest = prune(&client, &options).await;
    assert_eq!(rest.iter().filter(|row| row.action == PruneAction::Deleted).count(), 30 - 2 - 7);
    assert_eq!(gc(&client, collect(true)).await.unwrap().len(), 28);
    audit(&*site.table(), "app").await;
}

#[tokio::test]
async fn several_prunes_at_once_delete_each_version_once() {
    let site = Arc::new(Site::memory());
    add_many(&*site.ledger(), "app", 20).await;
    tag(&*site.ledger(), "app", "4", "live").await;
    tag(&*site.ledger(), "app", "5", "live").await;
    let runs = (0..3).map(|_| {
        let client = site.client();
        async move { prune(&client, &options(3, 5)).await }
    });
    let rows: Vec<_> = futures_util::future::join_all(runs).await.into_iter().flatten().collect();
    let deleted = rows.iter().filter(|row| row.action == PruneAction::Deleted);
    let mut deleted: Vec<_> = deleted.map(|row| row.version.get()).collect();
    deleted.sort_unstable();
    assert_eq!(deleted, [1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]);
    assert!(rows.iter().any(|row| row.reasons == [PruneReason::Rollback(of("live"), 1)]));
    audit(&*site.table(), "app").await;
}

/// The state before the deletion is that of the last one, also if others have undeleted and deleted the version meanwhile.
#[tokio::test]
async fn an_undeletion_reverses_the_last_deletion() {
    let site = Site::memory();
    add_many(&*site.ledger(), "app", 2).await;
    change(&*site.ledger(), 1, ReleaseChange::Delete).await;
    let client = preceded(&site, |rival| {
        for to in [ReleaseChange::Undelete, ReleaseChange::Yank, ReleaseChange::Delete] {
            change(rival, 1, to).now_or_never().unwrap();
        }
    });
    let request = ChangeRequest::new(of("app"), version(1), ReleaseChange::Undelete).author(author(None));
    let changed = client.ledger().change(&request).await.unwrap();
    assert_eq!((changed.previous, changed.release.state), (State::Deleted, State::Yanked));
    audit(&*site.table(), "app").await;
}

#[tokio::test]
async fn fsck_knows_the_state_that_came_back() {
    let site = Site::memory();
    let ledger = site.ledger();
    add_many(&*ledger, "app", 2).await;
    for to in [ReleaseChange::Yank, ReleaseChange::Delete, ReleaseChange::Undelete] {
        change(&*ledger, 1, to).await;
    }
    let found = async || {
        let mut found = Vec::new();
        ledger.audit(false, &mut |it| found.push(format!("{} {}", it.place, it.what))).await.unwrap();
        found
    };
    assert_eq!(found().await, [""; 0]);
    edit(&*site.table(), "P#app", "V#0000000000000001", json!({ "state": "deleted" })).await;
    let lost = found().await;
    assert!(lost.iter().any(|it| it.contains("it is deleted, and by its events it is yanked")), "{lost:?}");
    // Only the chain and the deletion before it show that the event is another one.
    for (sk, state) in [("V#0000000000000001", "active"), ("A#0000000000000005", "active")] {
        edit(&*site.table(), "P#app", sk, json!({ "state": state })).await;
    }
    let forged = found().await;
    assert!(forged.iter().any(|it| it.contains("was yanked before the deletion")), "{forged:?}");
}

#[tokio::test]
async fn a_deletion_is_reversed_until_it_is_collected() {
    let site = Site::memory();
    for content in ["one", "two", "three"] {
        site.add("app", content).await;
    }
    let undelete = async |number| {
        let request = ChangeRequest::new(of("app"), version(number), ReleaseChange::Undelete);
        site.client().change(&request.author(author(None))).await
    };
    for number in [1, 2] {
        site.delete("app", number).await;
    }
    assert_eq!(undelete(1).await.unwrap().release.state, State::Active);
    let two = gc(&site.client(), collect(true)).await.unwrap();
    assert_eq!(two.len(), 1, "1 is needed again");
    let error = undelete(2).await.unwrap_err();
    assert!(error.to_string().contains("was collected"), "{error}");
    // An object that was removed past the ledger is missed.
    site.delete("app", 3).await;
    let third = site.client().versions(&of("app"), None).try_next().await.unwrap().unwrap();
    site.store().delete(&third.blob.address).await.unwrap();
    assert!(matches!(undelete(3).await.unwrap_err(), Error::Lost { .. }));
    audit(&*site.table(), "app").await;
}
