//! One package: the ends of its logs, and the resolution of specs and gates in it.

use super::{RollbackLink, *};
use crate::simulation::{acts::TAGS, overview};
use sacker::{
    model::{Gate, Message, Moment, Protection, Spec, State, TagKind, TagName},
    table::Item,
};
use serde_json::Value;

/// A gate is closed, and nothing passes over it.
pub(super) struct Shut;

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

    /// A line for each tag that is on a version, by name. The time and the author are those of its last move.
    pub(super) fn status(&self) -> Vec<String> {
        let mut tags = TAGS.map(|tag| tag.parse::<TagName>().unwrap());
        tags.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        let line = |tag: &TagName| {
            let (rev, last) = self.last(tag)?;
            let version = last.version?;
            let is_move = |event: &&Event| event.tag == *tag && event.previous != event.version;
            let moved = self.events.values().rev().find(is_move)?;
            Some(overview::line(
                tag,
                (version, rev),
                (moved.when, moved.who.as_str()),
                last.standing.protection,
            ))
        };
        tags.iter().filter_map(line).collect()
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

    /// Returns `true` if one of this many rollbacks of a tag goes to a version. What is yanked or deleted is passed over.
    pub(super) fn is_stop(&self, number: u64, depth: u16) -> bool {
        let is_stop_of = |tag: &str| {
            let tag = tag.parse::<TagName>().unwrap();
            let Some((_, last)) = self.last(&tag) else { return false };
            let (mut at, mut back, mut left) = (last.version, last.back, depth);
            while let Some(event) = back.filter(|_| left > 0).map(|rev| &self.events[&rev]) {
                back = event.back;
                let Some(version) = event.version else { continue };
                let state = self.version(version).expect("it was tagged").state;
                if state != State::Deleted && version == number {
                    return true;
                }
                if state == State::Active && at != Some(version) {
                    (at, left) = (Some(version), left - 1);
                }
            }
            false
        };
        TAGS.iter().any(|tag| is_stop_of(tag))
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
        let may = match last.and_then(|last| last.standing.protection) {
            None | Some(Protection::Gates) => true,
            Some(Protection::WriteOnce | Protection::WriteOnceGates) => {
                last.is_none_or(|last| last.version.is_none())
            }
            Some(Protection::Confirm | Protection::ConfirmGates) => confirmed,
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
            Gate::Was(tag) => {
                self.events.values().any(|event| event.tag == *tag && event.version == Some(number))
            }
            Gate::Soak { tag, least } => {
                u128::from(self.stood(tag, number, view.now)) >= least.as_duration().as_millis()
            }
            Gate::Other(gate) => unreachable!("no request has {gate}"),
            Gate::Age(least) => {
                let when = version.item["when"].as_u64().unwrap();
                let known = !version.item.contains_key("clock") && !is_ahead(when, view.now);
                known && u128::from(view.now.saturating_sub(when)) >= least.as_duration().as_millis()
            }
        }
    }

    /// The protection of a tag, with its gates.
    pub(super) fn standing(&self, tag: &TagName) -> Standing {
        self.last(tag).map(|(_, event)| event.standing.clone()).unwrap_or_default()
    }

    /// The highest version that a tag was on, once it is on this one.
    pub(super) fn top(&self, tag: &TagName, version: Option<u64>) -> u64 {
        let of_tag = self.events.values().filter(|event| event.tag == *tag);
        of_tag.filter_map(|event| event.version).chain(version).max().unwrap_or_default()
    }

    /// The gates that a tag must pass to be put on a version: what it overrides, unless it may not be put there.
    pub(super) fn pass(
        &self,
        tag: &TagName,
        number: u64,
        (require, why): (&[Gate], Option<&Message>),
        view: View,
    ) -> Result<Option<Overridden>, Shut> {
        if !require.iter().all(|gate| self.is_open(gate, number, view)) {
            return Err(Shut);
        }
        if self.on(tag) == Some(number) {
            return Ok(None);
        }
        let Standing { gates, no_override, .. } = self.standing(tag);
        let closed = |gate: &String| !self.is_open(&gate.parse().unwrap(), number, view);
        let closed: BTreeSet<_> = gates.into_iter().filter(closed).collect();
        match why {
            _ if closed.is_empty() => Ok(None),
            Some(why) if !no_override => Ok(Some((why.to_string(), closed))),
            _ => Err(Shut),
        }
    }

    /// The same for a version that is being added now, with these labels.
    pub(super) fn pass_new(
        &self,
        tag: &TagName,
        labels: &BTreeMap<String, String>,
        why: Option<&Message>,
    ) -> Result<Option<Overridden>, Shut> {
        let Standing { gates, no_override, .. } = self.standing(tag);
        let is_closed = |gate: &String| match gate.parse().unwrap() {
            Gate::Label { name, value } => labels.get(&name) != Some(&value),
            Gate::Age(least) | Gate::Soak { least, .. } => !least.as_duration().is_zero(),
            _ => true,
        };
        let closed: BTreeSet<_> = gates.into_iter().filter(is_closed).collect();
        match why {
            _ if closed.is_empty() => Ok(None),
            Some(why) if !no_override => Ok(Some((why.to_string(), closed))),
            _ => Err(Shut),
        }
    }

    /// The time that a tag stood on a version, in milliseconds.
    fn stood(&self, tag: &TagName, number: u64, now: u64) -> u64 {
        let known = |rev: u64, event: &Event| {
            let time = self.tags.times[usize::try_from(rev).unwrap() - 1];
            (time.clock.is_none() && !is_ahead(event.when, now)).then_some(event.when)
        };
        let of_tag: Vec<_> = self.events.iter().filter(|(_, event)| event.tag == *tag).collect();
        let (mut total, mut end, mut earliest) = (0, Some(now), now);
        for (rev, event) in of_tag.into_iter().rev() {
            let begin = known(*rev, event).map(|at| at.min(earliest));
            if event.version == Some(number) {
                total += begin.zip(end).map_or(0, |(begin, end)| end.saturating_sub(begin));
            }
            (end, earliest) = (begin, begin.unwrap_or(earliest));
        }
        total
    }

    /// Puts a tag on a version or takes it off, unless it is so already.
    pub(super) fn step(
        &self,
        package: &str,
        tag: &TagName,
        to: (Option<u64>, RollbackLink),
        overridden: Option<Overridden>,
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
        let standing = self.standing(tag);
        Some(step(Some(Put { kind, version, back, standing, overridden, emergency: None })))
    }
}
