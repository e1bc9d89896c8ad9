//! Protecting a tag, and removing its protection.

use super::log::{Standing, TagLog, reads, recall_one, stayed, unknown_protection};
use crate::{
    ledger::{
        Error, NotFound, ProtectRequest, Refused,
        engine::{
            idempotency::used_for,
            operation::{Context, Operation, OutcomeRef, Proposal, Step},
        },
        schema::{self, PlanEntries, TagHead, TagItem, gated},
        snapshot::{Lookup, Snapshot},
    },
    model::{Gates, PackageName, Protection, TagMove},
    table::Key,
};

impl ProtectRequest {
    /// Returns the protection that a tag has after the request: it only ever adds to the present one.
    fn joined(&self, current: &Standing, seen: &Snapshot) -> Result<Standing, Error> {
        let (package, tag) = (&self.package, &self.tag);
        let (present, wanted) = (base(current.protection), base(self.protection));
        // Replacing one kind by another would silently weaken the protection.
        if let (Some(_), Some(_), Some(protection)) = (present, wanted, current.protection)
            && present != wanted
        {
            let (package, tag) = (package.clone(), tag.clone());
            return Err(Refused::Protected { package, tag, protection }.into());
        }
        let too_many = |why: String| {
            let (package, tag) = (package.clone(), tag.clone());
            Refused::TooManyGates { package, tag, why }
        };
        let gates = current.gates.with(self.require.iter().cloned());
        let gates = gates.map_err(|invalid| too_many(invalid.to_string()))?;
        let kind = present.or(wanted);
        if gates.is_empty() {
            return Ok(Standing { protection: kind, gates, no_override: false });
        }
        let head: Option<TagHead> = seen.get(&schema::head_key(&schema::tags(package)))?;
        let others = head.map(|head| gated::gated(&head.rest)).unwrap_or_default();
        if others.len() >= gated::MOST && !others.contains(tag) {
            return Err(too_many(format!("{} tags of the package have gates already", gated::MOST)).into());
        }
        let no_override = current.no_override || self.no_override;
        Ok(Standing { protection: Some(Protection::gates_and(kind)), gates, no_override })
    }
}

/// Returns the kind of a protection, apart from gates.
fn base(protection: Option<Protection>) -> Option<Protection> {
    protection.and_then(Protection::without_gates)
}

impl Operation for ProtectRequest {
    type Outcome = TagMove;

    fn package(&self) -> Option<&PackageName> {
        Some(&self.package)
    }

    fn request_text(&self) -> String {
        let tag = &self.tag;
        let mut text = match self.protection {
            Some(protection) => format!("protect {tag} --{protection}"),
            None if self.require.is_empty() => format!("unprotect {tag}"),
            None => format!("protect {tag}"),
        };
        for gate in &Gates::new(self.require.clone()).unwrap_or_default() {
            text.extend([" --require ", &gate.to_string()]);
        }
        if self.no_override {
            text.push_str(" --no-override");
        }
        text
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
        let Self { package, tag, .. } = self;
        if !seen.has_package(package)? {
            return Err(NotFound::Package(package.clone()).into());
        }
        let before: Option<TagItem> = seen.get(&schema::tag_key(package, tag))?;
        if let Some(Protection::Other(word)) = before.as_ref().and_then(|before| before.protection) {
            return Err(unknown_protection(package, tag, word));
        }
        let removes = self.protection.is_none() && self.require.is_empty();
        if before.is_none() && removes {
            return Err(NotFound::Tag { package: package.clone(), tag: tag.clone() }.into());
        }
        let mut entries = TagLog::open(package, seen, context)?;
        let heads = vec![entries.seen_head()];
        let current = Standing::of(before.as_ref());
        let wanted = if removes { Standing::default() } else { self.joined(&current, seen)? };
        match before {
            Some(before) if current == wanted => {
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
            before => {
                let (slot, number) = (entries.first_slot(), entries.seen_rev() + 1);
                let outcome = entries.protect(tag, before, wanted);
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
        let is_removed = self.protection.is_none() && self.require.is_empty();
        let is_as_wanted = match found.protection {
            None => is_removed,
            Some(protection) => {
                let same = self.protection.is_none_or(|wanted| base(Some(wanted)) == base(Some(protection)));
                let has = |gate| found.gates.iter().any(|it| it == gate);
                let strict = !self.no_override || self.require.is_empty() || found.no_override;
                !is_removed && same && self.require.iter().all(has) && strict
            }
        };
        if found.tag == self.tag && is_as_wanted {
            return Ok(Step::Done(found));
        }
        Err(used_for(format!("{} {}", found.kind, found.tag), self, context))
    }
}
