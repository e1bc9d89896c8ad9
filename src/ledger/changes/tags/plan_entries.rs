//! The entries of a plan in the tag logs of several packages, as one transaction; and reading them back.

use super::{
    destination::{Decision, Move, Target},
    log::{TagLog, recall_one, stayed},
};
use crate::{
    ledger::{
        Error,
        engine::{
            idempotency::used_for,
            operation::{Context, Operation, OutcomeRef, Proposal, Step},
        },
        schema::{self, PlanEntries, TagEvent},
        snapshot::{Lookup, Snapshot},
    },
    model::{PackageName, TagMove, TagName},
    table::{Action, Key},
};
use std::collections::{BTreeMap, BTreeSet};

/// Returns the transaction for the decisions on these moves, in their order. The first entry records all moves.
pub(super) fn append<'a>(
    moves: &'a [Move],
    decisions: Vec<Decision<'a>>,
    seen: &Snapshot,
    context: &'a Context<'a>,
) -> Result<Step<Vec<TagMove>>, Error> {
    let mut entries = Entries::open(packages(moves), seen, context)?;
    for (Move { package, tag, .. }, decision) in moves.iter().zip(&decisions) {
        let stays = match decision {
            Decision::Stay(item, _) => Some(item.set),
            Decision::Put(..) | Decision::TakeOff(..) => None,
        };
        entries.reserve(package, tag, stays);
    }
    let mut outcome = Vec::new();
    for (Move { package, .. }, decision) in moves.iter().zip(decisions) {
        outcome.push(match decision {
            Decision::Stay(item, check) => {
                entries.checks.extend(check);
                stayed(item.into_move(package))
            }
            Decision::TakeOff(allowed, link) => entries.log(package).put(*allowed, None, link),
            Decision::Put(allowed, target) => {
                let Target { version, blob, check, link } = *target;
                entries.checks.extend(check);
                entries.log(package).put(*allowed, Some((version, blob)), link)
            }
        });
    }
    Ok(entries.close(outcome))
}

/// Returns the packages of these moves.
pub(super) fn packages(moves: &[Move]) -> BTreeSet<&PackageName> {
    moves.iter().map(|it| &it.package).collect()
}

/// Returns the log for an idempotency key of these moves: that of the first package by name.
pub(super) fn log(moves: &[Move]) -> String {
    schema::tags(packages(moves).first().expect("there is a move"))
}

/// Returns the keys at which an earlier attempt of these moves with this slot number may have put its first entry.
pub(super) fn slots(moves: &[Move], number: u64) -> Vec<Key> {
    packages(moves).into_iter().map(|package| schema::tag_event_key(package, number)).collect()
}

/// The entries of a plan, under a head for each package.
struct Entries<'a> {
    logs: BTreeMap<&'a PackageName, TagLog<'a>>,
    /// The number of entries reserved for each package.
    reserved: BTreeMap<&'a PackageName, u64>,
    /// The rev of the entry of each tag.
    revs: BTreeMap<(&'a PackageName, &'a TagName), u64>,
    /// True once the entries are linked to the first.
    linked: bool,
    checks: Vec<Action>,
}

impl<'a> Entries<'a> {
    /// Begins at the heads in `seen`.
    fn open(
        packages: BTreeSet<&'a PackageName>,
        seen: &Snapshot,
        context: &'a Context<'a>,
    ) -> Result<Self, Error> {
        let logs = packages.into_iter().map(|package| Ok((package, TagLog::open(package, seen, context)?)));
        let logs = logs.collect::<Result<_, Error>>()?;
        Ok(Self { logs, reserved: BTreeMap::new(), revs: BTreeMap::new(), linked: false, checks: Vec::new() })
    }

    /// Assigns to a tag the entry that records it: an existing one, or else the next of its package. All must be
    /// reserved, in order, before the first is appended.
    fn reserve(&mut self, package: &'a PackageName, tag: &'a TagName, existing: Option<u64>) {
        let rev = existing.unwrap_or_else(|| {
            let before = self.reserved.entry(package).or_default();
            *before += 1;
            self.logs[package].seen_rev() + *before
        });
        self.revs.insert((package, tag), rev);
    }

