//! Times that are not certain.

use crate::model::{Actor, PackageName, TagName, Timestamp};
use std::fmt;

/// An entry close to the requested time that was recorded by a wrong clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UncertainTime {
    /// The package.
    pub package: PackageName,
    /// The tag.
    pub tag: TagName,
    /// The requested time.
    pub at: Timestamp,
    /// The revision of the package's tags that may have happened before or after it.
    pub rev: u64,
    /// The author of that revision.
    pub who: Actor,
    /// The recorded time of that revision.
    pub recorded: Timestamp,
    /// The author's clock at that revision, if it was behind the log.
    pub clock: Option<Timestamp>,
    /// The current time.
    pub now: Timestamp,
}

impl fmt::Display for UncertainTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, tag, at, rev, who, recorded, clock, now } = self;
        let found = match clock {
            Some(clock) => format!("its clock showed {clock}"),
            None => format!("now is {now}"),
        };
        write!(
            f,
            "{package} {tag} at {at} is not certain, because a clock is or was wrong: revision {rev} by {who} is recorded at \
             {recorded}, but {found}"
        )
    }
}
