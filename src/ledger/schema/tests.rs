use super::{meta::*, record::*, records::*, *};
use crate::{
    ledger::Error,
    model::*,
    table::{Item, Key},
};
use proptest::{collection::btree_map, option, prelude::*};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{collections::HashMap, fmt::Debug};

/// Checks that decoding an encoded record returns the same record, also by way of DynamoDB's own form.
fn round_trips<T>(record: &T) -> Item
where
    T: Serialize + DeserializeOwned,
{
    let key = Key::new("p", "s");
    let item = encode(record);
    assert_eq!(encode(&decode::<T>(&key, &item).unwrap()), item);
    #[cfg(feature = "dynamodb")]
    {
        let attributes: serde_dynamo::Item = serde_dynamo::to_item(&item).unwrap();
        let back: Item = serde_dynamo::from_item(attributes).unwrap();
        assert_eq!(back, item);
    }
    item
}

fn text(pattern: &'static str) -> impl Strategy<Value = String> {
    pattern.prop_map(|text: String| text)
}

fn of<T: std::str::FromStr<Err: Debug> + Debug>(pattern: &'static str) -> impl Strategy<Value = T> {
    pattern.prop_filter_map("not valid", |text: String| text.parse().ok())
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..3, 0..=Version::MAX, Just(Version::MAX)]
}

fn version() -> impl Strategy<Value = Version> {
    number().prop_map(|number| Version::try_from(number.max(1)).unwrap())
}

fn labels() -> impl Strategy<Value = Labels> {
    btree_map("[a-zA-Z0-9._/-]{1,8}", "[^\\p{Cc}]{0,8}", 0..4)
        .prop_map(|labels| Labels::try_from(labels).unwrap())
}

/// Attributes that a newer release may have written, of every form.
fn rest(of: &impl Serialize) -> Item {
    let rest = json!({ "x": [of, null, [], { "y": of }], "x2": { "z": [1.5, true] }, "x3": null });
    rest.as_object().cloned().unwrap()
}

fn blob() -> impl Strategy<Value = BlobFields> {
    let filename = option::of(of::<FileName>("[^\\p{Cc}/\\\\]{1,12}"));
    (any::<[u8; 32]>(), number(), number(), filename, option::of(any::<u32>())).prop_map(
        |(sha256, generation, size, filename, mode)| BlobFields {
            sha256: Digest::from(sha256),
            generation,
            size,
            filename,
            mode: mode.map(Mode::from),
            rest: rest(&size),
        },
    )
}

/// The actor, the time, the message, the operation, the revision and the chain value.
type Entry = (Actor, Timestamp, Option<Message>, OpId, u64, String);

fn clock() -> impl Strategy<Value = Option<Timestamp>> {
    option::of(number().prop_map(Timestamp::from_millis))
}

fn entry() -> impl Strategy<Value = Entry> {
    (
        of::<Actor>("[^\\p{Cc}]{1,12}"),
        number().prop_map(Timestamp::from_millis),
        option::of(of::<Message>("([^\\p{Cc}]|\n|\t){1,12}")),
        any::<u128>().prop_map(OpId::from),
        number().prop_map(|revision| revision.max(1)),
        text("([0-9a-f]{64})?"),
    )
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![Just(State::Active), Just(State::Yanked), Just(State::Deleted)]
}

fn protection() -> impl Strategy<Value = Protection> {
    prop_oneof![
        Just(Protection::WriteOnce),
        Just(Protection::Confirm),
        Just(Protection::Gates),
        Just(Protection::WriteOnceGates),
        Just(Protection::ConfirmGates)
    ]
}

fn gates() -> impl Strategy<Value = Gates> {
    let gate = prop_oneof![
        Just("tag:canary"),
        Just("was:canary"),
        Just("soak:canary=2h 30m"),
        Just("age:1d"),
        Just("label:tests=passed")
    ];
    proptest::collection::vec(gate, 0..4)
        .prop_map(|gates| Gates::new(gates.iter().map(|gate| gate.parse().unwrap())).unwrap())
}

