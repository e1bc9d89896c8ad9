//! What can be asked of a ledger.

use crate::model::{
    Actor, Expectation, Gate, IdempotencyKey, Labels, Message, PackageName, Plan, Protection, ReleaseChange,
    Spec, TagName, Version,
};

/// Who changes something, why, and under which idempotency key.
#[derive(Debug, Clone)]
pub struct Author {
    /// Who.
    pub actor: Actor,
    /// Why.
    pub message: Option<Message>,
    /// With a key, a repeat of the operation changes nothing and returns the first outcome, from any machine, for
    /// ever. A key that was used for something else is [`Conflict::Key`](super::Conflict::Key).
    pub key: Option<IdempotencyKey>,
}

/// Which packages to list.
#[derive(Debug, Clone, Default)]
pub struct PackageQuery {
    /// Only names that begin with this.
    pub prefix: String,
    /// Only names after this one. Need not exist.
    pub after: Option<PackageName>,
}

/// A version to be added.
#[derive(Debug, Clone)]
pub struct AddRequest {
    /// The package. It is made by its first version.
    pub package: PackageName,
    /// Who adds it.
    pub author: Author,
    /// Its labels.
    pub labels: Labels,
    /// Tags to be put on it in the same transaction; at most [`MAX_TAGS`], each once.
    pub tags: Vec<TagName>,
    /// If `latest` has the same sha256 already, add nothing; put the tags on `latest`.
    pub if_changed: bool,
    /// Add only if `latest` is this.
    pub expect_latest: Option<Expectation>,
    /// Those of the tags that are confirmed, where they are protected so that their moves need that.
    pub confirm: Vec<TagName>,
}

/// The most tags that one addition can set.
pub const MAX_TAGS: usize = 16;

/// A tag to be moved.
#[derive(Debug, Clone)]
pub struct TagRequest {
    /// The package.
    pub package: PackageName,
    /// What to put it on, resolved in the same transaction.
    pub spec: Spec,
    /// The tag.
    pub tag: TagName,
    /// Move it only if it is on this.
    pub expect: Option<Expectation>,
    /// Move it only if all of this is true of that version.
    pub require: Vec<Gate>,
    /// Whether the move is confirmed, where the tag is protected so that its moves need that.
    pub confirm: bool,
    /// Who moves it.
    pub author: Author,
}

/// A tag to be taken off.
#[derive(Debug, Clone)]
pub struct UntagRequest {
    /// The package.
    pub package: PackageName,
    /// The tag.
    pub tag: TagName,
    /// Take it off only if it is on this.
    pub expect: Option<Expectation>,
    /// As in [`TagRequest`].
    pub confirm: bool,
    /// Who takes it off.
    pub author: Author,
}

/// A tag to be put back to where it was.
#[derive(Debug, Clone)]
pub struct RollbackRequest {
    /// The package.
    pub package: PackageName,
    /// The tag.
    pub tag: TagName,
    /// Put it back to this version, which it was on at some time; else to where it was before.
    pub to: Option<Version>,
    /// Put it back only if it is on this now: so that of two who react to one alarm, the second changes nothing.
    pub expect: Option<Expectation>,
    /// As in [`TagRequest`].
    pub confirm: bool,
    /// Who puts it back.
    pub author: Author,
}

/// Moves of tags of many packages, to be made together or not at all.
#[derive(Debug, Clone)]
pub struct ApplyRequest {
    /// The moves. Its message is not used: see `author`.
    pub plan: Plan,
    /// Take this plan back, instead of making its moves.
    pub undo: bool,
    /// Who makes them.
    pub author: Author,
}

/// A tag to be protected.
#[derive(Debug, Clone)]
pub struct ProtectRequest {
    /// The package.
    pub package: PackageName,
    /// The tag. It need not be on a version, nor ever have been.
    pub tag: TagName,
    /// How; `None` takes its protection away.
    pub protection: Option<Protection>,
    /// Who protects it.
    pub author: Author,
}

/// A version to be changed.
#[derive(Debug, Clone)]
pub struct ChangeRequest {
    /// The package.
    pub package: PackageName,
    /// The version.
    pub version: Version,
    /// What to change.
    pub change: ReleaseChange,
    /// Who changes it.
    pub author: Author,
}
