//! The states and later labels of a package's versions, compared with their events. Pure.
//!
//! Both can be derived: a version is added as active and with its own labels, and each event records its change. Of two
//! labels of one name the first counts. (Earlier releases let concurrent commands lose labels, and accept two values of
//! one name.)

use super::{
    facts::{VersionFact, unpack},
    findings::{Findings, Walked},
    records::{Package, Releases},
    violation::Invariant,
};
use crate::{
    ledger::schema::{self, BlobFields, ReleaseEventKind},
    model::{Labels, State, Version},
    table::{Action, Change, Condition, Item, Key},
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The result of replaying the events of a package.
#[derive(Default)]
struct Replayed {
    /// The state, and the later labels, of each version that has an event.
    versions: BTreeMap<Version, (State, Labels)>,
    /// The state of each version before its last deletion.
    deleted_from: BTreeMap<Version, State>,
    /// Versions whose events contradict each other, or record something that can't be written.
    doubtful: BTreeSet<Version>,
    /// Versions with an event of an unknown kind, and whether there is such an event without a version.
    unknown: BTreeSet<Version>,
    all_unknown: bool,
}

impl Replayed {
    fn is_unknown(&self, version: Version) -> bool {
        self.all_unknown || self.unknown.contains(&version)
    }

    fn of(&self, version: Version) -> (State, Labels) {
        self.versions.get(&version).cloned().unwrap_or((State::Active, Labels::default()))
    }
}

/// The versions with the state that each had at the instant that the package is judged at.
pub(super) struct States<'a> {
    releases: &'a Releases,
    /// The versions whose state then differs from the one that was read.
    others: BTreeMap<Version, State>,
}

impl<'a> States<'a> {
    fn of(&self, version: &VersionFact) -> State {
        self.others.get(&version.n).copied().unwrap_or(version.state)
    }

    /// Returns the state of a version, if it exists.
    pub fn get(&self, version: Version) -> Option<State> {
        Some(self.of(self.releases.version(version)?))
    }

    /// Returns the highest active version.
    pub fn latest(&self) -> Option<Version> {
        let mut versions = self.releases.versions.iter().rev();
        versions.find(|version| self.of(version) == State::Active).map(|version| version.n)
    }

    /// Returns the blob of a version, if it exists.
    ///
    /// # Errors
    /// The version, if its blob was not kept.
    pub fn blob(&self, version: Version) -> Result<Option<&'a BlobFields>, Version> {
        self.releases.blobs.get(&version).map(Option::as_ref).ok_or(version)
    }
}

/// Compares versions with their events.
pub(super) fn replay<'a>(package: &'a Package, walked: &Walked, findings: &mut Findings) -> States<'a> {
    let releases = &package.releases;
    let log = &releases.log;
    let replayed = go_through(releases, findings);
    let derivable = log.may_be_derived(walked);
    let mut others = BTreeMap::new();
    for version in &releases.versions {
        let key = || schema::version_key(&package.name, version.n.get());
        // The effect of such an event on a version is not known.
        if replayed.is_unknown(version.n) {
            if let State::Other(word) = version.state {
                findings.unknown_word(&key(), "state", word.as_str());
            }
            continue;
        }
        let (state, more) = replayed.of(version.n);
        if version.state != state && (derivable || log.changed().has(version.n)) {
            others.insert(version.n, state);
        }
        if log.changed().has(version.n) {
            continue;
        }
        let (mut wrong, mut set) = (Vec::new(), Item::new());
        if version.state != state {
            set.insert("state".to_owned(), json!(state));
            wrong.push(format!("it is {}, and by its events it is {state}", version.state));
        }
        let stored = unpack(&version.more_labels);
        if stored != more {
            set.insert("more_labels".to_owned(), json!(more));
            let names = differing(&stored, &more).join(", ");
            wrong.push(format!("its later labels are not those of the events: {names}"));
        }
        if wrong.is_empty() {
            continue;
        }
        let sure =
            derivable && !replayed.doubtful.contains(&version.n) && !matches!(version.state, State::Other(_));
        let fix = sure.then(|| vec![set_where_same(key(), &version.seen(), set), log.is_still(walked)]);
        findings.repairable(&key(), Invariant::State, wrong.join("; "), fix);
    }
    States { releases, others }
}

/// Sets attributes of a version, under the condition that all its mutable attributes are as they were read.
fn set_where_same(key: Key, seen: &Item, set: Item) -> Action {
    let same = ["state", "more_labels"].map(|attribute| Condition::same(attribute, seen));
    Action { key, condition: Condition::All(same.into()), change: Change::Update { set, add: [].into() } }
}

/// Returns the names of the labels that differ: missing on one side, or with another value.
fn differing(one: &Labels, other: &Labels) -> Vec<String> {
    let (one, other): (BTreeSet<_>, BTreeSet<_>) = (one.iter().collect(), other.iter().collect());
    let names: BTreeSet<_> = one.symmetric_difference(&other).map(|(name, _)| (*name).to_owned()).collect();
    names.into_iter().collect()
}

/// Replays the events, and reports the violations of the events themselves.
fn go_through(releases: &Releases, findings: &mut Findings) -> Replayed {
    let mut events: Vec<_> = releases.events.iter().collect();
    events.sort_by_key(|event| event.rev);
    let mut replayed = Replayed::default();
    for event in events {
        let key = &event.place.key(&releases.log.pk);
        if let ReleaseEventKind::Other(word) = event.kind {
            findings.unknown_word(key, "kind of event", word.as_str());
            replayed.all_unknown |= event.version.is_none();
            replayed.unknown.extend(event.version);
            continue;
        }
        let Some(number) = event.version else {
            if event.kind != ReleaseEventKind::Fence {
                findings.add(key, Invariant::Form, "it names no version");
            }
            continue;
        };
        let Some(version) = releases.version(number) else {
            findings.add(key, Invariant::State, format!("it refers to version {number}, which is missing"));
            continue;
        };
        let (mut state, mut more) = replayed.of(number);
        if !replayed.is_unknown(number) && event.was.is_some_and(|was| was != state) {
            findings.add(key, Invariant::State, format!("its previous state is not {state}"));
            replayed.doubtful.insert(number);
        }
        match event.kind {
            ReleaseEventKind::Yank => state = State::Yanked,
            ReleaseEventKind::Unyank => state = State::Active,
            ReleaseEventKind::Delete => {
                replayed.deleted_from.insert(number, state);
                state = State::Deleted;
            }
            ReleaseEventKind::Undelete => {
                let before = replayed.deleted_from.get(&number).copied().unwrap_or(State::Active);
                if !replayed.is_unknown(number) && event.state != Some(before) {
                    findings.add(
                        key,
                        Invariant::State,
                        format!("its version was {before} before the deletion"),
                    );
                    replayed.doubtful.insert(number);
                }
                state = event.state.unwrap_or(before);
            }
            ReleaseEventKind::Fence | ReleaseEventKind::Other(_) => {}
            ReleaseEventKind::Label => {
                more = more.and(&unpack(&event.labels).without(&unpack(&version.labels)));
            }
        }
        if !more.is_empty() && unpack(&version.labels).join(&more).is_err() {
            replayed.doubtful.insert(number);
        }
        replayed.versions.insert(number, (state, more));
    }
    replayed
}
