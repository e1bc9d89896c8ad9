//! The guarantees of every store, tested on every store.

mod again;
#[cfg(feature = "azure")]
mod azure;
mod cases;
mod directory;
#[cfg(feature = "hdfs")]
mod hdfs;
mod memory;
mod owner;
mod probe;
mod s3;
mod scripted;
mod settings;

use async_trait::async_trait;
use bytes::BytesMut;
use cases::*;
use futures_util::{StreamExt, TryStreamExt};
use owner::{an_owner_is_replaced_by_compare_and_swap, one_claim_wins};
use proptest::prelude::*;
use sacker::{
    fault::{Fault, FaultKind},
    model::{Address, Digest},
    store::{Content, Listing, PART_SIZE, Put, PutError, Store, part_size},
};
use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;

const MIB: u64 = 1 << 20;

/// A store under test, with direct access to its contents.
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