    /// Returns the tag log of a package.
    fn log(&mut self, package: &PackageName) -> &mut TagLog<'a> {
        if !std::mem::replace(&mut self.linked, true) {
            self.link_to_first();
        }
        self.logs.get_mut(package).expect("the log of each package was opened")
    }

    /// Makes the first entry of all record all moves, and every other one refer to it.
    fn link_to_first(&mut self) {
        let moves = self.moves();
        let Some(leader) = self.leader() else { return };
        let at: PlanEntries = [(leader.to_string(), self.logs[leader].seen_rev() + 1)].into();
        for (package, log) in &mut self.logs {
            log.link_to_first(
                if *package == leader { moves.clone() } else { PlanEntries::new() },
                at.clone(),
            );
        }
    }

    /// Returns the first package that gets an entry.
    fn leader(&self) -> Option<&'a PackageName> {
        self.reserved.keys().next().copied()
    }

    fn moves(&self) -> PlanEntries {
        self.revs.iter().map(|((package, tag), rev)| (name(package, tag), *rev)).collect()
    }

    /// Returns the plan that appends them.
    fn close(self, outcome: Vec<TagMove>) -> Step<Vec<TagMove>> {
        let heads: Vec<_> = self.logs.values().map(TagLog::seen_head).collect();
        let moves = self.moves();
        // The key of an operation is in the log of its first package, and refers to an entry there.
        let ((package, _), rev) = self.revs.first_key_value().expect("there is a tag");
        let entry = schema::tag_event_key(package, *rev);
        let Some(leader) = self.leader() else {
            let logs = heads.into_iter().map(|(log, _)| log).collect();
            return Step::Unchanged { outcome, entry, moves, logs, checks: self.checks };
        };
        let log = &self.logs[leader];
        let (slot, number) = (log.first_slot(), log.seen_rev() + 1);
        let mut actions = Vec::new();
        for (package, log) in self.logs {
            if self.reserved.contains_key(package) {
                actions.extend(log.close());
            } else {
                actions.push(log.check());
            }
        }
        actions.extend(self.checks);
        Step::Commit(Proposal { actions, heads, slot, number, entry, unchanged: false, moves, outcome })
    }
}

/// Returns the outcome for all tags of a plan.
///
/// # Errors
/// [`Conflict::Key`](crate::ledger::Conflict::Key) if these are not its tags.
pub(super) fn recall_plan<'a, O: Operation<Outcome = Vec<TagMove>>>(
    operation: &O,
    tags: impl Iterator<Item = (&'a PackageName, &'a TagName)>,
    reference: &OutcomeRef,
    seen: &Snapshot,
    context: &Context<'_>,
) -> Result<Step<Vec<TagMove>>, Error> {
    let mut moves = reference.moves.clone();
    if moves.is_empty() {
        let Some(entry) = seen.get_referenced::<TagEvent>(&reference.entry)? else {
            return Ok(Step::Read(vec![reference.entry.clone()]));
        };
        // The slot of that number may also hold another entry of the plan, in another package.
        let leader = leaders(&entry).next().transpose()?;
        let leader = match leader {
            None => entry,
            Some(key) => match seen.get_referenced::<TagEvent>(&key)? {
                Some(leader) => leader,
                None => return Ok(Step::Read(vec![key])),
            },
        };
        moves = leader.moves;
    }
    let found = Lookup::all(tags.map(|(package, tag)| {
        let Some(rev) = moves.get(&name(package, tag)) else {
            return Err(used_for("another change".to_owned(), operation, context));
        };
        recall_one(package, &schema::tag_event_key(package, *rev), reference, seen)
    }));
    let outcome = match found? {
        Lookup::Ready(found) => found,
        Lookup::Missing(keys) => return Ok(Step::Read(keys)),
    };
    if outcome.len() == moves.len() {
        Ok(Step::Done(outcome))
    } else {
        Err(used_for("another plan".to_owned(), operation, context))
    }
}

/// Returns the first entry of the plan that another of its entries refers to.
pub(super) fn leaders(event: &TagEvent) -> impl Iterator<Item = Result<Key, Error>> + '_ {
    event.led_by.iter().map(|(package, rev)| {
        let package: PackageName = package.parse().map_err(|error| Error::Damaged {
            what: format!("the ledger's entry {rev} of a plan"),
            why: format!("{error}"),
        })?;
        Ok(schema::tag_event_key(&package, *rev))
    })
}

/// Returns the name of a tag among the moves of a plan. Neither part has a space.
pub(super) fn name(package: &PackageName, tag: &TagName) -> String {
    format!("{package} {tag}")
}
