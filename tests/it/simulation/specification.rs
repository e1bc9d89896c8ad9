//! The ledger as its documentation describes it: which requests are refused, and what each of the others makes of every
//! attribute of every item. Written for the simulation alone, with none of the ledger's code.

mod asking;
mod freezing;
mod judging;
mod making;
mod package;
mod recalling;

use super::{
    acts::{Act, Answer, Frozen, Request},
    adoption::EPOCH,
    audit::{Dump, blob_sk},
    recorder::HOME,
};
use sacker::{
    model::{
        Expectation, Gate, Gates, Labels, Override, PackagePrefix, Protection, Release, ReleaseChange, State,
        TagKind, TagMove, TagName, Timestamp,
    },
    table::Item,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// A file that can be added.
#[derive(Debug, Clone)]
pub struct File {
    pub sha256: String,
    pub size: u64,
    pub filename: String,
    pub mode: u32,
}

/// Every item, and what is needed to decide on requests.
pub struct World<'a> {
    files: &'a [File],
    /// Every item as it must be.
    pub dump: Dump,
    packages: BTreeMap<String, Package>,
    /// By file and epoch.
    blobs: BTreeMap<(usize, u64), Blob>,
    /// For each plan that was applied, the event of each of its tags, by package and tag.
    applied: Vec<BTreeMap<(String, TagName), u64>>,
    freezes: Log,
    /// By pattern, as the log has them.
    frozen: BTreeMap<String, Frozen>,
    /// The freezes as of each rev of their log.
    frozen_then: BTreeMap<u64, BTreeMap<String, Frozen>>,
    /// The states of each item that movers check: the tick of its commit, and the rev of the log that it is a copy of.
    replicas: BTreeMap<u8, Vec<(u64, u64)>>,
}

#[derive(Debug, Default)]
struct Package {
    releases: Log,
    versions: Vec<Version>,
    tags: Log,
    /// By rev. A fence has none.
    events: BTreeMap<u64, Event>,
}

/// The most by which clocks may differ, in milliseconds.
pub const DIFFER: u64 = 30_000;

/// The end of a log, as its head has it.
#[derive(Debug, Default)]
struct Log {
    rev: u64,
    chain: String,
    when: u64,
    /// The times of its entries.
    times: Vec<Time>,
}

/// The time of an entry.
#[derive(Debug, Clone, Copy)]
struct Time {
    /// As it is recorded.
    when: u64,
    /// The clock's time, if that was further behind than clocks may be.
    clock: Option<u64>,
    /// In ticks.
    tick: u64,
}

#[derive(Debug)]
struct Version {
    file: usize,
    state: State,
    /// The state before the last deletion.
    before: State,
    labels: BTreeMap<String, String>,
    more_labels: BTreeMap<String, String>,
    item: Item,
}

/// The protection of a tag, with its gates by their text.
#[derive(Debug, Clone, PartialEq, Default)]
struct Standing {
    protection: Option<Protection>,
    gates: BTreeSet<String>,
    no_override: bool,
}

/// The reason for an override, and the gates that were closed.
type Overridden = (String, BTreeSet<String>);

#[derive(Debug, Clone)]
struct Event {
    tag: TagName,
    kind: TagKind,
    version: Option<u64>,
    previous: Option<u64>,
    back: Option<u64>,
    standing: Standing,
    overridden: Option<Overridden>,
    /// The plan that it was a move of.
    plan: Option<usize>,
    who: String,
    when: u64,
    message: Option<String>,
    /// The time of its commit, in ticks.
    tick: u64,
}

#[derive(Debug, Clone, Copy)]
struct Blob {
    kept: bool,
    generation: u64,
    refs: u64,
}

/// The author and the message of a change.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    pub who: &'a str,
    pub message: Option<&'a str>,
    pub op: &'a str,
    /// The time of its maker's clock, in milliseconds.
    pub now: u64,
    pub tick: u64,
    /// The epoch that a version is added in.
    pub epoch: u64,
}

