//! What clients did and were told, held against what the ledger holds and against every order it may have happened in.

use super::{
    acts::{Act, Answer, PACKAGES, Request, Told},
    audit::{Breaches, Dump, beginning, number, text},
    specification::World,
};
use sacker::{
    model::{Key, ReleaseChange},
    table::Item,
};
use serde_json::Value;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// One request, through all its runs.
#[derive(Debug, Clone)]
pub struct Record {
    pub request: Request,
    /// When it was first made and when it was last answered, in [`Time::tick`](super::network::Time::tick)s.
    pub began: u64,
    pub ended: u64,
    pub end: End,
}

/// What is known of it by its maker.
#[derive(Debug, Clone)]
pub enum End {
    Answered(Answer),
    /// Certain: nothing was changed.
    Nothing,
    /// It crashed, or an earlier run did and the last one failed: at most once.
    Perhaps,
    Unknown(Key),
    Wrong(String),
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request: Request { package, act, message, key }, began, ended, end } = self;
        let key = key.as_ref().map(|key| format!(" with {key}")).unwrap_or_default();
        write!(f, "{began}-{ended} {package} {message}{key}: {act:?}: {end:?}")
    }
}

impl Record {
    /// In how many packages it moved a tag, if it applied a plan, or if it took one back.
    pub fn moves(&self, back: bool) -> usize {
        let (Act::Apply { moves, undo }, End::Answered(Answer::Applied(answers))) =
            (&self.request.act, &self.end)
        else {
            return 0;
        };
        let moved = moves.iter().zip(answers).filter(|(_, (version, previous))| version != previous);
        let packages: BTreeSet<_> = moved.map(|((package, ..), _)| package).collect();
        if *undo == back { packages.len() } else { 0 }
    }

    /// Whether it put a tag back.
    pub fn rolls_back(&self) -> bool {
        matches!((&self.request.act, &self.end), (Act::Rollback(..), End::Answered(Answer::Moved { .. })))
    }

    /// The end of the last run, where `loose` says whether an earlier one may have happened for all that it knows.
    pub fn conclude(told: Told, loose: bool) -> End {
        match told {
            Told::Answered(answer) => End::Answered(answer),
            Told::Failed if loose => End::Perhaps,
            Told::Failed => End::Nothing,
            Told::Unknown(key) => End::Unknown(key),
            Told::Wrong(why) => End::Wrong(why),
        }
    }
}

/// The entries that a request made, with their packages: in the logs of releases and of tags.
struct Made<'a> {
    releases: Vec<(&'static str, &'a Item)>,
    tags: Vec<(&'static str, &'a Item)>,
}

fn made<'a>(dump: &'a Dump, request: &Request) -> Made<'a> {
    let of = |log: &str, kinds: &'static [&'static str]| -> Vec<(&'static str, &'a Item)> {
        let mut all = Vec::new();
        for package in PACKAGES {
            let Some(items) = dump.get(&format!("{log}{package}")) else { continue };
            let entries = kinds.iter().flat_map(|kind| beginning(items, kind)).map(|(_, item)| item);
            let own = entries.filter(|item| text(item, "message") == request.message);
            all.extend(own.map(|item| (package, item)));
        }
        all
    };
    Made { releases: of("P#", &["V#", "A#"]), tags: of("T#", &["E#"]) }
}

/// Holds every answer against the entries that its request made, and their order against real time.
pub fn check_answers(dump: &Dump, records: &[Record], breaches: &mut Breaches) {
    for record in records {
        let Made { releases, tags } = made(dump, &record.request);
        let once = releases.len() <= 1
            && match &record.request.act {
                Act::Add { tags: asked, .. } => tags.len() <= asked.len(),
                Act::Apply { moves, .. } => tags.len() <= moves.len(),
                _ => tags.len() <= 1,
            };
        breaches.check(once, || format!("done twice: {record}: {releases:?} {tags:?}"));
        let right = match &record.end {
            End::Answered(answer) => answered(answer, &record.request.act, &releases, &tags),
            End::Nothing => releases.is_empty() && tags.is_empty(),
            End::Perhaps | End::Unknown(_) => true,
            End::Wrong(why) => {
                breaches.0.push(format!("must never be said: {why}"));
                false
            }
        };
        breaches.check(right, || format!("not so: {record}: {releases:?} {tags:?}"));
    }
    for log in ["P#", "T#"] {
        check_order(dump, records, log, breaches);
    }
}

type Entries<'a> = [(&'static str, &'a Item)];

