//! Conditions.

use super::*;
use serde_json::json;

type Shared = Arc<dyn Table>;

/// Evaluates a condition by the table and by the specification, which must agree, and returns the result.
async fn holds(table: &dyn Table, key: &Key, condition: Condition) -> bool {
    let there = get(table, key).await;
    let specified = condition.holds(there.as_ref());
    let said = format!("{condition:?}");
    let judged = match transact(table, &transaction([check(key, condition)])).await {
        Ok(()) => true,
        Err(refused) => {
            assert_eq!(refused, [Some(there)], "{said}");
            false
        }
    };
    assert_eq!(judged, specified, "{said}");
    judged
}

pub async fn each_kind_holds_and_fails(table: Shared) {
    use Condition::{Absent, All, Always, Any, AtLeast, Lacks, Present};
    let (there, absent) = (Key::new("p", "there"), Key::new("p", "absent"));
    let item = json!({
        "n": 7, "zero": 0, "s": "x", "digits": "7", "empty": "", "size": 1, "map": {"b": "2", "a": "1"}, "none": {},
    });
    done(&*table, [put(&there, item)]).await;
    let equals = |name, value: Value| Condition::Equals(name, value);
    for (condition, of_there, of_absent) in [
        (Always, true, true),
        (Absent, false, true),
        (Present, true, false),
        (equals("n", json!(7)), true, false),
        (equals("n", json!(8)), false, false),
        (equals("n", json!("7")), false, false),
        (equals("digits", json!("7")), true, false),
        (equals("digits", json!(7)), false, false),
        (equals("zero", json!(0)), true, false),
        (equals("n", json!(1_u64 << 53)), false, false),
        (equals("s", json!("x")), true, false),
        (equals("s", json!("X")), false, false),
        (equals("empty", json!("")), true, false),
        (equals("s", json!("")), false, false),
        (equals("size", json!(1)), true, false),
        (equals("unknown", json!("x")), false, false),
        (equals("map", json!({"a": "1", "b": "2"})), true, false),
        (equals("map", json!({"a": "1"})), false, false),
        (equals("map", json!({"a": "1", "b": "2", "c": "3"})), false, false),
        (equals("map", json!({"a": "1", "b": 2})), false, false),
        (equals("map", json!({})), false, false),
        (equals("none", json!({})), true, false),
        (AtLeast("n", 7), true, false),
        (AtLeast("n", 8), false, false),
        (AtLeast("size", 10), false, false),
        (AtLeast("zero", 0), true, false),
        (AtLeast("digits", 1), false, false),
        (AtLeast("unknown", 0), false, false),
        (Lacks("unknown"), true, true),
        (Lacks("size"), false, true),
        (Lacks("empty"), false, true),
        (All(vec![]), true, true),
        (Any(vec![]), false, false),
    ] {
        assert_eq!(holds(&*table, &there, condition.clone()).await, of_there, "{condition:?} of an item");
        assert_eq!(holds(&*table, &absent, condition.clone()).await, of_absent, "{condition:?} of none");
    }
}

pub async fn they_nest(table: Shared) {
    use Condition::{Absent, All, Always, Any, Present};
    let key = Key::new("p", "a");
    done(&*table, [put(&key, json!({"n": 7, "s": "x"}))]).await;
    let (yes, no) = (|| Condition::equals("n", 7), || Condition::equals("s", "y"));
    for (condition, expected) in [
        (All(vec![yes(), Present]), true),
        (All(vec![yes(), no()]), false),
        (Any(vec![no(), yes()]), true),
        (Any(vec![no(), Absent]), false),
        (Any(vec![no(), Always]), true),
        (Any(vec![Always, no(), All(vec![])]), true),
        (All(vec![Always, All(vec![]), yes()]), true),
        (All(vec![Any(vec![])]), false),
        (Any(vec![Any(vec![]), All(vec![no()])]), false),
        (Any(vec![Absent, All(vec![yes(), Any(vec![no(), Condition::equals("s", "x")])])]), true),
        // Binds as it nests, whatever AND and OR would do by themselves.
        (All(vec![Any(vec![yes(), no()]), no()]), false),
        (Any(vec![yes(), All(vec![no(), no()])]), true),
    ] {
        assert_eq!(holds(&*table, &key, condition.clone()).await, expected, "{condition:?}");
    }
}

pub async fn they_guard_every_kind_of_change(table: Shared) {
    let key = Key::new("p", "a");
    let before = json!({"n": 1, "s": "x"});
    done(&*table, [put(&key, before.clone())]).await;
    let changes = || {
        let add = BTreeMap::from([("n", 1)]);
        // The same attribute in the condition and in the change.
        let update = Change::Update { set: item(json!({"s": "y"})), add };
        [Change::Check, Change::Put(item(json!({"n": 2, "s": "y"}))), update, Change::Delete]
    };
    for change in changes() {
        let no = Condition::All(vec![Condition::equals("n", 1), Condition::equals("s", "y")]);
        let refused = refused(&*table, [action(&key, no, change)]).await;
        assert_eq!(refused, [Some(Some(item(before.clone())))]);
        assert_eq!(get(&*table, &key).await, Some(item(before.clone())));
    }
    for change in changes() {
        done(&*table, [put(&key, before.clone())]).await;
        let yes = Condition::All(vec![Condition::equals("n", 1), Condition::equals("s", "x")]);
        done(&*table, [action(&key, yes, change.clone())]).await;
        assert_eq!(get(&*table, &key).await, change.apply(Some(item(before.clone()))), "{change:?}");
    }
}
