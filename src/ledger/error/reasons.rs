//! The reasons why a ledger does not carry out a request.

use super::{gates::GateFailure, uncertain::UncertainTime};
use crate::model::{
    Actor, Address, Expectation, Freeze, PackageName, PackagePrefix, Protection, State, TagKind, TagName,
    Timestamp, Version,
};

/// An object that does not exist.
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
        /// The highest version number so far.
        last: Version,
    },
    /// The version existed and was deleted.
    #[error("{package} {version} was deleted")]
    Deleted {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
    },
    /// The package has no such tag, or the tag was removed.
    #[error("{package} has no tag {tag}")]
    Tag {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
    },
    /// The tag is on no version: it was removed, or only protected.
    #[error("{package} {tag} is on no version since revision {rev}")]
    Unset {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
        /// The revision of the tag's last change.
        rev: u64,
    },
    /// The tag has no version that many steps back.
    #[error("{package} {tag} was on no version {}", moves_ago(*steps))]
    Past {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
        /// The number of rollbacks.
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
    /// A log of the package is shorter than that.
    #[error("{package} has no revision {rev}: the log ends at {last}")]
    Revision {
        /// The package.
        package: PackageName,
        /// The revision, with the letter of its log: `t7`, `r3`.
        rev: String,
        /// The last revision of the log.
        last: String,
    },
    /// No freeze has exactly this prefix.
    #[error("{} is not frozen", _0.pattern())]
    Freeze(PackagePrefix),
    /// The package has versions, but none that is active.
    #[error("{0} has no active version, so it has no latest")]
    Latest(PackageName),
}

/// A conflict with another change, or with an expectation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Conflict {
    /// The tag is not on the expected version.
    #[error("{package} {tag} is on {}, not on {expected}{}", shown(*found), touched(*kind, by.as_ref()))]
    Tag {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
        /// The expected version.
        expected: Expectation,
        /// The version that the tag is on.
        found: Option<Version>,
        /// The kind of its last change, if there was one and it is known.
        kind: Option<TagKind>,
        /// The author and time of that change.
        by: Option<(Actor, Timestamp)>,
    },
    /// `latest` is not the expected version.
    #[error("{package} latest is {}, not {expected}", shown(*found))]
    Latest {
        /// The package.
        package: PackageName,
        /// The expected version.
        expected: Expectation,
        /// The present `latest`.
        found: Option<Version>,
    },
    /// The tag is not where the plan's last application that was not undone has put it.
    #[error("{package} {tag} is on {}, and this plan did not put it there{}", shown(*found), touched(*kind, by.as_ref()))]
    NotApplied {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
        /// The version that the tag is on.
        found: Option<Version>,
        /// The kind of its last change, if there was one and it is known.
        kind: Option<TagKind>,
        /// The author and time of that change.
        by: Option<(Actor, Timestamp)>,
    },
    /// The application moved more tags than the plan that is to be undone.
    #[error("the plan that was applied also moved {moved}, which this plan does not contain")]
    OtherPlan {
        /// The package and tag.
        moved: String,
    },
    /// The idempotency key was used for another request.
    #[error("the key {key:?} was used for `{first}`, not for `{now}`")]
    Key {
        /// The key.
        key: String,
        /// The request that the key was first used for.
        first: String,
        /// The present request.
        now: String,
    },
    /// Other writers won every race until the deadline.
    #[error("other writers kept changing {0} until the deadline")]
    Contention(PackageName),
    /// Other changes won every race against a change of the freezes until the deadline.
    #[error("other changes kept meeting the change of the freezes until the deadline")]
    FreezeContention,
}

