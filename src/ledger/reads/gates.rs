//! The result of gates for a version. Pure: over what was read.

use super::stays::{MOST, Stays, Until, stays};
use crate::{
    ledger::{
        Error,
        clock::Now,
        error::no_version,
        schema::{self, TagItem, is_ahead},
        snapshot::{FixedVersion, Lookup, Snapshot},
    },
    model::{Gate, GateCheck, Labels, Length, PackageName, TagName, Version},
};
use std::time::Duration;

/// The version that is to pass gates.
#[derive(Debug, Clone, Copy)]
pub(in crate::ledger) enum Candidate<'a> {
    Existing(Version),
    /// A version that is being added now, with these labels.
    New(Version, &'a Labels),
}

impl Candidate<'_> {
    pub(in crate::ledger) fn version(self) -> Version {
        match self {
            Self::Existing(version) | Self::New(version, _) => version,
        }
    }
}

/// The finding of one gate: what was found, and whether the version passes.
type Finding = (bool, String);

/// Returns the result of each of these gates, or all keys that must be read first. The value of a label or an age, once
/// read, is permanent; the rest follows from the items of tags.
pub(in crate::ledger) fn check<'a>(
    package: &PackageName,
    candidate: Candidate<'_>,
    gates: impl IntoIterator<Item = (&'a Gate, bool)>,
    seen: &Snapshot,
    now: Now,
) -> Result<Lookup<Vec<GateCheck>>, Error> {
    Lookup::all(gates.into_iter().map(|(gate, standing)| {
        Ok(match check_one(package, candidate, gate, seen, now)? {
            Lookup::Ready((passed, found)) => {
                Lookup::Ready(GateCheck { gate: gate.clone(), standing, passed, found })
            }
            Lookup::Missing(keys) => Lookup::Missing(keys),
        })
    }))
}

fn check_one(
    package: &PackageName,
    candidate: Candidate<'_>,
    gate: &Gate,
    seen: &Snapshot,
    now: Now,
) -> Result<Lookup<Finding>, Error> {
    let version = candidate.version();
    Ok(Lookup::Ready(match gate {
        Gate::Label { name, value } => {
            let actual = match candidate {
                Candidate::New(_, labels) => {
                    labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.to_owned())
                }
                Candidate::Existing(_) => match item_of(package, version, seen)? {
                    Lookup::Missing(keys) => return Ok(Lookup::Missing(keys)),
                    Lookup::Ready(_) => seen.label(&schema::version_key(package, version.get()), name)?,
                },
            };
            match actual {
                Some(actual) => (actual == *value, format!("it has {name}={actual}")),
                None => (false, format!("it has no label {name}")),
            }
        }
        Gate::Tag(tag) => {
            let key = schema::tag_key(package, tag);
            if !seen.contains(&key) {
                return Ok(Lookup::Missing(vec![key]));
            }
            let actual: Option<TagItem> = seen.get(&key)?;
            match actual.and_then(|actual| actual.version) {
                Some(actual) => (actual == version, format!("{tag} is on {actual}")),
                None => (false, format!("{tag} is on no version")),
            }
        }
        Gate::Age(least) => {
            let age = match candidate {
                Candidate::New(..) => Ok(Duration::ZERO),
                Candidate::Existing(_) => match item_of(package, version, seen)? {
                    Lookup::Missing(keys) => return Ok(Lookup::Missing(keys)),
                    Lookup::Ready(item) => age(&item, now),
                },
            };
            match age {
                Ok(age) => (age >= least.as_duration(), format!("it was added {} ago", seconds(age))),
                Err(unknown) => (false, unknown),
            }
        }
        Gate::Soak { tag, least } => {
            let least = least.as_duration();
            match stays_of(package, tag, candidate, Until::Total(least), (seen, now))? {
                Lookup::Missing(keys) => return Ok(Lookup::Missing(keys)),
                Lookup::Ready(stays) => (stays.total >= least, soaked(tag, &stays, least)),
            }
        }
        Gate::Was(tag) => match stays_of(package, tag, candidate, Until::Was, (seen, now))? {
            Lookup::Missing(keys) => return Ok(Lookup::Missing(keys)),
            Lookup::Ready(stays) if stays.was => (true, format!("{tag} was on it")),
            Lookup::Ready(Stays { cut: true, .. }) => {
                (false, format!("{tag} was not on it in the last {MOST} changes of tags"))
            }
            Lookup::Ready(_) => (false, format!("{tag} was never on it")),
        },
        Gate::Other(_) => (false, "this release of sacker does not know this gate".to_owned()),
    }))
}

/// Returns the stays of a tag on a version. No tag was ever on a version that is being added.
fn stays_of(
    package: &PackageName,
    tag: &TagName,
    candidate: Candidate<'_>,
    until: Until,
    (seen, now): (&Snapshot, Now),
) -> Result<Lookup<Stays>, Error> {
    match candidate {
        Candidate::New(..) => Ok(Lookup::Ready(Stays::default())),
        Candidate::Existing(version) => stays(package, tag, version, until, seen, now),
    }
}

/// Returns the text for the time that a tag stood on a version.
fn soaked(tag: &TagName, stays: &Stays, least: Duration) -> String {
    let Stays { total, was, unknown, cut } = *stays;
    if total >= least {
        return format!("{tag} was on it for {} or longer", seconds(total));
    }
    let mut text = if was {
        // Rounded up, so that the sum of both is never less than required.
        let lacking = seconds(least.saturating_sub(Duration::from_secs(total.as_secs())));
        format!("{tag} was on it for {} in total, and {lacking} are missing", seconds(total))
    } else {
        format!("{tag} was never on it")
    };
    if cut {
        text = format!("{text}; only the last {MOST} changes of tags count");
    }
    if unknown {
        text = format!("{text}; a stay does not count because a clock is or was wrong");
    }
    text
}

fn seconds(length: Duration) -> Length {
    Length::from(Duration::from_secs(length.as_secs()))
}

/// Returns the version's item.
fn item_of(package: &PackageName, version: Version, seen: &Snapshot) -> Result<Lookup<FixedVersion>, Error> {
    let key = schema::version_key(package, version.get());
    if !seen.contains(&key) {
        return Ok(Lookup::Missing(vec![key]));
    }
    let item = seen.version(&key)?.ok_or_else(|| no_version(package, version, None))?;
    Ok(Lookup::Ready(item))
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
