//! Without any one statement, action or key of its document, a role may not do something that it should.

use super::{
    Role,
    column::{Cell, Place},
    rows::Scene,
};
use crate::support::iam::{Ask, Policies};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The actions of `init` that it needs only over TLS, which the servers of the tests do not have.
const OVER_TLS: [&str; 2] = ["s3:GetBucketPolicy", "s3:PutBucketPolicy"];

/// The requests of a role, once for each kind, with the commands that made them.
struct Asked<'a> {
    by_shape: BTreeMap<String, (Ask, Vec<&'a Cell>)>,
}

impl<'a> Asked<'a> {
    fn new(cells: &'a [Cell]) -> Self {
        let mut by_shape = BTreeMap::<_, (Ask, Vec<_>)>::new();
        // `doctor` asks for more than its role has.
        let counts = |cell: &&Cell| cell.allowed && !cell.row.line.starts_with("doctor");
        for cell in cells.iter().filter(counts) {
            for ask in &cell.asks {
                by_shape.entry(ask.shape()).or_insert_with(|| (ask.clone(), vec![])).1.push(cell);
            }
        }
        Self { by_shape }
    }

    /// The commands that would not be allowed any more.
    fn changed(&self, document: &Value) -> Vec<&'a Cell> {
        let asks: Vec<_> = self.by_shape.values().map(|(ask, _)| ask.clone()).collect();
        let allowed = Policies::of(document).allow(&asks);
        let lost = self.by_shape.values().zip(allowed).filter(|(_, allowed)| !allowed);
        lost.flat_map(|((_, cells), _)| cells.iter().copied()).collect()
    }
}

/// A document without one statement, and its name.
fn without_each_statement(document: &Value) -> Vec<(String, Value)> {
    let statements = document["Statement"].as_array().unwrap();
    let without = |at: usize| {
        let mut document = document.clone();
        document["Statement"].as_array_mut().unwrap().remove(at);
        document
    };
    statements.iter().enumerate().map(|(at, one)| (one["Sid"].to_string(), without(at))).collect()
}

/// A document without one action or one key of a statement, and its name.
fn without_each_word(document: &Value) -> Vec<(String, Value)> {
    const KEYS: &str = "/Condition/ForAllValues:StringLike/dynamodb:LeadingKeys";
    let mut all = Vec::new();
    for (at, statement) in document["Statement"].as_array().unwrap().iter().enumerate() {
        for place in ["/Action", KEYS] {
            let words = statement.pointer(place).and_then(Value::as_array).cloned().unwrap_or_default();
            if words.len() == 1 {
                continue;
            }
            for (number, word) in words.iter().enumerate() {
                let mut document = document.clone();
                let list = document["Statement"][at].pointer_mut(place).unwrap();
                list.as_array_mut().unwrap().remove(number);
                all.push((format!("{word} of {}", statement["Sid"]), document));
            }
        }
    }
    all
}

/// Checks that every statement is needed by a command, by running one that is; and every action and key, by what the
/// commands asked for.
pub fn each_statement_counts(role: &Role, place: &Place, cells: &[Cell]) {
    let document = super::document(role.module, role.name);
    let asked = Asked::new(cells);
    for (name, without) in without_each_statement(&document) {
        let changed = asked.changed(&without);
        assert!(!changed.is_empty(), "{}: no command needs the statement {name}", role.title);
        let policies = Policies::of(&without);
        let cells = changed.iter().filter(|cell| cell.row.scene != Scene::New);
        let denied = cells.map(|cell| place.cell(cell.row, &policies)).find(|cell| !cell.allowed);
        let denied = denied.unwrap_or_else(|| {
            panic!("{}: without the statement {name}, every command still runs", role.title)
        });
        println!("{}: without the statement {name}, `{}` is denied", role.title, denied.row.line);
    }
    let idle: Vec<_> = without_each_word(&document)
        .into_iter()
        .filter(|(name, without)| {
            asked.changed(without).is_empty() && !OVER_TLS.iter().any(|it| name.contains(it))
        })
        .map(|(name, _)| name)
        .collect();
    assert_eq!(json!(idle), json!([]), "{}: no command needs these", role.title);
}
