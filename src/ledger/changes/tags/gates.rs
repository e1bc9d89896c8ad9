//! The gates of a move. Pure: over what was read.

use super::destination::Move;
use crate::{
    ledger::{
        Error, GateFailure, Refused,
        clock::Now,
        engine::operation::Context,
        error::no_version,
        schema::{self, TagItem, is_ahead},
        snapshot::{FixedVersion, Lookup, Snapshot},
    },
    model::{Gate, Length, Version},
};
use std::time::Duration;

impl Move {
    /// Checks the gates for a version. The value of a label or an age, once read, is permanent; a tag's version follows
    /// from the head.
    pub(super) fn gates(
        &self,
        version: Version,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Lookup<()>, Error> {
        if self.require.is_empty() {
            return Ok(Lookup::Ready(()));
        }
        let package = &self.package;
        let key = schema::version_key(package, version.get());
        if !seen.contains(&key) {
            return Ok(Lookup::Missing(vec![key]));
        }
        let item = seen.version(&key)?.ok_or_else(|| no_version(package, version, None))?;
        let mut failed = Vec::new();
        for gate in &self.require {
            let found = match gate {
                Gate::Label { name, value } => match seen.label(&key, name)? {
                    Some(actual) if actual == *value => continue,
                    Some(actual) => format!("it has {name}={actual}"),
                    None => format!("it has no label {name}"),
                },
                Gate::Tag(tag) => {
                    let actual: Option<TagItem> = seen.get(&schema::tag_key(package, tag))?;
                    match actual.and_then(|actual| actual.version) {
                        Some(actual) if actual == version => continue,
                        Some(actual) => format!("{tag} is on {actual}"),
                        None => format!("{tag} is on no version"),
                    }
                }
                Gate::Age(least) => {
                    let seconds = |age: Duration| Length::from(Duration::from_secs(age.as_secs()));
                    match age(&item, context.now) {
                        Ok(age) if age >= least.as_duration() => continue,
                        Ok(age) => format!("it was added {} ago", seconds(age)),
                        Err(unknown) => unknown,
                    }
                }
            };
            failed.push(GateFailure { gate: gate.clone(), found });
        }
        if failed.is_empty() {
            return Ok(Lookup::Ready(()));
        }
        let (package, tag) = (package.clone(), self.tag.clone());
        Err(Refused::Gates { package, tag, version, failed }.into())
    }
}

/// Returns the age of a version as a gate counts it, or the reason why it is not known.
fn age(item: &FixedVersion, now: Now) -> Result<Duration, String> {
    let added = match item.clock {
        None => item.when,
        // That clock was corrected by the server, as this one is.
        Some(clock) if now.of_server => clock,
        Some(clock) => {
            let when = item.when;
            return Err(format!(
                "its age is not known: it was recorded at {when} by a clock that showed {clock}, and one of them is wrong"
            ));
        }
    };
    if is_ahead(added, now.at) {
        return Err(format!(
            "its age is not known: it is recorded at {added}, later than now, so a clock is or was wrong"
        ));
    }
    Ok(now.at.since(added))
}
