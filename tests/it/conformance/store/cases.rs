//! The cases that every store passes.

use super::*;
use futures_util::{StreamExt, future::join_all};
use sacker::{
    fault::FaultKind,
    model::{Address, Created, Digest},
    store::{PART_SIZE, Put, PutError, Sent, Store},
};
use std::{
    fs,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

pub async fn round_trip(bench: &dyn Bench, size: u64) {
    let (files, store) = (Files::new(), bench.store());
    let path = files.random(size);
    let content = hash(&path);
    let at = address(&content, 0);
    assert_eq!(store.stat(&at).await.unwrap(), None);
    assert!(store.get(&at, 0..0, None).await.unwrap().is_none());
    assert!(store.get(&at, 0..1, None).await.unwrap().is_none());

    let sent = AtomicU64::new(0);
    let count = |bytes| match bytes {
        Sent::Now(bytes) => _ = sent.fetch_add(bytes, Relaxed),
        Sent::Before(bytes) => panic!("{bytes} bytes from before"),
        Sent::Kept(_) | Sent::Compared(_) => {}
    };
    assert_eq!(store.put(&at, &content, false, &count).await.unwrap(), Put::Stored);
    assert_eq!(sent.swap(0, Relaxed), size);
    assert_eq!(store.stat(&at).await.unwrap().unwrap().size, size);
    assert!(holds(&*store, &at, &path).await);

    assert_eq!(store.put(&at, &content, false, &count).await.unwrap(), Put::Present);
    sent.store(0, Relaxed);
    assert_eq!(bench.store().put(&at, &content, true, &count).await.unwrap(), Put::Present);
    assert_eq!(sent.load(Relaxed), 0);
    assert_eq!(bench.plant_leftovers().await, [""; 0]);

    store.delete(&at).await.unwrap();
    assert_eq!(store.stat(&at).await.unwrap(), None);
    assert!(store.get(&at, 0..size, None).await.unwrap().is_none());
    store.delete(&at).await.unwrap();
    // An expectation that is wrong costs a request, nothing else.
    assert_eq!(store.put(&at, &content, true, &count).await.unwrap(), Put::Stored);
    assert!(holds(&*store, &at, &path).await);
}

pub async fn an_empty_blob(bench: &dyn Bench) {
    round_trip(bench, 0).await;
}

pub async fn a_blob_of_one_byte(bench: &dyn Bench) {
    round_trip(bench, 1).await;
}

pub async fn a_blob_just_below_a_part(bench: &dyn Bench) {
    round_trip(bench, PART_SIZE - 1).await;
}

pub async fn a_blob_of_one_part(bench: &dyn Bench) {
    round_trip(bench, PART_SIZE).await;
}

pub async fn a_blob_just_above_a_part(bench: &dyn Bench) {
    round_trip(bench, PART_SIZE + 1).await;
}

pub async fn a_blob_of_many_parts(bench: &dyn Bench) {
    round_trip(bench, 200 * MIB).await;
}

pub async fn generations_are_separate(bench: &dyn Bench) {
    let (files, store) = (Files::new(), bench.store());
    let path = files.random(100);
    let content = hash(&path);
    let (old, new) = (address(&content, 0), address(&content, 1));
    assert_eq!(store.put(&old, &content, false, &|_| ()).await.unwrap(), Put::Stored);
    assert_eq!(store.stat(&new).await.unwrap(), None);
    assert_eq!(store.put(&new, &content, false, &|_| ()).await.unwrap(), Put::Stored);
    store.delete(&old).await.unwrap();
    assert_eq!(store.stat(&old).await.unwrap(), None);
    assert!(holds(&*store, &new, &path).await);
}

pub async fn a_content_goes_to_no_other_address(bench: &dyn Bench) {
    let (files, store) = (Files::new(), bench.store());
    let content = hash(&files.with(b"one"));
    let other = Address { sha256: Digest::from([7; 32]), generation: 0 };
    match store.put(&other, &content, false, &|_| ()).await {
        Err(PutError::Fault(fault)) => assert_eq!(fault.kind, FaultKind::Unexpected),
        result => panic!("{result:?}"),
    }
    assert_eq!(store.stat(&other).await.unwrap(), None);
}

pub async fn ranges_are_exact(bench: &dyn Bench) {
    let (files, store) = (Files::new(), bench.store());
    let size = 3 * MIB + 5;
    let path = files.random(size);
    let content = hash(&path);
    let at = address(&content, 0);
    put(&*store, &content).await.unwrap();
    let bytes = fs::read(&path).unwrap();
    let slice = |range: &Range<u64>| {
        bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()].to_vec()
    };
    for range in [0..1, 0..size, 1..MIB, MIB - 1..2 * MIB + 1, size - 1..size, 0..0, 5..5, size..size] {
        let body = store.get(&at, range.clone(), None).await.unwrap().unwrap();
        assert_eq!(body.size, size, "{range:?}");
        let read = read(&*store, &at, range.clone(), Some(&body.etag)).await.unwrap().unwrap();
        assert!(read == slice(&range), "{range:?}");
    }
    // Shorter than the ledger says: damage, whether some of the range is there or none.
    for range in [0..size + 1, size..size + 1, size + 10..size + 20] {
        assert_eq!(kind(read(&*store, &at, range.clone(), None).await), FaultKind::Corrupt, "{range:?}");
    }
}

