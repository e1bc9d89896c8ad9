//! The reasons for which a ledger does not do what was asked.

use super::uncertain::UncertainTime;
use crate::model::{
    Actor, Expectation, Gate, PackageName, Protection, State, TagKind, TagName, Timestamp, Version,
};

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

/// What a missing version, or a missing package, is called, where this is the last number given.
pub(in crate::ledger) fn no_version(package: &PackageName, version: Version, last: Option<u64>) -> NotFound {
    match last.and_then(|last| Version::try_from(last).ok()) {
        Some(last) => NotFound::Version { package: package.clone(), version, last },
        None => NotFound::Package(package.clone()),
    }
}
