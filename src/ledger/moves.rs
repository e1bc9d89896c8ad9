//! Moving tags: one, or those of a plan.

use super::{
    Author, Error,
    entries::{self, Decision, enter, packages, reads, recall_one, recall_plan},
    error::{Failed, NotFound, Refused},
    idempotency::used_for,
    items::{self, TagItem},
    operation::{Context, Known, Operation, Plan, Told},
    snapshot::Snapshot,
    tag_log::{Way, allow},
    target::{Move, To},
};
use crate::{
    model::{PackageName, Spec, TagMove, TagName},
    table::{Key, MAX_ACTIONS},
};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// Moves that are to be made together or not at all.
#[derive(Debug)]
pub(super) struct Moving {
    moves: Vec<Move>,
    author: Author,
    /// Whether they are a plan, which its entries tell of, so that it can be taken back.
    is_plan: bool,
}

impl Moving {
    pub(super) fn one(the_move: Move, author: Author) -> Self {
        Self { moves: vec![the_move], author, is_plan: false }
    }

    /// # Errors
    /// [`Refused::TooLarge`].
    pub(super) fn plan(moves: Vec<Move>, author: Author) -> Result<Self, Error> {
        let moving = Self { moves, author, is_plan: true };
        let actions = moving.moves.iter().map(Move::actions).sum();
        fits(actions, &moving.moves, &moving.author, moving.reads().len())?;
        Ok(moving)
    }
}

/// Checks that moves with these numbers of actions and reads fit in one transaction.
pub(super) fn fits(actions: usize, moves: &[Move], author: &Author, reads: usize) -> Result<(), Error> {
    let needed = (actions + packages(moves).len() + usize::from(author.key.is_some())).max(reads);
    if needed > MAX_ACTIONS {
        return Err(Refused::TooLarge { needed, most: MAX_ACTIONS }.into());
    }
    Ok(())
}

/// What is known of each of several tags, in order.
///
/// # Errors
/// Every reason why it can't be done, by tag; of one tag alone, its own; damage at once.
pub(super) fn collect<'a, T>(
    each: impl ExactSizeIterator<Item = ((&'a PackageName, &'a TagName), Result<Known<T>, Error>)>,
) -> Result<Known<Vec<T>>, Error> {
    let total = each.len();
    let (mut known, mut missing, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for ((package, tag), one) in each {
        match one {
            Ok(Known::Is(one)) => known.push(one),
            Ok(Known::Read(keys)) => missing.extend(keys),
            Err(error @ (Error::NotFound(_) | Error::Conflict(_) | Error::Refused(_))) => {
                failed.push(Failed { package: package.clone(), tag: tag.clone(), error });
            }
            Err(error) => return Err(error),
        }
    }
    if !missing.is_empty() {
        let missing: BTreeSet<_> = missing.into_iter().collect();
        return Ok(Known::Read(missing.into_iter().collect()));
    }
    if total == 1
        && let Some(only) = failed.pop()
    {
        return Err(only.error);
    }
    if failed.is_empty() { Ok(Known::Is(known)) } else { Err(Error::Moves { failed, of: total }) }
}

/// What tells a plan from others: the sha256 of its moves, without their conditions.
pub(super) fn fingerprint(moves: &[Move]) -> String {
    let mut hash = Sha256::new();
    for Move { package, tag, to, .. } in moves {
        let to = match to {
            To::Spec(spec) | To::Fixed(spec, _) => spec.to_string(),
            To::Off | To::Back | To::Earlier(..) => "none".to_owned(),
        };
        hash.update(format!("{package} {tag} {to}\n"));
    }
    hex::encode(hash.finalize())
}

fn decide<'a>(
    the_move: &'a Move,
    seen: &Snapshot,
    context: &Context<'_>,
) -> Result<Known<Decision<'a>>, Error> {
    let Move { package, tag, to, .. } = the_move;
    let before: Option<TagItem> = seen.get(&items::tag_key(package, tag))?;
    if before.is_none() && matches!(to, To::Off | To::Back | To::Earlier(..)) {
        return Err(NotFound::Tag { package: package.clone(), tag: tag.clone() }.into());
    }
    the_move.check_expectation(before.as_ref())?;
    // A version that is tagged is active: so a tag that is there already rests on the tag alone.
    if let (Some(before), Some(version)) = (&before, the_move.fixed())
        && before.version == Some(version)
    {
        return Ok(match the_move.gates(version, seen, context)? {
            Known::Is(()) => Known::Is(Decision::Stay(Box::new(before.clone()), None)),
            Known::Read(keys) => Known::Read(keys),
        });
    }
    let target = match the_move.target(seen)? {
        Known::Is(target) => target,
        Known::Read(keys) => return Ok(Known::Read(keys)),
    };
    let version = target.as_ref().map(|target| target.version);
    if let Some(version) = version
        && let Known::Read(keys) = the_move.gates(version, seen, context)?
    {
        return Ok(Known::Read(keys));
    }
    if let Some(before) = before.filter(|before| before.version == version) {
        let check = target.and_then(|target| target.check);
        return Ok(Known::Is(Decision::Stay(Box::new(before), check)));
    }
    let allowed = Box::new(allow(package, tag, the_move.confirmed, seen)?);
    Ok(Known::Is(match target {
        Some(target) => Decision::Put(allowed, Box::new(target)),
        None => Decision::TakeOff(allowed, Way::On),
    }))
}

impl Operation for Moving {
    type Outcome = Vec<TagMove>;

    fn package(&self) -> &PackageName {
        &self.moves[0].package
    }

    fn asked(&self) -> String {
        match &self.moves[..] {
            [only] if !self.is_plan => only.asked(),
            _ => format!("apply {}", fingerprint(&self.moves)),
        }
    }

    fn log(&self) -> String {
        entries::log(&self.moves)
    }

    fn reads(&self) -> Vec<Key> {
        reads(&packages(&self.moves), &self.author, self.moves.iter().flat_map(Move::reads))
    }

    fn reads_at_once(&self) -> bool {
        self.is_plan || self.moves.iter().any(Move::reads_at_once)
    }

    fn slots(&self, number: u64) -> Vec<Key> {
        entries::slots(&self.moves, number)
    }

    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Plan<Vec<TagMove>>, Error> {
        let decisions = collect(self.moves.iter().map(|the_move| {
            let place = (&the_move.package, &the_move.tag);
            (place, decide(the_move, seen, context))
        }));
        match decisions? {
            Known::Is(decisions) => enter(&self.moves, decisions, self.is_plan, seen, context),
            Known::Read(keys) => Ok(Plan::Read(keys)),
        }
    }

    fn recall(
        &self,
        told: &Told,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Plan<Vec<TagMove>>, Error> {
        if self.is_plan {
            let tags = self.moves.iter().map(|it| (&it.package, &it.tag));
            return recall_plan(self, tags, told, seen, context);
        }
        let only = &self.moves[0];
        let found = match recall_one(&only.package, &told.entry, told, seen)? {
            Known::Is(found) => found,
            Known::Read(keys) => return Ok(Plan::Read(keys)),
        };
        let there = match &only.to {
            To::Spec(Spec::Version(version)) | To::Earlier(version, _) => found.version == Some(*version),
            To::Off => found.version.is_none(),
            To::Spec(_) | To::Fixed(..) | To::Back => found.version.is_some(),
        };
        if found.tag == only.tag && there {
            return Ok(Plan::Done(vec![found]));
        }
        let first = match found.version {
            Some(version) => format!("tag {version} {}", found.tag),
            None => format!("untag {}", found.tag),
        };
        Err(used_for(first, self, context))
    }
}
