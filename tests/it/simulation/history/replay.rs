//! The replay of all commits by the specification, and the search for a moment that explains each other answer.

use super::super::{
    acts::{Act, Answer, Request},
    adoption::{EPOCH, Ownership},
    audit::{Dump, number},
    specification::{Commit, DIFFER, File, Outcome, Verdict, View, World},
};
use super::*;
use sacker::{
    model::{IdempotencyKey, ReleaseChange, Spec, State},
    table::Item,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The commits, replayed by the specification.
pub struct Replay<'a> {
    world: World<'a>,
    records: &'a [Record],
    by_author: BTreeMap<String, usize>,
    by_key: BTreeMap<String, usize>,
    /// The requests whose answers have yet to be explained; those that were committed are not among them.
    open: BTreeSet<usize>,
    committed: BTreeSet<usize>,
    /// The requests that have committed nothing but their key, and what each could come to at some moment before that:
    /// that nothing had to be changed was true when it was read, and the key may be kept later.
    keyed: BTreeMap<usize, Vec<(Answer, Outcome)>>,
    /// The moments of the commits so far.
    ticks: Vec<u64>,
    pub ownership: Ownership<'a>,
}

impl<'a> Replay<'a> {
    pub fn new(files: &'a [File], records: &'a [Record], ownership: Ownership<'a>) -> Self {
        let numbered = || records.iter().enumerate();
        let key = |(at, record): (usize, &Record)| Some((record.request.key.as_ref()?.to_string(), at));
        Self {
            world: World::new(files),
            records,
            by_author: numbered().map(|(at, record)| (record.request.who(), at)).collect(),
            by_key: numbered().filter_map(key).collect(),
            open: BTreeSet::new(),
            committed: BTreeSet::new(),
            keyed: BTreeMap::new(),
            ticks: Vec::new(),
            ownership,
        }
    }

    /// Returns the request that a transaction belongs to.
    fn owner(&self, said: &Said<'_>) -> Result<usize, String> {
        let who = said.text("who");
        let of_key = said.key.and_then(|(name, _)| self.by_key.get(name));
        let owner = if said.entries.is_empty() { of_key } else { self.by_author.get(who) };
        owner.copied().ok_or_else(|| format!("committed by no request: {:?} {:?}", said.entries, said.key))
    }

    pub fn run(&mut self, landed: &[Landed], found: &Dump) -> Result<(), String> {
        let said: Vec<_> = landed.iter().map(|landed| Said::of(&landed.transaction)).collect();
        let commits = |said: &&Said<'_>| !said.is_fence() && (!said.entries.is_empty() || said.key.is_some());
        for said in said.iter().filter(commits) {
            let owner = self.owner(said)?;
            let once = self.committed.insert(owner);
            once.then_some(()).ok_or_else(|| format!("done twice: {}", self.records[owner]))?;
            if said.entries.is_empty() {
                self.keyed.insert(owner, Vec::new());
            }
        }
        for (at, record) in self.records.iter().enumerate() {
            let is_committed = self.committed.contains(&at);
            match &record.end {
                End::Nothing if is_committed => {
                    return Err(format!("said to have changed nothing: {record}"));
                }
                End::Answered(_) if !is_committed => drop(self.open.insert(at)),
                _ => {}
            }
        }
        let mut since = 0;
        for (landed, said) in landed.iter().zip(&said) {
            self.explain(since, landed.at.tick);
            since = landed.at.tick;
            self.commit(landed, said)?;
            self.ticks.push(since);
            for (action, after) in landed.transaction.actions().iter().zip(&landed.after) {
                let (pk, sk) = (action.key.pk.as_str(), action.key.sk.as_str());
                let expected = self.world.dump.get(pk).and_then(|items| items.get(sk));
                if let Some(difference) = difference((pk, sk), expected, after.as_ref()) {
                    let owner = self.owner(said).map(|at| self.records[at].to_string()).unwrap_or_default();
                    return Err(format!("not as specified, at {since}: {difference}\n  {owner}"));
                }
            }
        }
        self.explain(since, u64::MAX);
        if let Some(open) = self.open.first() {
            let all: Vec<_> = self.records.iter().map(ToString::to_string).collect();
            let ticks: Vec<_> = landed.iter().map(|landed| landed.at.tick).collect();
            let (open, all) = (&self.records[*open], all.join("\n  "));
            return Err(format!("no order explains {open}\nof commits at {ticks:?} and:\n  {all}"));
        }
        self.are_complete()?;
        first_difference(&self.world.dump, found)
            .map_or(Ok(()), |difference| Err(format!("not as specified, in the end: {difference}")))
    }

    /// Checks that all movers obeyed each change of the freezes when its maker was answered.
    fn are_complete(&self) -> Result<(), String> {
        for record in self.records {
            if let End::Answered(Answer::Frozen(event)) = &record.end
                && !self.world.is_complete(event.rev, record.ended.tick)
            {
                return Err(format!("answered before all movers obeyed it: {record}"));
            }
        }
        Ok(())
    }

