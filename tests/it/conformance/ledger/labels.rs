//! Labels that many add at once, together with other changes of the same version.

use super::{
    changing::{change, changing},
    concurrent::at_once,
};
use crate::support::{
    audit::audit,
    turns::alone,
    world::{Tables, World, add, of, version},
};
use sacker::{
    ledger::{Error, Ledger, Refused},
    model::{Labels, ReleaseChange, Spec},
};
use std::{collections::BTreeMap, pin::Pin, sync::Arc};

type Task = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

fn label(pair: &str) -> ReleaseChange {
    ReleaseChange::Label(Labels::parse([pair]).unwrap())
}

async fn labels(world: &Tables) -> BTreeMap<String, String> {
    let release = world.ledger().release(&of("app"), &Spec::Version(version(1))).await.unwrap();
    release.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Adds labels of many at once, while the version is yanked and put back; deletes it in the end.
pub async fn labels_of_many_are_all_kept(world: &Tables) {
    const WRITERS: usize = 5;
    const EACH: usize = 3;
    add(&*world.ledger(), "app", "content").await;
    let writers = (0..=WRITERS).map(|writer| {
        let ledger: Arc<dyn Ledger> = world.ledger();
        async move {
            for number in 0..EACH {
                if writer == WRITERS {
                    change(&*ledger, 1, ReleaseChange::Yank).await;
                    change(&*ledger, 1, ReleaseChange::Unyank).await;
                } else {
                    change(&*ledger, 1, label(&format!("w{writer}-{number}=x"))).await;
                }
            }
        }
    });
    at_once(writers).await;
    assert_eq!(labels(world).await.len(), WRITERS * EACH);
    audit(&*world.table(), "app").await;
    let (first, second) = (world.ledger(), world.ledger());
    let both: [Task; 2] = [
        Box::pin(async move { first.change(&changing(1, ReleaseChange::Delete)).await.map(|_| ()) }),
        Box::pin(async move {
            for number in 0..EACH {
                match second.change(&changing(1, label(&format!("last-{number}=x")))).await {
                    Ok(_) | Err(Error::NotFound(_)) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
            Ok(())
        }),
    ];
    assert!(at_once(both).await.iter().all(Result::is_ok));
    audit(&*world.table(), "app").await;
}

/// One of several values of one label is accepted, and the others are refused because of it.
pub async fn one_name_takes_one_value(world: &Tables) {
    add(&*world.ledger(), "app", "content").await;
    for round in 0..6 {
        let writers = (0..3).map(|writer| {
            let ledger = world.ledger();
            async move { ledger.change(&changing(1, label(&format!("tests-{round}=w{writer}")))).await }
        });
        let (accepted, refused): (Vec<_>, Vec<_>) =
            at_once(writers).await.into_iter().partition(Result::is_ok);
        assert_eq!(accepted.len(), 1, "round {round}: {accepted:?}");
        let there = &labels(world).await[&format!("tests-{round}")];
        for error in refused.into_iter().filter_map(Result::err) {
            match error {
                Error::Refused(Refused::Labelled { value, .. }) => assert_eq!(value, *there),
                other => panic!("{other:?}"),
            }
        }
    }
    audit(&*world.table(), "app").await;
}

#[test]
fn labels_are_kept_in_every_order() {
    for seed in 0..60 {
        alone(async {
            labels_of_many_are_all_kept(&Tables::interleaved(seed)).await;
            one_name_takes_one_value(&Tables::interleaved(seed)).await;
        });
    }
}