fn overridden() -> impl Strategy<Value = Override> {
    (of(".{1,8}"), gates()).prop_map(|(why, gates)| Override { why, gates })
}

fn kind() -> impl Strategy<Value = TagKind> {
    prop_oneof![
        Just(TagKind::Move),
        Just(TagKind::Rollback),
        Just(TagKind::Untag),
        Just(TagKind::Protect),
        Just(TagKind::Unprotect),
        Just(TagKind::Fence)
    ]
}

fn tag() -> impl Strategy<Value = TagName> {
    of("[a-zA-Z][a-zA-Z0-9._-]{0,12}")
}

/// Any JSON that an item may consist of, and some that it may not.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        prop_oneof![Just("active"), Just("kept"), Just("move"), Just("fence")].prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(".{0,4}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The specification of what can be decoded: an item that equals its record, except for unknown attributes.
fn is_whole<T: Serialize + DeserializeOwned>(item: &Item) -> bool {
    fn agrees(stored: &Value, read: &Value) -> bool {
        match (stored, read) {
            (Value::Object(stored), Value::Object(read)) => {
                read.iter().all(|(name, read)| stored.get(name).is_some_and(|it| agrees(it, read)))
            }
            (stored, read) => stored == read,
        }
    }
    let stored = Value::Object(item.clone());
    serde_json::from_value::<T>(stored.clone()).is_ok_and(|record| agrees(&stored, &encode(&record).into()))
}

fn decodes_or_is_damaged<T: Serialize + DeserializeOwned>(item: &Item) {
    let key = Key::new("P#app", "V#1");
    let decoded = decode::<T>(&key, item);
    assert_eq!(decoded.is_ok(), is_whole::<T>(item));
    match decoded {
        Ok(_) => {}
        Err(Error::Damaged { what, .. }) => assert!(what.contains("P#app/V#1")),
        Err(other) => panic!("{other:?}"),
    }
}

fn all_decode_or_are_damaged(item: &Item) {
    decodes_or_is_damaged::<Meta>(item);
    decodes_or_is_damaged::<Head>(item);
    decodes_or_is_damaged::<TagHead>(item);
    decodes_or_is_damaged::<VersionItem>(item);
    decodes_or_is_damaged::<ReleaseEvent>(item);
    decodes_or_is_damaged::<TagItem>(item);
    decodes_or_is_damaged::<TagEvent>(item);
    decodes_or_is_damaged::<KeyItem>(item);
    decodes_or_is_damaged::<BlobItem>(item);
}

#[test]
fn an_item_that_only_resembles_a_record_is_damaged() {
    let key = Key::new("P#app", "H");
    let why = |item: Value| match item {
        Value::Object(item) if item.contains_key("refs") => decode::<BlobItem>(&key, &item).map(drop),
        Value::Object(item) => decode::<Head>(&key, &item).map(drop),
        other => panic!("{other} is no item"),
    };
    let sha256 = "0".repeat(64);
    let head =
        |blob: Value| json!({"n": 1, "latest": 1, "blob": blob, "rev": 1, "chain": "", "when": 1, "new": 1});
    why(head(json!({"sha256": sha256, "gen": 0, "size": 1, "mode": 0o755, "new": 1}))).unwrap();
    why(head(Value::Null)).unwrap();
    let listed = why(head(json!([sha256, 0, 1, null, null]))).unwrap_err().to_string();
    assert!(listed.starts_with("the ledger's item P#app/H is damaged: invalid type: sequence"), "{listed}");
    for (item, wrong) in [
        (
            head(json!({"sha256": sha256, "gen": 0, "size": 1, "mode": 0o100_755})),
            "`blob` is not as it is written",
        ),
        (json!({"state": {"kept": null}, "gen": 0, "refs": 1}), "invalid type: map, expected a string"),
    ] {
        let damage = why(item).unwrap_err().to_string();
        assert_eq!(damage, format!("the ledger's item P#app/H is damaged: {wrong}"));
    }
}

