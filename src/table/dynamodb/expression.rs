//! Conditions and changes as DynamoDB's
//! [expressions](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html).
//!
//! The result depends only on the action, so that a transaction sent again is the same request.

use super::attributes::{Attributes, attributes};
use crate::table::{Action, Change, Condition, Item, canonical::number};
use aws_sdk_dynamodb::{
    error::BuildError,
    types::{
        AttributeValue, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure as Return,
        TransactWriteItem, Update,
    },
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

pub(super) fn compile(table: &str, action: &Action) -> Result<TransactWriteItem, BuildError> {
    let mut compiler = Compiler::default();
    let condition = compiler.condition(&action.condition);
    let key = attributes(&action.key);
    let item = TransactWriteItem::builder();
    Ok(match &action.change {
        Change::Check => {
            // A check needs a condition, even one that is always true.
            let condition =
                condition.unwrap_or_else(|| "attribute_exists(pk) OR attribute_not_exists(pk)".to_owned());
            let (names, values) = compiler.finish();
            let check = ConditionCheck::builder()
                .table_name(table)
                .set_key(Some(key))
                .condition_expression(condition)
                .set_expression_attribute_names(names)
                .set_expression_attribute_values(values)
                .return_values_on_condition_check_failure(Return::AllOld);
            item.condition_check(check.build()?).build()
        }
        Change::Put(new) => {
            let mut new: Attributes =
                new.iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
            new.extend(key);
            let (names, values) = compiler.finish();
            let put = Put::builder()
                .table_name(table)
                .set_item(Some(new))
                .set_condition_expression(condition)
                .set_expression_attribute_names(names)
                .set_expression_attribute_values(values)
                .return_values_on_condition_check_failure(Return::AllOld);
            item.put(put.build()?).build()
        }
        Change::Update { set, add } => {
            let update = compiler.update(set, add);
            let (names, values) = compiler.finish();
            let update = Update::builder()
                .table_name(table)
                .set_key(Some(key))
                .update_expression(update)
                .set_condition_expression(condition)
                .set_expression_attribute_names(names)
                .set_expression_attribute_values(values)
                .return_values_on_condition_check_failure(Return::AllOld);
            item.update(update.build()?).build()
        }
        Change::Delete => {
            let (names, values) = compiler.finish();
            let delete = Delete::builder()
                .table_name(table)
                .set_key(Some(key))
                .set_condition_expression(condition)
                .set_expression_attribute_names(names)
                .set_expression_attribute_values(values)
                .return_values_on_condition_check_failure(Return::AllOld);
            item.delete(delete.build()?).build()
        }
    })
}

/// Converts a value to DynamoDB's form. Written by hand, since the serialization of numbers depends on the features of
/// `serde_json`.
pub(super) fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(value) => AttributeValue::Bool(*value),
        Value::Number(value) => AttributeValue::N(number(value)),
        Value::String(value) => AttributeValue::S(value.clone()),
        Value::Array(values) => AttributeValue::L(values.iter().map(attribute).collect()),
        Value::Object(values) => {
            AttributeValue::M(values.iter().map(|(name, value)| (name.clone(), attribute(value))).collect())
        }
    }
}

/// Joins parts in parentheses, except a single one: DynamoDB refuses redundant parentheses.
fn join(mut parts: Vec<String>, operator: &str) -> Option<String> {
    if parts.len() < 2 {
        return parts.pop();
    }
    Some(format!("({})", parts.join(&format!(") {operator} ("))))
}

/// Placeholders for attribute names, of which [many are
/// reserved](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html), and for values.
#[derive(Default)]
struct Compiler {
    names: BTreeMap<String, String>,
    values: Vec<AttributeValue>,
}

type Names = Option<HashMap<String, String>>;

impl Compiler {
    fn name(&mut self, attribute: &str) -> String {
        let next = self.names.len();
        self.names.entry(attribute.to_owned()).or_insert_with(|| format!("#a{next}")).clone()
    }

    fn value(&mut self, value: &Value) -> String {
        self.values.push(attribute(value));
        format!(":v{}", self.values.len() - 1)
    }

    /// Returns the condition, or `None` if it is always true: an expression can't be empty.
    fn condition(&mut self, condition: &Condition) -> Option<String> {
        match condition {
            Condition::Always => None,
            // Every item has a partition key.
            Condition::Absent => Some("attribute_not_exists(pk)".to_owned()),
            Condition::Present => Some("attribute_exists(pk)".to_owned()),
            Condition::Equals(attribute, value) => {
                Some(format!("{} = {}", self.name(attribute), self.value(value)))
            }
            Condition::AtLeast(attribute, least) => {
                Some(format!("{} >= {}", self.name(attribute), self.value(&(*least).into())))
            }
            Condition::Lacks(attribute) => Some(format!("attribute_not_exists({})", self.name(attribute))),
            Condition::All(conditions) => {
                let mut all = Vec::new();
                for condition in conditions {
                    all.extend(self.condition(condition));
                }
                join(all, "AND")
            }
            Condition::Any(conditions) if conditions.is_empty() => {
                Some("attribute_exists(pk) AND attribute_not_exists(pk)".to_owned())
            }
            Condition::Any(conditions) => {
                let (names, values) = (self.names.clone(), self.values.clone());
                let any = conditions.iter().map(|condition| self.condition(condition));
                let any = any.collect::<Option<Vec<_>>>();
                if any.is_none() {
                    // One alternative is always true, so none is written; an unused placeholder is an error.
                    (self.names, self.values) = (names, values);
                }
                any.and_then(|any| join(any, "OR"))
            }
        }
    }

    fn update(&mut self, set: &Item, add: &BTreeMap<&'static str, i64>) -> String {
        let mut set = set.clone();
        let mut added = Vec::new();
        for (attribute, by) in add {
            // An attribute may appear only once in an expression.
            if let Some(value) = set.get_mut(*attribute) {
                *value = (value.as_i64().unwrap_or(0) + by).into();
            } else {
                added.push(format!("{} {}", self.name(attribute), self.value(&(*by).into())));
            }
        }
        let mut expression = String::new();
        if !added.is_empty() {
            let _ = write!(expression, "ADD {}", added.join(", "));
        }
        let mut assigned = Vec::new();
        for (attribute, value) in &set {
            assigned.push(format!("{} = {}", self.name(attribute), self.value(value)));
        }
        if !assigned.is_empty() {
            let _ = write!(expression, " SET {}", assigned.join(", "));
        }
        if expression.is_empty() {
            // Creates the item if it is missing, as any update does. No attribute of ours has this name.
            let _ = write!(expression, "REMOVE {}", self.name("-"));
        }
        expression
    }

    fn finish(self) -> (Names, Option<Attributes>) {
        let names: HashMap<_, _> =
            self.names.into_iter().map(|(name, placeholder)| (placeholder, name)).collect();
        let values = self.values.into_iter().enumerate();
        let values: HashMap<_, _> = values.map(|(i, value)| (format!(":v{i}"), value)).collect();
        (Some(names).filter(|names| !names.is_empty()), Some(values).filter(|values| !values.is_empty()))
    }
}
