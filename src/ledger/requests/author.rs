//! Authors of changes.

use crate::model::{Actor, IdempotencyKey, Message};

/// The author of a change, the reason for it, and its idempotency key.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Author {
    /// The author. `None` is the client's own author, and is refused where the client has none.
    pub actor: Option<Actor>,
    /// The reason.
    pub message: Option<Message>,
    /// With a key, a repeat of the operation changes nothing and returns the first outcome, from any machine,
    /// permanently. A key that was used for something else is [`Conflict::Key`](crate::ledger::Conflict::Key).
    pub key: Option<IdempotencyKey>,
}

impl Author {
    /// An author, without a reason or a key.
    #[must_use]
    pub fn new(actor: Actor) -> Self {
        Self { actor: Some(actor), message: None, key: None }
    }

    /// Sets the reason for the change.
    #[must_use]
    pub fn message(self, message: Message) -> Self {
        Self { message: Some(message), ..self }
    }

    /// Sets the idempotency key of the change.
    #[must_use]
    pub fn key(self, key: IdempotencyKey) -> Self {
        Self { key: Some(key), ..self }
    }

    /// The actor, of a request that was checked to have one when it came in.
    pub(crate) fn who(&self) -> Actor {
        self.actor.clone().expect("a request without an actor is refused when it comes in")
    }
}

impl From<Actor> for Author {
    fn from(actor: Actor) -> Self {
        Self::new(actor)
    }
}

/// A request of a change, which has an author.
pub(crate) trait Authored: Clone {
    fn author_ref(&self) -> &Author;
    fn author_mut(&mut self) -> &mut Author;
}
