//! The rules for the items of one package, judged as of one instant: that of its heads. Pure.

use super::super::{
    Error,
    chain::START,
    fence::still_at,
    items::{self, BlobFields, Head, decode, encode},
};
use super::{
    Breach, Found, Rule,
    facts::{Entry, Link},
    package::{Log, Package},
    replay::{States, replay},
    tags::tags,
};
use crate::{
    model::{OpId, Timestamp, Version},
    table::{Action, Change, Condition, Item, Key},
};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::{BTreeSet, HashSet};

/// A log that has been gone through.
pub(super) struct Walked {
    /// Whether it is as it must be, so that what is derived from it is right.
    pub sound: bool,
    pub rev: u64,
    pub chain: Link,
    pub when: Option<Timestamp>,
}

/// What is found wrong.
#[derive(Clone, Default)]
pub(super) struct Findings {
    pub found: Vec<Found>,
    /// How much of the package this release can't judge.
    pub unjudged: usize,
    /// The least release that knows all of the package, where its heads say.
    least: Option<String>,
}

impl Findings {
    /// No findings yet, in a package with these heads.
    pub(super) fn of<'a>(mut heads: impl Iterator<Item = &'a Item>) -> Self {
        Self { least: heads.find_map(|head| items::least(head, "all")), ..Self::default() }
    }

    /// Adds what was found elsewhere.
    pub(super) fn extend(&mut self, more: &Self) {
        self.found.extend_from_slice(&more.found);
        self.unjudged += more.unjudged;
    }

    /// Something that a newer release wrote, and that is no breach.
    pub(super) fn unjudged(&mut self, place: &Key, what: impl Into<String>) {
        self.unjudged += 1;
        let least = self.least.as_ref();
        let least =
            least.map_or_else(String::new, |least| format!("; sacker {least} knows all of this package"));
        self.add(place, Rule::Newer, format!("{}{least}", what.into()));
    }

    pub(super) fn unknown_word(&mut self, place: &Key, what: &str, word: &str) {
        self.unjudged(place, format!("this release knows no {what} `{word}`, and does not judge it"));
    }

    /// How many breaches were found.
    pub(super) fn breaches(&self) -> usize {
        self.found.len() - self.unjudged
    }

    pub(super) fn add(&mut self, place: &Key, rule: Rule, what: impl Into<String>) {
        self.mendable(place, rule, what, None);
    }

    pub(super) fn mendable(
        &mut self,
        place: &Key,
        rule: Rule,
        what: impl Into<String>,
        mend: Option<Vec<Action>>,
    ) {
        self.found.push(Found { breach: Breach::new(place.to_string(), rule, what), mend });
    }

    pub(super) fn read<T: Serialize + DeserializeOwned>(&mut self, key: &Key, item: &Item) -> Option<T> {
        match decode(key, item) {
            Ok(record) => Some(record),
            Err(Error::Damaged { why, .. }) => {
                self.add(key, Rule::Form, why);
                None
            }
            Err(newer @ Error::Newer { .. }) => {
                self.unjudged(key, newer.to_string());
                None
            }
            Err(other) => {
                self.add(key, Rule::Form, other.to_string());
                None
            }
        }
    }

    /// Goes along a log: dense in `rev`, times that grow, each operation's entries together, and the chain.
    pub(super) fn walk(&mut self, log: &Log, tags: bool) -> Walked {
        let before = self.breaches();
        let mut entries: Vec<&Entry> = log.entries.iter().collect();
        entries.sort_by_key(|entry| entry.rev);
        let (mut rev, mut when) = (0, None);
        let start = Link::of(START);
        let mut chain = &start;
        let (mut ops, mut last_op) = (HashSet::new(), None);
        for entry in entries {
            let key = || entry.place.key(&log.pk);
            let gap = entry.rev != rev + 1;
            if gap {
                let pk = &log.pk;
                let what = if entry.rev == rev {
                    format!("{pk} has a second entry at rev {rev}")
                } else {
                    format!("{pk} has nothing between rev {rev} and rev {}", entry.rev)
                };
                self.add(&key(), Rule::Dense, what);
            }
            // After a gap there is nothing to compare with.
            if !gap && !entry.fits(&log.pk, chain) {
                self.add(&key(), Rule::Chain, "it is not what was written, or what is before it is not");
            }
            if when.is_some_and(|when| entry.when <= when) {
                self.add(&key(), Rule::Time, format!("{} is not after the entry before it", entry.when));
            }
            // Several tags can be set at once.
            let together = tags && last_op == Some(entry.op);
            if !ops.insert(&entry.op) && !together {
                let op = OpId::from(u128::from_be_bytes(entry.op));
                self.add(&key(), Rule::Op, format!("the operation {op} has another entry"));
            }
            last_op = Some(entry.op);
            (rev, chain, when) = (entry.rev, &entry.chain, Some(entry.when));
        }
        Walked { sound: self.breaches() == before, rev, chain: chain.clone(), when }
    }
}

