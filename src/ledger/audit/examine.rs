//! What must be true of the items of one package. Pure: all of them are at hand, as they were at one instant.

use super::super::{
    Error,
    chain::{self, START},
    fence::still_at,
    items::{
        self, BlobFields, Head, KeyItem, ReleaseEvent, ReleaseEventKind, TagEvent, TagHead, TagItem,
        VersionItem, decode, encode,
    },
};
use super::{Breach, Found, Rule};
use crate::{
    model::{Labels, OpId, PackageName, State, TagKind, Timestamp, Version},
    table::{Action, Change, Condition, Item, Key},
};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};

/// The items of a package.
pub(super) struct Package<'a> {
    pub name: &'a PackageName,
    pub releases: &'a [(Key, Item)],
    pub tags: &'a [(Key, Item)],
    /// Whether it is in the directory.
    pub listed: bool,
}

/// What both kinds of log have in every entry.
struct Entry<'a> {
    key: &'a Key,
    item: &'a Item,
    rev: u64,
    when: Timestamp,
    op: String,
    chain: String,
}

impl<'a> Entry<'a> {
    fn new(key: &'a Key, item: &'a Item, rev: u64, when: Timestamp, op: &OpId, chain: &str) -> Self {
        Self { key, item, rev, when, op: op.to_string(), chain: chain.to_owned() }
    }
}

/// A log that has been gone through.
struct Walked {
    /// Whether it is as it must be, so that what is derived from it is right.
    sound: bool,
    rev: u64,
    chain: String,
    when: Option<Timestamp>,
}

/// What is found wrong.
#[derive(Default)]
struct Findings(Vec<Found>);

impl Findings {
    fn add(&mut self, place: &Key, rule: Rule, what: impl Into<String>) {
        self.mendable(place, rule, what, None);
    }

    fn mendable(&mut self, place: &Key, rule: Rule, what: impl Into<String>, mend: Option<Vec<Action>>) {
        self.0.push(Found { breach: Breach::new(place.to_string(), rule, what), mend });
    }

    fn read<T: Serialize + DeserializeOwned>(&mut self, key: &Key, item: &Item) -> Option<T> {
        match decode(key, item) {
            Ok(record) => Some(record),
            Err(Error::Damaged { why, .. }) => {
                self.add(key, Rule::Form, why);
                None
            }
            Err(other) => {
                self.add(key, Rule::Form, other.to_string());
                None
            }
        }
    }

    /// Goes along a log: dense in `rev`, times that grow, each operation's entries together, and the chain.
    fn walk(&mut self, log: &str, mut entries: Vec<Entry<'_>>, tags: bool) -> Walked {
        let before = self.0.len();
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
        walked.sound = self.0.len() == before;
        walked
    }
}

/// All that is wrong with a package.
pub(super) fn examine(package: &Package<'_>) -> Vec<Found> {
    let mut findings = Findings::default();
    let versions = releases(package, &mut findings);
    tags(package, &versions, &mut findings);
    findings.0
}

fn number(sk: &str) -> Option<u64> {
    sk.get(2..)?.parse().ok()
}

fn keys_lead_somewhere(all: &[(Key, Item)], findings: &mut Findings) {
    let there: BTreeSet<&str> = all.iter().map(|(key, _)| key.sk.as_str()).collect();
    for (key, item) in all.iter().filter(|(key, _)| items::is_idempotency_key(key)) {
        if let Some(remembered) = findings.read::<KeyItem>(key, item)
            && !there.contains(remembered.entry.as_str())
        {
            findings.add(key, Rule::Key, format!("it leads to {}, which is not there", remembered.entry));
        }
    }
}

