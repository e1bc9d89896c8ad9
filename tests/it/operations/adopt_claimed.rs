//! A store that is claimed while it is being adopted.

use super::{
    Site,
    around::{Around, Hooks},
};
use crate::support::world::retry_policy;
use sacker::{ops::Client, store::Store};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// The owner is first read before the store is claimed, and again after that.
#[derive(Debug, Default)]
struct ClaimedMeanwhile {
    was_read: AtomicBool,
}

impl Hooks for ClaimedMeanwhile {
    fn owner(&self, owner: Option<String>) -> Option<String> {
        if self.was_read.swap(true, Ordering::Relaxed) { owner } else { None }
    }
}

/// The ledger must not get another id: with that id it would no longer be the owner.
#[tokio::test]
async fn a_ledger_whose_first_addition_claims_the_store_meanwhile_stays_its_owner() {
    let site = Site::memory();
    site.add("app", "one").await;
    let before = site.ledger().identity().await.unwrap().unwrap();
    let store: Arc<dyn Store> = Around::new(&site.store(), ClaimedMeanwhile::default());
    let client = Client::new(site.ledger(), store, retry_policy(), site.dir.path().to_owned());
    let made = client.adopt().await.unwrap();
    assert_eq!((made.id.as_str(), made.adopted), (before.id.as_str(), None));
    assert_eq!(site.ledger().identity().await.unwrap(), Some(before));
    site.add("app", "two").await;
}
