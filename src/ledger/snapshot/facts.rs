//! The facts that may be used of an item, and those that a condition implies. Pure.

use crate::table::{Condition, Item, Key};
use serde_json::Value;
use std::collections::BTreeSet;

/// A fact that was used of an item and may change.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fact {
    /// There is no such item.
    Absent,
    /// These attributes are as they were read.
    Same(&'static [&'static str]),
    /// The item is as it was read, with attributes of any name: no condition implies that, only the head of its log.
    Whole,
    /// This condition holds for the item, or does not.
    Holds(Condition, bool),
}

#[derive(Debug, Clone)]
pub(super) struct Used {
    pub key: Key,
    pub fact: Fact,
    /// False if the item is only the base of a transaction.
    pub decides: bool,
}

/// Returns true if a condition implies a fact about an item that was seen.
pub(super) fn ensures(condition: &Condition, fact: &Fact, item: Option<&Item>) -> bool {
    match (fact, item) {
        (Fact::Absent, _) | (Fact::Same(_), None) => absent(condition),
        (Fact::Whole, _) => false,
        (Fact::Same(attributes), Some(item)) => {
            attributes.iter().all(|attribute| pins(condition, attribute, item.get(*attribute)))
        }
        (Fact::Holds(what, holds), _) => {
            *holds && implies(condition, what)
                || match item {
                    None => absent(condition),
                    Some(item) => {
                        let mut all = BTreeSet::new();
                        attributes(what, &mut all);
                        // Any attribute of the item shows that it exists.
                        all.iter().any(|name| item.contains_key(*name))
                            && all.iter().all(|name| pins(condition, name, item.get(*name)))
                    }
                }
        }
    }
}

/// Returns true if the condition requires that there is no item.
fn absent(condition: &Condition) -> bool {
    match condition {
        Condition::Absent => true,
        Condition::All(all) => all.iter().any(absent),
        Condition::Any(any) => !any.is_empty() && any.iter().all(absent),
        _ => false,
    }
}

/// Returns true if the condition requires that the attribute has this value, or is absent.
fn pins(condition: &Condition, attribute: &str, value: Option<&Value>) -> bool {
    match condition {
        Condition::Equals(name, is) => *name == attribute && Some(is) == value,
        Condition::Lacks(name) => *name == attribute && value.is_none(),
        Condition::All(all) => all.iter().any(|it| pins(it, attribute, value)),
        Condition::Any(any) => !any.is_empty() && any.iter().all(|it| pins(it, attribute, value)),
        _ => false,
    }
}

/// Returns true if `condition` implies `other`. (False if that takes more to see.)
fn implies(condition: &Condition, other: &Condition) -> bool {
    condition == other
        || match (condition, other) {
            (_, Condition::Always) => true,
            (_, Condition::All(others)) => others.iter().all(|other| implies(condition, other)),
            (Condition::All(all), _) => all.iter().any(|it| implies(it, other)),
            (Condition::Any(any), _) => !any.is_empty() && any.iter().all(|it| implies(it, other)),
            (_, Condition::Any(others)) => others.iter().any(|other| implies(condition, other)),
            _ => false,
        }
}

/// Adds the attributes that a condition uses.
fn attributes(condition: &Condition, into: &mut BTreeSet<&'static str>) {
    match condition {
        Condition::Equals(name, _) | Condition::Lacks(name) | Condition::AtLeast(name, _) => {
            into.insert(name);
        }
        Condition::All(all) | Condition::Any(all) => all.iter().for_each(|it| attributes(it, into)),
        Condition::Always | Condition::Absent | Condition::Present => {}
    }
}
