//! A recall.

use super::tags::TagLine;
use crate::{
    ledger::Recalled,
    model::{PackageName, State, Version},
};
use serde::Serialize;

/// A version that was recalled, with the moves of its tags.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct RecallLine<'a> {
    package: &'a PackageName,
    version: Version,
    previous_state: State,
    state: State,
    moves: Vec<TagLine<'a>>,
}

impl<'a> RecallLine<'a> {
    pub fn of(recalled: &'a Recalled) -> Self {
        Self {
            package: &recalled.release.package,
            version: recalled.release.version,
            previous_state: recalled.previous,
            state: recalled.release.state,
            moves: recalled.moves.iter().map(TagLine::of).collect(),
        }
    }
}
