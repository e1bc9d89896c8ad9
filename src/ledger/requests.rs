//! Requests to a ledger.
//!
//! Each has a `new` that takes what it needs, and a method for each option. A later release may add options.

mod author;
mod check;
mod freeze;
mod protect;
mod prune;
mod recall;

pub use author::Author;
pub(crate) use author::Authored;
pub use check::CheckRequest;
pub use freeze::{FreezeRequest, ThawRequest};
pub use protect::ProtectRequest;
pub use prune::PruneRequest;
pub use recall::RecallRequest;

use crate::model::{
    Expectation, Gate, IdempotencyKey, Invalid, Labels, Message, PackageName, Plan, ReleaseChange, Spec,
    TagName, Version,
};

/// A selection of packages. The default selects all.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PackageQuery {
    /// Only names that begin with this.
    pub prefix: String,
    /// Only names after this one. Need not exist.
    pub after: Option<PackageName>,
}

impl PackageQuery {
    /// Selects all packages.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Selects only names that begin with `prefix`.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// Selects only names after this one, which need not exist.
    #[must_use]
    pub fn after(self, name: PackageName) -> Self {
        Self { after: Some(name), ..self }
    }
}

/// A version to be added.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AddRequest {
    /// The package. It is made by its first version.
    pub package: PackageName,
    /// The author of the addition.
    pub author: Author,
    /// Its labels.
    pub labels: Labels,
    /// Tags to be put on it in the same transaction; at most [`MAX_TAGS`], each once.
    pub tags: Vec<TagName>,
    /// If `latest` has the same sha256 already, add nothing; put the tags on `latest`.
    pub if_changed: bool,
    /// Add only if `latest` is this.
    pub expect_latest: Option<Expectation>,
    /// The tags whose move is confirmed, as a protection may require.
    pub confirm: Vec<TagName>,
    /// Passes the standing gates of the tags, for this reason.
    pub overriding: Option<Message>,
    /// The reason to put the tags on it in spite of a freeze.
    pub emergency: Option<Message>,
}

/// The most tags that one addition can set.
pub const MAX_TAGS: usize = 16;

impl AddRequest {
    /// The next version of a package, without labels or tags.
    #[must_use]
    pub fn new(package: PackageName) -> Self {
        Self {
            package,
            author: Author::default(),
            labels: Labels::default(),
            tags: Vec::new(),
            if_changed: false,
            expect_latest: None,
            confirm: Vec::new(),
            overriding: None,
            emergency: None,
        }
    }

    /// Adds a label.
    ///
    /// # Errors
    /// A name or value, or all labels together, out of the bounds of [`Labels`]; a name that has another value.
    pub fn label(self, name: &str, value: &str) -> Result<Self, Invalid> {
        let more = Labels::parse([format!("{name}={value}").as_str()])?;
        if more.missing_in(&self.labels).is_err() {
            return Err(Invalid::new("label", name, "is given twice with different values"));
        }
        Ok(Self { labels: self.labels.join(&more)?, ..self })
    }

    /// Sets all labels.
    #[must_use]
    pub fn labels(self, labels: Labels) -> Self {
        Self { labels, ..self }
    }

    /// Puts a tag on the version, too, in the same transaction.
    #[must_use]
    pub fn tag(self, tag: TagName) -> Self {
        self.tags([tag])
    }

    /// Puts these tags on the version, too, in the same transaction.
    #[must_use]
    pub fn tags(mut self, tags: impl IntoIterator<Item = TagName>) -> Self {
        self.tags.extend(tags);
        self
    }

    /// Adds nothing if `latest` has the same sha256 already; the tags are then put on `latest`.
    #[must_use]
    pub fn if_changed(self, if_changed: bool) -> Self {
        Self { if_changed, ..self }
    }

    /// Adds only if `latest` is this.
    #[must_use]
    pub fn expect_latest(self, expected: Expectation) -> Self {
        Self { expect_latest: Some(expected), ..self }
    }

    /// Confirms the move of one of the tags, where its protection asks for that.
    #[must_use]
    pub fn confirm(mut self, tag: TagName) -> Self {
        self.confirm.push(tag);
        self
    }
}

/// A tag to be moved.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TagRequest {
    /// The package.
    pub package: PackageName,
    /// The new version, resolved in the same transaction.
    pub spec: Spec,
    /// The tag.
    pub tag: TagName,
    /// Move it only if it is on this.
    pub expect: Option<Expectation>,
    /// Move it only if all of this is true of that version.
    pub require: Vec<Gate>,
    /// Passes the standing gates of the tag, for this reason. The entry records it, with the gates that were closed.
    pub overriding: Option<Message>,
    /// Confirms the move, where the tag is protected so that its moves need that.
    pub confirm: bool,
    /// The reason to move it in spite of a freeze.
    pub emergency: Option<Message>,
    /// The author of the move.
    pub author: Author,
}

impl TagRequest {
    /// Moves `tag` of `package` to the version that `spec` means.
    #[must_use]
    pub fn new(package: PackageName, spec: Spec, tag: TagName) -> Self {
        Self {
            package,
            spec,
            tag,
            expect: None,
            require: Vec::new(),
            overriding: None,
            confirm: false,
            emergency: None,
            author: Author::default(),
        }
    }

