//! Output for programs: one JSON object per line. Field names are never removed once released.

mod event;
mod freezes;
mod prune;
mod recall;
mod status;
mod tags;
mod totals;
mod transfer;

pub(super) use event::{EventLine, WatchLine};
pub(super) use freezes::FreezeLine;
pub(super) use prune::{PrunedLine, pruned_word};
pub(super) use recall::RecallLine;
pub(super) use status::{PlanLine, StatusLine};
pub(super) use tags::{CheckLine, TagLine};
use tags::{GateLine, gate_lines};
pub(super) use totals::{Totals, TotalsLine};
pub(super) use transfer::{CopiedLine, CopyTotals, HeadLine};

use super::{error::Failure, render::unsafe_for_terminal};
use crate::{
    ledger::{Repair, Violation},
    model::{Created, Labels, PackageName, PackageSummary, Release, Setting, SettingState, State, Version},
    ops::{Downloaded, Finding, Garbage, InitReport, Verdict},
};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt::Write};

/// A version.
#[derive(Debug, Serialize)]
pub(super) struct VersionLine<'a> {
    package: &'a PackageName,
    version: Version,
    sha256: &'a str,
    size: u64,
    filename: Option<&'a str>,
    mode: Option<String>,
    labels: &'a Labels,
    message: Option<&'a str>,
    state: State,
    added_at: String,
    added_by: &'a str,
    tags: &'a [String],
    /// The revision at which the tag was last changed, if the version was found by a tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    rev: Option<u64>,
    /// For a single version only: the standing gates of the package's tags, if there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gates: Vec<GateLine<'a>>,
    /// For `add` only: true if this operation created the version.
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<bool>,
}

impl<'a> VersionLine<'a> {
    pub fn of(release: &'a Release, new: Option<bool>) -> Self {
        Self {
            package: &release.package,
            version: release.version,
            sha256: release.blob.address.sha256.as_str(),
            size: release.blob.size,
            filename: release.blob.filename.as_ref().map(AsRef::as_ref),
            mode: release.blob.mode.map(|mode| mode.to_string()),
            labels: &release.labels,
            message: release.message.as_ref().map(AsRef::as_ref),
            state: release.state,
            added_at: release.added_at.to_string(),
            added_by: release.added_by.as_str(),
            tags: &release.tags,
            rev: release.rev,
            gates: gate_lines(&release.gates),
            new,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct PackageLine<'a> {
    pub package: &'a PackageName,
}

/// A package with the columns of `list -l`.
#[derive(Debug, Serialize)]
pub(super) struct SummaryLine<'a> {
    package: &'a PackageName,
    versions: Version,
    latest: Option<Version>,
    size: Option<u64>,
    changed_at: String,
}

impl<'a> SummaryLine<'a> {
    pub fn of(summary: &'a PackageSummary) -> Self {
        Self {
            package: &summary.package,
            versions: summary.versions,
            latest: summary.latest,
            size: summary.size,
            changed_at: summary.changed_at.to_string(),
        }
    }
}

/// The result of `download`.
#[derive(Debug, Serialize)]
pub(super) struct DownloadLine<'a> {
    package: &'a PackageName,
    version: Version,
    sha256: &'a str,
    size: u64,
    path: Option<String>,
    /// True if a file with the same bytes existed already.
    present: bool,
}

impl<'a> DownloadLine<'a> {
    pub fn of(package: &'a PackageName, downloaded: &'a Downloaded) -> Self {
        Self {
            package,
            version: downloaded.version,
            sha256: downloaded.blob.address.sha256.as_str(),
            size: downloaded.blob.size,
            path: downloaded.path.as_ref().map(|path| path.to_string_lossy().into_owned()),
            present: downloaded.present,
        }
    }
}

/// The result of `init`.
#[derive(Debug, Serialize)]
pub(super) struct InitLine<'a> {
    ledger: &'a str,
    ledger_made: bool,
    ledger_id: &'a str,
    store: &'a str,
    store_made: bool,
    /// For `--adopt-store` only: true if the store was adopted by this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    adopted: Option<bool>,
    #[serde(flatten)]
    adoption: Option<AdoptionFields<'a>>,
    settings: Vec<SettingFields<'a>>,
}

/// A setting of the table, the bucket or the server, as found.
#[derive(Debug, Serialize)]
struct SettingFields<'a> {
    name: &'a str,
    #[serde(flatten)]
    state: &'a SettingState,
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<&'a str>,
}

/// The adoption of a store: the former owner, and the first generation at which this ledger adds blobs.
#[derive(Debug, Serialize)]
struct AdoptionFields<'a> {
    former_owner: Option<&'a str>,
    generation: u64,
}