    /// Returns the views from which a request may have been decided, by each of its clocks, between two moments.
    fn views(&self, record: &Record, from: Moment, to: Moment) -> Vec<View> {
        let (at_past, earlier) = (looks_back(&record.request.act), self.ticks.iter().copied());
        let looked = earlier.filter(|tick| at_past && *tick > from.tick).chain([from.tick]);
        let nows = record.clocks(from, to).flat_map(|(first, last)| [first, last]);
        let nows: Vec<_> = nows.collect();
        looked.flat_map(|looked| nows.iter().map(move |now| View { now: *now, looked })).collect()
    }

    /// Explains the answers that it can by the state between two ticks.
    fn explain(&mut self, since: u64, until: u64) {
        let explained = |at: &usize| {
            let record = &self.records[*at];
            let End::Answered(reported) = &record.end else { unreachable!("an open request was answered") };
            if record.asked.tick >= until || record.ended.tick <= since {
                return false;
            }
            let free = record.request.act.only_reads() || record.request.key.is_none();
            self.views(record, record.asked, record.ended).into_iter().any(|view| {
                match self.world.judge(&record.request, view) {
                    Verdict::Refused => *reported == Answer::Refused,
                    Verdict::Stays(answer, _) => free && *reported == answer,
                    Verdict::Changes(_) => false,
                }
            })
        };
        let explained: Vec<usize> = self.open.iter().copied().filter(explained).collect();
        for at in explained {
            self.open.remove(&at);
        }
        let mut keyed = std::mem::take(&mut self.keyed);
        for (at, outcomes) in &mut keyed {
            let record = &self.records[*at];
            if record.began.tick < until && record.ended.tick > since {
                for view in self.views(record, record.began, record.ended) {
                    if let Verdict::Stays(answer, outcome) = self.world.judge(&record.request, view)
                        && !outcomes.contains(&(answer.clone(), outcome.clone()))
                    {
                        outcomes.push((answer, outcome));
                    }
                }
            }
        }
        self.keyed = keyed;
    }

    fn commit(&mut self, landed: &Landed, said: &Said<'_>) -> Result<(), String> {
        if said.entries.is_empty() && said.key.is_none() {
            return self.commit_other(landed);
        }
        let owner = self.owner(said)?;
        let record = &self.records[owner];
        let at = landed.at;
        let is_its_time = record.began.tick < at.tick
            && (said.is_fence() || !matches!(record.end, End::Answered(_)) || at.tick < record.ended.tick);
        is_its_time
            .then_some(())
            .ok_or_else(|| format!("committed at {}, out of time: {record}", at.tick))?;
        let (who, message) = (record.request.who(), record.request.message.as_deref());
        let nows = self.nows(record, at, said)?;
        let epoch = self.epoch(record, at, said)?;
        let commit = Commit { who: &who, message, op: said.text("op"), now: nows[0], tick: at.tick, epoch };
        if said.is_fence() {
            let (pk, ..) = said.entries[0];
            self.world.fence(pk, &commit);
            return Ok(());
        }
        let (request, key) = (&record.request, said.key.map(|(name, _)| name));
        let kept = match &request.key {
            None => key.is_none(),
            Some(IdempotencyKey::Resume { op, .. }) => {
                key.is_none_or(|key| key.starts_with(op.as_str()) && said.text("op") == op.as_str())
            }
            Some(own) => key == Some(own.to_string().as_str()),
        };
        kept.then_some(()).ok_or_else(|| format!("with the key {key:?}: {record}"))?;
        let (answer, outcome) = match said.key.filter(|_| said.entries.is_empty()) {
            Some((_, item)) => self.stays(owner, item, at)?,
            None => self.change(record, said, &nows, commit)?,
        };
        if let Some(key) = key {
            self.world.remember(request, key, &outcome, commit.op);
        }
        match &record.end {
            End::Answered(reported) if *reported != answer && !is_later(request, reported, &answer) => {
                Err(format!("it came to {answer:?}: {record}"))
            }
            _ => Ok(()),
        }
    }

    /// Returns the epoch that a version is added in: one in which the store was the ledger's own since the request was
    /// made.
    fn epoch(&self, record: &Record, at: Moment, said: &Said<'_>) -> Result<u64, String> {
        let added = said.entries.iter().find(|(_, sk, _)| sk.starts_with("V#"));
        let Some((.., version)) = added else { return Ok(self.ownership.epoch()) };
        let epoch = number(version, "gen") / EPOCH;
        let may = self.ownership.may_add(epoch, record.began.tick, at.tick);
        may.then_some(epoch).ok_or_else(|| format!("added in the epoch {epoch}, at {}: {record}", at.tick))
    }

    /// Returns the result of a request that has committed nothing but its key.
    fn stays(&mut self, owner: usize, kept: &Item, at: Moment) -> Result<(Answer, Outcome), String> {
        let mut outcomes = self.keyed.remove(&owner).unwrap_or_default();
        let fits = outcomes.iter().position(|(_, outcome)| outcome.is_in(kept));
        if outcomes.is_empty() {
            return Err(format!("kept at {}, and it never came to that: {}", at.tick, self.records[owner]));
        }
        Ok(outcomes.swap_remove(fits.unwrap_or(0)))
    }

