//! The tables of `changes` and `find`.

use crate::{
    cli::render::{escaped, seconds},
    model::Release,
};

pub(in crate::cli) fn changes_header() -> String {
    format!("{:>7}  {:7}  {:20}  BY: WHY", "VERSION", "STATE", "ADDED")
}

/// Renders a version as one line, with its message and labels.
pub(in crate::cli) fn changes_row(release: &Release) -> String {
    let message = release.message.as_ref().map_or_else(String::new, |message| {
        format!(": {}", escaped(&message.as_str().replace(['\n', '\t'], " ")))
    });
    let labels: Vec<_> =
        release.labels.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    let labels = if labels.is_empty() { String::new() } else { format!(" [{}]", labels.join(" ")) };
    let (state, added) = (release.state, seconds(release.added_at));
    let by = escaped(release.added_by.as_str());
    format!("{:>7}  {state:7}  {added:20}  {by}{message}{labels}", release.version)
}

pub(in crate::cli) fn found_header() -> String {
    format!("{:32}  {:>7}  {:7}  {:20}  TAGS", "PACKAGE", "VERSION", "STATE", "ADDED")
}

pub(in crate::cli) fn found_row(release: &Release) -> String {
    let (state, added) = (release.state, seconds(release.added_at));
    let tags = release.tags.join(" ");
    let row = format!("{:32}  {:>7}  {state:7}  {added:20}  {tags}", release.package, release.version);
    row.trim_end().to_owned()
}
