//! URLs of ledgers and stores: whatever is accepted prints as what it is read back as.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sacker::location::{LedgerUrl, StoreUrl};

fuzz_target!(|text: &str| {
    if let Ok(url) = text.parse::<LedgerUrl>() {
        assert_eq!(url.to_string().parse::<LedgerUrl>().unwrap(), url);
    }
    if let Ok(url) = text.parse::<StoreUrl>() {
        assert_eq!(url.to_string().parse::<StoreUrl>().unwrap(), url);
    }
});
