//! Undoing a plan.

use super::{
    destination::{Decision, Move},
    gates::Passed,
    log::{RollbackLink, allow, reads},
    moves::{all_or_failures, check_size, fingerprint},
    plan_entries::{self, append, leaders as led_by, name, packages, recall_plan},
};
use crate::{
    ledger::{
        ApplyRequest, Conflict, Error,
        engine::operation::{Context, Operation, OutcomeRef, Step},
        schema::{self, TagEvent, TagItem},
        snapshot::{Lookup, Snapshot},
    },
    model::{PackageName, TagKind, TagMove},
    table::Key,
};
use std::collections::BTreeSet;

/// The undo of a plan: it moves each tag back to its version before the plan was applied, if all of them are still
/// where one and the same application put them.
#[derive(Debug)]
pub(in crate::ledger) struct Undoing<'a> {
    request: &'a ApplyRequest,
    moves: Vec<Move>,
}

/// A tag and its last event.
type TagStatus = (TagItem, TagEvent);

impl<'a> Undoing<'a> {
    /// Creates the operation.
    ///
    /// # Errors
    /// [`Refused::TooLarge`](crate::ledger::Refused::TooLarge).
    pub(in crate::ledger) fn new(request: &'a ApplyRequest, moves: Vec<Move>) -> Result<Self, Error> {
        check_size(3 * moves.len(), &moves, &request.author, 0)?;
        Ok(Self { request, moves })
    }

    /// Returns each tag with its last event, if there is one.
    fn status(&self, seen: &Snapshot) -> Result<Lookup<Vec<Option<TagStatus>>>, Error> {
        let (mut status, mut missing) = (Vec::new(), Vec::new());
        for the_move in &self.moves {
            let Move { package, tag, .. } = the_move;
            let Some(item) = seen.get::<TagItem>(&schema::tag_key(package, tag))? else {
                status.push(None);
                continue;
            };
            let key = schema::tag_event_key(package, item.set);
            if let Some(event) = seen.get_referenced(&key)? {
                status.push(Some((item, event)));
            } else {
                // Also read what the rollback most likely needs.
                missing.push(key);
                missing.extend(item.back.map(|rev| schema::tag_event_key(package, rev)));
                missing.extend(the_move.predicted_key(&item));
            }
        }
        Ok(if missing.is_empty() { Lookup::Ready(status) } else { Lookup::Missing(missing) })
    }

    /// Returns the first entry of the application that most of the tags are still at, if there is one: it records all
    /// of its moves.
    fn leader(
        &self,
        status: &[Option<TagStatus>],
        seen: &Snapshot,
    ) -> Result<Lookup<Option<TagEvent>>, Error> {
        let (mut leaders, mut missing) = (Vec::new(), Vec::new());
        for (_, event) in status.iter().flatten() {
            if !event.moves.is_empty() {
                leaders.push(event.clone());
            }
            for key in led_by(event) {
                let key = key?;
                match seen.get_referenced::<TagEvent>(&key)? {
                    Some(leader) => leaders.push(leader),
                    None if missing.contains(&key) => {}
                    None => missing.push(key),
                }
            }
        }
        if !missing.is_empty() {
            return Ok(Lookup::Missing(missing));
        }
        let applied = |event: &TagEvent| matches!(event.kind, TagKind::Move | TagKind::Untag);
        let matching = |event: &TagEvent| {
            let stands = |(the_move, status): &(&Move, &Option<TagStatus>)| {
                let rev = event.moves.get(&name(&the_move.package, &the_move.tag));
                rev.is_some() && rev == status.as_ref().map(|(item, _)| &item.set)
            };
            (self.moves.iter().zip(status).filter(stands).count(), event.when)
        };
        Ok(Lookup::Ready(leaders.into_iter().filter(applied).max_by_key(matching)))
    }
}