/// The outcome of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Refused,
    /// It changes nothing but its key, if it has one.
    Stays(Answer, Outcome),
    Changes(Change),
}

/// The outcome that an idempotency key leads to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    entry: String,
    unchanged: bool,
    moves: BTreeMap<String, u64>,
}

impl Outcome {
    /// Returns `true` if it is what a key leads to, for a choice between several that may be.
    pub fn is_in(&self, kept: &Item) -> bool {
        let moves = Some(json!(self.moves)).filter(|_| !self.moves.is_empty());
        kept.get("entry").is_some_and(|entry| *entry == *self.entry) && kept.get("moves") == moves.as_ref()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    Add {
        file: usize,
        filename: Option<String>,
        labels: BTreeMap<String, String>,
        steps: Vec<Step>,
    },
    /// `latest` has the content already, and these tags are not on it yet.
    Retag {
        latest: u64,
        steps: Vec<Step>,
    },
    Version {
        version: u64,
        change: ReleaseChange,
    },
    One(Step),
    Plan {
        steps: Vec<Step>,
        undo: bool,
    },
    Freeze {
        prefix: PackagePrefix,
        strict: bool,
        until: Option<u64>,
    },
    Thaw(PackagePrefix),
    Recall {
        version: u64,
        steps: Vec<Step>,
    },
}

/// The change of one tag.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub package: String,
    pub tag: TagName,
    /// `None`: it stays.
    pub put: Option<Put>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Put {
    kind: TagKind,
    pub version: Option<u64>,
    pub back: Option<u64>,
    standing: Standing,
    overridden: Option<Overridden>,
    /// The reason of the emergency that passed a freeze.
    emergency: Option<String>,
}

/// The point from which a request is looked at.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// The time of its maker's clock.
    pub now: u64,
    /// The time at which it read the past of a tag, in ticks.
    pub looked: u64,
}

/// An item without what is absent.
fn item(value: Value) -> Item {
    let Value::Object(mut item) = value else { unreachable!("an item is an object") };
    item.retain(|_, value| !value.is_null() && value.as_object().is_none_or(|map| !map.is_empty()));
    item
}

/// The place of an entry in the chain of its log.
pub fn chained(before: &str, pk: &str, sk: &str, entry: &Item) -> String {
    let mut fields: BTreeMap<&str, &Value> =
        entry.iter().map(|(name, value)| (name.as_str(), value)).collect();
    fields.retain(|name, _| !["chain", "state"].contains(name) && !name.starts_with("more_"));
    let (pk, sk) = (Value::from(pk), Value::from(sk));
    fields.extend([("pk", &pk), ("sk", &sk)]);
    hex::encode(Sha256::digest(format!("{before}\n{}", json!(fields))))
}

