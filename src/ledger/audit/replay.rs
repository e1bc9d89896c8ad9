//! The versions of a package against what its events say: their states and later labels. Pure.
//!
//! Both can be derived: a version is added as active and with its own labels, and each event says what it changed. Of
//! two labels of one name the first stands. (Earlier releases let concurrent commands lose labels, and accept two values
//! of one name.)

use super::super::items::{self, ReleaseEvent, ReleaseEventKind, VersionItem};
use super::{
    Rule,
    examine::{Findings, Walked},
    package::Package,
};
use crate::{
    model::{Labels, State, Version},
    table::{Action, Change, Condition, Item, Key},
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// What the events of a package say.
#[derive(Default)]
struct Replayed {
    /// The state, and the later labels, of each version that there is an event about.
    versions: BTreeMap<Version, (State, Labels)>,
    /// Versions about which the events contradict each other, or say something that can't be written.
    doubtful: BTreeSet<Version>,
    /// Versions that an event of an unknown kind is about, and whether there is one about no version.
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

/// Compares versions with what the events say, and sets each to the state that it had at the instant of the head.
pub(super) fn replay(
    package: &Package,
    walked: &Walked,
    versions: &mut BTreeMap<Version, VersionItem>,
    events: Vec<(&Key, ReleaseEvent)>,
    findings: &mut Findings,
) {
    let replayed = go_through(versions, events, findings);
    let changed = package.releases.changed();
    let derivable = package.releases.may_be_derived(walked);
    for (number, version) in versions {
        let key = items::version_key(&package.name, number.get());
        // What such an event does to a version is not known.
        if replayed.is_unknown(*number) {
            if let State::Other(word) = version.state {
                findings.unknown_word(&key, "state", word.as_str());
            }
            continue;
        }
        let (state, more) = replayed.of(*number);
        if changed.has(*number) {
            version.state = state;
            continue;
        }
        let (mut wrong, mut set) = (Vec::new(), Item::new());
        if version.state != state {
            set.insert("state".to_owned(), json!(state));
            wrong.push(format!("it is {}, and the events say that it is {state}", version.state));
        }
        if version.more_labels != more {
            set.insert("more_labels".to_owned(), json!(more));
            let names = differing(&version.more_labels, &more).join(", ");
            wrong.push(format!("its later labels are not those of the events: {names}"));
        }
        if wrong.is_empty() {
            continue;
        }
        let sure =
            derivable && !replayed.doubtful.contains(number) && !matches!(version.state, State::Other(_));
        let mend = package
            .item(&key)
            .filter(|_| sure)
            .map(|item| vec![set_where_same(key.clone(), item, set), package.releases.is_still(walked)]);
        findings.mendable(&key, Rule::State, wrong.join("; "), mend);
        if derivable {
            version.state = state;
        }
    }
}

/// Sets attributes of a version, under the condition that all that may change of it is as it was seen.
fn set_where_same(key: Key, seen: &Item, set: Item) -> Action {
    let same = ["state", "more_labels"].map(|attribute| Condition::same(attribute, seen));
    Action { key, condition: Condition::All(same.into()), change: Change::Update { set, add: [].into() } }
}

/// The names of labels that one has and the other has not, or with another value.
fn differing(one: &Labels, other: &Labels) -> Vec<String> {
    let (one, other): (BTreeSet<_>, BTreeSet<_>) = (one.iter().collect(), other.iter().collect());
    let names: BTreeSet<_> = one.symmetric_difference(&other).map(|(name, _)| (*name).to_owned()).collect();
    names.into_iter().collect()
}

/// Replays the events, and reports what is wrong with the events themselves.
fn go_through(
    versions: &BTreeMap<Version, VersionItem>,
    mut events: Vec<(&Key, ReleaseEvent)>,
    findings: &mut Findings,
) -> Replayed {
    events.sort_by_key(|(_, event)| event.rev);
    let mut replayed = Replayed::default();
    for (key, event) in events {
        if let ReleaseEventKind::Other(word) = event.kind {
            findings.unknown_word(key, "kind of event", word.as_str());
            replayed.all_unknown |= event.version.is_none();
            replayed.unknown.extend(event.version);
            continue;
        }
        let Some(number) = event.version else {
            if event.kind != ReleaseEventKind::Fence {
                findings.add(key, Rule::Form, "it names no version");
            }
            continue;
        };
        let Some(version) = versions.get(&number) else {
            findings.add(key, Rule::State, format!("it is about version {number}, which is not there"));
            continue;
        };
        let (mut state, mut more) = replayed.of(number);
        if !replayed.is_unknown(number) && event.was.is_some_and(|was| was != state) {
            findings.add(key, Rule::State, format!("it found the version in a state that is not {state}"));
            replayed.doubtful.insert(number);
        }
        match event.kind {
            ReleaseEventKind::Yank => state = State::Yanked,
            ReleaseEventKind::Unyank => state = State::Active,
            ReleaseEventKind::Delete => state = State::Deleted,
            ReleaseEventKind::Fence | ReleaseEventKind::Other(_) => {}
            ReleaseEventKind::Label => more = more.and(&event.labels.without(&version.labels)),
        }
        if version.labels.join(&more).is_err() {
            replayed.doubtful.insert(number);
        }
        replayed.versions.insert(number, (state, more));
    }
    replayed
}
