//! Why the ledger did not do what was asked.
//!
//! Sorted by what a caller would do differently. Messages name the package, the version and the tag; hints and exit
//! codes are the business of whoever shows them.

use super::UncertainTime;
use crate::{
    fault::Fault,
    model::{
        Actor, Expectation, Gate, Key, PackageName, Protection, State, TagKind, TagName, Timestamp, Version,
    },
    retry::{Again, Retry},
};

/// A failure of a ledger's operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What was named is not there.
    #[error(transparent)]
    NotFound(NotFound),
    /// Someone else was first, or things are not as expected. Nothing was changed.
    #[error(transparent)]
    Conflict(Conflict),
    /// The ledger's rules forbid it. Nothing was changed.
    #[error(transparent)]
    Refused(Refused),
    /// The back end failed for longer than the deadline, or in a way that trying again does not mend. Nothing was
    /// changed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Some moves of a plan can't be made, for these reasons. Nothing was changed.
    #[error("{} of {of} moves can't be made:{}", failed.len(), listed(failed))]
    Moves {
        /// What failed, in the plan's order: of kinds not found, conflict, or refused.
        failed: Vec<Failed>,
        /// How many moves there are.
        of: usize,
    },
    /// The change may have happened, and this could not be found out. Running it again with `key` finds out, and
    /// never does it twice.
    #[error("the outcome is unknown: {source}")]
    Unknown {
        /// The idempotency key to run it again with.
        key: Key,
        /// Why it is not known.
        source: Fault,
    },
    /// A stop was requested before anything was committed. Nothing was changed.
    #[error("interrupted before anything was committed")]
    Interrupted,
    /// What the ledger holds is not what it must be.
    #[error("{what} is damaged: {why}")]
    Damaged {
        /// The item.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// Part of the ledger was written by a newer release of this program, which says that this one must not read or
    /// change it. Nothing was changed.
    #[error(
        "{what} needs {} to {done}; this is {}",
        least.as_ref().map_or_else(|| "a newer release of sacker".to_owned(), |least| format!("sacker {least} or newer")),
        env!("CARGO_PKG_VERSION")
    )]
    Newer {
        /// The part.
        what: String,
        /// For what: `be read`, `be changed`.
        done: String,
        /// The least release that may do so, where the ledger says.
        least: Option<String>,
    },
    /// The table is a copy of a ledger, such as a restored one, and a copy is not changed. Nothing was changed.
    /// [`Ledger::adopt`](super::Ledger::adopt) makes it a ledger of its own.
    #[error("this is a copy of the ledger {id} in {home}")]
    Copy {
        /// The ledger's id.
        id: String,
        /// Where the ledger was made.
        home: String,
    },
    /// The ledger has a schema that this program does not know, and does not say which releases may use it.
    #[error("the ledger has schema {found}; this program knows schema {known}")]
    Schema {
        /// The schema of the ledger.
        found: u64,
        /// The schema of this program.
        known: u64,
    },
}

impl Error {
    /// Something has a state or kind that this release does not know, so it can't say what may be done with it.
    pub(super) fn unknown_word(what: &str, word: &str, done: &str) -> Self {
        Self::Newer { what: format!("{what} ({word})"), done: done.to_owned(), least: None }
    }

    /// This failure, of a run that takes up another by its `OP@SLOT`, from before it has found anything out: what
    /// became of the other is as unknown as it was, and must not be called unchanged.
    pub(crate) fn unresolved(self, author: &super::Author) -> Self {
        match (self, &author.key) {
            (Self::Fault(source), Some(key @ Key::Resume { .. })) => {
                Self::Unknown { key: key.clone(), source }
            }
            (error, _) => error,
        }
    }
}

/// A move of a plan that can't be made.
#[derive(Debug)]
pub struct Failed {
    /// The package.
    pub package: PackageName,
    /// The tag.
    pub tag: TagName,
    /// Why.
    pub error: Error,
}

impl Failed {
    /// Whether it is in the way of taking a plan back.
    pub(crate) fn is_of_undo(&self) -> bool {
        matches!(self.error, Error::Conflict(Conflict::NotApplied { .. }))
    }
}

/// A line for each, which begins with the tag that was to be moved.
fn listed(failed: &[Failed]) -> String {
    let line = |Failed { package, tag, error }: &Failed| {
        let (tag, why) = (format!("{package} {tag} "), error.to_string());
        if why.starts_with(&tag) { format!("\n{why}") } else { format!("\n{}: {why}", tag.trim_end()) }
    };
    failed.iter().map(line).collect()
}

/// What was not found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotFound {
    /// There is no such package.
    #[error("there is no package {0}")]
    Package(PackageName),
    /// The package has no such version.
    #[error("{package} has no version {version}; its last is {last}")]
    Version {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
        /// The last number given.
        last: Version,
    },
    /// The version was there and has been deleted.
    #[error("{package} {version} was deleted")]
    Deleted {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
    },
    /// The package has no such tag, or it was taken off.
    #[error("{package} has no tag {tag}")]
    Tag {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
    },
    /// The tag does not go back so far, or was on no version then.
    #[error("{package} {tag} was on no version {}", moves_ago(*steps))]
    Past {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
        /// How many rollbacks.
        steps: u16,
    },
    /// The tag was on no version at that time.
    #[error("{package} {tag} was on no version at {at}")]
    Then {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
        /// The time.
        at: Timestamp,
    },
    /// The tag was never on that version.
    #[error("{package} {tag} was never on {version}")]
    Never {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
        /// The version.
        version: Version,
    },
    /// The package has versions, but none that is active.
    #[error("{0} has no active version, so it has no latest")]
    Latest(PackageName),
}

