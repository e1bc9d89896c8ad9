//! Freezes: which moves they refuse, and what their changes make.

use super::{
    Act, Answer, Change, Commit, Frozen, Log, Outcome, Put, Step, Verdict, View, World, clock, event_sk, item,
};
use crate::simulation::acts::Request;
use sacker::{
    model::{FreezeKind, PackagePrefix, Timestamp},
    table::Item,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The number of items that movers check.
const REPLICAS: u8 = 32;

fn in_force(freeze: &Frozen, now: u64) -> bool {
    freeze.until.is_none_or(|until| now < until)
}

fn items(frozen: &BTreeMap<String, Frozen>) -> BTreeMap<&String, Item> {
    let one = |it: &Frozen| {
        item(json!({
            "set": it.rev, "strict": it.strict.then_some(true), "until": it.until, "who": it.by, "when": it.at,
            "message": it.message,
        }))
    };
    frozen.iter().map(|(pattern, it)| (pattern, one(it))).collect()
}

impl World<'_> {
    /// Returns the steps of moves forward, with the emergency that passed a freeze, unless one is refused.
    pub(super) fn forward(&self, steps: Vec<Step>, request: &Request, view: View) -> Option<Vec<Step>> {
        let emergency = match request.act {
            Act::Add { emergency, .. } | Act::Tag { emergency, .. } | Act::Apply { emergency, .. } => {
                request.emergency(emergency)
            }
            _ => None,
        };
        // All moves of a plan obey the item that its first package selects.
        let Some(first) = steps.first() else { return Some(steps) };
        let rev = self.replica(Sha256::digest(&first.package)[1] % REPLICAS);
        let none = BTreeMap::new();
        let frozen = self.frozen_then.get(&rev).unwrap_or(&none);
        let pass = |mut step: Step| {
            let Some(put @ Put { version: Some(_), .. }) = &mut step.put else { return Some(step) };
            let met = frozen.iter().filter(|(pattern, freeze)| {
                step.package.starts_with(pattern.trim_end_matches('*')) && in_force(freeze, view.now)
            });
            let met: Vec<_> = met.map(|(_, freeze)| freeze).collect();
            if !met.is_empty() {
                let why = emergency.as_ref().filter(|_| met.iter().all(|freeze| !freeze.strict))?;
                put.emergency = Some(why.to_string());
            }
            Some(step)
        };
        steps.into_iter().map(pass).collect()
    }

    pub(super) fn judge_freezing(&self, act: &Act, view: View) -> Option<Verdict> {
        match act {
            Act::Freeze { prefix, strict, until } => {
                let until = until.map(Timestamp::as_millis);
                if let Some(there) = self.frozen.get(&prefix.pattern()).filter(|it| in_force(it, view.now)) {
                    let same = there.strict == *strict && there.until == until;
                    let outcome =
                        Outcome { entry: event_sk('E', there.rev), unchanged: true, ..Outcome::default() };
                    return same.then(|| Verdict::Stays(Answer::Frozen(there.clone()), outcome));
                }
                until.is_none_or(|until| until > view.now).then_some(())?;
                Some(Verdict::Changes(Change::Freeze { prefix: prefix.clone(), strict: *strict, until }))
            }
            Act::Thaw(prefix) => {
                self.frozen.get(&prefix.pattern())?;
                Some(Verdict::Changes(Change::Thaw(prefix.clone())))
            }
            _ => None,
        }
    }

    /// Freezes or thaws, and returns the answer and what a key leads to.
    pub(super) fn freeze(
        &mut self,
        prefix: &PackagePrefix,
        freeze: Option<(bool, Option<u64>)>,
        commit: &Commit<'_>,
    ) -> (Answer, Outcome) {
        let (rev, when) = self.freezes.next(commit.now);
        let kind = if freeze.is_some() { FreezeKind::Freeze } else { FreezeKind::Thaw };
        let (strict, until) = freeze.unwrap_or_default();
        let entry = item(json!({
            "kind": kind.to_string(), "prefix": prefix, "strict": strict.then_some(true), "until": until,
            "who": commit.who, "when": when, "clock": clock(when, commit.now), "message": commit.message,
            "op": commit.op, "rev": rev,
        }));
        let sk = event_sk('E', rev);
        let entry = self.freezes.append("F", &sk, entry, commit.tick);
        self.put("F", sk.clone(), entry);
        let (message, by) = (commit.message.map(ToOwned::to_owned), commit.who.to_owned());
        let event = Frozen { kind, strict, until, message, rev, at: when, by };
        match kind {
            FreezeKind::Freeze => drop(self.frozen.insert(prefix.pattern(), event.clone())),
            _ => drop(self.frozen.remove(&prefix.pattern())),
        }
        self.put_freeze_head();
        let mut meta = self.dump["M"]["M"].clone();
        meta.insert("schema".to_owned(), 2.into());
        meta.insert("needs".to_owned(), json!({ "read": "0.1.0", "write": "0.2.0" }));
        self.put("M", "M", meta);
        (Answer::Frozen(event), Outcome { entry: sk, ..Outcome::default() })
    }

    /// Returns the rev that an item which movers check is a copy of.
    fn replica(&self, number: u8) -> u64 {
        self.replicas.get(&number).and_then(|states| states.last()).map_or(0, |(_, rev)| *rev)
    }

    /// Brings an item that movers check to a newer state of the log. Returns if that may be.
    pub fn replicate(&mut self, number: &str, rev: u64, tick: u64) -> bool {
        let Some(frozen) = self.frozen_then.get(&rev) else { return false };
        let number = number.parse().ok().filter(|number| *number < REPLICAS);
        let Some(number) = number.filter(|number| self.replica(*number) < rev) else { return false };
        let replica = item(json!({ "rev": rev, "freezes": items(frozen) }));
        self.put(format!("F#{number:02}"), "F", replica);
        self.replicas.entry(number).or_default().push((tick, rev));
        true
    }

    /// Returns `true` if all movers obeyed a change of the freezes at a time.
    pub fn is_complete(&self, rev: u64, tick: u64) -> bool {
        let reached = |number| {
            let states = self.replicas.get(&number);
            states.is_some_and(|states| states.iter().any(|(at, is)| *at < tick && *is >= rev))
        };
        (0..REPLICAS).all(reached)
    }

    fn in_force_items(&self) -> BTreeMap<&String, Item> {
        items(&self.frozen)
    }

    pub(super) fn put_freeze_head(&mut self) {
        let Log { rev, chain, when, .. } = &self.freezes;
        let frozen = self.in_force_items();
        let head = item(json!({ "rev": rev, "chain": chain, "when": when, "freezes": frozen }));
        self.put("F", "H", head);
        self.frozen_then.insert(self.freezes.rev, self.frozen.clone());
    }

    /// Advances the head of the log of freezes with an entry that says nothing else.
    pub(super) fn fence_freezes(&mut self, commit: &Commit<'_>) {
        let (rev, when) = self.freezes.next(commit.now);
        let sk = event_sk('E', rev);
        let entry = item(json!({
            "kind": "fence", "who": commit.who, "when": when, "clock": clock(when, commit.now), "op": commit.op,
            "rev": rev,
        }));
        let entry = self.freezes.append("F", &sk, entry, commit.tick);
        self.put("F", sk, entry);
        self.put_freeze_head();
    }
}
