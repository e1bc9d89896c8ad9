//! Another identity for a ledger that adopts a store, and what it adds in its new epoch.

use super::changing::change;
use crate::support::world::{Tables, World, add, read, sha256};
use sacker::{
    ledger::{BlobStatus, Identity, Ledger},
    model::{Address, Generation, ReleaseChange, first_generation},
};

async fn identity(ledger: &dyn Ledger) -> Identity {
    ledger.identity().await.unwrap().unwrap()
}

async fn refs(world: &Tables, content: &str, sk: &str) -> Option<(u64, u64)> {
    let item = read(&*world.table(), &format!("B#{}", sha256(content)), sk).await?;
    Some((item["gen"].as_u64().unwrap(), item["refs"].as_u64().unwrap()))
}

pub async fn an_identity_is_changed_by_compare_and_swap(world: &Tables) {
    let ledger = world.ledger();
    ledger.create().await.unwrap();
    let first = identity(&*ledger).await;
    assert_eq!((first.epoch, first.mark()), (0, first.id.clone()));
    let second = ledger.adopt(&first, 3).await.unwrap();
    assert_eq!((second.epoch, &second.copy_of), (3, &None));
    assert_ne!(second.id, first.id);
    assert_eq!(second.mark(), format!("{} 3", second.id));
    assert_eq!(Identity::epoch_of(&second.mark()), 3);
    assert_eq!(Identity::epoch_of(&first.mark()), 0);
    assert_eq!(ledger.adopt(&first, 4).await.unwrap(), second);
    assert_eq!(identity(&*world.ledger()).await, second);
    assert_eq!(ledger.create().await.unwrap().1, second.id);
}

pub async fn each_epoch_has_generations_and_counts_of_its_own(world: &Tables) {
    let ledger = world.ledger();
    add(&*ledger, "app", "old").await;
    add(&*ledger, "app", "unneeded").await;
    change(&*ledger, 2, ReleaseChange::Delete).await;
    let next = first_generation(1);
    ledger.adopt(&identity(&*ledger).await, 1).await.unwrap();
    for content in ["old", "unneeded", "new", "new"] {
        assert_eq!(add(&*ledger, "app", content).await.blob.address.generation, next);
    }
    let (before, after) = ("B", "B#0000000000000001");
    assert_eq!(refs(world, "old", before).await, Some((0, 1)));
    assert_eq!(refs(world, "old", after).await, Some((next, 1)));
    assert_eq!(refs(world, "new", before).await, None);
    assert_eq!(refs(world, "new", after).await, Some((next, 2)));
    let blob_status = async |content: &str, generation: Generation| {
        let address = Address { sha256: sha256(content), generation };
        world.ledger().blob_statuses(&[address]).await.unwrap()[0]
    };
    assert_eq!(blob_status("old", 0).await, BlobStatus::Needed);
    // It may be the last that there is of what version 1 needs.
    assert_eq!(blob_status("old", 1).await, BlobStatus::Foreign);
    assert_eq!(blob_status("old", next).await, BlobStatus::Needed);
    assert_eq!(blob_status("unneeded", 0).await, BlobStatus::Orphan);
    // The former owner's, who went on after the backup.
    assert_eq!(blob_status("unneeded", 1).await, BlobStatus::Orphan);
    assert_eq!(blob_status("unknown", 5).await, BlobStatus::Orphan);
    assert_eq!(blob_status("new", next + 1).await, BlobStatus::Foreign);
    assert_eq!(blob_status("new", first_generation(2)).await, BlobStatus::Foreign);
    // Each is counted down in its epoch.
    change(&*ledger, 1, ReleaseChange::Delete).await;
    assert_eq!(refs(world, "old", before).await, Some((0, 0)));
    assert_eq!(refs(world, "old", after).await, Some((next, 1)));
    for (content, generation) in [("old", 0), ("unneeded", 1), ("unknown", 5)] {
        let address = Address { sha256: sha256(content), generation };
        assert!(ledger.condemn(&address).await.unwrap());
        assert_eq!(blob_status(content, generation).await, BlobStatus::Condemned);
    }
    let needed = Address { sha256: sha256("old"), generation: next };
    assert!(!ledger.condemn(&needed).await.unwrap());
    // Collected in the new epoch, it is stored again within it.
    change(&*ledger, 3, ReleaseChange::Delete).await;
    assert!(ledger.condemn(&needed).await.unwrap());
    assert_eq!(add(&*ledger, "app", "old").await.blob.address.generation, next + 1);
    let mut violations = Vec::new();
    let audit_report = ledger.audit(false, &mut |violation| violations.push(violation)).await.unwrap();
    assert_eq!((violations, audit_report.needed().count()), (Vec::new(), 3));
}
