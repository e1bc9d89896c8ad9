//! Freezes, and their changes.

use crate::model::{Freeze, FreezeEvent, FreezeKind, PackagePrefix};
use serde::Serialize;

/// A freeze, or a change of the freezes.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct FreezeLine<'a> {
    kind: String,
    prefix: Option<&'a PackagePrefix>,
    strict: bool,
    until: Option<String>,
    message: Option<&'a str>,
    rev: u64,
    at: String,
    by: &'a str,
}

impl<'a> FreezeLine<'a> {
    pub fn of(event: &'a FreezeEvent) -> Self {
        Self {
            kind: event.kind.to_string(),
            prefix: event.prefix.as_ref(),
            strict: event.strict,
            until: event.until.map(|until| until.to_string()),
            message: event.message.as_ref().map(AsRef::as_ref),
            rev: event.rev,
            at: event.at.to_string(),
            by: event.by.as_str(),
        }
    }

    pub fn of_freeze(freeze: &'a Freeze) -> Self {
        Self {
            kind: FreezeKind::Freeze.to_string(),
            prefix: Some(&freeze.prefix),
            strict: freeze.strict,
            until: freeze.until.map(|until| until.to_string()),
            message: freeze.message.as_ref().map(AsRef::as_ref),
            rev: freeze.rev,
            at: freeze.since.to_string(),
            by: freeze.by.as_str(),
        }
    }
}
