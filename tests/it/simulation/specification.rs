//! The ledger as a single caller would see it: the specification that histories are held to.

use super::acts::{Act, Answer};
use sacker::model::{Expectation, Protection, ReleaseChange, Spec, State, TagName};
use stateright::semantics::SequentialSpec;
use std::collections::BTreeMap;

/// Every package, and the plans that were applied.
#[derive(Debug, Clone, Default)]
pub struct World {
    packages: BTreeMap<&'static str, Package>,
    /// The event that told of each tag of a plan, by package and tag.
    applied: Vec<BTreeMap<(&'static str, TagName), usize>>,
}

#[derive(Debug, Clone, Default)]
struct Package {
    versions: Vec<(usize, State)>,
    tags: BTreeMap<TagName, Tag>,
}

/// A tag with all its events, the last one its own.
#[derive(Debug, Clone, Default)]
struct Tag {
    events: Vec<Event>,
    protection: Option<Protection>,
}

#[derive(Debug, Clone)]
struct Event {
    version: Option<u64>,
    back: Option<usize>,
    /// The plan that it was a move of.
    plan: Option<usize>,
}

impl Tag {
    fn on(&self) -> Option<u64> {
        self.events.last().and_then(|event| event.version)
    }

    fn set(&self) -> Option<usize> {
        self.events.len().checked_sub(1)
    }

    /// The event that so many rollbacks lead to.
    fn past(&self, steps: u16) -> Option<&Event> {
        (0..steps).try_fold(self.events.last()?, |event, _| self.events.get(event.back?))
    }

    fn movable(&self) -> bool {
        match self.protection {
            None => true,
            Some(Protection::WriteOnce) => self.on().is_none(),
            Some(Protection::Confirm | Protection::Other(_)) => false,
        }
    }

    fn put(&mut self, version: Option<u64>, back: Option<usize>, plan: Option<usize>) {
        self.events.push(Event { version, back, plan });
    }
}

impl Package {
    fn latest(&self) -> Option<u64> {
        let at = self.versions.iter().rposition(|(_, state)| *state == State::Active)?;
        Some(at as u64 + 1)
    }

    fn state(&self, version: u64) -> Option<State> {
        Some(self.versions.get(usize::try_from(version).ok()? - 1)?.1)
    }

    fn on(&self, tag: &TagName) -> Option<u64> {
        self.tags.get(tag)?.on()
    }

    fn resolve(&self, spec: &Spec) -> Option<u64> {
        let version = match spec {
            Spec::Latest => self.latest(),
            Spec::Tag(tag) => self.on(tag),
            Spec::Past(tag, steps) => self.tags.get(tag)?.past(*steps)?.version,
            Spec::Version(version) => Some(version.get()),
            _ => None,
        };
        version.filter(|version| self.state(*version).is_some_and(|state| state != State::Deleted))
    }

    fn active(&self, spec: &Spec) -> Option<u64> {
        self.resolve(spec).filter(|version| self.state(*version) == Some(State::Active))
    }

    /// Puts a tag where it is not yet, or takes it off; `None` if that may not be.
    fn put(&mut self, tag: &TagName, version: Option<u64>, plan: Option<usize>) -> Option<()> {
        let tag = self.tags.entry(tag.clone()).or_default();
        if tag.on() != version {
            tag.movable().then_some(())?;
            tag.put(version, tag.set(), plan);
        }
        Some(())
    }

