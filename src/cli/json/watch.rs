//! The lines of `watch`.

use super::EventLine;
use crate::ops::WatchedEvent;
use serde::Serialize;

/// An event, and the position after it.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct WatchLine<'a> {
    #[serde(flatten)]
    event: EventLine<'a>,
    /// The last field, so that a script can cut it off.
    cursor: String,
}

impl<'a> WatchLine<'a> {
    pub fn of(watched: &'a WatchedEvent) -> Self {
        Self { event: EventLine::of(&watched.event), cursor: watched.cursor.to_string() }
    }
}
