//! Items and transactions.

use super::*;
use sacker::{model::Created, table::MAX_ACTIONS};
use serde_json::json;

type Shared = Arc<dyn Table>;

fn key(sk: &str) -> Key {
    Key::new("p", sk)
}

pub async fn absent_items_read_as_none(table: Shared) {
    let keys = [key("a"), key("b")];
    assert_eq!(get(&*table, &keys[0]).await, None);
    assert_eq!(table.get_many(&keys).await.unwrap(), [None, None]);
    assert_eq!(table.get_transact(&keys).await.unwrap(), [None, None]);
    assert_eq!(table.get_many(&[]).await.unwrap(), []);
    assert_eq!(table.get_transact(&[]).await.unwrap(), []);
}

pub async fn values_round_trip(table: Shared) {
    let value = json!({
        "text": "naïve ☃ \u{1F980} \"quoted\" \\ \n\t\u{1}",
        "digits": "42",
        "empty": "",
        "zero": 0,
        "most": 1_u64 << 53,
        "less": -7,
        "map": {" ": "", "deep": {"deeper": {"n": 1, "s": "1"}}, "nothing": {}},
        "size": 1,
        "name": "a reserved word, as is `size`",
        "with space.and-dot": "x",
    });
    done(&*table, [put(&key("a"), value.clone()), put(&key("é☃\u{1F980}"), json!({}))]).await;
    assert_eq!(get(&*table, &key("a")).await, Some(item(value.clone())));
    let keys = [key("a"), key("é☃\u{1F980}")];
    let both = [Some(item(value)), Some(Item::new())];
    assert_eq!(table.get_many(&keys).await.unwrap(), both);
    assert_eq!(table.get_transact(&keys).await.unwrap(), both);
}

pub async fn a_put_replaces_the_whole_item(table: Shared) {
    done(&*table, [put(&key("a"), json!({"old": 1, "both": 1}))]).await;
    done(&*table, [put(&key("a"), json!({"both": 2}))]).await;
    assert_eq!(get(&*table, &key("a")).await, Some(item(json!({"both": 2}))));
}

pub async fn an_update_makes_an_item_and_adds_to_it(table: Shared) {
    done(&*table, [update(&key("a"), json!({"s": "x", "m": {"n": 1}}), &[("n", 3)])]).await;
    assert_eq!(get(&*table, &key("a")).await, Some(item(json!({"s": "x", "m": {"n": 1}, "n": 3}))));
    done(&*table, [update(&key("a"), json!({"s": "y"}), &[("n", -1), ("size", 5)])]).await;
    assert_eq!(
        get(&*table, &key("a")).await,
        Some(item(json!({"s": "y", "m": {"n": 1}, "n": 2, "size": 5})))
    );
    done(&*table, [update(&key("a"), json!({}), &[("n", -5)])]).await;
    assert_eq!(get(&*table, &key("a")).await.unwrap()["n"], json!(-3));
    // Set first, then added to.
    done(&*table, [update(&key("a"), json!({"n": 10}), &[("n", 1)])]).await;
    assert_eq!(get(&*table, &key("a")).await.unwrap()["n"], json!(11));
}

pub async fn an_update_of_nothing_makes_an_item(table: Shared) {
    done(&*table, [update(&key("a"), json!({}), &[])]).await;
    assert_eq!(get(&*table, &key("a")).await, Some(Item::new()));
}

pub async fn a_delete_removes_and_may_be_repeated(table: Shared) {
    done(&*table, [put(&key("a"), json!({"n": 1})), put(&key("b"), json!({"n": 2}))]).await;
    for _ in 0..2 {
        done(&*table, [action(&key("a"), Condition::Always, Change::Delete)]).await;
        assert_eq!(get(&*table, &key("a")).await, None);
        assert_eq!(get(&*table, &key("b")).await, Some(item(json!({"n": 2}))));
    }
}

pub async fn a_refusal_changes_nothing_and_returns_the_items_found(table: Shared) {
    done(&*table, [put(&key("a"), json!({"n": 1, "m": {"s": ""}})), put(&key("c"), json!({"n": 3}))]).await;
    let refused = refused(
        &*table,
        [
            action(&key("new"), Condition::Absent, Change::Put(item(json!({"n": 9})))),
            action(&key("a"), Condition::equals("n", 2), Change::Put(item(json!({"n": 2})))),
            action(&key("b"), Condition::Present, Change::Delete),
            action(&key("c"), Condition::equals("n", 3), Change::Delete),
            check(&key("d"), Condition::equals("n", 1)),
            check(&key("e"), Condition::Absent),
        ],
    )
    .await;
    let there = Some(item(json!({"n": 1, "m": {"s": ""}})));
    assert_eq!(refused, [None, Some(there.clone()), Some(None), None, Some(None), None]);
    let keys = [key("new"), key("a"), key("b"), key("c")];
    let unchanged = [None, there, None, Some(item(json!({"n": 3})))];
    assert_eq!(table.get_many(&keys).await.unwrap(), unchanged);
}

pub async fn a_transaction_of_checks_changes_nothing(table: Shared) {
    done(&*table, [put(&key("a"), json!({"n": 1}))]).await;
    done(
        &*table,
        [
            check(&key("a"), Condition::Present),
            check(&key("b"), Condition::Absent),
            check(&key("c"), Condition::Always),
            check(&key("d"), Condition::All(Vec::new())),
        ],
    )
    .await;
    assert_eq!(table.scan(None).await.unwrap().items.len(), 1);
    let refused =
        refused(&*table, [check(&key("a"), Condition::Absent), check(&key("b"), Condition::Absent)]);
    assert_eq!(refused.await, [Some(Some(item(json!({"n": 1})))), None]);
}

