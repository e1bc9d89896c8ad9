//! The rules for the items of one package, judged as of one instant: that of its heads. Pure.

use super::super::{
    Error,
    chain::{self, START},
    fence::still_at,
    items::{self, BlobFields, Head, KeyItem, ReleaseEvent, VersionItem, decode, encode},
};
use super::{
    Breach, Found, Rule,
    package::{Log, Package},
    replay::replay,
    tags::tags,
};
use crate::{
    model::{OpId, State, Timestamp, Version},
    table::{Action, Change, Condition, Item, Key},
};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};

/// What both kinds of log have in every entry.
pub(super) struct Entry<'a> {
    key: &'a Key,
    item: &'a Item,
    rev: u64,
    when: Timestamp,
    op: String,
    chain: String,
}

impl<'a> Entry<'a> {
    pub(super) fn new(
        key: &'a Key,
        item: &'a Item,
        rev: u64,
        when: Timestamp,
        op: &OpId,
        chain: &str,
    ) -> Self {
        Self { key, item, rev, when, op: op.to_string(), chain: chain.to_owned() }
    }
}

/// A log that has been gone through.
pub(super) struct Walked {
    /// Whether it is as it must be, so that what is derived from it is right.
    pub sound: bool,
    pub rev: u64,
    pub chain: String,
    pub when: Option<Timestamp>,
}

/// What is found wrong.
#[derive(Default)]
pub(super) struct Findings {
    pub found: Vec<Found>,
    /// How much of the package this release can't judge.
    pub unjudged: usize,
    /// The least release that knows all of the package, where its heads say.
    least: Option<String>,
}

impl Findings {
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
    pub(super) fn walk(&mut self, log: &str, mut entries: Vec<Entry<'_>>, tags: bool) -> Walked {
        let before = self.breaches();
        entries.sort_by_key(|entry| entry.rev);
        let mut walked = Walked { sound: true, rev: 0, chain: START.to_owned(), when: None };
        let mut ops = BTreeSet::new();
        let mut last_op = String::new();
        for entry in entries {
            let gap = entry.rev != walked.rev + 1;
            if gap {
                let what = if entry.rev == walked.rev {
                    format!("{log} has a second entry at rev {}", entry.rev)
                } else {
                    format!("{log} has nothing between rev {} and rev {}", walked.rev, entry.rev)
                };
                self.add(entry.key, Rule::Dense, what);
            }
            let chain = chain::next(&walked.chain, entry.key, entry.item);
            // After a gap there is nothing to compare with.
            if !gap && chain != entry.chain {
                self.add(entry.key, Rule::Chain, "it is not what was written, or what is before it is not");
            }
            if walked.when.is_some_and(|when| entry.when <= when) {
                self.add(entry.key, Rule::Time, format!("{} is not after the entry before it", entry.when));
            }
            // Several tags can be set at once.
            let together = tags && entry.op == last_op;
            if !ops.insert(entry.op.clone()) && !together {
                self.add(entry.key, Rule::Op, format!("the operation {} has another entry", entry.op));
            }
            last_op = entry.op;
            walked =
                Walked { rev: entry.rev, chain: entry.chain, when: Some(entry.when), sound: walked.sound };
        }
        walked.sound = self.breaches() == before;
        walked
    }
}

/// All that is wrong with a package.
pub(super) fn examine(package: &Package) -> Vec<Found> {
    let mut findings = Findings::default();
    let heads = || package.releases.head.iter().chain(&package.tags.head);
    findings.least = heads().find_map(|head| items::least(head, "all"));
    if let Some(versions) = releases(package, &mut findings) {
        tags(package, &versions, &mut findings);
    } else {
        let key = package.tags.head_key();
        findings.unjudged(&key, "the tags of the package were not judged, since its releases were not");
    }
    // A release that may not write the package, or an item of it, does not repair that either.
    let no_writes = heads().any(|head| items::least(head, "write").is_some());
    let spared = |action: &Action| {
        let item = package.item(&action.key);
        action.change != Change::Check && item.is_some_and(|item| items::least(item, "write").is_some())
    };
    let mut found = findings.found;
    for one in &mut found {
        one.mend = one.mend.take().filter(|actions| !no_writes && !actions.iter().any(spared));
    }
    found
}

