//! One owner at a time, which is only changed by compare-and-swap.

use super::{Bench, kind, list};
use futures_util::future::join_all;
use sacker::fault::FaultKind;

pub async fn one_claim_wins(bench: &dyn Bench) {
    assert_eq!(bench.store().owner().await.unwrap(), None);
    let claims = (0..16).map(|n| async move {
        let ledger = format!("ledger {n}");
        bench.store().claim(&ledger).await.unwrap()
    });
    let owners = join_all(claims).await;
    assert!(owners[0].starts_with("ledger "));
    assert!(owners.iter().all(|owner| *owner == owners[0]), "{owners:?}");
    assert_eq!(bench.store().owner().await.unwrap(), Some(owners[0].clone()));
    assert_eq!(bench.store().claim("another").await.unwrap(), owners[0]);
    assert_eq!(list(&*bench.store()).await[0].objects, []);
    assert_eq!(bench.plant_leftovers().await, [""; 0]);
}

pub async fn an_owner_is_replaced_by_compare_and_swap(bench: &dyn Bench) {
    assert_eq!(kind(bench.store().replace_owner("first", "second").await), FaultKind::Contended);
    assert_eq!(bench.store().owner().await.unwrap(), None);
    bench.store().claim("first").await.unwrap();
    let replacements = (0..16).map(|n| async move {
        let ledger = format!("second {n}");
        loop {
            match bench.store().replace_owner("first", &ledger).await {
                Ok(owner) => return owner,
                Err(fault) => assert!(fault.kind.is_transient(), "{fault:?}"),
            }
        }
    });
    let owners = join_all(replacements).await;
    assert!(owners[0].starts_with("second "));
    assert!(owners.iter().all(|owner| *owner == owners[0]), "{owners:?}");
    assert_eq!(bench.store().owner().await.unwrap(), Some(owners[0].clone()));
    // A late message, a repeated one, or a claim changes nothing.
    assert_eq!(bench.store().replace_owner("first", "third").await.unwrap(), owners[0]);
    assert_eq!(bench.store().replace_owner("first", &owners[0]).await.unwrap(), owners[0]);
    assert_eq!(bench.store().claim("third").await.unwrap(), owners[0]);
    assert_eq!(bench.store().replace_owner(&owners[0], "third").await.unwrap(), "third");
    assert_eq!(bench.store().owner().await.unwrap().unwrap(), "third");
    assert_eq!(list(&*bench.store()).await[0].objects, []);
    assert_eq!(bench.plant_leftovers().await, [""; 0]);
}