    /// Makes the change of a request, and returns its result.
    fn change(
        &mut self,
        record: &Record,
        said: &Said<'_>,
        nows: &[u64],
        commit: Commit<'_>,
    ) -> Result<(Answer, Outcome), String> {
        let at = Moment { tick: commit.tick, ..record.ended };
        let views = self.views(record, record.began, at);
        let mut verdicts = Vec::new();
        for view in views.into_iter().flat_map(|view| nows.iter().map(move |now| View { now: *now, ..view }))
        {
            verdicts.push((view.now, self.world.judge(&record.request, view)));
        }
        let change = |fits: bool| {
            verdicts.iter().find_map(|(now, verdict)| match verdict {
                Verdict::Changes(change) if !fits || said.fits(change) => Some((*now, change)),
                _ => None,
            })
        };
        let (now, change) = change(true)
            .or_else(|| change(false))
            .ok_or_else(|| format!("not to be committed, at {}: {record}: {:?}", commit.tick, verdicts[0]))?;
        Ok(self.world.commit(record.request.package, change, &Commit { now, ..commit }))
    }

    /// Handles a change that belongs to no request.
    fn commit_other(&mut self, landed: &Landed) -> Result<(), String> {
        for (action, after) in landed.transaction.actions().iter().zip(&landed.after) {
            let (pk, empty) = (action.key.pk.as_str(), Item::new());
            let after = after.as_ref().unwrap_or(&empty);
            let text = |name: &str| after.get(name).and_then(Value::as_str).unwrap_or_default();
            let may = match pk.split_once('#') {
                None if pk == "M" => {
                    let epoch = number(after, "epoch");
                    self.ownership.identify(landed.at.tick, text("ledger"), epoch)?;
                    self.world.identify(text("ledger"), epoch);
                    true
                }
                // A repair of the items that movers check depends on the log.
                None if pk == "F" => true,
                Some(("F", replica)) => self.world.replicate(replica, number(after, "rev"), landed.at.tick),
                Some(("B", sha256)) => {
                    let condemned = number(after, "gen");
                    self.world.condemn(sha256, &action.key.sk, condemned, self.ownership.epoch())
                }
                _ => false,
            };
            may.then_some(()).ok_or_else(|| format!("not to be changed: {pk} to {after:?}"))?;
        }
        Ok(())
    }

    /// By what time a transaction was made: the one that its entries have, if it is one that a clock of its maker
    /// showed; else, where they only follow what was there, what these clocks showed at first and at last.
    fn nows(&self, record: &Record, at: Moment, said: &Said<'_>) -> Result<Vec<u64>, String> {
        let (mut earliest, mut latest, mut shown, mut logs) = (0, u64::MAX, None, BTreeSet::new());
        for (pk, sk, entry) in &said.entries {
            let time = |name: &str| entry.get(name).and_then(Value::as_u64);
            let when = time("when").unwrap_or_default();
            shown = shown.or(time("clock"));
            // It has none: so it was not further behind.
            if !sk.starts_with('A') {
                earliest = earliest.max(when.saturating_sub(DIFFER));
            }
            if logs.insert(*pk) {
                latest = latest.min(when);
                if self.world.last_time(pk).is_none_or(|last| when > last + 1) {
                    shown = Some(when);
                }
            }
        }
        let clocks = record.clocks(record.began, at);
        let nows: Vec<u64> = match shown {
            Some(now) => {
                clocks.filter(|(first, last)| (*first..=*last).contains(&now)).map(|_| now).collect()
            }
            None => clocks
                .map(|(first, last)| (first.max(earliest), last.min(latest)))
                .filter(|(first, last)| first <= last)
                .flat_map(|(first, last)| [first, last])
                .collect(),
        };
        if nows.is_empty() {
            return Err(format!("no clock of its maker showed {shown:?} or {latest}: {record}"));
        }
        Ok(nows)
    }
}

/// Returns `true` if a request reads the past of a tag before it is committed.
fn looks_back(act: &Act) -> bool {
    let is_time = |spec: &Spec| matches!(spec, Spec::At(..));
    match act {
        Act::Tag { spec, .. } | Act::Read(spec) => is_time(spec),
        Act::Apply { moves, undo: false, .. } => moves.iter().filter_map(|it| it.to.as_ref()).any(is_time),
        Act::Rollback { to, .. } => to.is_some(),
        _ => false,
    }
}

/// Returns true if a request that changed nothing, under a key, has reported a state of the version that is later than its
/// commit: an undeletion finds the version active or yanked, and the key does not record which.
fn is_later(request: &Request, reported: &Answer, answer: &Answer) -> bool {
    let state = |answer: &Answer| match answer {
        Answer::Changed { was, is } if was == is && *is != State::Deleted => Some(*is),
        _ => None,
    };
    matches!(request.act, Act::Change(_, ReleaseChange::Undelete))
        && state(reported).is_some()
        && state(answer).is_some()
}