/// What was in the way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Conflict {
    /// A tag is not where it was expected to be.
    #[error("{package} {tag} is on {}, not on {expected}{}", shown(*found), touched(*kind, by.as_ref()))]
    Tag {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
        /// What was expected.
        expected: Expectation,
        /// What it is on.
        found: Option<Version>,
        /// What happened to it last, if it was ever there and that is known.
        kind: Option<TagKind>,
        /// Who did that, and when.
        by: Option<(Actor, Timestamp)>,
    },
    /// `latest` is not what it was expected to be.
    #[error("{package} latest is {}, not {expected}", shown(*found))]
    Latest {
        /// The package.
        package: PackageName,
        /// What was expected.
        expected: Expectation,
        /// What it is.
        found: Option<Version>,
    },
    /// A tag is not where an application of the plan that still stands has put it.
    #[error("{package} {tag} is on {}, and this plan did not put it there{}", shown(*found), touched(*kind, by.as_ref()))]
    NotApplied {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
        /// What it is on.
        found: Option<Version>,
        /// What happened to it last, if it was ever there and that is known.
        kind: Option<TagKind>,
        /// Who did that, and when.
        by: Option<(Actor, Timestamp)>,
    },
    /// What was applied moved more than the plan that is to be taken back.
    #[error("the plan that was applied moved {moved} too, which is not in this one")]
    OtherPlan {
        /// The package and tag.
        moved: String,
    },
    /// The idempotency key was used for something else.
    #[error("the key {key:?} was used for `{first}`, not for `{now}`")]
    Key {
        /// The key.
        key: String,
        /// What it was first used for.
        first: String,
        /// What it is used for now.
        now: String,
    },
    /// Others kept being first until the deadline.
    #[error("others kept changing {0} until the deadline")]
    Contention(PackageName),
}

/// What was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// A version that is not active can't be tagged.
    #[error("{package} {version} is {state} and can't be tagged")]
    NotActive {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
        /// What it is.
        state: State,
    },
    /// A version that is tagged can't be yanked or deleted.
    #[error("{package} {version} is tagged {}", tags.join(", "))]
    Tagged {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
        /// The tags on it.
        tags: Vec<String>,
    },
    /// An active version that one rollback of a tag goes to can't be deleted.
    #[error("{package} {version} is where a rollback of {} goes", tags.join(", "))]
    WayBack {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
        /// The tags.
        tags: Vec<String>,
    },
    /// A label is never replaced.
    #[error("{package} {version} has the label {name}={value} already")]
    Labelled {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
        /// The label's name.
        name: String,
        /// Its value.
        value: String,
    },
    /// A version can't take these labels on top of those it has.
    #[error("{package} {version} can't take these labels: {why}")]
    Labels {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
        /// Why.
        why: String,
    },
    /// The tag is protected.
    #[error("{package} {tag} is protected ({protection})")]
    Protected {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
        /// How.
        protection: Protection,
    },
    /// The tag can't be put back.
    #[error("{package} {tag} can't be put back{}", unfit(*to))]
    Rollback {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
        /// What it was on, and the state of that; `None` if it was on no version.
        to: Option<(Version, State)>,
        /// The nearest version further back that it can be put on, if there is one.
        nearest: Option<Version>,
    },
    /// A gate is shut.
    #[error("{package} {version} does not pass {}", shut(failed))]
    Gates {
        /// The package.
        package: PackageName,
        /// The tag that was to be put on the version.
        tag: TagName,
        /// The version.
        version: Version,
        /// The gates that are shut.
        failed: Vec<GateFailure>,
    },
    /// The version that a tag was on at some time is not certain.
    #[error("{0}")]
    UncertainTime(Box<UncertainTime>),
    /// The plan is more than one transaction can hold.
    #[error("the plan takes {needed} items in one transaction, which holds {most}")]
    TooLarge {
        /// How many items it takes.
        needed: usize,
        /// How many there can be.
        most: usize,
    },
    /// This kind of ledger can't do that.
    #[error("this kind of ledger can't do that")]
    Unsupported,
    /// The package has as many versions as numbers allow.
    #[error("{0} has used up its version numbers")]
    Full(PackageName),
}

/// A gate that is shut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateFailure {
    /// The gate.
    pub gate: Gate,
    /// What was found instead, for people.
    pub found: String,
}

fn shut(failed: &[GateFailure]) -> String {
    let each = |GateFailure { gate, found }: &GateFailure| format!("{gate} ({found})");
    failed.iter().map(each).collect::<Vec<_>>().join(", ")
}

fn unfit(to: Option<(Version, State)>) -> String {
    match to {
        Some((version, state)) => format!(" to {version}, which is {state}"),
        None => ": it was on no version before".to_owned(),
    }
}

fn moves_ago(steps: u16) -> String {
    if steps == 1 { "before".to_owned() } else { format!("{steps} moves ago") }
}

fn shown(version: Option<Version>) -> String {
    version.map_or_else(|| "none".to_owned(), |version| version.to_string())
}

fn touched(kind: Option<TagKind>, by: Option<&(Actor, Timestamp)>) -> String {
    let did = match kind {
        Some(TagKind::Protect) => "protected",
        Some(TagKind::Unprotect) => "unprotected",
        _ => "moved",
    };
    by.map_or_else(String::new, |(who, when)| format!("; {who} {did} it at {when}"))
}

impl Retry for Error {
    fn again(&self) -> Again {
        match self {
            Self::Fault(fault) => fault.again(),
            _ => Again::Never,
        }
    }
}

impl From<NotFound> for Error {
    fn from(error: NotFound) -> Self {
        Self::NotFound(error)
    }
}

impl From<Conflict> for Error {
    fn from(error: Conflict) -> Self {
        Self::Conflict(error)
    }
}

impl From<Refused> for Error {
    fn from(error: Refused) -> Self {
        Self::Refused(error)
    }
}
