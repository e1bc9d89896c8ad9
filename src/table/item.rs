//! Items, their keys, and conditions and changes of one item.

use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// The attributes of an item, without its key: strings, whole numbers up to 2^53, and maps of these.
pub type Item = serde_json::Map<String, Value>;

/// The key of an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The partition.
    pub pk: String,
    /// The sort key within the partition. Not empty.
    pub sk: String,
}

impl Key {
    /// Creates a key from its two parts.
    pub fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pk, self.sk)
    }
}

/// A condition on an item for a transaction to happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Always true.
    Always,
    /// The item does not exist.
    Absent,
    /// The item exists.
    Present,
    /// The item has this attribute with this value: a string, a number, or a map of these.
    Equals(&'static str, Value),
    /// The item does not have this attribute, or does not exist.
    Lacks(&'static str),
    /// The item has this attribute, as a number that is at least this.
    AtLeast(&'static str, u64),
    /// All of these hold. True when empty.
    All(Vec<Condition>),
    /// One of these holds. False when empty.
    Any(Vec<Condition>),
}

impl Condition {
    /// Returns the condition that the item has this attribute with this value.
    pub fn equals(attribute: &'static str, value: impl Into<Value>) -> Self {
        Self::Equals(attribute, value.into())
    }

    /// Returns the condition that the item has this attribute as `item` has it, or lacks it as `item` does.
    #[must_use]
    pub fn same(attribute: &'static str, item: &Item) -> Self {
        item.get(attribute).map_or(Self::Lacks(attribute), |value| Self::equals(attribute, value.clone()))
    }

    /// Returns true if the condition holds for this item.
    #[must_use]
    pub fn holds(&self, item: Option<&Item>) -> bool {
        match self {
            Self::Always => true,
            Self::Absent => item.is_none(),
            Self::Present => item.is_some(),
            Self::Equals(attribute, value) => item.and_then(|item| item.get(*attribute)) == Some(value),
            Self::Lacks(attribute) => item.is_none_or(|item| !item.contains_key(*attribute)),
            Self::AtLeast(attribute, least) => item
                .and_then(|item| item.get(*attribute))
                .and_then(Value::as_u64)
                .is_some_and(|number| number >= *least),
            Self::All(conditions) => conditions.iter().all(|c| c.holds(item)),
            Self::Any(conditions) => conditions.iter().any(|c| c.holds(item)),
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Always, only) | (only, Self::Always) => only,
            (one, other) => Self::All(vec![one, other]),
        }
    }
}

/// The change that a transaction makes to one item.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// No change: only the condition matters.
    Check,
    /// Replaces the item, or creates it.
    Put(Item),
    /// Sets some attributes and adds to others, leaving the rest unchanged; creates the item if it is missing.
    Update {
        /// Attributes and their new values.
        set: Item,
        /// Numeric attributes and the numbers added to them; an absent one counts as 0.
        add: BTreeMap<&'static str, i64>,
    },
    /// Removes the item. Removing a missing item changes nothing.
    Delete,
}

impl Change {
    /// Returns the item after this change.
    ///
    /// The specification that `memory`, `sqlite` and `zookeeper` run, and that `dynamodb` compiles to expressions.
    #[must_use]
    pub fn apply(&self, before: Option<Item>) -> Option<Item> {
        match self {
            Self::Check => before,
            Self::Put(item) => Some(item.clone()),
            Self::Update { set, add } => {
                let mut item = before.unwrap_or_default();
                item.extend(set.clone());
                for (attribute, by) in add {
                    let sum = item.get(*attribute).and_then(Value::as_i64).unwrap_or(0) + by;
                    item.insert((*attribute).to_owned(), sum.into());
                }
                Some(item)
            }
            Self::Delete => None,
        }
    }
}
