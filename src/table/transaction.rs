//! Transactions: conditions and changes of items, all or none.

use super::item::{Change, Condition, Item, Key};
use crate::fault::Fault;

/// A condition and a change of one item.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// The key of the item.
    pub key: Key,
    /// The condition on the item.
    pub condition: Condition,
    /// The change of the item.
    pub change: Change,
}

/// An atomic set of conditions and changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Transaction {
    token: String,
    actions: Vec<Action>,
    note: Option<Note>,
}

/// The description of a [`Transaction`] for people. A table that has a history for people shows it there, and others
/// ignore it: nothing depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Note {
    /// The whole change in one line: "add app 2".
    pub summary: String,
    /// The parts of the change, one line each.
    pub changes: Vec<String>,
    /// The author's reason.
    pub message: Option<String>,
    /// The author.
    pub actor: Option<String>,
    /// The id of the operation, which is the same in all transactions of its attempts.
    pub operation: Option<String>,
}

impl Transaction {
    /// Creates an empty transaction with an idempotency token of 1 to 36 characters.
    ///
    /// A table may use the token to recognise a copy of the same transaction (DynamoDB does, for 10 minutes) or ignore
    /// it: correctness must never depend on it. Another transaction needs another token.
    #[must_use]
    pub fn new(token: String) -> Self {
        Self { token, actions: Vec::new(), note: None }
    }

    /// Adds an action. A check of an item that already has an action is merged into that action's condition, since no
    /// item may appear twice in a transaction.
    ///
    /// # Panics
    /// If two actions would change the same item.
    pub fn push(&mut self, action: Action) {
        let Some(existing) = self.actions.iter_mut().find(|existing| existing.key == action.key) else {
            self.actions.push(action);
            return;
        };
        if existing.condition != action.condition {
            let before = std::mem::replace(&mut existing.condition, Condition::Always);
            existing.condition = before.and(action.condition);
        }
        match (&existing.change, action.change) {
            (_, Change::Check) => {}
            (Change::Check, change) => existing.change = change,
            _ => panic!("two changes of {} in one transaction", action.key),
        }
    }

    /// Sets the description.
    #[must_use]
    pub fn with_note(self, note: Note) -> Self {
        Self { note: Some(note), ..self }
    }

    /// Returns the description, if there is one.
    #[must_use]
    pub fn note(&self) -> Option<&Note> {
        self.note.as_ref()
    }

    /// Returns the idempotency token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Returns the actions, each of a different item.
    #[must_use]
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }
}

/// The reason why a transaction did not happen, or may not have.
#[derive(Debug)]
pub enum TransactError {
    /// Conditions did not hold; nothing was changed. One entry for each action, in their order: `None` if its condition
    /// held, else the item.
    Refused(Vec<Option<Found>>),
    /// The back end failed. If the fault is ambiguous, the transaction may have happened or may still happen.
    Fault(Fault),
}

/// The item that failed a condition, or `None` if there was no item.
pub type Found = Option<Item>;

impl From<Fault> for TransactError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
