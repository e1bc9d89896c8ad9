//! The lines of tags and their gates.

use crate::{
    ledger::CheckReport,
    model::{Gate, GateCheck, Gates, Override, PackageName, Protection, TagGates, TagMove, TagName, Version},
};
use serde::Serialize;

/// A tag, or a move of a tag.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct TagLine<'a> {
    package: &'a PackageName,
    tag: &'a str,
    version: Option<Version>,
    previous: Option<Version>,
    kind: Option<String>,
    rev: Option<u64>,
    moved_at: Option<String>,
    moved_by: Option<&'a str>,
    message: Option<&'a str>,
    /// The tag's protection, if it is protected.
    #[serde(skip_serializing_if = "Option::is_none")]
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
}

impl<'a> TagLine<'a> {
    pub fn of(moved: &'a TagMove) -> Self {
        Self {
            package: &moved.package,
            tag: TagName::as_str(&moved.tag),
            version: moved.version,
            previous: moved.previous,
            kind: Some(moved.kind.to_string()),
            rev: Some(moved.rev),
            moved_at: Some(moved.moved_at.to_string()),
            moved_by: Some(moved.moved_by.as_str()),
            message: moved.message.as_ref().map(AsRef::as_ref),
            protection: moved.protection,
            gates: Some(&moved.gates).filter(|gates| !gates.is_empty()),
            no_override: moved.no_override,
            overridden: moved.overridden.as_ref(),
        }
    }

    /// Returns the line of `latest`, which has no moves of its own.
    pub fn latest(package: &'a PackageName, version: Version) -> Self {
        Self {
            package,
            tag: "latest",
            version: Some(version),
            previous: None,
            kind: None,
            rev: None,
            moved_at: None,
            moved_by: None,
            message: None,
            protection: None,
            gates: None,
            no_override: false,
            overridden: None,
        }
    }
}

/// A gate of `check`.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct CheckLine<'a> {
    package: &'a PackageName,
    version: Version,
    #[serde(flatten)]
    gate: GateLine<'a>,
    /// True if the gate is kept with the tag; else the command named it.
    standing: bool,
}

impl<'a> CheckLine<'a> {
    pub fn of(report: &'a CheckReport, check: &'a GateCheck) -> Self {
        let CheckReport { package, tag, version, .. } = report;
        Self { package, version: *version, gate: GateLine::of(tag, check), standing: check.standing }
    }
}

/// A gate of a tag, with its result for a version.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct GateLine<'a> {
    tag: &'a str,
    gate: &'a Gate,
    passed: bool,
    found: &'a str,
}

impl<'a> GateLine<'a> {
    fn of(tag: &'a TagName, check: &'a GateCheck) -> Self {
        Self { tag: tag.as_str(), gate: &check.gate, passed: check.passed, found: &check.found }
    }
}

/// Returns a line for each gate of each tag.
pub(super) fn gate_lines(all: &[TagGates]) -> Vec<GateLine<'_>> {
    all.iter().flat_map(|it| it.checks.iter().map(|check| GateLine::of(&it.tag, check))).collect()
}