proptest! {
    #[test]
    fn heads_round_trip(n in number(), latest in option::of(version()), blob in option::of(blob()), at in entry()) {
        let (_, when, _, _, rev, chain) = at;
        round_trips(&Head { n, latest, blob, rev, chain: chain.clone(), when, rest: rest(&n) });
        round_trips(&TagHead { rev, chain, when, rest: rest(&n) });
    }

    #[test]
    fn versions_round_trip(
        n in version(), blob in blob(), one in labels(), other in labels(), state in state(), at in entry(),
        clock in clock(),
    ) {
        let (who, when, message, op, rev, chain) = at;
        let item = VersionItem {
            n, blob, labels: one.clone(), more_labels: other, state, who, when, clock, message, op, rev, chain,
        };
        let stored = round_trips(&item);
        prop_assert_eq!(stored.contains_key("labels"), !one.is_empty());
        // The release has the same values, and labels that were added later never win.
        let release = item.clone().into_release(&"app".parse().unwrap());
        prop_assert_eq!(release.version, n);
        prop_assert_eq!(BlobFields::from(&release.blob).to_blob(), item.blob.to_blob());
        for (name, value) in one.iter() {
            prop_assert!(release.labels.iter().any(|it| it == (name, value)));
        }
    }

    #[test]
    fn events_round_trip(
        kind in kind(), tag in option::of(tag()), previous in option::of(version()), version in option::of(version()),
        back in option::of(number()), was in option::of(state()), labels in labels(), at in entry(),
        protection in option::of(protection()), moves in btree_map(text(".{1,8}"), number(), 0..3), clock in clock(),
        (gates, no_override, overridden, top) in (gates(), any::<bool>(), option::of(overridden()), option::of(number())),
    ) {
        let (who, when, message, op, rev, chain) = at;
        round_trips(&ReleaseEvent {
            kind: ReleaseEventKind::Fence, version, was, state: was, labels, moves: moves.clone(), who: who.clone(), when, message: message.clone(),
            op: op.clone(), rev, chain: chain.clone(),
        });
        round_trips(&TagEvent {
            kind, tag, previous, version, back, protection, gates, no_override, overridden, top, emergency: message.clone(),
            led_by: moves.clone(), moves, who, when, clock, message, op, rev, chain,
        });
    }

    #[test]
    fn freezes_round_trip(at in entry(), strict: bool, until in clock()) {
        let (who, when, message, op, rev, chain) = at;
        let entry = FreezeEntry {
            kind: crate::model::FreezeKind::Freeze, prefix: Some("a/".parse().unwrap()), strict, until, who, when,
            clock: until, message, op, rev, chain: chain.clone(),
        };
        round_trips(&entry);
        let fields = FreezeFields { rest: rest(&rev), ..entry.to_fields() };
        let freezes: InForce = [("a/*".to_owned(), fields)].into();
        round_trips(&FreezeReplica { rev, freezes: freezes.clone() });
        round_trips(&FreezeHead { rev, chain, when, freezes, rest: rest(&rev) });
    }

    #[test]
    fn tags_round_trip(
        tag in tag(), version in option::of(version()), blob in option::of(blob()), previous in option::of(version()),
        kind in kind(), set in number(), back in option::of(number()), at in entry(),
        protection in option::of(protection()), (gates, no_override, top) in (gates(), any::<bool>(), option::of(number())),
    ) {
        let (who, when, message, ..) = at;
        let top = top.map(|version| tag_records::Top { set, version });
        round_trips(&TagItem {
            tag, version, blob, previous, kind, set, back, who, when, message, protection, gates, no_override, top,
            rest: rest(&set),
        });
    }

    #[test]
    fn other_records_round_trip(
        schema in number(), ledger in text(".{0,8}"), home in option::of(text(".{0,8}")), request in text(".{0,8}"), entry in text(".{0,8}"), unchanged: bool,
        moves in btree_map(text(".{1,8}"), number(), 0..3), op: u128, kept: bool, generation in number(), refs in number(),
    ) {
        let former_mark = home.clone();
        round_trips(&Meta { schema, ledger, home, epoch: refs, former_mark, rest: rest(&schema) });
        round_trips(&KeyItem { request, entry, unchanged, moves, op: OpId::from(op) });
        let state = if kept { BlobState::Kept } else { BlobState::Condemned };
        round_trips(&BlobItem { state, generation, refs, rest: rest(&refs) });
    }

    #[test]
    fn no_item_makes_decoding_panic(item in btree_map(".{0,4}", any_json(), 0..6)) {
        all_decode_or_are_damaged(&item.into_iter().collect());
    }

    #[test]
    fn no_damage_makes_decoding_panic(name in 0..40_usize, value in any_json(), drop: bool) {
        // Each attribute of an item of every kind is replaced or dropped.
        let all = json!({
            "schema": 1, "ledger": "x", "n": 1, "latest": 1, "rev": 1, "when": 1, "chain": "", "sha256": "0".repeat(64),
            "gen": 0, "size": 1, "filename": "a", "mode": 420, "labels": {"a": "b"}, "more_labels": {}, "state": "active",
            "who": "me", "message": "m", "op": "0".repeat(32), "kind": "move", "tag": "live", "version": 1, "set": 1,
            "previous": 1, "back": 1, "protection": "p", "gates": ["age:1h"], "no_override": true, "top": 1,
            "override": {"why": "w", "gates": ["age:1h"]}, "request": "r", "entry": "V#1", "unchanged": true, "refs": 1,
            "blob": { "sha256": "0".repeat(64), "gen": 0, "size": 1 },
        });
        let Value::Object(mut item) = all else { unreachable!() };
        let name = item.keys().nth(name % item.len()).unwrap().clone();
        if drop {
            item.remove(&name);
        } else {
            item.insert(name, value);
        }
        all_decode_or_are_damaged(&item);
    }

    #[test]
    fn numbers_in_sort_keys_are_ordered(one in number(), other in number()) {
        let package: PackageName = "app".parse().unwrap();
        for key in [version_key, release_event_key, tag_event_key] {
            prop_assert_eq!(key(&package, one).sk.cmp(&key(&package, other).sk), one.cmp(&other));
        }
        let (from, to) = ANY_VERSION;
        let version = version_key(&package, one).sk;
        prop_assert!(*from < *version && *version < *to);
    }

    #[test]
    fn keys_of_different_things_differ(tag in tag(), name in "[^\\p{Cc}]{1,12}", number in number()) {
        let package: PackageName = "app".parse().unwrap();
        let (from, to) = ANY_TAG;
        let key = tag_key(&package, &tag).sk;
        prop_assert!(*from < *key && *key < *to);
        let named = idempotency_key(&tags(&package), &crate::model::IdempotencyKey::Named(name));
        prop_assert!(is_idempotency_key(&named));
        prop_assert!(!(from..=to).contains(&&*named.sk));
        prop_assert!(!is_idempotency_key(&tag_event_key(&package, number)));
        prop_assert!(!is_idempotency_key(&head_key(&tags(&package))));
    }
}

#[test]
fn an_unknown_attribute_is_no_damage() {
    let later = json!({ "state": "kept", "gen": 1, "refs": 1, "since": "a later release" });
    let Value::Object(item) = later else { unreachable!() };
    assert_eq!(decode::<BlobItem>(&Key::new("B#x", "B"), &item).unwrap().refs, 1);
}

#[test]
fn packages_are_spread_over_the_directory() {
    let packages = (0..1000).map(|number| format!("app-{number}").parse().unwrap());
    let mut counts: HashMap<String, u32> = HashMap::new();
    for package in packages {
        *counts.entry(directory_key(&package).pk).or_default() += 1;
    }
    assert_eq!(counts.len(), usize::from(DIRECTORIES));
    assert!(counts.values().all(|count| *count > 200), "{counts:?}");
}
