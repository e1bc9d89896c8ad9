//! The guarantees of every store, tested on every store.

mod again;
mod directory;
mod memory;
mod owner;
mod probe;
mod s3;
mod scripted;
mod settings;

use async_trait::async_trait;
use bytes::BytesMut;
use futures_util::{StreamExt, TryStreamExt, future::join_all};
use owner::{an_owner_is_replaced_by_compare_and_swap, one_claim_wins};
use proptest::prelude::*;
use sacker::{
    fault::{Fault, FaultKind},
    model::{Address, Created, Digest},
    store::{Content, Listing, PART_SIZE, Put, PutError, Sent, Store, part_size},
};
use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tempfile::TempDir;

const MIB: u64 = 1 << 20;

/// A store under test, and the hands that reach around it.
#[async_trait]
trait Bench: Send + Sync {
    /// A client of the store. Each is a new one, as of another process.
    fn store(&self) -> Arc<dyn Store>;

    /// Puts any bytes under a name next to the blobs. A store may be unable to hold a name that is no address.
    async fn plant(&self, name: &str, bytes: Vec<u8>);

    /// Puts there what an interrupted add leaves besides blobs. Returns the names that must be gone after the next add.
    async fn plant_leftovers(&self) -> Vec<String>;
}

/// Files to be added.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A new file of `size` random bytes.
    fn random(&self, size: u64) -> PathBuf {
        let mut bytes = vec![0; usize::try_from(size).unwrap()];
        fastrand::fill(&mut bytes);
        self.with(&bytes)
    }

    fn with(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(uuid::Uuid::new_v4().to_string());
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn hash(path: &Path) -> Content {
    Content::hash(path, &|_| ()).unwrap()
}

fn address(content: &Content, generation: u64) -> Address {
    Address { sha256: content.sha256().clone(), generation }
}

async fn put(store: &dyn Store, content: &Content) -> Result<Put, PutError> {
    store.put(&address(content, 0), content, false, &|_| ()).await
}

async fn read(
    store: &dyn Store,
    at: &Address,
    range: Range<u64>,
    etag: Option<&str>,
) -> Result<Option<Vec<u8>>, Fault> {
    let Some(body) = store.get(at, range, etag).await? else { return Ok(None) };
    let bytes: BytesMut = body.stream.try_collect().await?;
    Ok(Some(bytes.to_vec()))
}

/// Returns `true` if a store holds exactly these bytes, without keeping a second copy of them.
async fn holds(store: &dyn Store, at: &Address, path: &Path) -> bool {
    let bytes = fs::read(path).unwrap();
    let Some(body) = store.get(at, 0..bytes.len() as u64, None).await.unwrap() else { return false };
    let mut stream = body.stream;
    let mut seen = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.unwrap();
        if bytes.get(seen..seen + chunk.len()) != Some(&chunk[..]) {
            return false;
        }
        seen += chunk.len();
    }
    seen == bytes.len() && body.size == seen as u64
}

async fn list(store: &dyn Store) -> Vec<Listing> {
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = store.list(after.as_deref()).await.unwrap();
        after.clone_from(&page.next);
        pages.push(page);
        if after.is_none() {
            return pages;
        }
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T, Fault>) -> FaultKind {
    result.unwrap_err().kind
}