fn answered(answer: &Answer, act: &Act, releases: &Entries<'_>, tags: &Entries<'_>) -> bool {
    match answer {
        Answer::Added { version, new: true } => {
            matches!(releases, [(_, item)] if number(item, "n") == *version)
                && matches!(act, Act::Add { tags: asked, .. } if asked.len() == tags.len())
        }
        Answer::Added { new: false, .. } | Answer::Protected(_) => releases.is_empty(),
        Answer::Moved { version, previous, .. } if version == previous => tags.is_empty(),
        Answer::Moved { version, previous, rev } => {
            let is =
                |item: &Item, name, value: &Option<u64>| item.get(name).and_then(Value::as_u64) == *value;
            matches!(tags, [(_, item)] if number(item, "rev") == *rev
                && is(item, "version", version) && is(item, "previous", previous))
        }
        Answer::Applied(moves) => {
            tags.len() == moves.iter().filter(|(version, previous)| version != previous).count()
        }
        Answer::Changed { was, is } => {
            let label = matches!(act, Act::Change(_, ReleaseChange::Label(_)));
            releases.len() == usize::from(was != is || label)
        }
        Answer::Read(_) | Answer::Refused => releases.is_empty() && tags.is_empty(),
    }
}

/// The order of a log's entries must be one that real time allows: of two requests of which one had been answered
/// before the other was made, its entries come first.
fn check_order(dump: &Dump, records: &[Record], log: &str, breaches: &mut Breaches) {
    let mut packages: BTreeMap<&str, Vec<(u64, u64, u64)>> = BTreeMap::new();
    for record in records.iter().filter(|record| matches!(record.end, End::Answered(_))) {
        let Made { releases, tags } = made(dump, &record.request);
        for (package, item) in if log == "P#" { releases } else { tags } {
            let of_package = packages.entry(package).or_default();
            of_package.push((number(item, "rev"), record.began, record.ended));
        }
    }
    for (package, mut entries) in packages {
        entries.sort_unstable();
        let mut latest_began = 0;
        for (rev, began, ended) in entries {
            breaches.check(latest_began < ended, || format!("{log}{package}: {rev} comes too late"));
            latest_began = latest_began.max(began);
        }
    }
}

/// The most requests in a history that is searched for an order, and the most of unknown outcome among them: each of
/// these multiplies the orders that there are.
const SEARCHED: usize = 24;
const UNKNOWN: usize = 2;

/// Searches for an order of what happened to these packages that explains every answer. Returns whether it was small
/// enough.
fn search(packages: &[&str], records: &[Record], breaches: &mut Breaches) -> bool {
    let mut of_packages: Vec<_> = records
        .iter()
        .filter(|record| packages.contains(&record.request.package) && !matches!(record.end, End::Nothing))
        .collect();
    of_packages.sort_by_key(|record| record.began);
    let told: Vec<_> = of_packages.iter().map(ToString::to_string).collect();
    let unknown = of_packages.iter().filter(|record| !matches!(record.end, End::Answered(_))).count();
    if of_packages.len() > SEARCHED || unknown > UNKNOWN {
        return false;
    }
    // As few threads as their overlaps allow: the search is over ways to interleave these.
    let mut free_since: Vec<u64> = Vec::new();
    let mut events = BTreeMap::new();
    for record in of_packages {
        let answer = if let End::Answered(answer) = &record.end { Some(answer.clone()) } else { None };
        let ended = if answer.is_some() { record.ended } else { u64::MAX };
        let thread = free_since.iter().position(|since| *since < record.began).unwrap_or(free_since.len());
        free_since.resize(free_since.len().max(thread + 1), 0);
        free_since[thread] = ended;
        events.insert(record.began, (thread, Err((record.request.package, &record.request.act))));
        if let Some(answer) = answer {
            events.insert(ended, (thread, Ok(answer)));
        }
    }
    let mut tester = LinearizabilityTester::new(World::default());
    for (thread, event) in events.into_values() {
        let valid = match event {
            Err((package, act)) => tester.on_invoke(thread, (package, act.clone())).map(drop),
            Ok(answer) => tester.on_return(thread, answer).map(drop),
        };
        valid.unwrap();
    }
    let found = tester.is_consistent();
    breaches.check(found, || format!("no order explains what was told:\n  {}", told.join("\n  ")));
    true
}

/// Searches for an order: of each package by itself, unless a plan makes them one. Returns how many were searched.
pub fn check_linearizable(records: &[Record], breaches: &mut Breaches) -> usize {
    let planned = |record: &Record| matches!(record.request.act, Act::Apply { .. });
    if records.iter().any(|record| planned(record) && !matches!(record.end, End::Nothing)) {
        return usize::from(search(&PACKAGES, records, breaches));
    }
    PACKAGES.iter().filter(|package| search(&[package], records, breaches)).count()
}