/// All that is wrong with a package; or else a version whose blob it takes to say so.
pub(super) fn examine(package: &Package) -> Result<Vec<Found>, Version> {
    let (releases_log, tags_log) = (&package.releases.log, &package.tags.log);
    let heads = || releases_log.head.iter().chain(&tags_log.head);
    let mut findings = Findings::of(heads());
    if let Some(states) = releases(package, &mut findings)? {
        tags(package, &states, &mut findings)?;
    } else {
        let key = tags_log.head_key();
        findings.unjudged(&key, "the tags of the package were not judged, since its releases were not");
    }
    // A release that may not write the package, or an item of it, does not repair that either.
    let no_writes = heads().any(|head| items::least(head, "write").is_some());
    let spared = |action: &Action| {
        let log = [releases_log, tags_log].into_iter().find(|log| log.pk == action.key.pk);
        action.change != Change::Check && log.is_some_and(|log| log.spared.contains(&action.key.sk))
    };
    let mut found = findings.found;
    for one in &mut found {
        one.mend = one.mend.take().filter(|actions| !no_writes && !actions.iter().any(spared));
    }
    Ok(found)
}

/// Returns true if an item is an entry of a log.
pub(super) fn is_entry(sk: &str) -> bool {
    matches!(sk.get(..2), Some("V#" | "A#" | "E#"))
}

pub(super) fn number(sk: &str) -> Option<u64> {
    sk.get(2..)?.parse().ok()
}

pub(super) fn keys_lead_somewhere(log: &Log, findings: &mut Findings) {
    findings.extend(&log.keys);
    // What a key leads to may have been committed after the instant that the log is judged at.
    for (sk, entry) in log.dangling.iter().filter(|(_, entry)| !log.was_added(entry)) {
        let what = format!("it leads to {entry}, which is not there");
        findings.add(&Key::new(&log.pk, sk), Rule::Key, what);
    }
}

/// The states that versions had at that instant, if all entries can be read by this release.
fn releases<'a>(package: &'a Package, findings: &mut Findings) -> Result<Option<States<'a>>, Version> {
    let log = &package.releases.log;
    let head_key = log.head_key();
    let head = log.head.as_ref().map(|head| findings.read::<Head>(&head_key, head));
    let (before, unjudged) = (findings.breaches(), findings.unjudged);
    findings.extend(&log.read);
    if log.closed {
        return Ok(None);
    }
    let mut walked = findings.walk(log, false);
    let mut expected = 1;
    for version in &package.releases.versions {
        if version.n.get() != expected {
            let key = items::version_key(&package.name, version.n.get());
            findings.add(&key, Rule::Dense, format!("there is no version {expected} before it"));
        }
        expected = version.n.get() + 1;
    }
    walked.sound &= findings.breaches() == before;
    let states = replay(package, &walked, findings);
    let latest = states.latest();
    let blob = match latest {
        Some(latest) => states.blob(latest)?,
        None => None,
    };
    let n = package.releases.versions.last().map_or(0, |version| version.n.get());
    let seen = head.as_ref().and_then(Option::as_ref);
    let rest = seen.map(|head| head.rest.clone()).unwrap_or_default();
    // Of the same blob, what a newer release wrote in the copy stays; and which version is the latest can't be judged
    // beside a state or an event that is not known.
    let as_it_is = seen.filter(|head| {
        let same = |blob: &BlobFields| head.blob.as_ref().is_some_and(|it| it.without_rest() == encode(blob));
        findings.unjudged > unjudged || (head.latest == latest && blob.is_some_and(same))
    });
    let (latest, blob) =
        as_it_is.map_or_else(|| (latest, blob.cloned()), |head| (head.latest, head.blob.clone()));
    let derived = walked.when.map(|when| {
        let (rev, chain) = (walked.rev, walked.chain.to_string());
        encode(&Head { n, latest, blob, rev, chain, when, rest })
    });
    let head = match head {
        // What can't be read was reported.
        Some(None) => None,
        Some(Some(head)) => Some((head.rev, Some(encode(&head)))),
        None => Some((0, None)),
    };
    if let Some((rev, head)) = head {
        compare_heads(&head_key, rev, head.as_ref(), derived, &walked, findings);
    }
    if n > 0 && !package.listed {
        let key = items::directory_key(&package.name);
        let mend = vec![
            Action { key: key.clone(), condition: Condition::Always, change: Change::Put(Item::new()) },
            Action { key: head_key, condition: Condition::Present, change: Change::Check },
        ];
        findings.mendable(&key, Rule::Directory, "the package is not in the directory", Some(mend));
    }
    keys_lead_somewhere(log, findings);
    Ok(Some(states))
}

/// A head against what its log says it is.
pub(super) fn compare_heads(
    key: &Key,
    rev: u64,
    head: Option<&Item>,
    derived: Option<Item>,
    walked: &Walked,
    findings: &mut Findings,
) {
    if head == derived.as_ref() {
        return;
    }
    if rev > walked.rev {
        let what = format!("it is at rev {rev}, and the log ends at {}: its end is missing", walked.rev);
        findings.add(key, Rule::Dense, what);
        return;
    }
    let mut wrong: Vec<String> = Vec::new();
    let (was, is) = (head.cloned().unwrap_or_default(), derived.clone().unwrap_or_default());
    for name in was.keys().chain(is.keys()).collect::<BTreeSet<_>>() {
        if was.get(name) != is.get(name) {
            wrong.push(name.clone());
        }
    }
    let what = if head.is_none() {
        "there is a log and no head".to_owned()
    } else {
        format!("its {} is not what the log says", wrong.join(", "))
    };
    let mend = derived.filter(|_| walked.sound).map(|derived| {
        vec![Action { key: key.clone(), condition: still_at(rev), change: Change::Put(derived) }]
    });
    findings.mendable(key, Rule::Head, what, mend);
}