fn releases(package: &Package<'_>, findings: &mut Findings) -> BTreeMap<Version, VersionItem> {
    let log = items::releases(package.name);
    let (mut head, mut entries) = (None, Vec::new());
    let (mut versions, mut events) = (BTreeMap::new(), Vec::new());
    let before = findings.0.len();
    for (key, item) in package.releases {
        match key.sk.get(..2) {
            None if key.sk == "H" => head = Some((key, findings.read::<Head>(key, item))),
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
            _ => findings.add(key, Rule::Form, "no item has such a key"),
        }
    }
    let mut walked = findings.walk(&log, entries, false);
    let mut expected = 1;
    for version in versions.keys() {
        if version.get() != expected {
            let key = items::version_key(package.name, version.get());
            findings.add(&key, Rule::Dense, format!("there is no version {expected} before it"));
        }
        expected = version.get() + 1;
    }
    walked.sound &= findings.0.len() == before;
    replay(package.name, &versions, &mut events, findings);
    let head_key = items::head_key(&log);
    let (latest, blob) = versions
        .values()
        .rev()
        .find(|version| version.state == State::Active)
        .map(|version| (version.n, version.blob.clone()))
        .unzip();
    let n = versions.keys().next_back().map_or(0, |version| version.get());
    let derived = walked.when.map(|when| {
        let (rev, chain) = (walked.rev, walked.chain.clone());
        encode(&Head { n, latest, blob, rev, chain, when })
    });
    let head = match head {
        // What can't be read was told of.
        Some((_, None)) => None,
        Some((_, Some(head))) => Some((head.rev, Some(encode(&head)))),
        None => Some((0, None)),
    };
    if let Some((rev, head)) = head {
        compare_heads(&head_key, rev, head.as_ref(), derived, &walked, findings);
    }
    if n > 0 && !package.listed {
        let key = items::directory_key(package.name);
        let mend = vec![
            Action { key: key.clone(), condition: Condition::Always, change: Change::Put(Item::new()) },
            Action { key: head_key, condition: Condition::Present, change: Change::Check },
        ];
        findings.mendable(&key, Rule::Directory, "the package is not in the directory", Some(mend));
    }
    keys_lead_somewhere(package.releases, findings);
    versions
}

