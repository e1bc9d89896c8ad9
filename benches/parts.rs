//! The cost of the parts of a command inside the process: `cargo bench --locked --features fuzzing --bench parts`.

use divan::{Bencher, black_box, counter::BytesCount};
use futures_util::TryStreamExt;
use sacker::{
    fuzzing::Record,
    ledger::{AddRequest, Author, Ledger, PackageQuery, TableLedger},
    model::{Address, Blob, Sha256},
    retry::{Cancellation, RetryPolicy},
    store::Content,
    table::{Action, Change, Condition, Item, Key, Table, Transaction, memory::MemoryTable},
};
use serde_json::json;
use sha2::Digest;
use std::{io::Write, sync::Arc, time::Duration};
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

/// Reading a version from its item and writing it again: `versions` reads one for each line.
#[divan::bench]
fn version_item(bencher: Bencher<'_, '_>) {
    let item = json!({
        "n": 42, "sha256": "0".repeat(64), "gen": 0, "size": 4096, "filename": "app.tar.gz", "mode": 0o644,
        "labels": {"commit": "3f2a91c", "branch": "main"}, "state": "active", "who": "ann@example.org",
        "when": 1_767_225_600_000_u64, "message": "nightly", "op": "0".repeat(32), "rev": 42,
        "chain": "0".repeat(64),
    });
    let item: Item = item.as_object().cloned().unwrap_or_default();
    let key = Key::new("P#app", "V#0000000000000042");
    bencher.bench(|| Record::Version.recode(&key, black_box(&item)).unwrap());
}

const BLOB: usize = 64 << 20;

fn blob() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&vec![7; BLOB]).unwrap();
    file
}

/// The pass that an addition makes over a file: sha256, checksums of the parts, reading and all.
#[divan::bench(sample_count = 10)]
fn hash_for_an_addition(bencher: Bencher<'_, '_>) {
    let file = blob();
    bencher.counter(BytesCount::new(BLOB)).bench(|| Content::hash(file.path(), &|_| {}).unwrap());
}

/// The sha256 alone of the same number of bytes, from memory.
#[divan::bench(sample_count = 10)]
fn sha256_alone(bencher: Bencher<'_, '_>) {
    let bytes = vec![7; BLOB];
    bencher.counter(BytesCount::new(BLOB)).bench(|| {
        let mut sha256 = Sha256::new();
        sha256.update(black_box(&bytes));
        sha256.finish()
    });
}

/// The same by the crate `sha2`. With `RUSTFLAGS='--cfg sha2_backend="soft"'` as on a processor without instructions
/// for it.
#[divan::bench(sample_count = 10)]
fn sha256_by_sha2(bencher: Bencher<'_, '_>) {
    let bytes = vec![7; BLOB];
    bencher.counter(BytesCount::new(BLOB)).bench(|| sha2::Sha256::digest(black_box(&bytes)));
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn ledger(table: Arc<dyn Table>) -> TableLedger {
    TableLedger::new(table, RetryPolicy::new(Duration::from_mins(1), Cancellation::new()))
}

/// Listing packages: merging the four partitions of the directory.
#[divan::bench(args = [1_000, 10_000], sample_count = 10)]
fn list(bencher: Bencher<'_, '_>, packages: usize) {
    let (runtime, table) = (runtime(), MemoryTable::new());
    runtime.block_on(async {
        for number in 0..packages {
            let name = format!("p{number:07}");
            let pk = format!("D#{}", sha2::Sha256::digest(&name)[0] % 4);
            let change = Change::Put(Item::new());
            let mut put = Transaction::new("token".to_owned());
            put.push(Action { key: Key::new(pk, name), condition: Condition::Always, change });
            table.transact(&put).await.unwrap();
        }
    });
    let ledger = ledger(Arc::new(table));
    bencher.counter(packages).bench_local(|| {
        runtime.block_on(async {
            let names = ledger.packages(&PackageQuery::default());
            assert_eq!(names.try_fold(0, async |count, _| Ok(count + 1)).await.unwrap(), packages);
        });
    });
}

/// A whole addition as the ledger sees it: reading, planning, and the transaction, on a table that answers at once.
#[divan::bench]
fn commit_an_addition(bencher: Bencher<'_, '_>) {
    let (runtime, ledger) = (runtime(), ledger(Arc::new(MemoryTable::new())));
    let request =
        AddRequest::new("app".parse().unwrap()).author(Author::new("ann@example.org".parse().unwrap()));
    let sha256 = sacker::model::Digest::from(<[u8; 32]>::from(sha2::Sha256::digest("blob")));
    let address = Address { sha256, generation: 0 };
    let blob = Blob { address, size: 4, filename: None, mode: None };
    bencher.bench_local(|| {
        runtime.block_on(async {
            let mut draft = ledger.begin_add(&request, None).await.unwrap();
            ledger.stage(&request, &blob.address.sha256, &mut draft).await.unwrap();
            ledger.add(&request, &blob, &mut draft).await.unwrap()
        })
    });
}