async fn round_trip(bench: &dyn Bench, size: u64) {
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

async fn an_empty_blob(bench: &dyn Bench) {
    round_trip(bench, 0).await;
}

async fn a_blob_of_one_byte(bench: &dyn Bench) {
    round_trip(bench, 1).await;
}

async fn a_blob_just_below_a_part(bench: &dyn Bench) {
    round_trip(bench, PART_SIZE - 1).await;
}

async fn a_blob_of_one_part(bench: &dyn Bench) {
    round_trip(bench, PART_SIZE).await;
}

async fn a_blob_just_above_a_part(bench: &dyn Bench) {
    round_trip(bench, PART_SIZE + 1).await;
}

async fn a_blob_of_many_parts(bench: &dyn Bench) {
    round_trip(bench, 200 * MIB).await;
}

async fn generations_are_separate(bench: &dyn Bench) {
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

async fn a_content_goes_to_no_other_address(bench: &dyn Bench) {
    let (files, store) = (Files::new(), bench.store());
    let content = hash(&files.with(b"one"));
    let other = Address { sha256: Digest::from([7; 32]), generation: 0 };
    match store.put(&other, &content, false, &|_| ()).await {
        Err(PutError::Fault(fault)) => assert_eq!(fault.kind, FaultKind::Unexpected),
        result => panic!("{result:?}"),
    }
    assert_eq!(store.stat(&other).await.unwrap(), None);
}

async fn ranges_are_exact(bench: &dyn Bench) {
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

async fn a_replaced_object_is_not_read_on(bench: &dyn Bench) {
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

/// Whatever is found under the address is not taken for the blob unless it is it.
async fn damage_is_replaced(bench: &dyn Bench, size: u64) {
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

async fn damage_to_a_small_blob_is_replaced(bench: &dyn Bench) {
    damage_is_replaced(bench, 1000).await;
}

async fn damage_to_a_large_blob_is_replaced(bench: &dyn Bench) {
    damage_is_replaced(bench, PART_SIZE + MIB).await;
}

async fn a_changed_file_is_refused(bench: &dyn Bench, size: u64) {
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

async fn a_changed_small_file_is_refused(bench: &dyn Bench) {
    a_changed_file_is_refused(bench, 5000).await;
}

async fn a_changed_large_file_is_refused(bench: &dyn Bench) {
    a_changed_file_is_refused(bench, 2 * PART_SIZE + MIB).await;
}

async fn many_put_the_same_blob(bench: &dyn Bench, size: u64) {
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

async fn many_put_the_same_small_blob(bench: &dyn Bench) {
    many_put_the_same_blob(bench, 10_000).await;
}

async fn many_put_the_same_large_blob(bench: &dyn Bench) {
    many_put_the_same_blob(bench, PART_SIZE + MIB).await;
}

async fn listings_are_ordered_and_paged(bench: &dyn Bench) {
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

async fn list_part(store: &dyn Store, prefix: &str) -> Vec<String> {
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

async fn creating_is_idempotent(bench: &dyn Bench) {
    let store = bench.store();
    store.create().await.unwrap();
    assert_eq!(store.create().await.unwrap(), Created::Present);
}

/// One test for each case and back end.
macro_rules! conformance {
    ($bench:expr; $($case:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let bench = $bench.await;
                $crate::conformance::store::$case(&bench).await;
            }
        )*
    };
    ($bench:expr) => {
        $crate::conformance::store::conformance! { $bench;
            an_empty_blob
            a_blob_of_one_byte
            a_blob_just_below_a_part
            a_blob_of_one_part
            a_blob_just_above_a_part
            generations_are_separate
            a_content_goes_to_no_other_address
            ranges_are_exact
            a_replaced_object_is_not_read_on
            damage_to_a_small_blob_is_replaced
            damage_to_a_large_blob_is_replaced
            a_changed_small_file_is_refused
            a_changed_large_file_is_refused
            many_put_the_same_small_blob
            many_put_the_same_large_blob
            listings_are_ordered_and_paged
            one_claim_wins
            an_owner_is_replaced_by_compare_and_swap
            creating_is_idempotent
        }
    };
}
use conformance;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The checksums of any pieces combine to that of the whole, on which `Content::crc` rests.
    #[test]
    fn checksums_of_pieces_combine(bytes in prop::collection::vec(any::<u8>(), 0..5000), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        use crc_fast::{CrcAlgorithm::Crc64Nvme, checksum, checksum_combine};
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let whole = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).fold(checksum(Crc64Nvme, b""), |whole, piece| {
            checksum_combine(Crc64Nvme, whole, checksum(Crc64Nvme, piece), piece.len() as u64)
        });
        prop_assert_eq!(whole, checksum(Crc64Nvme, &bytes));
    }

    #[test]
    fn parts_cover_a_blob_within_the_limits(size in 0..=5_u64 << 40) {
        let part = part_size(size);
        prop_assert!((8 * MIB..=5 << 30).contains(&part) && part.is_multiple_of(MIB));
        prop_assert!(size.div_ceil(part) <= 10_000);
    }

    #[test]
    fn addresses_read_back(sha256: [u8; 32], generation: u64) {
        let at = Address { sha256: Digest::from(sha256), generation };
        prop_assert_eq!(at.to_string().parse::<Address>().unwrap(), at);
    }
}

#[test]
fn the_checksum_of_a_content_is_that_of_its_bytes() {
    let files = Files::new();
    for size in [0, 1, MIB, PART_SIZE, PART_SIZE + 1, 2 * PART_SIZE + 12_345] {
        let path = files.random(size);
        let whole = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &fs::read(&path).unwrap());
        let content = hash(&path);
        assert_eq!(content.crc(), whole, "{size}");
        assert_eq!(content.part_crcs().len() as u64, size.div_ceil(part_size(size)));
    }
}