fn pairs(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Returns `true` if a time is further ahead than clocks may differ.
fn is_ahead(when: u64, now: u64) -> bool {
    when > now + DIFFER
}

/// Returns the time of the clock that an entry is made by, if that has to be recorded with the entry's time.
fn clock(when: u64, now: u64) -> Option<u64> {
    is_ahead(when, now).then_some(now)
}

fn is_met(expect: Option<Expectation>, found: Option<u64>) -> Option<()> {
    match expect {
        None => Some(()),
        Some(Expectation::None) => found.is_none().then_some(()),
        Some(Expectation::Version(version)) => (found == Some(version.get())).then_some(()),
    }
}

#[derive(Clone, Copy)]
enum RollbackLink {
    Previous,
    From(Option<u64>),
}

impl<'a> World<'a> {
    pub fn new(files: &'a [File]) -> Self {
        let (dump, packages) = (Dump::new(), BTreeMap::new());
        Self {
            files,
            dump,
            packages,
            blobs: BTreeMap::new(),
            applied: Vec::new(),
            freezes: Log::default(),
            frozen: BTreeMap::new(),
            frozen_then: BTreeMap::new(),
            replicas: BTreeMap::new(),
        }
    }
}

fn version_sk(number: u64) -> String {
    format!("V#{number:016}")
}

fn event_sk(kind: char, rev: u64) -> String {
    format!("{kind}#{rev:016}")
}

/// The copy of a version's blob in a head or a tag.
fn blob_of(version: &Item) -> Item {
    let mut blob = version.clone();
    blob.retain(|name, _| ["sha256", "gen", "size", "filename", "mode"].contains(&name.as_str()));
    blob
}

/// The state of a version after a change. Only a deleted version changes by an undeletion.
fn state_after(was: State, before: State, change: &ReleaseChange) -> State {
    match change {
        ReleaseChange::Undelete if was == State::Deleted => before,
        ReleaseChange::Yank => State::Yanked,
        ReleaseChange::Unyank => State::Active,
        ReleaseChange::Delete => State::Deleted,
        ReleaseChange::Undelete | ReleaseChange::Label(_) => was,
    }
}

/// The later labels of a version after some were asked for: `None` if it has all of them; an error if it has one of
/// them with another value.
fn labels_after(version: &Version, labels: &Labels) -> Result<Option<BTreeMap<String, String>>, ()> {
    let mut more = version.more_labels.clone();
    for (name, value) in labels.iter() {
        match version.labels.get(name).or_else(|| version.more_labels.get(name)) {
            None => drop(more.insert(name.to_owned(), value.to_owned())),
            Some(there) if there == value => {}
            Some(_) => return Err(()),
        }
    }
    Ok((more != version.more_labels).then_some(more))
}

fn shown(package: &str, rev: u64, event: &Event) -> TagMove {
    TagMove {
        package: package.parse().unwrap(),
        tag: event.tag.clone(),
        version: event.version.map(|version| version.try_into().unwrap()),
        previous: event.previous.map(|version| version.try_into().unwrap()),
        kind: event.kind,
        rev,
        moved_at: Timestamp::from_millis(event.when),
        moved_by: event.who.parse().unwrap(),
        message: event.message.as_ref().map(|message| message.parse().unwrap()),
        protection: event.standing.protection,
        gates: Gates::new(parsed(&event.standing.gates)).unwrap(),
        no_override: event.standing.no_override,
        overridden: event.overridden.as_ref().map(|(why, gates)| Override {
            why: why.parse().unwrap(),
            gates: Gates::new(parsed(gates)).unwrap(),
        }),
    }
}

fn parsed(gates: &BTreeSet<String>) -> impl Iterator<Item = Gate> {
    gates.iter().map(|gate| gate.parse().unwrap())
}

/// A version as it is shown, but for the tags on it.
fn release(package: &str, version: &Version) -> Release {
    let of = &version.item;
    let text = |name: &str| of.get(name).map(|value| value.as_str().unwrap());
    let number = |name: &str| of[name].as_u64().unwrap();
    let labels = version.labels.iter().chain(&version.more_labels);
    let labels: Vec<_> = labels.map(|(name, value)| format!("{name}={value}")).collect();
    let generation = number("gen");
    Release {
        package: package.parse().unwrap(),
        version: number("n").try_into().unwrap(),
        blob: sacker::model::Blob {
            address: sacker::model::Address { sha256: text("sha256").unwrap().parse().unwrap(), generation },
            size: number("size"),
            filename: text("filename").map(|name| name.parse().unwrap()),
            mode: Some(u32::try_from(number("mode")).unwrap().into()),
        },
        labels: Labels::parse(labels.iter().map(String::as_str)).unwrap(),
        message: text("message").map(|message| message.parse().unwrap()),
        state: version.state,
        added_at: Timestamp::from_millis(number("when")),
        added_by: text("who").unwrap().parse().unwrap(),
        tags: Vec::new(),
        rev: None,
        gates: Vec::new(),
    }
}
