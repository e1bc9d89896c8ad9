//! Ranges, pages and scans.

use super::*;
use sacker::table::{MAX_ACTIONS, Order, Query};
use serde_json::json;
use std::collections::BTreeSet;

type Shared = Arc<dyn Table>;

const LOWEST: &str = "!";
const HIGHEST: &str = "\u{10FFFF}";

async fn fill(table: &dyn Table, sks: &[&str]) {
    for some in sks.chunks(MAX_ACTIONS) {
        done(table, some.iter().map(|sk| put(&Key::new("p", *sk), json!({"was": sk})))).await;
    }
}

fn query(from: &str, to: &str, order: Order, limit: u32) -> Query {
    Query { pk: "p".to_owned(), from: from.to_owned(), to: to.to_owned(), order, limit, after: None }
}

/// All that a query finds, page by page.
async fn all(table: &dyn Table, mut query: Query) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let page = table.query(&query).await.unwrap();
        assert!(page.items.len() <= query.limit as usize);
        for (sk, item) in page.items {
            assert_eq!(item["was"], json!(sk));
            found.push(sk);
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return found,
        }
    }
}

pub async fn a_range_is_inclusive_and_bytewise(table: Shared) {
    // In their order: by UTF-8 bytes, so capitals first, a prefix first, and U+FF5E before what UTF-16 puts before it.
    let sks = ["A#0000000000000009", "A#0000000000000010", "Z", "a", "aa", "b", "é", "\u{FF5E}", "\u{1F980}"];
    let mut shuffled = sks;
    shuffled.reverse();
    shuffled.swap(1, 5);
    fill(&*table, &shuffled).await;
    for limit in [1, 2, 100] {
        assert_eq!(all(&*table, query(LOWEST, HIGHEST, Order::Ascending, limit)).await, sks);
    }
    assert_eq!(all(&*table, query("a", "b", Order::Ascending, 10)).await, ["a", "aa", "b"]);
    assert_eq!(all(&*table, query("aa", "aa", Order::Ascending, 10)).await, ["aa"]);
    assert_eq!(all(&*table, query("ab", "az", Order::Ascending, 10)).await, [""; 0]);
    assert_eq!(all(&*table, query("A#", "A#\u{10FFFF}", Order::Descending, 10)).await, [sks[1], sks[0]]);
    for order in [Order::Ascending, Order::Descending] {
        assert_eq!(all(&*table, query("b", "a", order, 10)).await, [""; 0], "an empty range");
        let after = Query { after: Some("aa".to_owned()), ..query("b", "a", order, 10) };
        assert_eq!(all(&*table, after).await, [""; 0], "an empty range, continued");
    }
}

pub async fn either_order_comes_in_pages(table: Shared) {
    let sks: Vec<_> = (0..25).map(|n| format!("{n:03}")).collect();
    fill(&*table, &sks.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let reversed: Vec<_> = sks.iter().rev().cloned().collect();
    for limit in [1, 7, 25, 26, u32::MAX] {
        assert_eq!(all(&*table, query("000", "024", Order::Ascending, limit)).await, sks);
        assert_eq!(all(&*table, query("000", "024", Order::Descending, limit)).await, reversed);
    }
    let first = table.query(&query("000", "999", Order::Descending, 2)).await.unwrap();
    assert_eq!(first.items.iter().map(|(sk, _)| sk.as_str()).collect::<Vec<_>>(), ["024", "023"]);
    assert_eq!(first.next.as_deref(), Some("023"));
}

pub async fn a_page_goes_on_after_any_key(table: Shared) {
    fill(&*table, &["b", "d", "f"]).await;
    let rest = |order, after: &str| {
        let table = table.clone();
        let query = Query { after: Some(after.to_owned()), ..query("b", "f", order, 10) };
        async move { all(&*table, query).await }
    };
    for (after, ascending, descending) in [
        ("b", &["d", "f"][..], &[][..]),
        // Not there.
        ("c", &["d", "f"], &["b"]),
        ("d", &["f"], &["b"]),
        ("f", &[], &["d", "b"]),
        // Outside of the range.
        ("a", &["b", "d", "f"], &[]),
        ("g", &[], &["f", "d", "b"]),
    ] {
        assert_eq!(rest(Order::Ascending, after).await, ascending, "ascending after {after}");
        assert_eq!(rest(Order::Descending, after).await, descending, "descending after {after}");
    }
}

pub async fn only_its_partition_is_read(table: Shared) {
    let others = ["P", "o", "p#", "pp", "q"].map(|pk| put(&Key::new(pk, "a"), json!({"was": pk})));
    done(&*table, others).await;
    assert_eq!(all(&*table, query(LOWEST, HIGHEST, Order::Ascending, 10)).await, [""; 0]);
    fill(&*table, &["a"]).await;
    assert_eq!(all(&*table, query(LOWEST, HIGHEST, Order::Descending, 10)).await, ["a"]);
}

pub async fn a_scan_reads_everything_once(table: Shared) {
    assert_eq!(table.scan(None).await.unwrap().items, []);
    // 1.5 MB in all, and more items than a page of any table here has.
    let filler = "x".repeat(2500);
    let keys: BTreeSet<_> = (0..600).map(|n| Key::new(format!("p{}", n % 7), format!("{n:03}"))).collect();
    for some in keys.iter().collect::<Vec<_>>().chunks(MAX_ACTIONS) {
        done(&*table, some.iter().map(|key| put(key, json!({"sk of": key.sk, "filler": filler})))).await;
    }
    let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = table.scan(after.as_ref()).await.unwrap();
        pages += 1;
        for (key, item) in page.items {
            assert_eq!(item["sk of"], json!(key.sk));
            found.push(key);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(pages > 1);
    assert_eq!(found.len(), keys.len());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), keys);
}