/// A head against what its log says it is.
fn compare_heads(
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

/// The versions' states and later labels against what the events say.
fn replay(
    package: &PackageName,
    versions: &BTreeMap<Version, VersionItem>,
    events: &mut [(&Key, ReleaseEvent)],
    findings: &mut Findings,
) {
    events.sort_by_key(|(_, event)| event.rev);
    let mut states: BTreeMap<Version, (State, Labels)> = BTreeMap::new();
    for (key, event) in events.iter() {
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
        let (state, more) = states.entry(number).or_insert((State::Active, Labels::default()));
        if event.was.is_some_and(|was| was != *state) {
            findings.add(key, Rule::State, format!("it found the version in a state that is not {state}"));
        }
        match event.kind {
            ReleaseEventKind::Yank => *state = State::Yanked,
            ReleaseEventKind::Unyank => *state = State::Active,
            ReleaseEventKind::Delete => *state = State::Deleted,
            ReleaseEventKind::Fence => {}
            ReleaseEventKind::Label => {
                let all = version.labels.clone().and(more);
                match event.labels.missing_in(&all) {
                    Ok(missing) => *more = more.clone().and(&missing),
                    Err((name, _)) => findings.add(key, Rule::State, format!("it replaces the label {name}")),
                }
            }
        }
    }
    for (number, version) in versions {
        let key = items::version_key(package, number.get());
        let (state, more) = states.remove(number).unwrap_or((State::Active, Labels::default()));
        if version.state != state {
            let what = format!("it is {}, and the events say that it is {state}", version.state);
            findings.add(&key, Rule::State, what);
        }
        if version.more_labels != more {
            findings.add(&key, Rule::State, "its later labels are not those of the events");
        }
    }
}

fn tags(package: &Package<'_>, versions: &BTreeMap<Version, VersionItem>, findings: &mut Findings) {
    let log = items::tags(package.name);
    let (mut head, mut entries, mut events) = (None, Vec::new(), Vec::new());
    let mut there = BTreeMap::new();
    let before = findings.0.len();
    for (key, item) in package.tags {
        match key.sk.get(..2) {
            None if key.sk == "H" => head = Some((key, findings.read::<TagHead>(key, item))),
            Some("E#") => {
                let Some(event) = findings.read::<TagEvent>(key, item) else { continue };
                if number(&key.sk) != Some(event.rev) {
                    findings.add(key, Rule::Form, format!("it calls itself rev {}", event.rev));
                }
                entries.push(Entry::new(key, item, event.rev, event.when, &event.op, &event.chain));
                events.push((key, event));
            }
            Some("t#") => {
                there.insert(key.sk.as_str(), (key, item));
            }
            Some("K#") => {}
            _ => findings.add(key, Rule::Form, "no item has such a key"),
        }
    }
    let mut walked = findings.walk(&log, entries, true);
    events.sort_by_key(|(_, event)| event.rev);
    let by_rev: BTreeMap<u64, &TagEvent> = events.iter().map(|(_, event)| (event.rev, event)).collect();
    let mut last: BTreeMap<String, &TagEvent> = BTreeMap::new();
    for (key, event) in &events {
        let Some(tag) = &event.tag else {
            if event.kind != TagKind::Fence {
                findings.add(key, Rule::Form, "it names no tag");
            }
            continue;
        };
        let before = last.insert(format!("t#{tag}"), event);
        if !follows(event, before, &by_rev) {
            findings.add(key, Rule::Tag, "it does not begin where the tag was");
        }
    }
    walked.sound &= findings.0.len() == before;
    for (sk, event) in &last {
        let key = Key::new(&log, sk);
        let there = there.remove(sk.as_str());
        compare_tags(&key, there, event, versions, &walked, findings);
    }
    for (key, _) in there.into_values() {
        findings.add(key, Rule::Tag, "no event tells of this tag");
    }
    let derived =
        walked.when.map(|when| encode(&TagHead { rev: walked.rev, chain: walked.chain.clone(), when }));
    match head {
        Some((_, None)) => {}
        Some((key, Some(head))) => {
            compare_heads(key, head.rev, Some(&encode(&head)), derived, &walked, findings);
        }
        None => compare_heads(&items::head_key(&log), 0, None, derived, &walked, findings),
    }
    keys_lead_somewhere(package.tags, findings);
}

/// Whether an event of a tag can come after the one before it.
fn follows(event: &TagEvent, before: Option<&TagEvent>, by_rev: &BTreeMap<u64, &TagEvent>) -> bool {
    let was = before.and_then(|it| it.version);
    let protected = before.and_then(|it| it.protection);
    let goes_on = match event.kind {
        TagKind::Move => event.version.is_some() && event.back == before.map(|it| it.rev),
        TagKind::Untag => event.version.is_none() && event.back == before.map(|it| it.rev),
        // It restores an earlier event of the tag, and goes on from there; or undoes the first.
        TagKind::Rollback => {
            let restores =
                |it: &&TagEvent| it.tag == event.tag && (it.version, it.back) == (event.version, event.back);
            let undoes_the_first = event.version.is_none() && before.is_some_and(|it| it.back.is_none());
            by_rev.range(..event.rev).map(|(_, it)| *it).any(|it| restores(&it)) || undoes_the_first
        }
        TagKind::Protect | TagKind::Unprotect => {
            event.version == was && event.back == before.and_then(|it| it.back)
        }
        TagKind::Fence => false,
    };
    let protects = match event.kind {
        TagKind::Protect => event.protection.is_some(),
        TagKind::Unprotect => event.protection.is_none() && protected.is_some(),
        _ => event.protection == protected,
    };
    event.previous == was && goes_on && protects
}

/// A tag against its last event.
fn compare_tags(
    key: &Key,
    there: Option<(&Key, &Item)>,
    event: &TagEvent,
    versions: &BTreeMap<Version, VersionItem>,
    walked: &Walked,
    findings: &mut Findings,
) {
    let mut sound = walked.sound;
    let target = event.version.and_then(|version| versions.get(&version));
    if let Some(version) = event.version
        && target.is_none_or(|target| target.state != State::Active)
    {
        let state = target.map_or_else(|| "not there".to_owned(), |target| target.state.to_string());
        findings.add(key, Rule::Tag, format!("it is on version {version}, which is {state}"));
        sound = false;
    }
    let Some(tag) = event.tag.clone() else { return };
    let (item, seen) = match there {
        None => (None, Condition::Absent),
        Some((key, item)) => {
            let Some(item) = findings.read::<TagItem>(key, item) else { return };
            let seen = Condition::equals("set", item.set);
            (Some(item), seen)
        }
    };
    let derived = encode(&TagItem {
        tag,
        version: event.version,
        blob: target.map(|target| target.blob.clone()).filter(|_: &BlobFields| event.version.is_some()),
        previous: event.previous,
        kind: event.kind,
        set: event.rev,
        back: event.back,
        who: event.who.clone(),
        when: event.when,
        message: event.message.clone(),
        protection: event.protection,
    });
    if item.as_ref().map(encode).as_ref() == Some(&derived) {
        return;
    }
    let mend = sound.then(|| {
        let head = items::head_key(&key.pk);
        vec![
            Action { key: key.clone(), condition: seen, change: Change::Put(derived) },
            Action { key: head, condition: still_at(walked.rev), change: Change::Check },
        ]
    });
    let what = if item.is_none() { "the tag is missing" } else { "it is not what its last event says" };
    findings.mendable(key, Rule::Tag, what, mend);
}
