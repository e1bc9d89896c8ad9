//! Moving one tag, removing it, and rolling it back.

use super::{
    destination::{Decision, Destination, Move, Target},
    log::{TagLog, reads, recall_one, stayed},
    moves::replica,
};
use crate::{
    ledger::{
        Author, Error, RollbackRequest, TableLedger, TagRequest, UntagRequest,
        engine::{
            idempotency::used_for,
            operation::{Context, Operation, OutcomeRef, Proposal, Step},
        },
        schema::{self, PlanEntries},
        snapshot::{Lookup, Snapshot},
    },
    model::{PackageName, Spec, TagMove},
    table::Key,
};

/// One move of a tag, as a change of its own.
#[derive(Debug)]
pub(in crate::ledger) struct OneMove {
    the_move: Move,
    author: Author,
}

impl OneMove {
    pub(in crate::ledger) fn new(the_move: Move, author: Author) -> Self {
        Self { the_move, author }
    }
}

impl Operation for OneMove {
    type Outcome = TagMove;

    fn package(&self) -> Option<&PackageName> {
        Some(&self.the_move.package)
    }

    fn request_text(&self) -> String {
        self.the_move.request_text()
    }

    fn log(&self) -> String {
        schema::tags(&self.the_move.package)
    }

    fn reads(&self) -> Vec<Key> {
        let replica = replica(&self.the_move.package, std::slice::from_ref(&self.the_move));
        let more = self.the_move.reads().into_iter().chain(replica);
        reads(&[&self.the_move.package].into(), &self.author, more)
    }

    fn reads_at_once(&self) -> bool {
        self.the_move.reads_at_once()
    }

    fn slots(&self, number: u64) -> Vec<Key> {
        vec![schema::tag_event_key(&self.the_move.package, number)]
    }

    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Step<TagMove>, Error> {
        let package = &self.the_move.package;
        let decision = match self.the_move.decide(seen, context)? {
            Lookup::Ready(decision) => decision,
            Lookup::Missing(keys) => return Ok(Step::Read(keys)),
        };
        let mut entries = TagLog::open(package, seen, context)?;
        let (allowed, target, check, link) = match decision {
            Decision::Stay(item, check) => {
                let (entry, logs) = (schema::tag_event_key(package, item.set), vec![self.log()]);
                let (moves, checks) = (PlanEntries::new(), check.into_iter().collect());
                let outcome = stayed(item.into_move(package));
                return Ok(Step::Unchanged { outcome, entry, moves, logs, checks });
            }
            Decision::TakeOff(allowed, link) => (allowed, None, None, link),
            Decision::Put(allowed, target) => {
                let Target { version, blob, check, link } = *target;
                (allowed, Some((version, blob)), check, link)
            }
        };
        let outcome = entries.put(*allowed, target, link);
        let (heads, slot, number) = (vec![entries.seen_head()], entries.first_slot(), entries.seen_rev() + 1);
        let actions = entries.close().into_iter().chain(check).collect();
        let (entry, unchanged, moves) = (slot.clone(), false, PlanEntries::new());
        Ok(Step::Commit(Proposal { actions, heads, slot, number, entry, unchanged, moves, outcome }))
    }

    fn recall(
        &self,
        reference: &OutcomeRef,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Step<TagMove>, Error> {
        let only = &self.the_move;
        let found = match recall_one(&only.package, &reference.entry, reference, seen)? {
            Lookup::Ready(found) => found,
            Lookup::Missing(keys) => return Ok(Step::Read(keys)),
        };
        let same_target = match &only.to {
            Destination::Spec(Spec::Version(version)) | Destination::Earlier(version, _) => {
                found.version == Some(*version)
            }
            Destination::Off => found.version.is_none(),
            Destination::Spec(_) | Destination::Fixed(..) | Destination::Back => found.version.is_some(),
        };
        if found.tag == only.tag && same_target {
            return Ok(Step::Done(found));
        }
        let first = match found.version {
            Some(version) => format!("tag {version} {}", found.tag),
            None => format!("untag {}", found.tag),
        };
        Err(used_for(first, self, context))
    }
}

impl TableLedger {
    /// Implements [`Ledger::tag`](crate::ledger::Ledger::tag).
    pub(in crate::ledger) async fn move_tag(&self, request: &TagRequest) -> Result<TagMove, Error> {
        let TagRequest { package, spec, tag, expect, require, overriding, confirm, emergency, author } =
            request.clone();
        let moved = async {
            let to = self.destination(&package, &spec).await.map_err(|error| error.unresolved(&author))?;
            let package = package.clone();
            let the_move =
                Move { package, tag, to, expect, require, overriding, confirmed: confirm, emergency };
            self.move_one(the_move, &author).await
        };
        match moved.await {
            Ok(moved) => Ok(moved),
            Err(error) => Err(self.explain(&package, &spec, error).await),
        }
    }

    /// Implements [`Ledger::untag`](crate::ledger::Ledger::untag).
    pub(in crate::ledger) async fn take_tag_off(&self, request: &UntagRequest) -> Result<TagMove, Error> {
        let UntagRequest { package, tag, expect, confirm, author } = request.clone();
        let spec = Spec::Tag(tag.clone());
        let (to, require, overriding, emergency) = (Destination::Off, Vec::new(), None, None);
        let the_move = Move { package, tag, to, expect, require, overriding, confirmed: confirm, emergency };
        match self.move_one(the_move, &author).await {
            Ok(moved) => Ok(moved),
            Err(error) => Err(self.explain(&request.package, &spec, error).await),
        }
    }

    /// Implements [`Ledger::rollback`](crate::ledger::Ledger::rollback).
    pub(in crate::ledger) async fn put_tag_back(&self, request: &RollbackRequest) -> Result<TagMove, Error> {
        let RollbackRequest { package, tag, to, expect, confirm, author } = request.clone();
        let spec = Spec::Tag(tag.clone());
        let moved = async {
            let to = match to {
                None => Destination::Back,
                Some(version) => {
                    let found = self.last_on(&package, &tag, version).await;
                    Destination::Earlier(version, found.map_err(|error| error.unresolved(&author))?)
                }
            };
            let (package, require, overriding, emergency) = (package.clone(), Vec::new(), None, None);
            let the_move =
                Move { package, tag, to, expect, require, overriding, confirmed: confirm, emergency };
            self.move_one(the_move, &author).await
        };
        match moved.await {
            Ok(moved) => Ok(moved),
            Err(error) => Err(self.explain(&package, &spec, error).await),
        }
    }

    async fn move_one(&self, the_move: Move, author: &Author) -> Result<TagMove, Error> {
        self.commit(&OneMove::new(the_move, author.clone()), author).await
    }
}
