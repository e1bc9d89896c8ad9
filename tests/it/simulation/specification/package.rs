//! One package: the ends of its logs, and the resolution of specs and gates in it.

use super::{RollbackLink, *};
use sacker::{
    model::{Gate, Moment, Protection, Spec, State, TagKind, TagName},
    table::Item,
};
use serde_json::Value;

impl Log {
    /// The rev and the time of the next entry.
    pub(super) fn next(&self, now: u64) -> (u64, u64) {
        (self.rev + 1, if self.rev == 0 { now } else { now.max(self.when + 1) })
    }

    /// Puts an entry at the end and returns it with its place in the chain.
    pub(super) fn append(&mut self, pk: &str, sk: &str, mut entry: Item, tick: u64) -> Item {
        self.chain = chained(&self.chain, pk, sk, &entry);
        (self.rev, self.when) = (self.rev + 1, entry["when"].as_u64().unwrap());
        self.times.push(Time { when: self.when, clock: entry.get("clock").and_then(Value::as_u64), tick });
        entry.insert("chain".to_owned(), self.chain.as_str().into());
        entry
    }
}

impl Package {
    pub(super) fn latest(&self) -> Option<u64> {
        let at = self.versions.iter().rposition(|version| version.state == State::Active)?;
        Some(at as u64 + 1)
    }

    pub(super) fn version(&self, number: u64) -> Option<&Version> {
        self.versions.get(usize::try_from(number.checked_sub(1)?).unwrap())
    }

    pub(super) fn active(&self, number: u64) -> Option<u64> {
        self.version(number).filter(|version| version.state == State::Active).map(|_| number)
    }

    /// The last event of a tag.
    pub(super) fn last(&self, tag: &TagName) -> Option<(u64, &Event)> {
        self.events.iter().rev().find(|(_, event)| event.tag == *tag).map(|(rev, event)| (*rev, event))
    }

    pub(super) fn on(&self, tag: &TagName) -> Option<u64> {
        self.last(tag)?.1.version
    }

    /// The event that this many rollbacks lead to.
    pub(super) fn past(&self, tag: &TagName, steps: u16) -> Option<&Event> {
        let (_, mut event) = self.last(tag)?;
        for _ in 0..steps {
            event = &self.events[&event.back?];
        }
        Some(event)
    }

    /// The version that a spec names, whatever its state.
    pub(super) fn named(&self, spec: &Spec, view: View) -> Option<u64> {
        match spec {
            Spec::Latest => self.latest(),
            Spec::Tag(tag) => self.on(tag),
            Spec::Past(tag, steps) => self.past(tag, *steps)?.version,
            Spec::Version(version) => Some(version.get()),
            Spec::At(tag, Moment::Time(at)) => self.at(tag, at.as_millis(), view)?.version,
            other => unreachable!("no request has {other:?}"),
        }
    }

    /// The event after which a tag was where it was at a time, unless a clock that was wrong leaves that uncertain.
    pub(super) fn at(&self, tag: &TagName, at: u64, view: View) -> Option<&Event> {
        let looked = self.tags.times.partition_point(|time| time.tick <= view.looked);
        let times = &self.tags.times[..looked];
        let then = times.partition_point(|time| time.when <= at);
        let last = |until: usize| {
            let mut events = self.events.range(..=until as u64).rev();
            events.find(|(_, event)| event.tag == *tag)
        };
        let moved_since = last(looked).is_some_and(|(rev, _)| *rev > then as u64);
        if moved_since && is_ahead(times[then].when, view.now) {
            return None;
        }
        let (rev, event) = last(then)?;
        let first = usize::try_from(*rev).unwrap() - 1;
        times[first..then].iter().any(|time| time.clock.is_none()).then_some(event)
    }

    pub(super) fn may_move(&self, tag: &TagName, confirmed: bool) -> Option<()> {
        let (_, last) = self.last(tag).unzip();
        let may = match last.and_then(|last| last.protection) {
            None => true,
            Some(Protection::WriteOnce) => last.is_none_or(|last| last.version.is_none()),
            Some(Protection::Confirm) => confirmed,
            Some(Protection::Other(_)) => false,
        };
        may.then_some(())
    }

    pub(super) fn is_open(&self, gate: &Gate, number: u64, view: View) -> bool {
        let Some(version) = self.version(number) else { return false };
        match gate {
            Gate::Tag(tag) => self.on(tag) == Some(number),
            Gate::Label { name, value } => {
                version.labels.get(name).or_else(|| version.more_labels.get(name)) == Some(value)
            }
            Gate::Age(least) => {
                let when = version.item["when"].as_u64().unwrap();
                let known = !version.item.contains_key("clock") && !is_ahead(when, view.now);
                known && u128::from(view.now.saturating_sub(when)) >= least.as_duration().as_millis()
            }
        }
    }

    /// Puts a tag on a version or takes it off, unless it is so already.
    pub(super) fn step(
        &self,
        package: &str,
        tag: &TagName,
        to: (Option<u64>, RollbackLink),
        confirmed: bool,
    ) -> Option<Step> {
        let (version, link) = to;
        let last = self.last(tag);
        let step = |put| Step { package: package.to_owned(), tag: tag.clone(), put };
        if last.is_some_and(|(_, event)| event.version == version) {
            return Some(step(None));
        }
        self.may_move(tag, confirmed)?;
        let (kind, back) = match link {
            RollbackLink::From(back) => (TagKind::Rollback, back),
            RollbackLink::Previous if version.is_some() => (TagKind::Move, last.map(|(rev, _)| rev)),
            RollbackLink::Previous => (TagKind::Untag, last.map(|(rev, _)| rev)),
        };
        let protection = last.and_then(|(_, event)| event.protection);
        Some(step(Some(Put { kind, version, back, protection })))
    }
}