    fn add(&mut self, act: &Act) -> Option<Answer> {
        let Act::Add { blob, tags, if_changed, expect } = act else { return None };
        let latest = self.latest();
        met(*expect, latest)?;
        let same = |latest: &u64| self.versions[usize::try_from(*latest).unwrap() - 1].0 == *blob;
        let there = latest.filter(|latest| *if_changed && same(latest));
        let version = there.unwrap_or(self.versions.len() as u64 + 1);
        for tag in tags {
            self.put(tag, Some(version), None)?;
        }
        if there.is_none() {
            self.versions.push((*blob, State::Active));
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
        let tagged = withdraws && self.tags.values().any(|tag| tag.on() == Some(version));
        if was == State::Deleted || tagged {
            return None;
        }
        self.versions[usize::try_from(version).unwrap() - 1].1 = is;
        Some(Answer::Changed { was, is })
    }

    fn rollback(&mut self, tag: &TagName, to: Option<u64>) -> Option<Answer> {
        let of = self.tags.get(tag)?;
        let event = match to {
            None => of.past(1)?,
            Some(to) => of.events.iter().rev().find(|event| event.version == Some(to))?,
        };
        let (version, back, previous) = (event.version?, event.back, of.on());
        let moved = Some(Answer::Moved { version: Some(version), previous, rev: 0 });
        (self.state(version) == Some(State::Active)).then_some(())?;
        if previous == Some(version) {
            return moved;
        }
        of.movable().then_some(())?;
        self.tags.get_mut(tag)?.put(Some(version), back, None);
        moved
    }

    fn protect(&mut self, tag: &TagName, protection: Option<Protection>) -> Option<Answer> {
        if self.versions.is_empty() || (protection.is_none() && !self.tags.contains_key(tag)) {
            return None;
        }
        let of = self.tags.entry(tag.clone()).or_default();
        if of.protection != protection || of.events.is_empty() {
            if of.protection.is_some() && protection.is_some() {
                return None;
            }
            let back = of.events.last().and_then(|event| event.back);
            of.put(of.on(), back, None);
            of.protection = protection;
        }
        Some(Answer::Protected(protection))
    }

    /// `None`: refused.
    fn apply(&mut self, act: &Act) -> Option<Answer> {
        match act {
            Act::Add { .. } => self.add(act),
            Act::Tag { spec, tag, expect, require } => {
                let version = self.active(spec)?;
                let previous = self.on(tag);
                met(*expect, previous)?;
                if let Some(required) = require {
                    (self.on(required) == Some(version)).then_some(())?;
                }
                self.put(tag, Some(version), None)?;
                Some(Answer::Moved { version: Some(version), previous, rev: 0 })
            }
            Act::Rollback(tag, to) => self.rollback(tag, *to),
            Act::Untag { tag, expect } => {
                let previous = self.tags.get(tag)?.on();
                met(*expect, previous)?;
                self.put(tag, None, None)?;
                Some(Answer::Moved { version: None, previous, rev: 0 })
            }
            Act::Protect(tag, protection) => self.protect(tag, *protection),
            Act::Change(version, change) => self.change(*version, change),
            Act::Read(spec) => self.resolve(spec).map(Answer::Read),
            Act::Apply { .. } => unreachable!("it is of more than one package"),
        }
    }
}

impl World {
    fn plan(&mut self, moves: &[(&'static str, TagName, Option<Spec>)]) -> Option<Answer> {
        let (before, plan) = (self.packages.clone(), self.applied.len());
        let none = Package::default();
        let (mut answers, mut told, mut changed) = (Vec::new(), BTreeMap::new(), false);
        for (package, tag, to) in moves {
            let of = before.get(package).unwrap_or(&none);
            let version = match to {
                Some(spec) => Some(of.active(spec)?),
                None => of.tags.get(tag).map(|_| None)?,
            };
            let previous = of.on(tag);
            let now = self.packages.entry(package).or_default();
            now.put(tag, version, Some(plan))?;
            told.insert((*package, tag.clone()), now.tags[tag].set()?);
            changed |= previous != version;
            answers.push((version, previous));
        }
        if changed {
            self.applied.push(told);
        }
        Some(Answer::Applied(answers))
    }

    fn undo(&mut self, moves: &[(&'static str, TagName, Option<Spec>)]) -> Option<Answer> {
        let stands = |told: &BTreeMap<(&'static str, TagName), usize>| {
            told.len() == moves.len()
                && moves.iter().all(|(package, tag, _)| {
                    let set = self.packages.get(package).and_then(|of| of.tags.get(tag)?.set());
                    set.is_some() && told.get(&(*package, tag.clone())) == set.as_ref()
                })
        };
        let plan = self.applied.iter().rposition(stands)?;
        let mut answers = Vec::new();
        for (package, tag, _) in moves {
            let of = self.packages.get_mut(package)?;
            let event = of.tags[tag].events.last()?.clone();
            let previous = event.version;
            if event.plan == Some(plan) {
                let before = event.back.map(|back| of.tags[tag].events[back].clone());
                let version = before.as_ref().and_then(|before| before.version);
                let back = before.and_then(|before| before.back);
                if let Some(version) = version {
                    (of.state(version) == Some(State::Active)).then_some(())?;
                }
                let tag = of.tags.get_mut(tag)?;
                tag.movable().then_some(())?;
                tag.put(version, back, None);
                answers.push((version, previous));
            } else {
                answers.push((previous, previous));
            }
        }
        Some(Answer::Applied(answers))
    }
}

fn met(expect: Option<Expectation>, found: Option<u64>) -> Option<()> {
    let found = found.map(|found| found.try_into().unwrap());
    expect.is_none_or(|expect| expect.is_met_by(found)).then_some(())
}

impl SequentialSpec for World {
    type Op = (&'static str, Act);
    type Ret = Answer;

    fn invoke(&mut self, (package, act): &Self::Op) -> Answer {
        let mut after = self.clone();
        let answer = match act {
            Act::Apply { moves, undo: false } => after.plan(moves),
            Act::Apply { moves, undo: true } => after.undo(moves),
            act => after.packages.entry(package).or_default().apply(act),
        };
        match answer {
            // What is refused changes nothing.
            None => Answer::Refused,
            Some(answer) => {
                *self = after;
                answer
            }
        }
    }

    fn is_valid_step(&mut self, act: &Self::Op, answer: &Answer) -> bool {
        match (self.invoke(act), answer) {
            // Revisions count the moves of all tags, and fences: their order is checked elsewhere.
            (Answer::Moved { version, previous, .. }, Answer::Moved { version: v, previous: p, .. }) => {
                (version, previous) == (*v, *p)
            }
            (is, told) => is == *told,
        }
    }
}