pub async fn a_replaced_object_is_not_read_on(bench: &dyn Bench) {
    let (files, store) = (Files::new(), bench.store());
    let content = hash(&files.with(b"right"));
    let at = address(&content, 0);
    bench.plant(&at.to_string(), b"wrong".to_vec()).await;
    let old = store.get(&at, 0..0, None).await.unwrap().unwrap().etag;
    assert!(read(&*store, &at, 0..5, Some(&old)).await.unwrap().is_some());
    assert_eq!(put(&*store, &content).await.unwrap(), Put::Replaced);
    for range in [0..5, 0..0] {
        assert_eq!(kind(read(&*store, &at, range, Some(&old)).await), FaultKind::Contended);
    }
    let new = store.get(&at, 0..1, None).await.unwrap().unwrap().etag;
    assert_eq!(read(&*store, &at, 0..5, Some(&new)).await.unwrap().unwrap(), b"right");
}

/// Other bytes under the address are never taken for the blob.
pub async fn damage_is_replaced(bench: &dyn Bench, size: u64) {
    let (files, store) = (Files::new(), bench.store());
    let path = files.random(size);
    let content = hash(&path);
    let at = address(&content, 0);
    let mut flipped = fs::read(&path).unwrap();
    flipped[7] ^= 1;
    let shorter = flipped[1..].to_vec();
    for wrong in [flipped, shorter, Vec::new()] {
        for expected in [false, true] {
            bench.plant(&at.to_string(), wrong.clone()).await;
            assert_eq!(store.put(&at, &content, expected, &|_| ()).await.unwrap(), Put::Replaced);
        }
        assert!(holds(&*store, &at, &path).await);
        assert_eq!(put(&*store, &content).await.unwrap(), Put::Present);
    }
    assert_eq!(bench.plant_leftovers().await, [""; 0]);
}

pub async fn damage_to_a_small_blob_is_replaced(bench: &dyn Bench) {
    damage_is_replaced(bench, 1000).await;
}

pub async fn damage_to_a_large_blob_is_replaced(bench: &dyn Bench) {
    damage_is_replaced(bench, PART_SIZE + MIB).await;
}

