//! The requests and answers of clients, compared with the commits: each change by what the specification makes of its
//! request, and every other answer by a moment between its request and itself at which it was right.

mod replay;

use super::{
    acts::{Act, Answer, Reply, Request},
    adoption::Ownership,
    audit::{Dump, Violations},
    network::BASE,
    specification::{Change, File, Put, Step},
};
use replay::Replay;
use sacker::{
    model::{IdempotencyKey, State, TagKind},
    table::{Change as Written, Item, Transaction},
};
use serde_json::Value;
use std::{collections::BTreeSet, fmt};

/// A moment: in [`Time::tick`](super::network::Time::tick)s, and in milliseconds since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub tick: u64,
    pub millis: u64,
}

/// A transaction that was committed.
#[derive(Debug, Clone)]
pub struct Landed {
    pub at: Moment,
    pub transaction: Transaction,
    /// The items that it acted on, as they were after it.
    pub after: Vec<Option<Item>>,
}

/// One request, through all its runs.
#[derive(Debug, Clone)]
pub struct Record {
    pub request: Request,
    /// The moments of its first run, its last run, and its last answer.
    pub began: Moment,
    pub asked: Moment,
    pub ended: Moment,
    /// The clock errors of the clients that made it, in milliseconds.
    pub clocks: BTreeSet<i64>,
    pub end: End,
}

/// The knowledge of its maker.
#[derive(Debug, Clone)]
pub enum End {
    Answered(Answer),
    /// Certain: nothing was changed.
    Nothing,
    /// It crashed, or an earlier run did and the last one failed: at most once.
    Perhaps,
    Unknown(IdempotencyKey),
    Wrong(String),
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request: Request { package, act, id, message, key }, began, ended, end, .. } = self;
        let key = key.as_ref().map(|key| format!(" with {key}")).unwrap_or_default();
        write!(f, "{}-{} {package} {id} {message:?}{key}: {act:?}: {end:?}", began.tick, ended.tick)
    }
}

impl Record {
    /// The number of packages in which it moved a tag, by a plan or by taking one back.
    pub fn moves(&self, back: bool) -> usize {
        let (Act::Apply { undo, .. }, End::Answered(Answer::Applied(answers))) =
            (&self.request.act, &self.end)
        else {
            return 0;
        };
        let moved = answers.iter().filter(|it| it.version != it.previous);
        let packages: BTreeSet<_> = moved.map(|it| it.package.as_str()).collect();
        if *undo == back { packages.len() } else { 0 }
    }

    /// Returns true if it was a prune that deleted a version.
    pub fn prunes(&self) -> bool {
        let deleted = |end: &End| matches!(end, End::Answered(Answer::Changed { is: State::Deleted, .. }));
        matches!(self.request.act, Act::Prune { .. }) && deleted(&self.end)
    }

    /// Returns `true` if it put a tag back.
    pub fn rolls_back(&self) -> bool {
        matches!((&self.request.act, &self.end), (Act::Rollback { .. }, End::Answered(Answer::Moved(_))))
    }

    /// The end of the last run, where `loose` says whether an earlier one may have happened for all that it knows.
    pub fn conclude(reported: Reply, loose: bool) -> End {
        match reported {
            Reply::Answered(answer) => End::Answered(answer),
            Reply::Failed if loose => End::Perhaps,
            Reply::Failed => End::Nothing,
            Reply::Unknown(key) => End::Unknown(key),
            Reply::NotOwner => End::Wrong("the store is the ledger's own".to_owned()),
            Reply::Wrong(why) => End::Wrong(why),
        }
    }

    /// Returns the times that each of its clocks showed between two moments.
    fn clocks(&self, from: Moment, to: Moment) -> impl Iterator<Item = (u64, u64)> {
        let shows = |off: i64, millis: u64| (BASE + millis).checked_add_signed(off).unwrap();
        self.clocks.iter().map(move |off| (shows(*off, from.millis), shows(*off, to.millis)))
    }
}

