//! Moving the tags of a plan.

use super::{
    destination::{Destination, Move},
    log::reads,
    plan_entries::{self, append, packages, recall_plan},
};
use crate::{
    ledger::{
        Author, Error, Failed, Refused,
        engine::operation::{Context, Operation, OutcomeRef, Step},
        schema,
        snapshot::{Lookup, Snapshot},
    },
    model::{PackageName, Sha256, TagMove, TagName},
    table::{Key, MAX_ACTIONS},
};
use std::collections::BTreeSet;

/// An atomic set of moves.
#[derive(Debug)]
pub(in crate::ledger) struct Moving {
    moves: Vec<Move>,
    author: Author,
}

impl Moving {
    /// Creates the operation.
    ///
    /// # Errors
    /// [`Refused::TooLarge`].
    pub(in crate::ledger) fn plan(moves: Vec<Move>, author: Author) -> Result<Self, Error> {
        let moving = Self { moves, author };
        let frozen = usize::from(replica(&moving.moves[0].package, &moving.moves).is_some());
        let actions = moving.moves.iter().map(Move::actions).sum::<usize>() + frozen;
        check_size(actions, &moving.moves, &moving.author, moving.reads().len())?;
        Ok(moving)
    }
}

/// Returns the replica of the freezes that moves check, if any of them goes forward.
pub(super) fn replica(package: &PackageName, moves: &[Move]) -> Option<Key> {
    moves.iter().any(Move::is_forward).then(|| schema::replica_of(package))
}

/// Checks that moves with these numbers of actions and reads fit in one transaction.
pub(super) fn check_size(actions: usize, moves: &[Move], author: &Author, reads: usize) -> Result<(), Error> {
    let needed = (actions + packages(moves).len() + usize::from(author.key.is_some())).max(reads);
    if needed > MAX_ACTIONS {
        return Err(Refused::TooLarge { needed, most: MAX_ACTIONS }.into());
    }
    Ok(())
}

/// Collects the results for several tags, in order.
///
/// # Errors
/// The errors of all tags that fail, by tag; for a single tag, its own error; damage at once.
pub(super) fn all_or_failures<'a, T>(
    each: impl ExactSizeIterator<Item = ((&'a PackageName, &'a TagName), Result<Lookup<T>, Error>)>,
) -> Result<Lookup<Vec<T>>, Error> {
    let total = each.len();
    let (mut known, mut missing, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for ((package, tag), one) in each {
        match one {
            Ok(Lookup::Ready(one)) => known.push(one),
            Ok(Lookup::Missing(keys)) => missing.extend(keys),
            Err(error @ (Error::NotFound(_) | Error::Conflict(_) | Error::Refused(_))) => {
                failed.push(Failed { package: package.clone(), tag: tag.clone(), error });
            }
            Err(error) => return Err(error),
        }
    }
    if !missing.is_empty() {
        let missing: BTreeSet<_> = missing.into_iter().collect();
        return Ok(Lookup::Missing(missing.into_iter().collect()));
    }
    if total == 1
        && let Some(only) = failed.pop()
    {
        return Err(only.error);
    }
    if failed.is_empty() { Ok(Lookup::Ready(known)) } else { Err(Error::Moves { failed, of: total }) }
}

/// Returns the fingerprint of a plan: the sha256 of its moves, without their conditions.
pub(super) fn fingerprint(moves: &[Move]) -> String {
    let mut hash = Sha256::new();
    for Move { package, tag, to, .. } in moves {
        let to = match to {
            Destination::Spec(spec) | Destination::Fixed(spec, _) => spec.to_string(),
            Destination::Off | Destination::Back | Destination::Earlier(..) => "none".to_owned(),
        };
        hash.update(format!("{package} {tag} {to}\n").as_bytes());
    }
    hash.finish().to_string()
}

impl Operation for Moving {
    type Outcome = Vec<TagMove>;

    fn package(&self) -> Option<&PackageName> {
        Some(&self.moves[0].package)
    }

    fn request_text(&self) -> String {
        format!("apply {}", fingerprint(&self.moves))
    }

    fn log(&self) -> String {
        plan_entries::log(&self.moves)
    }

    fn reads(&self) -> Vec<Key> {
        let replica = replica(&self.moves[0].package, &self.moves);
        let more = self.moves.iter().flat_map(Move::reads).chain(replica);
        reads(&packages(&self.moves), &self.author, more)
    }

    fn reads_at_once(&self) -> bool {
        true
    }

    fn slots(&self, number: u64) -> Vec<Key> {
        plan_entries::slots(&self.moves, number)
    }

    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Step<Vec<TagMove>>, Error> {
        let decisions = all_or_failures(self.moves.iter().map(|the_move| {
            let place = (&the_move.package, &the_move.tag);
            (place, the_move.decide(seen, context))
        }));
        match decisions? {
            Lookup::Ready(decisions) => append(&self.moves, decisions, seen, context),
            Lookup::Missing(keys) => Ok(Step::Read(keys)),
        }
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
