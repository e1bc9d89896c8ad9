//! Requests to a ledger.

use crate::model::{
    Actor, Expectation, Gate, IdempotencyKey, Labels, Message, PackageName, Plan, Protection, ReleaseChange,
    Spec, TagName, Version,
};

/// The author of a change: the actor, the reason, and the idempotency key.
#[derive(Debug, Clone)]
pub struct Author {
    /// The actor.
    pub actor: Actor,
    /// The reason.
    pub message: Option<Message>,
    /// The idempotency key. With a key, a repeat of the operation changes nothing and returns the first outcome, from
    /// any machine, permanently. A key that was used for another request fails with
    /// [`Conflict::Key`](super::Conflict::Key).
    pub key: Option<IdempotencyKey>,
}

/// The packages to list.
#[derive(Debug, Clone, Default)]
pub struct PackageQuery {
    /// Includes only names that begin with this prefix.
    pub prefix: String,
    /// Includes only names after this one, which need not exist.
    pub after: Option<PackageName>,
}

/// The addition of a version.
#[derive(Debug, Clone)]
pub struct AddRequest {
    /// The package. Its first version creates it.
    pub package: PackageName,
    /// The author.
    pub author: Author,
    /// The labels.
    pub labels: Labels,
    /// The tags to put on it in the same transaction; at most [`MAX_TAGS`], each once.
    pub tags: Vec<TagName>,
    /// Adds nothing if `latest` has the same sha256 already; the tags go on `latest`.
    pub if_changed: bool,
    /// Adds the version only if `latest` is this.
    pub expect_latest: Option<Expectation>,
    /// The tags that are confirmed, for those whose protection requires confirmation.
    pub confirm: Vec<TagName>,
}

/// The maximum number of tags in one addition.
pub const MAX_TAGS: usize = 16;

/// The move of a tag.
#[derive(Debug, Clone)]
pub struct TagRequest {
    /// The package.
    pub package: PackageName,
    /// The target, resolved in the same transaction.
    pub spec: Spec,
    /// The tag.
    pub tag: TagName,
    /// Moves the tag only if it is on this.
    pub expect: Option<Expectation>,
    /// Moves the tag only if the target passes all these gates.
    pub require: Vec<Gate>,
    /// True if the move is confirmed, for a tag whose protection requires confirmation.
    pub confirm: bool,
    /// The author.
    pub author: Author,
}

/// The removal of a tag from its version.
#[derive(Debug, Clone)]
pub struct UntagRequest {
    /// The package.
    pub package: PackageName,
    /// The tag.
    pub tag: TagName,
    /// Removes the tag only if it is on this.
    pub expect: Option<Expectation>,
    /// Confirmation, as in [`TagRequest`].
    pub confirm: bool,
    /// The author.
    pub author: Author,
}

/// The rollback of a tag.
#[derive(Debug, Clone)]
pub struct RollbackRequest {
    /// The package.
    pub package: PackageName,
    /// The tag.
    pub tag: TagName,
    /// The target, a version that the tag was on at some time; `None` for its previous version.
    pub to: Option<Version>,
    /// Rolls back only if the tag is on this now: if two people react to one alarm, the second rollback changes
    /// nothing.
    pub expect: Option<Expectation>,
    /// Confirmation, as in [`TagRequest`].
    pub confirm: bool,
    /// The author.
    pub author: Author,
}

/// An atomic set of moves of tags of many packages.
#[derive(Debug, Clone)]
pub struct ApplyRequest {
    /// The moves. The plan's message is not used: see `author`.
    pub plan: Plan,
    /// Undoes the plan, instead of making its moves.
    pub undo: bool,
    /// The author.
    pub author: Author,
}

/// A change of a tag's protection.
#[derive(Debug, Clone)]
pub struct ProtectRequest {
    /// The package.
    pub package: PackageName,
    /// The tag. It need not be on a version, or ever have been.
    pub tag: TagName,
    /// The protection; `None` removes it.
    pub protection: Option<Protection>,
    /// The author.
    pub author: Author,
}

/// A change of a version.
#[derive(Debug, Clone)]
pub struct ChangeRequest {
    /// The package.
    pub package: PackageName,
    /// The version.
    pub version: Version,
    /// The change.
    pub change: ReleaseChange,
    /// The author.
    pub author: Author,
}
