//! The lines of `history` and `watch`.

use crate::{
    model::{Event, Gates, Labels, Override, PackageName, Protection, TagName, Version},
    ops::WatchedEvent,
};
use serde::Serialize;

/// An entry of a package's history.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct EventLine<'a> {
    package: &'a PackageName,
    kind: String,
    tag: Option<&'a str>,
    version: Option<Version>,
    previous: Option<Version>,
    labels: &'a Labels,
    protection: Option<Protection>,
    /// The tag's standing gates, if it has some.
    #[serde(skip_serializing_if = "Option::is_none")]
    gates: Option<&'a Gates>,
    /// True if these can't be overridden.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    no_override: bool,
    /// The standing gates that a move passed over, and the reason.
    #[serde(rename = "override", skip_serializing_if = "Option::is_none")]
    overridden: Option<&'a Override>,
    message: Option<&'a str>,
    /// The reason of the emergency, for a move that passed a freeze.
    #[serde(skip_serializing_if = "Option::is_none")]
    emergency: Option<&'a str>,
    /// The log that `rev` counts in.
    log: &'static str,
    rev: u64,
    at: String,
    by: &'a str,
}

impl<'a> EventLine<'a> {
    pub fn of(event: &'a Event) -> Self {
        Self {
            package: &event.package,
            kind: event.kind.to_string(),
            tag: event.tag.as_ref().map(TagName::as_str),
            version: event.version,
            previous: event.previous,
            labels: &event.labels,
            protection: event.protection,
            gates: Some(&event.gates).filter(|gates| !gates.is_empty()),
            no_override: event.no_override,
            overridden: event.overridden.as_ref(),
            message: event.message.as_ref().map(AsRef::as_ref),
            emergency: event.emergency.as_ref().map(AsRef::as_ref),
            log: if event.kind.is_of_tags() { "tags" } else { "releases" },
            rev: event.rev,
            at: event.at.to_string(),
            by: event.by.as_str(),
        }
    }
}

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