/// Returns true if an item is an entry of a log.
pub(super) fn is_entry(key: &Key) -> bool {
    matches!(key.sk.get(..2), Some("V#" | "A#" | "E#"))
}

pub(super) fn number(sk: &str) -> Option<u64> {
    sk.get(2..)?.parse().ok()
}

pub(super) fn keys_lead_somewhere(log: &Log, findings: &mut Findings) {
    // What a key leads to may have been committed after the instant that the log is judged at.
    let all = log.items.iter().chain(&log.later);
    let there: BTreeSet<&str> = all.map(|(key, _)| key.sk.as_str()).collect();
    for (key, item) in log.items.iter().filter(|(key, _)| items::is_idempotency_key(key)) {
        if let Some(remembered) = findings.read::<KeyItem>(key, item)
            && !there.contains(remembered.entry.as_str())
        {
            findings.add(key, Rule::Key, format!("it leads to {}, which is not there", remembered.entry));
        }
    }
}

/// The versions in the state that they had at that instant, if all entries can be read by this release.
fn releases(package: &Package, findings: &mut Findings) -> Option<BTreeMap<Version, VersionItem>> {
    let log = &package.releases;
    let head_key = log.head_key();
    let head = log.head.as_ref().map(|head| findings.read::<Head>(&head_key, head));
    let mut entries = Vec::new();
    let (mut versions, mut events) = (BTreeMap::new(), Vec::new());
    let (before, unjudged) = (findings.breaches(), findings.unjudged);
    for (key, item) in &log.items {
        match key.sk.get(..2) {
            Some("V#") => {
                let Some(version) = findings.read::<VersionItem>(key, item) else { continue };
                if number(&key.sk) != Some(version.n.get()) {
                    findings.add(key, Rule::Form, format!("it calls itself version {}", version.n));
                }
                let (op, chain) = (&version.op, &version.chain);
                entries.push(Entry::new(key, item, version.rev, version.when, op, chain));
                versions.insert(version.n, version);
            }
            Some("A#") => {
                let Some(event) = findings.read::<ReleaseEvent>(key, item) else { continue };
                if number(&key.sk) != Some(event.rev) {
                    findings.add(key, Rule::Form, format!("it calls itself rev {}", event.rev));
                }
                entries.push(Entry::new(key, item, event.rev, event.when, &event.op, &event.chain));
                events.push((key, event));
            }
            Some("K#") => {}
            _ => findings.unjudged(key, super::UNKNOWN_ITEM),
        }
    }
    if log.items.iter().any(|(key, item)| is_entry(key) && items::least(item, "read").is_some()) {
        return None;
    }
    let mut walked = findings.walk(&log.pk, entries, false);
    let mut expected = 1;
    for version in versions.keys() {
        if version.get() != expected {
            let key = items::version_key(&package.name, version.get());
            findings.add(&key, Rule::Dense, format!("there is no version {expected} before it"));
        }
        expected = version.get() + 1;
    }
    walked.sound &= findings.breaches() == before;
    replay(package, &walked, &mut versions, events, findings);
    let (latest, blob) = versions
        .values()
        .rev()
        .find(|version| version.state == State::Active)
        .map(|version| (version.n, version.copied_blob()))
        .unzip();
    let n = versions.keys().next_back().map_or(0, |version| version.get());
    let seen = head.as_ref().and_then(Option::as_ref);
    let rest = seen.map(|head| head.rest.clone()).unwrap_or_default();
    // Of the same blob, what a newer release wrote in the copy stays; and which version is the latest can't be judged
    // beside a state or an event that is not known.
    let as_it_is = seen.filter(|head| {
        let same = |blob: &BlobFields| head.blob.as_ref().is_some_and(|it| it.without_rest() == encode(blob));
        findings.unjudged > unjudged || (head.latest == latest && blob.as_ref().is_some_and(same))
    });
    let (latest, blob) = as_it_is.map_or((latest, blob), |head| (head.latest, head.blob.clone()));
    let derived = walked.when.map(|when| {
        let (rev, chain) = (walked.rev, walked.chain.clone());
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
    Some(versions)
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
