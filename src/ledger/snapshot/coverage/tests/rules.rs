//! Facts that follow from a condition, and from a head.

use super::*;
use serde_json::Value;

#[test]
fn what_a_condition_ensures() {
    let Value::Object(item) = json!({"rev": 7, "state": "kept", "gen": 3, "refs": 2, "map": {"a": "b"}})
    else {
        unreachable!()
    };
    let all = Condition::All;
    let (kept, refs) = (|| Condition::equals("state", "kept"), || Condition::equals("refs", 2));
    let at_least = |least| Condition::AtLeast("refs", least);
    let same = |condition, attributes| ensures(&condition, &Fact::Same(attributes), Some(&item));
    assert!(same(Condition::equals("rev", 7), &["rev"]));
    assert!(!same(Condition::equals("rev", 8), &["rev"]));
    assert!(!same(kept(), &["state", "refs"]));
    assert!(same(all(vec![kept(), refs()]), &["state", "refs"]));
    assert!(!same(at_least(1), &["refs"]));
    assert!(!same(Condition::Any(vec![refs(), kept()]), &["refs"]));
    assert!(same(Condition::Lacks("none"), &["none"]));
    assert!(!same(Condition::Lacks("refs"), &["refs"]));
    assert!(same(Condition::equals("map", json!({"a": "b"})), &["map"]));
    for weak in [Condition::Always, Condition::Present] {
        assert!(!same(weak.clone(), &["rev"]), "{weak:?}");
        assert!(!ensures(&weak, &Fact::Absent, None), "{weak:?}");
    }
    assert!(ensures(&Condition::Absent, &Fact::Absent, None));
    assert!(ensures(&Condition::Absent, &Fact::Same(&["rev"]), None));
    let holds = |condition: &Condition, what: Condition| {
        ensures(condition, &Fact::Holds(what.clone(), what.holds(Some(&item))), Some(&item))
    };
    assert!(holds(&all(vec![kept(), refs()]), kept()));
    assert!(holds(&all(vec![kept(), refs()]), at_least(1)));
    assert!(holds(&all(vec![kept(), at_least(1)]), all(vec![at_least(1), kept()])));
    assert!(!holds(&kept(), at_least(1)));
    assert!(!holds(&kept(), Condition::equals("state", "condemned")) || kept().holds(Some(&item)));
    assert!(holds(&refs(), Condition::AtLeast("refs", 3)), "the negation follows as well");
}

#[test]
fn a_head_covers_what_was_read_no_earlier() {
    let (head, entry) = (Key::new("P#app", "H"), Key::new("P#app", "V#0000000000000001"));
    let Value::Object(item) = json!({"rev": 7, "state": "active"}) else { unreachable!() };
    let row = |key: &Key| (key.clone(), Some(item.clone()));
    let check = |condition| {
        let mut transaction = Transaction::new("t".to_owned());
        transaction.push(Action { key: head.clone(), condition, change: Change::Check });
        transaction
    };
    let covered = |seen: &Snapshot, condition| {
        seen.begin();
        seen.fits(&entry, &Condition::equals("state", "active"));
        seen.seal(check(condition)).is_ok()
    };
    let still = || Condition::equals("rev", 7);
    let read = |one| Snapshot::new(vec![head.clone(), entry.clone()], vec![row(&head).1, row(&entry).1], one);
    assert!(covered(&read(true), still()));
    assert!(!covered(&read(false), still()));
    assert!(!covered(&read(true), Condition::equals("rev", 6)));
    assert!(!covered(&read(true), Condition::equals("n", 1)));
    let mut later = Snapshot::new(vec![head.clone()], vec![row(&head).1], false);
    later.more([row(&entry)]);
    assert!(covered(&later, still()));
    let mut earlier = Snapshot::new(vec![entry.clone()], vec![row(&entry).1], true);
    earlier.more([row(&head)]);
    assert!(!covered(&earlier, still()));
    // An idempotency key is put without its head being advanced.
    let key = Key::new("P#app", "K#job");
    let seen = Snapshot::new(vec![head.clone(), key.clone()], vec![row(&head).1, None], true);
    seen.begin();
    assert!(!seen.fits(&key, &Condition::Present));
    assert!(seen.seal(check(still())).is_err());
}

#[test]
fn an_answer_rests_on_one_instant() {
    let (a, b) = (Key::new("T#app", "t#a"), Key::new("T#app", "t#b"));
    let snapshot = |one| Snapshot::new(vec![a.clone(), b.clone()], vec![None, None], one);
    for (one, torn) in [(true, false), (false, true)] {
        let seen = snapshot(one);
        seen.fits(&a, &Condition::Absent);
        assert_eq!(seen.torn(), None);
        seen.fits(&b, &Condition::Absent);
        assert_eq!(seen.torn().is_some(), torn);
    }
    let mut carried = snapshot(true);
    carried.more([(b.clone(), None)]);
    carried.fits(&a, &Condition::Absent);
    carried.fits(&b, &Condition::Absent);
    assert_eq!(carried.torn(), Some(vec![a, b]));
}
