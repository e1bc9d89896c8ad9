//! Transactions that are not sent by operations.

use super::*;

fn is_stopped(of: impl FnOnce() -> Result<Sealed, Error>) {
    let stopped = std::panic::catch_unwind(AssertUnwindSafe(of)).unwrap_err();
    assert!(stopped.downcast::<String>().unwrap().contains("depends on"));
}

/// Checks that without debug assertions, unforeseen damage ends the operation as damage.
#[tokio::test]
async fn a_gap_is_damage_where_it_does_not_panic() {
    let world = World::new().await;
    let seen = everything(&world).await;
    let fence = world.ledger.fence("P#app", &author(None), &seen).unwrap();
    seen.fits(&Key::new(ELSEWHERE.0, ELSEWHERE.1), &Condition::Present);
    let gap = seen.seal(fence.0).unwrap_err();
    match gap.into_error() {
        Error::Damaged { what, why } => {
            assert_eq!(what, format!("the ledger's item {}/{}", ELSEWHERE.0, ELSEWHERE.1));
            assert!(why.ends_with("nothing was sent"), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn fences_are_held_to_what_they_cover() {
    let world = World::new().await;
    let seen = everything(&world).await;
    for log in ["P#app", "T#app", "P#none"] {
        let fence = world.ledger.fence(log, &author(None), &seen).unwrap();
        let transaction = fence.0;
        seen.fits(&Key::new(ELSEWHERE.0, ELSEWHERE.1), &Condition::Present);
        is_stopped(|| Sealed::or_stop(seen.seal(transaction)));
    }
}

#[tokio::test]
async fn condemning_is_held_to_what_it_covers() {
    let world = World::new().await;
    let mut seen = everything(&world).await;
    let orphan = Address { sha256: Digest::from([77; 32]), generation: 0 };
    let key = schema::blob_key(&orphan.sha256, 0);
    seen.more([(key.clone(), None)]);
    for outside in [None, Some(ELSEWHERE), Some(A_TAG), Some(RELEASES)] {
        let condemned = world.ledger.condemnation(&orphan, &seen).unwrap().unwrap().0;
        match outside {
            None => assert!(seen.seal(condemned).is_ok()),
            Some((pk, sk)) => {
                seen.fits(&Key::new(pk, sk), &Condition::Present);
                is_stopped(|| Sealed::or_stop(seen.seal(condemned)));
            }
        }
    }
}

#[tokio::test]
async fn identities_are_held_to_what_they_cover() {
    let world = World::new().await;
    let key = schema::meta_key();
    let all = everything(&world).await;
    let empty = Snapshot::new(vec![key.clone(), Key::new(ELSEWHERE.0, ELSEWHERE.1)], vec![None, None], true);
    let meta: schema::Meta = all.get(&key).unwrap().unwrap();
    let begin = |seen: &Snapshot| {
        seen.begin();
        seen.get::<schema::Meta>(&key).unwrap();
    };
    let stopped = |seen: &Snapshot, condition| {
        is_stopped(|| world.ledger.identifying(seen, condition, &meta));
    };
    for seen in [&all, &empty] {
        let same = || seen.unchanged::<schema::Meta>(&key);
        begin(seen);
        world.ledger.identifying(seen, same(), &meta).unwrap();
        for weak in [Condition::Always, Condition::Present, Condition::equals("ledger", meta.ledger.as_str())]
        {
            stopped(seen, weak);
        }
        seen.fits(&Key::new(ELSEWHERE.0, ELSEWHERE.1), &Condition::Present);
        stopped(seen, same());
    }
}
