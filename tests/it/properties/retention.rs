//! Whatever sequence of prunes, moves, removals, rollbacks and recalls has happened: as many rollbacks of each tag as are
//! kept work, as long as there were that many before.

use crate::support::world::{add_many, author, of, tagging, untagging};
use futures_util::TryStreamExt;
use proptest::prelude::*;
use sacker::{
    ledger::{self, ChangeRequest, RecallRequest, Refused, RollbackRequest, TableLedger},
    model::{ReleaseChange, Retention, RetentionPolicy, Spec, State, TagName, Version},
    ops::{Client, Error, PruneAction, PruneOptions, PruneScope, PrunedVersion, Pruning},
    retry::{Cancellation, RetryPolicy},
    store::memory::MemoryStore,
    table::{Action, Change, Condition, Item, Key, Table, Transaction, memory::MemoryTable},
};
use std::{path::PathBuf, sync::Arc, time::Duration};

const TAGS: [&str; 2] = ["live", "canary"];
const VERSIONS: u64 = 9;
const DEPTH: u16 = 3;

#[derive(Debug, Clone)]
enum Step {
    Move(usize, u64),
    Rollback(usize),
    Untag(usize),
    /// A recall, and true if it takes off the tags that have nowhere to go.
    Recall(u64, bool),
    Yank(u64),
    Unyank(u64),
    Undelete(u64),
    Prune,
}

fn step() -> impl Strategy<Value = Step> {
    let tag = || 0..TAGS.len();
    let version = || 1..=VERSIONS;
    prop_oneof![
        6 => (tag(), version()).prop_map(|(tag, version)| Step::Move(tag, version)),
        4 => tag().prop_map(Step::Rollback),
        1 => tag().prop_map(Step::Untag),
        2 => (version(), any::<bool>()).prop_map(|(version, untag)| Step::Recall(version, untag)),
        1 => version().prop_map(Step::Yank),
        1 => version().prop_map(Step::Unyank),
        1 => version().prop_map(Step::Undelete),
        3 => Just(Step::Prune),
    ]
}

fn client(table: Arc<MemoryTable>) -> Client {
    let policy = || RetryPolicy::seeded(Duration::from_mins(1), Cancellation::new(), 1);
    let ledger = Arc::new(TableLedger::new(table as Arc<dyn Table>, policy()));
    Client::new(ledger, Arc::new(MemoryStore::new()), policy(), PathBuf::from("."))
        .with_author(of("someone@host"))
}

/// All items of the package, in another table.
async fn copied(table: &MemoryTable) -> Arc<MemoryTable> {
    let copy = Arc::new(MemoryTable::new());
    let items: Vec<(Key, Item)> = table.scan(None).await.unwrap().items;
    for (at, (key, item)) in items.into_iter().enumerate() {
        let mut transaction = Transaction::new(format!("copy {at}"));
        transaction.push(Action { key, condition: Condition::Always, change: Change::Put(item) });
        copy.transact(&transaction).await.unwrap();
    }
    copy
}

/// The versions that rollbacks of a tag go to, one after another, and the number of them. Where the next one is refused,
/// the version that the refusal names follows: `rollback --to` goes there.
async fn roll_back(table: &MemoryTable, tag: &str) -> (usize, Vec<Version>) {
    let client = client(copied(table).await);
    let mut all = Vec::new();
    let request = RollbackRequest::new(of("app"), of(tag)).author(author(None));
    loop {
        match client.rollback(&request).await {
            Ok(moved) if moved.previous != moved.version => all.extend(moved.version),
            Err(Error::Ledger(ledger::Error::Refused(Refused::Rollback { nearest, .. }))) => {
                let plain = all.len();
                all.extend(nearest);
                return (plain, all);
            }
            _ => return (all.len(), all),
        }
    }
}

async fn prune(client: &Client) -> Vec<PrunedVersion> {
    let retention = Retention::new(Some(1), None).unwrap().rollback_depth(DEPTH);
    let scope = PruneScope::Package(of("app"));
    let options = PruneOptions::new(scope, RetentionPolicy::for_all(retention)).delete(true);
    let rows: Vec<Pruning> = client.prune(&options).try_collect().await.unwrap();
    let version = |row| match row {
        Pruning::Version(version) => version,
        other => panic!("{other:?}"),
    };
    rows.into_iter().map(version).collect()
}

/// Prunes, and compares the rollbacks before with those after it.
async fn prune_and_check(table: &MemoryTable, client: &Client) {
    let mut before = Vec::new();
    for tag in TAGS {
        before.push(roll_back(table, tag).await);
    }
    let pruned = prune(client).await;
    for (tag, (plain, all)) in TAGS.iter().zip(before) {
        let (still, after) = roll_back(table, tag).await;
        // Past a version that no rollback goes to, one has to name the next one: it is still the same.
        let kept = usize::from(DEPTH).min(plain + 1).min(all.len());
        assert_eq!(after.get(..kept), Some(&all[..kept]), "{tag}: {pruned:?}");
        assert!(still >= plain.min(usize::from(DEPTH)), "{tag}: {still} of {plain}: {pruned:?}");
    }
    // A second one has nothing left to do.
    assert!(prune(client).await.iter().all(|version| version.action == PruneAction::Keep));
    for name in TAGS {
        if let Ok(release) = client.info(&of("app"), &Spec::Tag(of::<TagName>(name))).await {
            assert_eq!(release.state, State::Active, "{name} is on what was pruned");
        }
    }
}

async fn take(step: &Step, table: &MemoryTable, client: &Client) {
    let change = |number: u64, change| {
        ChangeRequest::new(of("app"), number.try_into().unwrap(), change).author(author(None))
    };
    match step {
        Step::Move(tag, version) => {
            drop(client.tag(&tagging("app", &version.to_string(), TAGS[*tag])).await);
        }
        Step::Rollback(tag) => {
            let request = RollbackRequest::new(of("app"), of(TAGS[*tag])).author(author(None));
            drop(client.rollback(&request).await);
        }
        Step::Untag(tag) => drop(client.untag(&untagging("app", TAGS[*tag])).await),
        Step::Recall(version, untag) => {
            let request = RecallRequest::new(of("app"), (*version).try_into().unwrap()).untag(*untag);
            drop(client.recall(&request.author(author(None))).await);
        }
        Step::Yank(version) => drop(client.change(&change(*version, ReleaseChange::Yank)).await),
        Step::Unyank(version) => drop(client.change(&change(*version, ReleaseChange::Unyank)).await),
        // The store is empty: the ledger alone is asked.
        Step::Undelete(version) => {
            drop(client.ledger().change(&change(*version, ReleaseChange::Undelete)).await);
        }
        Step::Prune => prune_and_check(table, client).await,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn rollbacks_work_whatever_was_pruned(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let table = Arc::new(MemoryTable::new());
            let client = client(Arc::clone(&table));
            add_many(client.ledger(), "app", VERSIONS).await;
            for step in &steps {
                take(step, &table, &client).await;
            }
            prune_and_check(&table, &client).await;
            let audited = client.ledger().audit(false, &mut |violation| panic!("{violation:?}")).await;
            assert_eq!(audited.unwrap().versions, VERSIONS);
        });
    }
}
