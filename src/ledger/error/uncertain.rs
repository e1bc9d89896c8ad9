//! Times that are not certain.

use crate::model::{Actor, PackageName, TagName, Timestamp};
use std::fmt;

/// An entry around the time that was asked for, which was recorded by a clock that was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UncertainTime {
    /// The package.
    pub package: PackageName,
    /// The tag.
    pub tag: TagName,
    /// The time that was asked for.
    pub at: Timestamp,
    /// The revision of the package's tags that may have happened before or after it.
    pub rev: u64,
    /// Who made it.
    pub who: Actor,
    /// When, as it is recorded.
    pub recorded: Timestamp,
    /// The time of the clock of who made it, where that was behind the log.
    pub clock: Option<Timestamp>,
    /// The time now.
    pub now: Timestamp,
}

impl fmt::Display for UncertainTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, tag, at, rev, who, recorded, clock, now } = self;
        let said = match clock {
            Some(clock) => format!("by a clock that said {clock}"),
            None => format!("and now is {now}"),
        };
        write!(
            f,
            "{package} {tag} at {at} is not certain: a clock is or was wrong, since revision {rev}, by {who}, is recorded \
             at {recorded}, {said}"
        )
    }
}