pub async fn a_changed_file_is_refused(bench: &dyn Bench, size: u64) {
    let (files, store) = (Files::new(), bench.store());
    let path = files.random(size);
    let content = hash(&path);
    let at = address(&content, 0);
    let bytes = fs::read(&path).unwrap();
    // As long as before; longer to one side, shorter, gone.
    let mut last = bytes.clone();
    *last.last_mut().unwrap() ^= 1;
    let mut first = bytes.clone();
    first[0] ^= 1;
    let changes =
        [Some(last), Some(first.clone()), Some([&first[..], b"!"].concat()), Some(bytes[1..].to_vec()), None];
    for change in changes {
        match change {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        match put(&*store, &content).await {
            Err(PutError::Changed(which)) => assert_eq!(which, path),
            result => panic!("{result:?}"),
        }
        assert_eq!(store.stat(&at).await.unwrap(), None);
        assert_eq!(bench.plant_leftovers().await, [""; 0]);
    }
    fs::write(&path, bytes).unwrap();
    assert_eq!(put(&*store, &content).await.unwrap(), Put::Stored);
    assert!(holds(&*store, &at, &path).await);
}

pub async fn a_changed_small_file_is_refused(bench: &dyn Bench) {
    a_changed_file_is_refused(bench, 5000).await;
}

pub async fn a_changed_large_file_is_refused(bench: &dyn Bench) {
    a_changed_file_is_refused(bench, 2 * PART_SIZE + MIB).await;
}

pub async fn many_put_the_same_blob(bench: &dyn Bench, size: u64) {
    let files = Files::new();
    let path = files.random(size);
    let content = hash(&path);
    for wrong in [false, true] {
        if wrong {
            bench.plant(&address(&content, 0).to_string(), b"wrong".to_vec()).await;
        }
        let puts = (0..8).map(|_| async { put(&*bench.store(), &content).await.unwrap() });
        let outcomes = join_all(puts).await;
        let changed = outcomes.iter().filter(|put| **put != Put::Present).count();
        assert!(changed > 0, "{outcomes:?}");
        assert!(holds(&*bench.store(), &address(&content, 0), &path).await);
        assert_eq!(bench.plant_leftovers().await, [""; 0]);
    }
}

pub async fn many_put_the_same_small_blob(bench: &dyn Bench) {
    many_put_the_same_blob(bench, 10_000).await;
}

pub async fn many_put_the_same_large_blob(bench: &dyn Bench) {
    many_put_the_same_blob(bench, PART_SIZE + MIB).await;
}

pub async fn listings_are_ordered_and_paged(bench: &dyn Bench) {
    let store = bench.store();
    assert_eq!(list(&*store).await.iter().map(|page| page.objects.len()).sum::<usize>(), 0);
    let addresses: Vec<_> = (0..1003_u64)
        .map(|n| {
            let mut sha256 = [0; 32];
            // Some share a digest and differ in their generation, of one and of two digits.
            sha256[..8].copy_from_slice(&(n / 12).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            Address { sha256: Digest::from(sha256), generation: n % 12 }
        })
        .collect();
    let mut expected: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    expected.sort_unstable();
    let foreign = [
        "README",
        "0",
        &"f".repeat(63),
        &format!("{}.0", "a".repeat(64)),
        &format!("{}.tmp", "a".repeat(64)),
    ]
    .map(str::to_owned);
    futures_util::stream::iter(expected.iter().rev().chain(&foreign))
        .for_each_concurrent(16, |name| bench.plant(name, b"four".to_vec()))
        .await;
    let pages = list(&*store).await;
    assert!(pages.len() > 1);
    let objects: Vec<_> = pages.into_iter().flat_map(|page| page.objects).collect();
    assert!(objects.iter().all(|(_, stat)| stat.size == 4 && stat.modified.as_millis() > 1_700_000_000_000));
    let listed: Vec<_> = objects.iter().map(|(at, _)| at.to_string()).collect();
    assert_eq!(listed, expected);

    // And in parts: each has what begins with its digits, in order.
    let mut parts = Vec::new();
    for prefix in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f"] {
        parts.extend(list_part(&*store, prefix).await);
    }
    assert_eq!(parts, expected);
    let digits = &expected[500][..3];
    let begin: Vec<_> = expected.iter().filter(|name| name.starts_with(digits)).cloned().collect();
    assert_eq!(list_part(&*store, digits).await, begin);
}

pub async fn list_part(store: &dyn Store, prefix: &str) -> Vec<String> {
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = store.list_part(prefix, after.as_deref()).await.unwrap();
        listed.extend(page.objects.into_iter().map(|(at, _)| at.to_string()));
        after = page.next;
        if after.is_none() {
            return listed;
        }
    }
}

pub async fn creating_is_idempotent(bench: &dyn Bench) {
    let store = bench.store();
    store.create().await.unwrap();
    assert_eq!(store.create().await.unwrap(), Created::Present);
}

/// Without its bucket, container or folder, a store is missing, and not empty.
pub async fn a_store_is_missing(store: &dyn Store) {
    let files = Files::new();
    let at: Address = "0".repeat(64).parse().unwrap();
    assert_eq!(kind(store.stat(&at).await), FaultKind::Missing);
    assert_eq!(kind(store.get(&at, 0..1, None).await), FaultKind::Missing);
    assert_eq!(kind(store.get(&at, 0..0, None).await), FaultKind::Missing);
    assert_eq!(kind(store.delete(&at).await), FaultKind::Missing);
    assert_eq!(kind(store.list(None).await), FaultKind::Missing);
    assert_eq!(kind(store.owner().await), FaultKind::Missing);
    assert_eq!(kind(store.claim("ledger").await), FaultKind::Missing);
    for size in [1, PART_SIZE + 1] {
        match put(store, &hash(&files.random(size))).await {
            Err(PutError::Fault(fault)) => assert_eq!(fault.kind, FaultKind::Missing),
            result => panic!("{result:?}"),
        }
    }
}
