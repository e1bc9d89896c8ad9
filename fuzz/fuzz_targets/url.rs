//! URLs of ledgers and stores.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sacker::location::{Bucket, LedgerUrl, StoreUrl};
use sacker_fuzz::parsed;
use std::path::{Component, Path};

const SECRET: &str = "WJalrXUtnFEMI";

fuzz_target!(|text: &str| {
    match parsed::<LedgerUrl>(text) {
        Some(LedgerUrl::Dynamo { table, .. }) => {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
            assert!((3..=255).contains(&table.len()) && table.bytes().all(plain), "{text:?}: {table:?}");
        }
        Some(LedgerUrl::Directory(directory)) => is_a_directory(text, &directory),
        Some(other) => panic!("{text:?} is {other:?}"),
        None => {}
    }
    match parsed::<StoreUrl>(text) {
        Some(StoreUrl::S3(Bucket { bucket, prefix, .. })) => {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b);
            assert!((3..=63).contains(&bucket.len()) && bucket.bytes().all(plain), "{text:?}: {bucket:?}");
            let segment = |segment: &str| !matches!(segment, "" | "." | "..");
            assert!(prefix.is_empty() || prefix.split('/').all(segment), "{text:?}: {prefix:?}");
        }
        Some(StoreUrl::Directory(directory)) => is_a_directory(text, &directory),
        Some(other) => panic!("{text:?} is {other:?}"),
        None => {}
    }
    // Wherever a password can stand, it is refused and not shown.
    for before in
        ["dynamodb://", "s3://", "s3://bucket?endpoint=http://", "dynamodb://table?endpoint=https://"]
    {
        for user in ["key:", ":"] {
            let url = format!("{before}{user}{SECRET}@{text}");
            let ledger = url.parse::<LedgerUrl>().expect_err(&url).to_string();
            assert!(!ledger.contains(SECRET), "{ledger}");
            let store = url.parse::<StoreUrl>().expect_err(&url).to_string();
            assert!(!store.contains(SECRET), "{store}");
        }
    }
});

fn is_a_directory(text: &str, path: &Path) {
    let climbs = path.components().any(|part| matches!(part, Component::ParentDir));
    assert!(path.is_absolute() && !climbs, "{text:?}: {}", path.display());
}