/// The self-description of a transaction.
struct Said<'a> {
    /// Each entry that it puts in a log: partition, sort key and item.
    entries: Vec<(&'a str, &'a str, &'a Item)>,
    /// The name and the item of an idempotency key.
    key: Option<(&'a str, &'a Item)>,
}

impl<'a> Said<'a> {
    fn of(transaction: &'a Transaction) -> Self {
        let (mut entries, mut key) = (Vec::new(), None);
        for action in transaction.actions() {
            let Written::Put(item) = &action.change else { continue };
            let (pk, sk) = (action.key.pk.as_str(), action.key.sk.as_str());
            match sk.split_once('#') {
                Some(("V" | "A" | "E", _)) => entries.push((pk, sk, item)),
                Some(("K", name)) => key = Some((name, item)),
                _ => {}
            }
        }
        entries.sort_unstable_by_key(|(pk, sk, _)| (*pk, *sk));
        Self { entries, key }
    }

    fn text(&self, name: &str) -> &'a str {
        let entry = self.entries.first().map(|(.., item)| *item).or(self.key.map(|(_, item)| item));
        entry.and_then(|item| item.get(name)).and_then(Value::as_str).unwrap_or_default()
    }

    fn is_fence(&self) -> bool {
        self.text("kind") == TagKind::Fence.to_string()
    }

    /// Returns `true` if a change of tags is what was entered: for a choice between several that may be.
    fn fits(&self, change: &Change) -> bool {
        let steps = match change {
            Change::One(step) => std::slice::from_ref(step),
            Change::Recall { steps, .. } | Change::Plan { steps, .. } => steps,
            _ => return true,
        };
        steps.iter().all(|Step { package, tag, put }| {
            let Some(Put { version, back, .. }) = put else { return true };
            self.entries.iter().any(|(pk, _, item)| {
                let is = |name: &str, value: &Option<u64>| item.get(name).and_then(Value::as_u64) == *value;
                let of_tag = pk[2..] == *package && item.get("tag").is_some_and(|it| it == tag.as_str());
                of_tag && is("version", version) && is("back", back)
            })
        })
    }
}

/// The first difference between what an item is and what it must be, by the attribute's name.
pub fn difference((pk, sk): (&str, &str), expected: Option<&Item>, found: Option<&Item>) -> Option<String> {
    let (expected, found) = match (expected, found) {
        (None, None) => return None,
        (Some(expected), Some(found)) => (expected, found),
        (None, Some(found)) => return Some(format!("{pk}/{sk} must not be there: {found:?}")),
        (Some(expected), None) => return Some(format!("{pk}/{sk} is missing: {expected:?}")),
    };
    let names: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let name = names.into_iter().find(|name| expected.get(*name) != found.get(*name))?;
    let show = |item: &Item| item.get(name).map_or("absent".to_owned(), ToString::to_string);
    Some(format!("{pk}/{sk}: `{name}` is {}, and must be {}", show(found), show(expected)))
}

/// The first difference between a whole table and what it must be.
pub fn first_difference(expected: &Dump, found: &Dump) -> Option<String> {
    let keys: BTreeSet<_> = [expected, found]
        .into_iter()
        .flatten()
        .flat_map(|(pk, items)| items.keys().map(move |sk| (pk.as_str(), sk.as_str())))
        .collect();
    let get = |dump: &'_ Dump, (pk, sk): (&str, &str)| dump.get(pk).and_then(|items| items.get(sk)).cloned();
    keys.into_iter().find_map(|key| difference(key, get(expected, key).as_ref(), get(found, key).as_ref()))
}

/// Holds the whole table and every answer against the specification.
pub fn check(
    files: &[File],
    landed: &[Landed],
    records: &[Record],
    found: &Dump,
    ownership: Ownership<'_>,
    violations: &mut Violations,
) {
    for record in records {
        if let End::Wrong(why) = &record.end {
            violations.0.push(format!("must never be said: {why}: {record}"));
        }
    }
    let mut replay = Replay::new(files, records, ownership);
    match replay.run(landed, found) {
        Ok(()) => violations.0.extend(replay.ownership.violations()),
        Err(violation) => violations.0.push(violation),
    }
}
