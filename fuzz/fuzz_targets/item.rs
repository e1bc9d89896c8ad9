//! Items of the ledger: each is read exactly as stored, or reported as damaged.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sacker::{
    fuzzing::Record,
    ledger::Error,
    table::{Item, Key},
};
use serde_json::{Map, Value};

/// The attributes that each record knows; the second list is that of its blob.
const BLOB: [&str; 5] = ["sha256", "gen", "size", "filename", "mode"];
const ENTRY: [&str; 6] = ["who", "when", "message", "op", "rev", "chain"];
const RECORDS: [(Record, &[&str]); 9] = [
    (Record::Meta, &["schema", "ledger", "home"]),
    (Record::Head, &["n", "latest", "blob", "rev", "chain", "when"]),
    (Record::TagHead, &["rev", "chain", "when"]),
    (Record::Version, &["n", "labels", "more_labels", "state"]),
    (Record::ReleaseEvent, &["kind", "version", "was", "state", "labels", "moves"]),
    (
        Record::Tag,
        &[
            "tag",
            "version",
            "blob",
            "previous",
            "kind",
            "set",
            "back",
            "who",
            "when",
            "message",
            "protection",
        ],
    ),
    (Record::TagEvent, &["kind", "tag", "previous", "version", "back", "protection", "moves", "led_by"]),
    (Record::Key, &["request", "entry", "unchanged", "op", "moves"]),
    (Record::Blob, &["state", "gen", "refs"]),
];

fn known(record: Record) -> Vec<&'static str> {
    let own = RECORDS.iter().find(|(it, _)| *it == record).map_or(&[][..], |(_, names)| names);
    let more: &[&[&str]] = match record {
        Record::Version => &[&BLOB, &ENTRY],
        Record::ReleaseEvent | Record::TagEvent => &[&ENTRY],
        _ => &[],
    };
    own.iter().chain(more.iter().copied().flatten()).copied().collect()
}

#[derive(Arbitrary, Debug)]
struct Input {
    record: u8,
    /// For each attribute that is known, in their order; as many as there are.
    known: Vec<Attribute>,
    others: Vec<(String, Json)>,
}

#[derive(Arbitrary, Debug)]
enum Attribute {
    Absent,
    Right(u64),
    Any(Json),
}

#[derive(Arbitrary, Debug)]
enum Json {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    /// A word of the schema, as a value or as a name.
    Word(u8),
    List(Vec<Json>),
    Map(Vec<(Json, Json)>),
}

const WORDS: [&str; 23] = [
    "active",
    "yanked",
    "deleted",
    "kept",
    "condemned",
    "move",
    "untag",
    "fence",
    "yank",
    "unyank",
    "undelete",
    "delete",
    "label",
    "sha256",
    "gen",
    "size",
    "mode",
    "rollback",
    "protect",
    "unprotect",
    "write-once",
    "confirm",
    "app live",
];

impl Json {
    fn value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Unsigned(value) => (*value).into(),
            Self::Signed(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::Text(_) | Self::Word(_) => self.text().into(),
            Self::List(values) => values.iter().map(Self::value).collect(),
            Self::Map(values) => {
                Value::Object(values.iter().map(|(name, value)| (name.text(), value.value())).collect())
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Word(word) => WORDS[usize::from(*word) % WORDS.len()].to_owned(),
            other => format!("{other:?}"),
        }
    }
}

/// A value that the attribute may well have.
fn right(record: Record, name: &str, choice: u64) -> Value {
    let word = |words: &[&str]| Value::from(words[usize::try_from(choice).unwrap_or(0) % words.len()]);
    let hex = |digits: usize| Value::from(format!("{choice:0digits$x}"));
    match name {
        "sha256" | "chain" => hex(64),
        "op" => hex(32),
        "ledger" | "home" | "who" | "message" | "request" | "entry" | "filename" => {
            word(&["a", "é", "V#0000000000000001", "x".repeat(200).as_str()])
        }
        "tag" => word(&["live", "canary", "a.b-c_d"]),
        "labels" | "more_labels" => [("a".to_owned(), hex(4))].into_iter().collect::<Map<_, _>>().into(),
        "state" if record == Record::Blob => word(&["kept", "condemned"]),
        "state" | "was" => word(&["active", "yanked", "deleted"]),
        "kind" if record == Record::ReleaseEvent => {
            word(&["yank", "unyank", "delete", "undelete", "label", "fence"])
        }
        "kind" => word(&["move", "rollback", "untag", "protect", "unprotect", "fence"]),
        "protection" => word(&["write-once", "confirm"]),
        "moves" | "led_by" => {
            [("app live".to_owned(), choice.into())].into_iter().collect::<Map<_, _>>().into()
        }
        "unchanged" => true.into(),
        "blob" => BLOB
            .iter()
            .map(|name| ((*name).to_owned(), right(record, name, choice)))
            .collect::<Map<_, _>>()
            .into(),
        "mode" => (choice % 0o1000).into(),
        _ => (choice % (1 << 53) + 1).into(),
    }
}

fuzz_target!(|input: Input| {
    let (record, _) = RECORDS[usize::from(input.record) % RECORDS.len()];
    let names = known(record);
    let mut item: Item = input.others.iter().map(|(name, value)| (name.clone(), value.value())).collect();
    for (name, attribute) in names.iter().zip(&input.known) {
        let value = match attribute {
            Attribute::Absent => continue,
            Attribute::Right(choice) => right(record, name, *choice),
            Attribute::Any(json) => json.value(),
        };
        item.insert((*name).to_owned(), value);
    }
    check(record, &names, &item);
});

fn check(record: Record, names: &[&str], item: &Item) {
    let key = Key::new("P#app", "the item");
    let read = match record.recode(&key, item) {
        Ok(read) => read,
        Err(Error::Damaged { what, .. }) => {
            assert!(what.contains("P#app/the item"), "{what} does not name the item");
            return;
        }
        // It says that only a newer release may read it.
        Err(Error::Newer { .. }) => {
            assert!(item.contains_key("needs"), "{item:?}");
            return;
        }
        Err(error) => panic!("{item:?}: {error}"),
    };
    same(names, &read, item);
    let again = record
        .recode(&key, &read)
        .unwrap_or_else(|error| panic!("{item:?} was written as {read:?}: {error}"));
    assert_eq!(again, read);
}

/// Checks that the stored value is read; only an attribute that is unknown, or equal to none, is left out.
fn same(names: &[&str], read: &Item, stored: &Item) {
    for (name, value) in read {
        match (value, stored.get(name)) {
            (Value::Object(read), Some(Value::Object(stored))) if name == "blob" => same(&BLOB, read, stored),
            (read, stored) => assert_eq!(Some(read), stored, "{name}"),
        }
    }
    for (name, value) in stored.iter().filter(|(name, _)| !read.contains_key(*name)) {
        let empty = match value {
            Value::Null => true,
            Value::Object(map) => {
                map.is_empty() && ["labels", "more_labels", "moves", "led_by"].contains(&name.as_str())
            }
            Value::Bool(value) => name == "unchanged" && !value,
            _ => false,
        };
        assert!(empty || !names.contains(&name.as_str()), "{name} with {value} was lost");
    }
}
