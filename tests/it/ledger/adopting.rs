//! Another identity for a ledger that adopts a store, and what it adds in its new epoch.

use super::{
    changing::change,
    world::{Tables, World, add, read, sha256},
};
use sacker::{
    ledger::{Identity, Ledger, Standing},
    model::{Address, Generation, ReleaseChange, first_generation},
};

async fn identity(ledger: &dyn Ledger) -> Identity {
    ledger.identity().await.unwrap().unwrap()
}

async fn refs(world: &Tables, content: &str, sk: &str) -> Option<(u64, u64)> {
    let item = read(&*world.table(), &format!("B#{}", sha256(content)), sk).await?;
    Some((item["gen"].as_u64().unwrap(), item["refs"].as_u64().unwrap()))
}

pub async fn an_identity_is_changed_by_one_who_saw_it(world: &Tables) {
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
    let standing = async |content: &str, generation: Generation| {
        let address = Address { sha256: sha256(content), generation };
        world.ledger().standings(&[address]).await.unwrap()[0]
    };
    assert_eq!(standing("old", 0).await, Standing::Needed);
    // It may be the last that there is of what version 1 needs.
    assert_eq!(standing("old", 1).await, Standing::Strange);
    assert_eq!(standing("old", next).await, Standing::Needed);
    assert_eq!(standing("unneeded", 0).await, Standing::Orphan);
    // The former owner's, who went on after the backup.
    assert_eq!(standing("unneeded", 1).await, Standing::Orphan);
    assert_eq!(standing("unknown", 5).await, Standing::Orphan);
    assert_eq!(standing("new", next + 1).await, Standing::Strange);
    assert_eq!(standing("new", first_generation(2)).await, Standing::Strange);
    // Each is counted down in its epoch.
    change(&*ledger, 1, ReleaseChange::Delete).await;
    assert_eq!(refs(world, "old", before).await, Some((0, 0)));
    assert_eq!(refs(world, "old", after).await, Some((next, 1)));
    for (content, generation) in [("old", 0), ("unneeded", 1), ("unknown", 5)] {
        let address = Address { sha256: sha256(content), generation };
        assert!(ledger.condemn(&address).await.unwrap());
        assert_eq!(standing(content, generation).await, Standing::Condemned);
    }
    let needed = Address { sha256: sha256("old"), generation: next };
    assert!(!ledger.condemn(&needed).await.unwrap());
    // Collected in the new epoch, it is stored again within it.
    change(&*ledger, 3, ReleaseChange::Delete).await;
    assert!(ledger.condemn(&needed).await.unwrap());
    assert_eq!(add(&*ledger, "app", "old").await.blob.address.generation, next + 1);
    let mut breaches = Vec::new();
    let census = ledger.audit(false, &mut |breach| breaches.push(breach)).await.unwrap();
    assert_eq!((breaches, census.needed().count()), (Vec::new(), 3));
}
