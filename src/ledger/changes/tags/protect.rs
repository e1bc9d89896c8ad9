//! Protecting a tag, and removing its protection.

use super::log::{TagLog, reads, recall_one, stayed, unknown_protection};
use crate::{
    ledger::{
        Error, NotFound, ProtectRequest, Refused,
        engine::{
            idempotency::used_for,
            operation::{Context, Operation, OutcomeRef, Proposal, Step},
        },
        schema::{self, PlanEntries, TagItem},
        snapshot::{Lookup, Snapshot},
    },
    model::{PackageName, Protection, TagMove},
    table::Key,
};

impl Operation for ProtectRequest {
    type Outcome = TagMove;

    fn package(&self) -> &PackageName {
        &self.package
    }

    fn request_text(&self) -> String {
        match self.protection {
            Some(protection) => format!("protect {} --{protection}", self.tag),
            None => format!("unprotect {}", self.tag),
        }
    }

    fn log(&self) -> String {
        schema::tags(&self.package)
    }

    fn reads(&self) -> Vec<Key> {
        // A package exists permanently, so its existence needs no condition.
        let more =
            [schema::tag_key(&self.package, &self.tag), schema::head_key(&schema::releases(&self.package))];
        reads(&[&self.package].into(), &self.author, more.into_iter())
    }

    fn reads_at_once(&self) -> bool {
        false
    }

    fn slots(&self, number: u64) -> Vec<Key> {
        vec![schema::tag_event_key(&self.package, number)]
    }

    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Step<TagMove>, Error> {
        let Self { package, tag, protection, .. } = self;
        if !seen.has_package(package)? {
            return Err(NotFound::Package(package.clone()).into());
        }
        let before: Option<TagItem> = seen.get(&schema::tag_key(package, tag))?;
        if let Some(Protection::Other(word)) = before.as_ref().and_then(|before| before.protection) {
            return Err(unknown_protection(package, tag, word));
        }
        if before.is_none() && protection.is_none() {
            return Err(NotFound::Tag { package: package.clone(), tag: tag.clone() }.into());
        }
        let mut entries = TagLog::open(package, seen, context)?;
        let heads = vec![entries.seen_head()];
        let current = before.as_ref().and_then(|before| before.protection);
        match (before, current) {
            (Some(before), current) if current == *protection => {
                let entry = schema::tag_event_key(package, before.set);
                let outcome = stayed(before.into_move(package));
                Ok(Step::Unchanged {
                    outcome,
                    entry,
                    moves: PlanEntries::new(),
                    logs: vec![self.log()],
                    checks: Vec::new(),
                })
            }
            // Replacing one kind by another would silently weaken the protection.
            (_, Some(current)) if protection.is_some() => {
                let (package, tag) = (package.clone(), tag.clone());
                Err(Refused::Protected { package, tag, protection: current }.into())
            }
            (before, _) => {
                let (slot, number) = (entries.first_slot(), entries.seen_rev() + 1);
                let outcome = entries.protect(tag, before, *protection);
                let (actions, entry) = (entries.close(), slot.clone());
                let (unchanged, moves) = (false, PlanEntries::new());
                Ok(Step::Commit(Proposal { actions, heads, slot, number, entry, unchanged, moves, outcome }))
            }
        }
    }

    fn recall(
        &self,
        reference: &OutcomeRef,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Step<TagMove>, Error> {
        let found = match recall_one(&self.package, &reference.entry, reference, seen)? {
            Lookup::Ready(found) => found,
            Lookup::Missing(keys) => return Ok(Step::Read(keys)),
        };
        if found.tag == self.tag && found.protection == self.protection {
            return Ok(Step::Done(found));
        }
        Err(used_for(format!("{} {}", found.kind, found.tag), self, context))
    }
}