/// Decides the move of one tag, if it is still where that application put it.
fn decide<'a>(
    the_move: &'a Move,
    status: Option<&TagStatus>,
    leader: Option<&TagEvent>,
    seen: &Snapshot,
) -> Result<Lookup<Decision<'a>>, Error> {
    let Move { package, tag, confirmed, .. } = the_move;
    let rev = leader.and_then(|leader| leader.moves.get(&name(package, tag)));
    let (Some(leader), Some((item, event))) = (leader, status.filter(|(item, _)| rev == Some(&item.set)))
    else {
        return Err(Conflict::NotApplied {
            package: package.clone(),
            tag: tag.clone(),
            found: status.and_then(|(item, _)| item.version),
            kind: status.map(|(item, _)| item.kind),
            by: status.map(|(item, _)| (item.who.clone(), item.when)),
        }
        .into());
    };
    if event.op != leader.op {
        return Ok(Lookup::Ready(Decision::Stay(Box::new(item.clone()), None)));
    }
    let allowed = || allow(package, tag, *confirmed, Passed::back(), seen).map(Box::new);
    let before = match event.back {
        None => None,
        Some(rev) => {
            let key = schema::tag_event_key(package, rev);
            match seen.get_referenced::<TagEvent>(&key)? {
                Some(before) => Some(before),
                None => return Ok(Lookup::Missing(vec![key])),
            }
        }
    };
    let decision = match &before {
        Some(before) if before.version.is_some() => match the_move.put_back(before, seen)? {
            Lookup::Ready(target) => Decision::Put(allowed()?, Box::new(target)),
            Lookup::Missing(keys) => return Ok(Lookup::Missing(keys)),
        },
        before => {
            let back = before.as_ref().and_then(|before| before.back);
            Decision::TakeOff(allowed()?, RollbackLink::From(back))
        }
    };
    Ok(Lookup::Ready(decision))
}

impl Operation for Undoing<'_> {
    type Outcome = Vec<TagMove>;

    fn package(&self) -> Option<&PackageName> {
        Some(&self.moves[0].package)
    }

    fn request_text(&self) -> String {
        format!("apply --undo {}", fingerprint(&self.moves))
    }

    fn log(&self) -> String {
        plan_entries::log(&self.moves)
    }

    fn reads(&self) -> Vec<Key> {
        let tags = self.moves.iter().map(|it| schema::tag_key(&it.package, &it.tag));
        reads(&packages(&self.moves), &self.request.author, tags)
    }

    fn reads_at_once(&self) -> bool {
        true
    }

    fn slots(&self, number: u64) -> Vec<Key> {
        plan_entries::slots(&self.moves, number)
    }

    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Step<Vec<TagMove>>, Error> {
        let status = match self.status(seen)? {
            Lookup::Ready(status) => status,
            Lookup::Missing(keys) => return Ok(Step::Read(keys)),
        };
        let leader = match self.leader(&status, seen)? {
            Lookup::Ready(leader) => leader,
            Lookup::Missing(keys) => return Ok(Step::Read(keys)),
        };
        let leader = leader.as_ref();
        let decisions = all_or_failures(self.moves.iter().zip(&status).map(|(the_move, status)| {
            let place = (&the_move.package, &the_move.tag);
            (place, decide(the_move, status.as_ref(), leader, seen))
        }));
        let decisions = match decisions? {
            Lookup::Ready(decisions) => decisions,
            Lookup::Missing(keys) => return Ok(Step::Read(keys)),
        };
        let planned: BTreeSet<_> = self.moves.iter().map(|it| name(&it.package, &it.tag)).collect();
        let mut others = leader.into_iter().flat_map(|leader| leader.moves.keys());
        if let Some(other) = others.find(|other| !planned.contains(*other)) {
            return Err(Conflict::OtherPlan { moved: other.clone() }.into());
        }
        append(&self.moves, decisions, seen, context)
    }

    fn recall(
        &self,
        reference: &OutcomeRef,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Step<Vec<TagMove>>, Error> {
        let tags = self.moves.iter().map(|it| (&it.package, &it.tag));
        recall_plan(self, tags, reference, seen, context)
    }
}
