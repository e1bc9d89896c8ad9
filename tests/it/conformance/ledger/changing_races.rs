//! Changes of versions that run concurrently with others.

use super::changing::{change, changing, refs, states};
use super::concurrent::at_once;
use crate::support::{
    audit::audit,
    faulty_table::{Fate, Faulty},
    world::{Tables, World, add, add_many, author, of, retry_policy, tag, tagging, tags, untag, version},
};
use futures_util::{FutureExt, StreamExt, TryStreamExt, future::ready};
use sacker::{
    ledger::{Error, PruneRequest, Pruned, TableLedger},
    model::{ReleaseChange, State},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A tag is never left on a version that is not active, in either order of the changes.
pub async fn a_tag_and_a_yank_exclude_each_other(world: &Tables) {
    add_many(&*world.ledger(), "app", 2).await;
    for round in 0..6 {
        let (promoter, yanker) = (world.ledger(), world.ledger());
        let spec = if round % 2 == 0 { "2" } else { "latest" };
        let mut done = at_once([
            Box::pin(async move { promoter.tag(&tagging("app", spec, "live")).await.map(drop) })
                as std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>,
            Box::pin(async move { yanker.change(&changing(2, ReleaseChange::Yank)).await.map(drop) }),
        ])
        .await;
        done.retain(Result::is_ok);
        assert!(!done.is_empty(), "neither was done");
        let ledger = world.ledger();
        let tagged = ledger.tags(&of("app")).await.unwrap();
        for at in &tagged.tags {
            let state =
                ledger.release(&of("app"), &of(&at.version.unwrap().to_string())).await.unwrap().state;
            assert_eq!(state, State::Active, "round {round}");
        }
        if !tagged.tags.is_empty() {
            untag(&*ledger, "app", "live").await;
        }
        change(&*ledger, 2, ReleaseChange::Unyank).await;
    }
    audit(&*world.table(), "app").await;
}

pub async fn versions_yanked_at_once_leave_the_right_latest(world: &Tables) {
    add_many(&*world.ledger(), "app", 8).await;
    for round in [ReleaseChange::Yank, ReleaseChange::Unyank, ReleaseChange::Delete] {
        let expected = if round == ReleaseChange::Unyank { "latest=8" } else { "latest=1" };
        let writers = (2..=8).map(|number| {
            let (ledger, round) = (world.ledger(), round.clone());
            async move { ledger.change(&changing(number, round)).await.unwrap() }
        });
        at_once(writers).await;
        assert_eq!(tags(&*world.ledger(), "app").await, expected);
        audit(&*world.table(), "app").await;
    }
    for number in 1..=8 {
        assert_eq!(refs(world, &number.to_string()).await, u64::from(number == 1));
    }
}

/// A tag is never left on a version that was pruned.
pub async fn moves_and_prunes_exclude_each_other(world: &Tables) {
    add_many(&*world.ledger(), "app", 4).await;
    for round in 0..6 {
        let (promoter, pruner) = (world.ledger(), world.ledger());
        let release = pruner.versions(&of("app")).try_filter(|it| ready(it.version == version(2)));
        let release = release.boxed().try_next().await.unwrap().unwrap();
        let prune = async move {
            let request = PruneRequest::new(&release).author(author(None));
            loop {
                let stops = pruner.stops(&of("app"), 2).await?;
                match pruner.prune(&request, &stops).await {
                    Ok(Pruned::Moved) => {}
                    answer => return answer.map(drop),
                }
            }
        };
        let mut done = at_once([
            Box::pin(async move { promoter.tag(&tagging("app", "2", "live")).await.map(drop) })
                as std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>,
            Box::pin(prune),
        ])
        .await;
        done.retain(Result::is_ok);
        assert!(!done.is_empty(), "neither was done");
        let ledger = world.ledger();
        let tagged = ledger.tags(&of("app")).await.unwrap().tags;
        let state = states(&*ledger).await;
        assert_eq!(state.contains("2 deleted"), tagged.is_empty(), "round {round}: {state}");
        if tagged.is_empty() {
            change(&*ledger, 2, ReleaseChange::Undelete).await;
        } else {
            untag(&*ledger, "app", "live").await;
            // So that the tag has no stop there.
            for to in ["1", "3", "4"] {
                tag(&*ledger, "app", to, "live").await;
            }
            untag(&*ledger, "app", "live").await;
        }
    }
    audit(&*world.table(), "app").await;
}

/// A version never comes back without its blob.
pub async fn an_undeletion_and_a_collection_exclude_each_other(world: &Tables) {
    for round in 0..4 {
        let content = format!("content {round}");
        let added = add(&*world.ledger(), "app", &content).await;
        let number = added.version.get();
        change(&*world.ledger(), number, ReleaseChange::Delete).await;
        let (collector, publisher) = (world.ledger(), world.ledger());
        let address = added.blob.address.clone();
        let done = at_once([
            Box::pin(async move { collector.condemn(&address).await.unwrap() })
                as std::pin::Pin<Box<dyn Future<Output = bool> + Send>>,
            Box::pin(
                async move { publisher.change(&changing(number, ReleaseChange::Undelete)).await.is_ok() },
            ),
        ])
        .await;
        assert_eq!(done.iter().filter(|done| **done).count(), 1, "exactly one of them: {done:?}");
    }
    audit(&*world.table(), "app").await;
}

/// The version that would have become `latest` is yanked by someone else just before: it must be read again.
#[tokio::test]
async fn what_a_refusal_does_not_carry_back_is_read_again() {
    let world = Tables::memory();
    add_many(&*world.ledger(), "app", 3).await;
    let (rival, begun) = (world.ledger(), AtomicBool::new(false));
    let script = move |_, _: &_| {
        if !begun.swap(true, Ordering::Relaxed) {
            rival.change(&changing(2, ReleaseChange::Yank)).now_or_never().unwrap().unwrap();
        }
        Fate::Arrives
    };
    let faulty = Arc::new(Faulty::new(world.table(), script));
    let ledger = TableLedger::new(faulty, retry_policy());
    change(&ledger, 3, ReleaseChange::Yank).await;
    assert_eq!(tags(&ledger, "app").await, "latest=1");
    audit(&*world.table(), "app").await;
}
