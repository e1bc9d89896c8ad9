//! Lines of a log for programs: a JSON object each, with the time, the level, the run and the fields.

use super::json;
use crate::model::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;
use tracing::Level;

/// The identity of a run of the program: the same in all of its lines, and different in any other run's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RunId(u64);

impl RunId {
    /// Returns a random identity.
    pub fn random() -> Self {
        Self(fastrand::u64(..))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[derive(Debug, Serialize)]
struct LogLine<'a> {
    time: String,
    level: &'static str,
    run: String,
    message: &'a str,
    fields: &'a Map<String, Value>,
}

/// Renders a line. The time is that of this machine's clock, in UTC.
pub(super) fn line(run: RunId, level: Level, message: &str, fields: &Map<String, Value>) -> String {
    let level = match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    };
    let (time, run) = (Timestamp::now().to_string(), run.to_string());
    json::line(&LogLine { time, level, run, message, fields })
}