/// A request that the ledger's rules forbid.
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
        /// The state.
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
    /// A version that is the rollback target of a tag can't be deleted while it is active, unless the deletion is forced.
    #[error("{package} {version} is the rollback target of {}", tags.join(", "))]
    WayBack {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
        /// The tags.
        tags: Vec<String>,
    },
    /// The blob of a deleted version was collected, so the version can't be undeleted.
    #[error("the blob of {package} {version} was collected, so the version can't come back")]
    Gone {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
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
        /// The label's value.
        value: String,
    },
    /// The version can't have these labels in addition to its own.
    #[error("{package} {version} can't take these labels: {why}")]
    Labels {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
        /// The reason.
        why: String,
    },
    /// The tag is protected.
    #[error("{package} {tag} is protected ({protection})")]
    Protected {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
        /// The protection.
        protection: Protection,
    },
    /// The tags of the package are frozen: they move no further.
    #[error("{package} {tag}: {}", each(freezes))]
    Frozen {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
        /// The freezes, each with its author and reason.
        freezes: Vec<Freeze>,
    },
    /// The packages are frozen already, with another end or strictness.
    #[error("{0}")]
    AlreadyFrozen(Box<Freeze>),
    /// The end of a freeze is not later than now.
    #[error("a freeze until {until} would have ended already: it is {now}")]
    PastUntil {
        /// The end.
        until: Timestamp,
        /// The present time.
        now: Timestamp,
    },
    /// There are as many freezes as a ledger can have.
    #[error("there are {0} freezes, and no more are allowed")]
    TooManyFreezes(usize),
    /// The tag can't be rolled back.
    #[error("{package} {tag} can't be rolled back{}", unfit(*to))]
    Rollback {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
        /// The target and its state; `None` if the tag was on no version before.
        to: Option<(Version, State)>,
        /// The nearest earlier version that the tag can be rolled back to, if there is one.
        nearest: Option<Version>,
    },
    /// A tag on a version that is to be recalled was on no other version that is active.
    #[error("{package} {tag} can't go back from {version}: it was on no other version that is active")]
    NowhereToGo {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
        /// The version.
        version: Version,
    },
    /// The version does not pass a gate.
    #[error("{package} {version} does not pass {}{}", shut(failed), if *no_override { format!("; {tag} allows no override") } else { String::new() })]
    Gates {
        /// The package.
        package: PackageName,
        /// The tag that was to be put on the version.
        tag: TagName,
        /// The version.
        version: Version,
        /// The gates that failed.
        failed: Vec<GateFailure>,
        /// True if a standing gate failed that the tag does not allow to be overridden.
        no_override: bool,
    },
    /// The tag can't have these standing gates: with its own they are too many, or too many tags have gates.
    #[error("{package} {tag} can't take these gates: {why}")]
    TooManyGates {
        /// The package.
        package: PackageName,
        /// The tag.
        tag: TagName,
        /// The reason.
        why: String,
    },
    /// The version that a tag was on at a time is not certain.
    #[error("{0}")]
    UncertainTime(Box<UncertainTime>),
    /// The plan does not fit in one transaction.
    #[error("the plan needs {needed} items in one transaction; at most {most} are allowed")]
    TooLarge {
        /// The number of items that the plan needs.
        needed: usize,
        /// The maximum number of items.
        most: usize,
    },
    /// This kind of ledger does not support the operation.
    #[error("this kind of ledger does not support this operation")]
    Unsupported,
    /// The package has no version numbers left.
    #[error("{0} has used up its version numbers")]
    Full(PackageName),
    /// An import of the ledger has begun and is not finished. Until then, nothing else may change the ledger.
    #[error("an import of this ledger is not finished")]
    Importing,
    /// The ledger does not hold an earlier state of the items that are imported.
    #[error(
        "the ledger has another past than the one to be imported; the first difference is {place}: {what}"
    )]
    Diverged {
        /// The first place that differs.
        place: String,
        /// The difference.
        what: String,
    },
    /// The ledger has collected a blob at the address at which an imported version needs it.
    #[error("this ledger has collected {0}, and an address is never used again after that")]
    Collected(Address),
}

fn each(freezes: &[Freeze]) -> String {
    freezes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn shut(failed: &[GateFailure]) -> String {
    let each = |GateFailure { gate, found, .. }: &GateFailure| format!("{gate} ({found})");
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

/// Returns the error for a missing version, or for a missing package if there is no `last` version number.
pub(in crate::ledger) fn no_version(package: &PackageName, version: Version, last: Option<u64>) -> NotFound {
    match last.and_then(|last| Version::try_from(last).ok()) {
        Some(last) => NotFound::Version { package: package.clone(), version, last },
        None => NotFound::Package(package.clone()),
    }
}
