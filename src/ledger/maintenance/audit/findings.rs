//! The findings about a package.

use super::{
    facts::Link,
    violation::{Found, Invariant, Violation},
};
use crate::{
    ledger::{
        Error,
        schema::{self, decode},
    },
    model::Timestamp,
    table::{Action, Item, Key},
};
use serde::{Serialize, de::DeserializeOwned};

/// The result of checking a log.
pub(super) struct Walked {
    /// True if the log is sound, so that items can be derived from it.
    pub sound: bool,
    pub rev: u64,
    pub chain: Link,
    pub when: Option<Timestamp>,
}

/// The violations found.
#[derive(Clone, Default)]
pub(super) struct Findings {
    pub found: Vec<Found>,
    /// The number of findings that this release can't judge.
    pub unjudged: usize,
    /// The oldest release that knows everything in the package, if its heads name one.
    least: Option<String>,
}

impl Findings {
    /// Creates empty findings for a package with these heads.
    pub(super) fn of<'a>(mut heads: impl Iterator<Item = &'a Item>) -> Self {
        Self { least: heads.find_map(|head| schema::least(head, "all")), ..Self::default() }
    }

    /// Adds findings from elsewhere.
    pub(super) fn extend(&mut self, more: &Self) {
        self.found.extend_from_slice(&more.found);
        self.unjudged += more.unjudged;
    }

    /// Adds something that a newer release wrote, which is not a violation.
    pub(super) fn unjudged(&mut self, place: &Key, what: impl Into<String>) {
        self.unjudged += 1;
        let least = self.least.as_ref();
        let least = least
            .map_or_else(String::new, |least| format!("; sacker {least} knows everything in this package"));
        self.add(place, Invariant::Newer, format!("{}{least}", what.into()));
    }

    pub(super) fn unknown_word(&mut self, place: &Key, what: &str, word: &str) {
        self.unjudged(place, format!("this release does not know the {what} `{word}`, and did not check it"));
    }

    /// Returns the number of violations found.
    pub(super) fn violations(&self) -> usize {
        self.found.len() - self.unjudged
    }

    pub(super) fn add(&mut self, place: &Key, rule: Invariant, what: impl Into<String>) {
        self.repairable(place, rule, what, None);
    }

    pub(super) fn repairable(
        &mut self,
        place: &Key,
        rule: Invariant,
        what: impl Into<String>,
        fix: Option<Vec<Action>>,
    ) {
        self.found.push(Found { violation: Violation::new(place.to_string(), rule, what), fix });
    }

    pub(super) fn read<T: Serialize + DeserializeOwned>(&mut self, key: &Key, item: &Item) -> Option<T> {
        match decode(key, item) {
            Ok(record) => Some(record),
            Err(Error::Damaged { why, .. }) => {
                self.add(key, Invariant::Form, why);
                None
            }
            Err(newer @ Error::Newer { .. }) => {
                self.unjudged(key, newer.to_string());
                None
            }
            Err(other) => {
                self.add(key, Invariant::Form, other.to_string());
                None
            }
        }
    }
}
