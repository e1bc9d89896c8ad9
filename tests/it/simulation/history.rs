//! What clients did and were told, held against what the ledger holds and against every order it may have happened in.

use super::{
    acts::{Act, Answer, Request, Told},
    audit::{Breaches, Dump, beginning, number, text},
};
use sacker::{
    model::{Expectation, Key, ReleaseChange, Spec, State},
    table::Item,
};
use serde_json::Value;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use std::{collections::BTreeMap, fmt};

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

/// The entries that a request made: in the log of releases and of tags.
fn entries<'a>(dump: &'a Dump, request: &Request) -> (Vec<&'a Item>, Vec<&'a Item>) {
    let of = |pk: String, kinds: &'static [&'static str]| -> Vec<&'a Item> {
        let Some(items) = dump.get(&pk) else { return Vec::new() };
        let entries = kinds.iter().flat_map(|kind| beginning(items, kind)).map(|(_, item)| item);
        entries.filter(|item| text(item, "message") == request.message).collect()
    };
    (of(format!("P#{}", request.package), &["V#", "A#"]), of(format!("T#{}", request.package), &["E#"]))
}

/// Holds every answer against the entries that its request made, and their order against real time.
pub fn check_answers(dump: &Dump, records: &[Record], breaches: &mut Breaches) {
    for record in records {
        let (releases, tags) = entries(dump, &record.request);
        let made = releases.len() + tags.len();
        let once = releases.len() <= 1
            && match &record.request.act {
                Act::Add { tags: asked, .. } => tags.len() <= asked.len(),
                _ => tags.len() <= 1,
            };
        breaches.check(once, || format!("done twice: {record}: {releases:?} {tags:?}"));
        let right = match &record.end {
            End::Answered(answer) => answered(answer, &record.request.act, &releases, &tags),
            End::Nothing => made == 0,
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

fn answered(answer: &Answer, act: &Act, releases: &[&Item], tags: &[&Item]) -> bool {
    match answer {
        Answer::Added { version, new: true } => {
            matches!(releases, [item] if number(item, "n") == *version)
                && matches!(act, Act::Add { tags: asked, .. } if asked.len() == tags.len())
        }
        Answer::Added { new: false, .. } => releases.is_empty(),
        Answer::Moved { version, previous, .. } if version == previous => tags.is_empty(),
        Answer::Moved { version, previous, rev } => {
            let is =
                |item: &Item, name, value: &Option<u64>| item.get(name).and_then(Value::as_u64) == *value;
            matches!(tags, [item] if number(item, "rev") == *rev
                && is(item, "version", version) && is(item, "previous", previous))
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
        let (releases, tags) = entries(dump, &record.request);
        for item in if log == "P#" { releases } else { tags } {
            let of_package = packages.entry(record.request.package).or_default();
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

/// A package as a single caller would see it: the specification that histories are held to.
#[derive(Debug, Clone, Default)]
pub struct Package {
    versions: Vec<(usize, State)>,
    tags: BTreeMap<String, Option<u64>>,
}

impl Package {
    fn latest(&self) -> Option<u64> {
        let at = self.versions.iter().rposition(|(_, state)| *state == State::Active)?;
        Some(at as u64 + 1)
    }

    fn state(&self, version: u64) -> Option<State> {
        Some(self.versions.get(usize::try_from(version).ok()? - 1)?.1)
    }

    fn resolve(&self, spec: &Spec) -> Option<u64> {
        match spec {
            Spec::Latest => self.latest(),
            Spec::Tag(tag) => *self.tags.get(tag.as_str())?,
            Spec::Version(version) => {
                self.state(version.get()).filter(|state| *state != State::Deleted).map(|_| version.get())
            }
            _ => None,
        }
    }

    fn add(&mut self, act: &Act) -> Option<Answer> {
        let Act::Add { blob, tags, if_changed, expect } = act else { return None };
        let latest = self.latest();
        met(*expect, latest)?;
        let same = |latest: &u64| self.versions[usize::try_from(*latest).unwrap() - 1].0 == *blob;
        let there = latest.filter(|latest| *if_changed && same(latest));
        if there.is_none() {
            self.versions.push((*blob, State::Active));
        }
        let version = there.unwrap_or(self.versions.len() as u64);
        for tag in tags {
            self.tags.insert(tag.to_string(), Some(version));
        }
        Some(Answer::Added { version, new: there.is_none() })
    }

    fn change(&mut self, version: u64, change: &ReleaseChange) -> Option<Answer> {
        let was = self.state(version)?;
        let is = match change {
            ReleaseChange::Yank => State::Yanked,
            ReleaseChange::Unyank => State::Active,
            ReleaseChange::Delete => State::Deleted,
            ReleaseChange::Label(_) => was,
        };
        let label = matches!(change, ReleaseChange::Label(_));
        if was == is && !label {
            return Some(Answer::Changed { was, is });
        }
        let withdraws = matches!(change, ReleaseChange::Yank | ReleaseChange::Delete);
        let tagged = withdraws && self.tags.values().any(|on| *on == Some(version));
        if was == State::Deleted || tagged {
            return None;
        }
        self.versions[usize::try_from(version).unwrap() - 1].1 = is;
        Some(Answer::Changed { was, is })
    }

    /// `None`: refused.
    fn apply(&mut self, act: &Act) -> Option<Answer> {
        match act {
            Act::Add { .. } => self.add(act),
            Act::Tag { spec, tag, expect } => {
                let version = self.resolve(spec)?;
                if self.state(version)? != State::Active {
                    return None;
                }
                let previous = self.tags.get(tag.as_str()).copied().flatten();
                met(*expect, previous)?;
                self.tags.insert(tag.to_string(), Some(version));
                Some(Answer::Moved { version: Some(version), previous, rev: 0 })
            }
            Act::Untag { tag, expect } => {
                let on = self.tags.get_mut(tag.as_str())?;
                met(*expect, *on)?;
                Some(Answer::Moved { version: None, previous: on.take(), rev: 0 })
            }
            Act::Change(version, change) => self.change(*version, change),
            Act::Read(spec) => self.resolve(spec).map(Answer::Read),
        }
    }
}

fn met(expect: Option<Expectation>, found: Option<u64>) -> Option<()> {
    let found = found.map(|found| found.try_into().unwrap());
    expect.is_none_or(|expect| expect.is_met_by(found)).then_some(())
}

impl SequentialSpec for Package {
    type Op = Act;
    type Ret = Answer;

    fn invoke(&mut self, act: &Act) -> Answer {
        self.apply(act).unwrap_or(Answer::Refused)
    }

    fn is_valid_step(&mut self, act: &Act, answer: &Answer) -> bool {
        match (self.invoke(act), answer) {
            // Revisions count the moves of all tags, and fences: their order is checked above.
            (Answer::Moved { version, previous, .. }, Answer::Moved { version: v, previous: p, .. }) => {
                (version, previous) == (*v, *p)
            }
            (is, told) => is == *told,
        }
    }
}

/// The most requests in a history that is searched for an order, and the most of unknown outcome among them: each of
/// these multiplies the orders that there are.
const SEARCHED: usize = 24;
const UNKNOWN: usize = 2;

/// Searches for an order of a package's history that explains every answer. Returns whether it was small enough.
pub fn check_linearizable(package: &str, records: &[Record], breaches: &mut Breaches) -> bool {
    let mut of_package: Vec<_> = records
        .iter()
        .filter(|record| record.request.package == package && !matches!(record.end, End::Nothing))
        .collect();
    of_package.sort_by_key(|record| record.began);
    let told: Vec<_> = of_package.iter().map(ToString::to_string).collect();
    let unknown = of_package.iter().filter(|record| !matches!(record.end, End::Answered(_))).count();
    if of_package.len() > SEARCHED || unknown > UNKNOWN {
        return false;
    }
    // As few threads as their overlaps allow: the search is over ways to interleave these.
    let mut free_since: Vec<u64> = Vec::new();
    let mut events = BTreeMap::new();
    for record in of_package {
        let answer = if let End::Answered(answer) = &record.end { Some(answer.clone()) } else { None };
        let ended = if answer.is_some() { record.ended } else { u64::MAX };
        let thread = free_since.iter().position(|since| *since < record.began).unwrap_or(free_since.len());
        free_since.resize(free_since.len().max(thread + 1), 0);
        free_since[thread] = ended;
        events.insert(record.began, (thread, Err(&record.request.act)));
        if let Some(answer) = answer {
            events.insert(ended, (thread, Ok(answer)));
        }
    }
    let mut tester = LinearizabilityTester::new(Package::default());
    for (thread, event) in events.into_values() {
        let valid = match event {
            Err(act) => tester.on_invoke(thread, act.clone()).map(drop),
            Ok(answer) => tester.on_return(thread, answer).map(drop),
        };
        valid.unwrap();
    }
    let found = tester.is_consistent();
    breaches.check(found, || format!("no order explains what was told:\n  {}", told.join("\n  ")));
    true
}
