//! Plans: exactly what the documented rules allow is accepted, and it is read as it was written.

#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use sacker::model::{Expectation, Gate, Message, PackageName, Plan, PlannedMove, Spec, TagName};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, str::FromStr};

fuzz_target!(|data: &[u8]| {
    // Text is kept and mutated as text; all else says what is to be written.
    if let Ok(text) = str::from_utf8(data)
        && text.starts_with(['{', '[', ' ', '\n'])
    {
        check(text);
    } else if let Ok(written) = Written::arbitrary(&mut Unstructured::new(data)) {
        check(&written.value().to_string());
    }
});

fn check(text: &str) {
    let json: Option<Value> = serde_json::from_str(text).ok();
    match text.parse::<Plan>() {
        Ok(plan) => {
            let written = json.as_ref().and_then(moves);
            assert!(written.is_some_and(|moves| moves == plan.moves()), "{text} is read as {plan:?}");
            let message = json.as_ref().and_then(|json| json["message"].as_str());
            assert_eq!(plan.message().map(Message::as_str), message);
            let again = write(&plan).to_string();
            assert_eq!(again.parse().as_ref(), Ok(&plan), "{again}");
        }
        Err(error) => {
            let reported = error.to_string();
            assert!(!reported.contains(char::is_control), "{reported:?} is more than a line");
            // A map doesn't show a name that is given twice.
            assert!(
                reported.contains("duplicate field") || json.as_ref().and_then(moves).is_none(),
                "{text}: {reported}"
            );
        }
    }
}

/// The moves of a plan that obeys the rules.
fn moves(plan: &Value) -> Option<Vec<PlannedMove>> {
    let plan = keyed(plan, &["message", "moves"])?;
    optional::<Message>(plan, "message")?;
    let moves = plan.get("moves")?.as_array()?.iter().map(one).collect::<Option<Vec<_>>>()?;
    let tags: BTreeSet<_> = moves.iter().map(|it| (&it.package, &it.tag)).collect();
    let packages: BTreeSet<_> = moves.iter().map(|it| &it.package).collect();
    (tags.len() == moves.len() && (1..=25).contains(&packages.len())).then_some(moves)
}

fn one(the_move: &Value) -> Option<PlannedMove> {
    let it = keyed(the_move, &["package", "tag", "to", "expect", "require", "confirm", "override"])?;
    let tag: TagName = text(it.get("tag")?)?;
    let to: Option<Spec> = match it.get("to")? {
        Value::Null => None,
        to => Some(scalar(to)?),
    };
    let expect: Option<Expectation> = match it.get("expect") {
        None => None,
        Some(expect) => Some(scalar(expect)?),
    };
    let require: Vec<Gate> = match it.get("require") {
        None => Vec::new(),
        Some(gates) => gates.as_array()?.iter().map(text).collect::<Option<_>>()?,
    };
    let confirm: Option<TagName> = optional(it, "confirm")?;
    let confirmed = confirm.as_ref().is_none_or(|confirm| *confirm == tag);
    let overriding: Option<Message> = optional(it, "override")?;
    let gated = to.is_some() || require.is_empty() && overriding.is_none();
    let package = text::<PackageName>(it.get("package")?)?;
    (confirmed && gated).then_some(PlannedMove { package, tag, to, expect, require, confirm, overriding })
}

fn keyed<'a>(value: &'a Value, known: &[&str]) -> Option<&'a Map<String, Value>> {
    value.as_object().filter(|it| it.keys().all(|key| known.contains(&key.as_str())))
}

fn text<T: FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}

fn scalar<T: FromStr>(value: &Value) -> Option<T> {
    match value.as_u64() {
        Some(number) => number.to_string().parse().ok(),
        None => text(value),
    }
}

/// Reads a value that may be left out, or be null.
#[expect(clippy::option_option, reason = "whether it is right, and whether it is there")]
fn optional<T: FromStr>(map: &Map<String, Value>, key: &str) -> Option<Option<T>> {
    match map.get(key) {
        None | Some(Value::Null) => Some(None),
        Some(value) => text(value).map(Some),
    }
}

fn write(plan: &Plan) -> Value {
    let moves = plan.moves().iter().map(|it| {
        let mut written = json!({"package": it.package, "tag": it.tag});
        written["to"] = match &it.to {
            Some(Spec::Version(version)) => version.get().into(),
            to => to.as_ref().map(Spec::to_string).into(),
        };
        if let Some(expect) = it.expect {
            written["expect"] = expect.to_string().into();
        }
        if !it.require.is_empty() {
            written["require"] = it.require.iter().map(Gate::to_string).collect();
        }
        written["confirm"] = json!(it.confirm);
        written["override"] = json!(it.overriding);
        written
    });
    json!({"message": plan.message(), "moves": moves.collect::<Vec<_>>()})
}

#[derive(Arbitrary, Debug)]
struct Written {
    message: Option<Json>,
    /// The number of further packages.
    more: u8,
    moves: Vec<Move>,
    unknown: Option<String>,
}

#[derive(Arbitrary, Debug)]
struct Move {
    package: u8,
    tag: u8,
    to: Option<Json>,
    expect: Option<Json>,
    require: Option<Vec<Json>>,
    confirm: Option<Json>,
    /// A value in place of the right one.
    other: Option<(u8, Json)>,
}

#[derive(Arbitrary, Debug)]
enum Json {
    Null,
    Number(u8),
    Signed(i64),
    Float(f64),
    Text(String),
    Word(u8),
    List(Vec<Json>),
}

const WORDS: [&str; 18] = [
    "live",
    "canary",
    "latest",
    "none",
    "7",
    "9007199254740992",
    "live~1",
    "canary~1000",
    "live~1001",
    "live@{2h ago}",
    "live@{2026-05-01T10:00:00Z}",
    "live@{yesterday}",
    "label:tests=passed",
    "tag:canary",
    "age:2h",
    "age:2h ago",
    "gate:none",
    "",
];
const PLACES: [&str; 7] = ["package", "tag", "to", "expect", "require", "confirm", "unknown"];

impl Json {
    fn value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Number(value) => (*value).into(),
            Self::Signed(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::Text(value) => value.as_str().into(),
            Self::Word(word) => WORDS[usize::from(*word) % WORDS.len()].into(),
            Self::List(values) => values.iter().map(Self::value).collect(),
        }
    }
}

impl Move {
    fn value(&self) -> Value {
        let mut it = json!({
            "package": format!("p{}", self.package % 32),
            "tag": WORDS[usize::from(self.tag % 2)],
            "to": self.to.as_ref().map(Json::value),
        });
        if let Some(expect) = &self.expect {
            it["expect"] = expect.value();
        }
        if let Some(require) = &self.require {
            it["require"] = require.iter().map(Json::value).collect();
        }
        if let Some(confirm) = &self.confirm {
            it["confirm"] = confirm.value();
        }
        if let Some((place, other)) = &self.other {
            it[PLACES[usize::from(*place) % PLACES.len()]] = other.value();
        }
        it
    }
}

impl Written {
    fn value(&self) -> Value {
        let more = (0..self.more % 32).map(|n| json!({"package": format!("p{n}"), "tag": "more", "to": 1}));
        let moves: Vec<_> = more.chain(self.moves.iter().map(Move::value)).collect();
        let mut plan = json!({"moves": moves});
        if let Some(message) = &self.message {
            plan["message"] = message.value();
        }
        if let Some(unknown) = &self.unknown {
            plan[unknown] = Value::Null;
        }
        plan
    }
}
