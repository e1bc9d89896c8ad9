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
    /// Sees whether the gates are open for a version. What is read of a label or an age holds for ever; a tag's place
    /// follows from the head.
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
                    Some(there) if there == *value => continue,
                    Some(there) => format!("it has {name}={there}"),
                    None => format!("it has no label {name}"),
                },
                Gate::Tag(tag) => {
                    let there: Option<TagItem> = seen.get(&schema::tag_key(package, tag))?;
                    match there.and_then(|there| there.version) {
                        Some(there) if there == version => continue,
                        Some(there) => format!("{tag} is on {there}"),
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

/// The age of a version as a gate counts it, or the reason why it is not known.
fn age(item: &FixedVersion, now: Now) -> Result<Duration, String> {
    let added = match item.clock {
        None => item.when,
        // It was corrected by the server, as this one is.
        Some(clock) if now.of_server => clock,
        Some(clock) => {
            let when = item.when;
            return Err(format!(
                "its age is not known: it was recorded at {when} by a clock that said {clock}, and one of them is wrong"
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