impl<'a> SettingFields<'a> {
    fn of(setting: &'a Setting) -> Self {
        Self { name: setting.name, state: &setting.state, repair: setting.repair.as_deref() }
    }
}

impl<'a> InitLine<'a> {
    pub fn of(made: &'a InitReport, ledger: &'a str, store: &'a str, adopting: bool) -> Self {
        let adoption = made.adopted.as_ref().map(|adopted| AdoptionFields {
            former_owner: adopted.former.as_deref(),
            generation: adopted.generation,
        });
        Self {
            ledger,
            ledger_made: made.ledger == Created::Made,
            ledger_id: &made.id,
            store,
            store_made: made.store == Created::Made,
            adopted: adopting.then_some(adoption.is_some()),
            adoption,
            settings: made.settings.iter().map(SettingFields::of).collect(),
        }
    }
}

/// A finding of `doctor`.
#[derive(Debug, Serialize)]
pub(super) struct FindingLine<'a> {
    name: &'a str,
    status: Verdict,
    detail: &'a str,
    repair: Option<&'a str>,
}

impl<'a> FindingLine<'a> {
    pub fn of(finding: &'a Finding) -> Self {
        Self {
            name: &finding.name,
            status: finding.verdict,
            detail: &finding.detail,
            repair: finding.repair.as_deref(),
        }
    }
}

/// An entry of `gc`: a blob, or an unfinished upload.
#[derive(Debug, Serialize)]
pub(super) struct GarbageLine<'a> {
    sha256: Option<&'a str>,
    generation: Option<u64>,
    size: Option<u64>,
    upload: Option<&'a str>,
    removed: bool,
}

impl<'a> GarbageLine<'a> {
    pub fn of(found: &'a Garbage, removed: bool) -> Self {
        match found {
            Garbage::Blob { address, size } => Self {
                sha256: Some(address.sha256.as_str()),
                generation: Some(address.generation),
                size: Some(*size),
                upload: None,
                removed,
            },
            Garbage::Upload(upload) => {
                Self { sha256: None, generation: None, size: None, upload: Some(&upload.name), removed }
            }
        }
    }
}

/// An entry of `fsck`.
#[derive(Debug, Serialize)]
pub(super) struct ViolationLine<'a> {
    rule: String,
    place: &'a str,
    what: &'a str,
    #[serde(rename = "mended")]
    repaired: bool,
}

impl<'a> ViolationLine<'a> {
    pub fn of(violation: &'a Violation) -> Self {
        Self {
            rule: violation.rule.to_string(),
            place: &violation.place,
            what: &violation.what,
            repaired: violation.repair == Repair::Done,
        }
    }
}

#[derive(Debug, Serialize)]
struct ErrorLine<'a> {
    kind: &'static str,
    message: &'a str,
    hint: Option<String>,
    exit_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    causes: Option<&'a [String]>,
}

impl<'a> ErrorLine<'a> {
    fn of(failure: &'a Failure, causes: bool) -> Self {
        Self {
            kind: failure.kind.name(),
            message: &failure.message,
            hint: (!failure.hints.is_empty()).then(|| failure.hints.join("; ")),
            exit_code: failure.kind.exit_code(),
            causes: causes.then_some(&failure.causes),
        }
    }
}

/// Renders an error, with its causes if `causes` is true.
pub(super) fn failure(failure: &Failure, causes: bool) -> String {
    object("error", &ErrorLine::of(failure, causes))
}

/// Returns the fields of an error in a log: those that it has besides its message.
pub(super) fn failure_fields(failure: &Failure, causes: bool) -> Map<String, Value> {
    let line = serde_json::to_value(ErrorLine::of(failure, causes));
    let Ok(Value::Object(mut fields)) = line else { unreachable!("an error is an object") };
    fields.retain(|name, value| name != "message" && !value.is_null());
    fields
}

/// Renders a notice, a warning, or a line of the trace.
pub(super) fn notice(what: &str, text: &str) -> String {
    object(what, &BTreeMap::from([("message", text)]))
}

fn object(name: &str, value: &impl Serialize) -> String {
    line(&BTreeMap::from([(name, value)]))
}

/// Renders a line of JSON. Characters that are unsafe for a terminal occur only in strings, where they are escaped;
/// JSON itself requires that for fewer characters.
pub(super) fn line(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("strings, numbers and maps of them are always JSON");
    if !text.contains(unsafe_for_terminal) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        if unsafe_for_terminal(c) {
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}