    /// Moves it only if this is true of the version; each call adds a condition.
    #[must_use]
    pub fn require(mut self, gate: Gate) -> Self {
        self.require.push(gate);
        self
    }
}

/// A tag to be taken off.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UntagRequest {
    /// The package.
    pub package: PackageName,
    /// The tag.
    pub tag: TagName,
    /// Take it off only if it is on this.
    pub expect: Option<Expectation>,
    /// As in [`TagRequest`].
    pub confirm: bool,
    /// The author of the change.
    pub author: Author,
}

impl UntagRequest {
    /// Takes `tag` of `package` off its version.
    #[must_use]
    pub fn new(package: PackageName, tag: TagName) -> Self {
        Self { package, tag, expect: None, confirm: false, author: Author::default() }
    }
}

/// A tag to be put back to where it was.
#[derive(Debug, Clone)]
#[non_exhaustive]
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
    /// The author of the change.
    pub author: Author,
}

impl RollbackRequest {
    /// Puts `tag` of `package` back to where it was before.
    #[must_use]
    pub fn new(package: PackageName, tag: TagName) -> Self {
        Self { package, tag, to: None, expect: None, confirm: false, author: Author::default() }
    }

    /// Puts it back to this version, which it was on at some time.
    #[must_use]
    pub fn to(self, version: Version) -> Self {
        Self { to: Some(version), ..self }
    }
}

/// Moves of tags of many packages, to be made together or not at all.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ApplyRequest {
    /// The moves. Its message is not used: see `author`.
    pub plan: Plan,
    /// Take this plan back, instead of making its moves.
    pub undo: bool,
    /// The reason to make the moves in spite of a freeze. Taking a plan back needs none.
    pub emergency: Option<Message>,
    /// The author of the moves.
    pub author: Author,
}

impl ApplyRequest {
    /// Makes all moves of a plan.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self { plan, undo: false, emergency: None, author: Author::default() }
    }

    /// Takes the plan back, instead of making its moves.
    #[must_use]
    pub fn undo(self, undo: bool) -> Self {
        Self { undo, ..self }
    }
}

/// A version to be changed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ChangeRequest {
    /// The package.
    pub package: PackageName,
    /// The version.
    pub version: Version,
    /// The change.
    pub change: ReleaseChange,
    /// Deletes the version also if a rollback of a tag goes to it.
    pub force: bool,
    /// The author of the change.
    pub author: Author,
}

impl ChangeRequest {
    /// Changes one version of a package.
    #[must_use]
    pub fn new(package: PackageName, version: Version, change: ReleaseChange) -> Self {
        Self { package, version, change, force: false, author: Author::default() }
    }

    /// Deletes the version also if a rollback of a tag goes to it. The rollback is then refused.
    #[must_use]
    pub fn force(self, force: bool) -> Self {
        Self { force, ..self }
    }
}

macro_rules! passes_gates {
    ($($request:ty),+) => {$(
        impl $request {
            /// Passes the standing gates that are closed, for this reason, which is recorded with them. Gates of the
            /// request itself must be passed all the same.
            #[must_use]
            pub fn override_gates(self, why: Message) -> Self {
                Self { overriding: Some(why), ..self }
            }
        }
    )+};
}

passes_gates!(AddRequest, TagRequest);

macro_rules! moves_a_tag {
    ($($request:ty),+) => {$(
        impl $request {
            /// Changes the tag only if it is on this.
            #[must_use]
            pub fn expect(self, expected: Expectation) -> Self {
                Self { expect: Some(expected), ..self }
            }

            /// Confirms the change, where the protection of the tag asks for that.
            #[must_use]
            pub fn confirm(self, confirm: bool) -> Self {
                Self { confirm, ..self }
            }
        }
    )+};
}

moves_a_tag!(TagRequest, UntagRequest, RollbackRequest);

macro_rules! passes_freezes {
    ($($request:ty),+) => {$(
        impl $request {
            /// Moves tags in spite of a freeze that is not strict, for this reason, which is recorded.
            #[must_use]
            pub fn emergency(self, why: Message) -> Self {
                Self { emergency: Some(why), ..self }
            }
        }
    )+};
}

passes_freezes!(AddRequest, TagRequest, ApplyRequest);

macro_rules! authored {
    ($($request:ty),+) => {$(
        impl $request {
            /// Sets the author, with a reason and an idempotency key if it has them.
            #[must_use]
            pub fn author(self, author: impl Into<Author>) -> Self {
                Self { author: author.into(), ..self }
            }

            /// Sets the reason for the change.
            #[must_use]
            pub fn message(mut self, message: Message) -> Self {
                self.author.message = Some(message);
                self
            }

            /// Sets the idempotency key: a repeat with it changes nothing and returns the first outcome.
            #[must_use]
            pub fn key(mut self, key: IdempotencyKey) -> Self {
                self.author.key = Some(key);
                self
            }
        }

        impl Authored for $request {
            fn author_ref(&self) -> &Author {
                &self.author
            }

            fn author_mut(&mut self) -> &mut Author {
                &mut self.author
            }
        }
    )+};
}

authored!(AddRequest, TagRequest, UntagRequest, RollbackRequest, ApplyRequest, ProtectRequest, ChangeRequest);
authored!(FreezeRequest, ThawRequest, RecallRequest, PruneRequest);