pub async fn an_empty_transaction_is_done(table: Shared) {
    done(&*table, []).await;
}

pub async fn a_hundred_actions_are_one_transaction(table: Shared) {
    let keys: Vec<_> = (0..MAX_ACTIONS).map(|n| key(&format!("{n:03}"))).collect();
    let puts = || keys.iter().enumerate().map(|(n, key)| put(key, json!({"n": n})));
    let mut last = puts().next_back().unwrap();
    last.condition = Condition::Present;
    let answers = refused(&*table, puts().take(MAX_ACTIONS - 1).chain([last])).await;
    assert_eq!(answers.len(), MAX_ACTIONS);
    assert_eq!(answers.last(), Some(&Some(None)));
    assert_eq!(table.get_many(&keys).await.unwrap(), vec![None; MAX_ACTIONS]);

    done(&*table, puts()).await;
    let all: Vec<_> = (0..MAX_ACTIONS).map(|n| Some(item(json!({"n": n})))).collect();
    assert_eq!(table.get_transact(&keys).await.unwrap(), all);
}

pub async fn many_keys_come_back_in_their_order(table: Shared) {
    let there: Vec<_> = (0..120).map(|n| key(&format!("{n:03}"))).collect();
    for some in there.chunks(MAX_ACTIONS) {
        done(&*table, some.iter().map(|key| put(key, json!({"sk": key.sk, "was": key.sk})))).await;
    }
    // Backwards, with one that is absent after each third, and twice over.
    let mut keys: Vec<_> = there.iter().rev().cloned().collect();
    for n in (0..120).step_by(3).rev() {
        keys.insert(n, key(&format!("absent {n}")));
    }
    keys.extend(keys.clone());
    let items = table.get_many(&keys).await.unwrap();
    assert_eq!(items.len(), keys.len());
    for (key, found) in keys.iter().zip(items) {
        let was = found.map(|item| item["was"].clone());
        let expected = (!key.sk.starts_with("absent")).then(|| json!(key.sk));
        assert_eq!(was, expected, "{key}");
    }
}

pub async fn a_snapshot_never_shows_half_a_transaction(table: Shared) {
    let keys = [key("a"), Key::new("q", "b")];
    done(&*table, keys.iter().map(|key| put(key, json!({"n": 0})))).await;
    let writer = tokio::spawn({
        let (table, keys) = (table.clone(), keys.clone());
        async move {
            for _ in 0..40 {
                done(&*table, keys.iter().map(|key| update(key, json!({}), &[("n", 1)]))).await;
            }
        }
    });
    let mut seen = 0;
    while !writer.is_finished() {
        let both = table.get_transact(&keys).await.unwrap();
        let both: Vec<_> = both.into_iter().map(|item| item.unwrap()["n"].as_u64().unwrap()).collect();
        assert_eq!(both[0], both[1]);
        assert!(both[0] >= seen, "a read went back from {seen} to {}", both[0]);
        seen = both[0];
    }
    writer.await.unwrap();
    assert_eq!(get(&*table, &keys[1]).await.unwrap()["n"], json!(40));
}

pub async fn concurrent_increments_add_up(table: Shared) {
    const WRITERS: u64 = 16;
    const EACH: u64 = 5;
    done(&*table, [put(&key("a"), json!({"n": 0}))]).await;
    let writers: Vec<_> =
        (0..WRITERS).map(|_| tokio::spawn(increment(table.clone(), key("a"), EACH))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(get(&*table, &key("a")).await, Some(item(json!({"n": WRITERS * EACH}))));
}

/// Adds one, some times over, each time by compare-and-swap.
pub async fn increment(table: Shared, key: Key, times: u64) {
    for _ in 0..times {
        let mut seen = table.get(&key).await.unwrap();
        loop {
            let n = seen.as_ref().unwrap()["n"].as_u64().unwrap();
            let change = Change::Put(item(json!({"n": n + 1})));
            match transact(&*table, &transaction([action(&key, Condition::equals("n", n), change)])).await {
                Ok(()) => break,
                Err(mut refused) => seen = refused.pop().unwrap().unwrap(),
            }
        }
    }
}

/// DynamoDB knows the token again; elsewhere the condition makes the copy inert.
pub async fn a_transaction_sent_again_does_not_happen_twice(table: Shared) {
    let mut guarded = update(&key("a"), json!({}), &[("n", 1)]);
    guarded.condition = Condition::Absent;
    let transaction = transaction([guarded]);
    table.transact(&transaction).await.unwrap();
    match table.transact(&transaction).await {
        Ok(()) => {}
        Err(TransactError::Refused(refused)) => assert_eq!(refused, [Some(Some(item(json!({"n": 1}))))]),
        Err(TransactError::Fault(fault)) => panic!("{fault:?}"),
    }
    assert_eq!(get(&*table, &key("a")).await, Some(item(json!({"n": 1}))));
}

pub async fn a_table_is_created_once(table: Shared) {
    done(&*table, [put(&key("a"), json!({"n": 1}))]).await;
    assert_eq!(table.create().await.unwrap(), Created::Present);
    assert_eq!(get(&*table, &key("a")).await, Some(item(json!({"n": 1}))));
}
