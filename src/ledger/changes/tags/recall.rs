//! Recalling a version: all tags on it go back, and it is yanked, in one transaction.
//!
//! The transaction advances both heads of the package. So a destination needs no check of its own: every change of a
//! version advances the head of the releases.

use super::{
    gates::Passed,
    log::{Allowed, RollbackLink, TagLog, allow, recall_one},
    moves::all_or_failures,
    plan_entries::name,
};
use crate::{
    ledger::{
        ChangeRequest, Conflict, Error, NotFound, RecallRequest, Recalled, Refused, TableLedger,
        changes::{
            effects,
            tagging::TagDependencies,
            version::{Changing, recorded},
        },
        engine::{
            attempt::Commit,
            idempotency::used_for,
            operation::{Context, Operation, OutcomeRef, Proposal, Step},
        },
        error::no_version,
        schema::{
            self, BlobFields, Head, PlanEntries, ReleaseEvent, ReleaseEventKind, Revision, TagEvent, TagItem,
            VersionItem,
        },
        snapshot::{Lookup, Snapshot},
        table_ledger::READING,
    },
    model::{PackageName, ReleaseChange, State, TagMove, TagName, Version},
    table::{Action, Change, Key, MAX_ACTIONS},
};
use serde_json::json;

/// The number of actions of a recall, besides two for each tag: two heads, the version, and its event.
const ACTIONS: usize = 4;

/// The maximum number of times that a recall reads the package's tags again because one has moved.
const MAX_TAG_READS: usize = 100;

/// A recall, with the tags that were found on the version.
#[derive(Debug)]
pub(in crate::ledger) struct Recalling<'a> {
    request: &'a RecallRequest,
    yank: Changing<'a>,
    tags: Vec<TagName>,
}

/// The outcome of a recall.
#[derive(Debug, Clone)]
pub(in crate::ledger) enum Outcome {
    /// The version after it, its state before, and the moves of its tags.
    Recalled(Box<VersionItem>, State, Vec<TagMove>),
    /// The tags must be read again: one has moved.
    ReadAgain,
}

/// The destination of a tag: its version, the blob, and the link for the next rollback.
type Destination = (Option<(Version, BlobFields)>, RollbackLink);

impl<'a> Recalling<'a> {
    fn new(request: &'a RecallRequest, yank: &'a ChangeRequest, on: TagDependencies) -> Result<Self, Error> {
        let tags: Vec<TagName> = on.on.iter().filter_map(|tag| tag.parse().ok()).collect();
        let needed = ACTIONS + 2 * tags.len() + usize::from(request.author.key.is_some());
        if needed > MAX_ACTIONS {
            return Err(Refused::TooLarge { needed, most: MAX_ACTIONS }.into());
        }
        let yank = Changing { request: yank, tags: on, blob: None, deletion: None, guard: None };
        Ok(Self { request, yank, tags })
    }

    /// Decides where a tag goes.
    fn decide<'t>(
        &self,
        tag: &'t TagName,
        seen: &Snapshot,
    ) -> Result<Lookup<(Allowed<'t>, Destination)>, Error> {
        let RecallRequest { package, version, untag, confirm, .. } = self.request;
        let allowed = allow(package, tag, confirm.contains(tag), Passed::back(), seen)?;
        let item: Option<TagItem> = seen.get(&schema::tag_key(package, tag))?;
        let (mut back, mut previous) = item.map_or((None, None), |item| (item.back, item.previous));
        while let Some(rev) = back {
            let key = schema::tag_event_key(package, rev);
            let Some(event) = seen.get_referenced::<TagEvent>(&key)? else {
                // Most likely it names the version before the later event, which is read along.
                let predicted = previous.map(|version| schema::version_key(package, version.get()));
                return Ok(Lookup::Missing([key].into_iter().chain(predicted).collect()));
            };
            if let Some(earlier) = event.version.filter(|earlier| earlier != version) {
                let key = schema::version_key(package, earlier.get());
                let Some(item) = seen.get_referenced::<VersionItem>(&key)? else {
                    return Ok(Lookup::Missing(vec![key]));
                };
                if item.state == State::Active {
                    let target = Some((earlier, item.copied_blob()));
                    return Ok(Lookup::Ready((allowed, (target, RollbackLink::From(event.back)))));
                }
            }
            (back, previous) = (event.back, event.previous);
        }
        if *untag {
            return Ok(Lookup::Ready((allowed, (None, RollbackLink::Previous))));
        }
        let (package, tag) = (package.clone(), tag.clone());
        Err(Refused::NowhereToGo { package, tag, version: *version }.into())
    }

    /// Returns the transaction for these destinations.
    fn commit(
        &self,
        before: &VersionItem,
        item: VersionItem,
        decided: Vec<(Allowed<'_>, Destination)>,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Step<Outcome>, Error> {
        let package = &self.request.package;
        let head: Option<Head> = seen.get(&schema::head_key(&self.log()))?;
        let head = head.filter(|head| head.n > 0).ok_or_else(|| NotFound::Package(package.clone()))?;
        let latest = match effects::latest(package, &head, &item, seen)? {
            Lookup::Ready(latest) => latest,
            Lookup::Missing(keys) => return Ok(Step::Read(keys)),
        };
        let mut log = TagLog::open(package, seen, context)?;
        let heads = vec![(self.log(), head.rev), log.seen_head()];
        let mut moved = Vec::new();
        for (allowed, (target, link)) in decided {
            moved.push(log.put(allowed, target, link));
        }
        let entries: PlanEntries = moved.iter().map(|it| (name(package, &it.tag), it.rev)).collect();
        let mut actions = if moved.is_empty() { vec![log.check()] } else { log.close() };
        let (entry, new_head) =
            self.yank.entry(&head, (before.state, item.state), latest, entries.clone(), context);
        let slot = entry.key.clone();
        let set = json!({ "state": item.state }).as_object().cloned().unwrap_or_default();
        let condition = seen.unchanged::<VersionItem>(&self.yank.version_key());
        let change = Change::Update { set, add: [].into() };
        actions.extend([new_head, entry, Action { key: self.yank.version_key(), condition, change }]);
        let outcome = Outcome::Recalled(Box::new(item), before.state, moved);
        let (number, entry) = (head.rev + 1, slot.clone());
        Ok(Step::Commit(Proposal {
            actions,
            heads,
            slot,
            number,
            entry,
            unchanged: false,
            moves: entries,
            outcome,
        }))
    }
}

impl Operation for Recalling<'_> {
    type Outcome = Outcome;

    fn package(&self) -> Option<&PackageName> {
        Some(&self.request.package)
    }

    fn request_text(&self) -> String {
        let untag = if self.request.untag { " --untag" } else { "" };
        format!("recall {}{untag}", self.request.version)
    }

    fn log(&self) -> String {
        schema::releases(&self.request.package)
    }

    fn reads(&self) -> Vec<Key> {
        let tags = self.tags.iter().map(|tag| schema::tag_key(&self.request.package, tag));
        self.yank.reads().into_iter().chain(tags).collect()
    }

    fn reads_at_once(&self) -> bool {
        true
    }

    fn slots(&self, number: u64) -> Vec<Key> {
        vec![schema::release_event_key(&self.request.package, number)]
    }

    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Step<Outcome>, Error> {
        let RecallRequest { package, version, .. } = self.request;
        let Some(before) = seen.get::<VersionItem>(&self.yank.version_key())? else {
            let head: Option<Head> = seen.get(&schema::head_key(&self.log()))?;
            let head = head.filter(|head| head.n > 0);
            return Err(no_version(package, *version, head.map(|head| head.n)).into());
        };
        let Some(item) = self.yank.apply(&before)? else {
            // No tag is on a yanked version.
            let outcome = Outcome::Recalled(Box::new(before.clone()), before.state, Vec::new());
            let (entry, moves, logs) = (self.yank.version_key(), PlanEntries::new(), vec![self.log()]);
            return Ok(Step::Unchanged { outcome, entry, moves, logs, checks: Vec::new() });
        };
        let rev = seen.get::<Revision>(&self.yank.tag_head())?.map_or(0, |head| head.rev);
        if rev != self.yank.tags.rev {
            return Ok(Step::Done(Outcome::ReadAgain));
        }
        if let Some(unreadable) = &self.yank.tags.unreadable {
            return Err(unreadable.error(package, *version));
        }
        let decided = all_or_failures(self.tags.iter().map(|tag| {
            let place = (package, tag);
            (place, self.decide(tag, seen))
        }));
        match decided? {
            Lookup::Ready(decided) => self.commit(&before, item, decided, seen, context),
            Lookup::Missing(keys) => Ok(Step::Read(keys)),
        }
    }

    fn recall(
        &self,
        reference: &OutcomeRef,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Step<Outcome>, Error> {
        let package = &self.request.package;
        let key = self.yank.version_key();
        let Some(item) = seen.get_referenced::<VersionItem>(&key)? else { return Ok(Step::Read(vec![key])) };
        let item = Box::new(VersionItem { state: State::Yanked, ..item });
        if reference.unchanged {
            return Ok(Step::Done(Outcome::Recalled(item, State::Yanked, Vec::new())));
        }
        let Some(event) = seen.get_referenced::<ReleaseEvent>(&reference.entry)? else {
            return Ok(Step::Read(vec![reference.entry.clone()]));
        };
        if event.version != Some(self.request.version) || event.kind != ReleaseEventKind::Yank {
            return Err(used_for(recorded(&event), self, context));
        }
        let entries = event.moves.values().map(|rev| schema::tag_event_key(package, *rev));
        match Lookup::all(entries.map(|entry| recall_one(package, &entry, reference, seen)))? {
            Lookup::Ready(moved) => {
                Ok(Step::Done(Outcome::Recalled(item, event.was.unwrap_or(State::Active), moved)))
            }
            Lookup::Missing(keys) => Ok(Step::Read(keys)),
        }
    }
}

impl TableLedger {
    /// Implements [`Ledger::recall`](crate::ledger::Ledger::recall) and
    /// [`Ledger::preview_recall`](crate::ledger::Ledger::preview_recall).
    pub(in crate::ledger) async fn recall_version(
        &self,
        request: &RecallRequest,
        dry: bool,
    ) -> Result<Recalled, Error> {
        let RecallRequest { package, version, author, .. } = request;
        let yank = ChangeRequest::new(package.clone(), *version, ReleaseChange::Yank).author(author.clone());
        let op = self.op_id(author);
        for _ in 0..MAX_TAG_READS {
            let tags = self.tagging(&yank).await.map_err(|error| error.unresolved(author))?;
            let operation = Recalling::new(request, &yank, tags)?;
            let commit = Commit { ledger: self, operation: &operation, author, op: &op };
            let outcome = if dry {
                self.retry_policy().run(READING, || commit.dry_run()).await?
            } else {
                commit.run(None).await?
            };
            if let Outcome::Recalled(item, previous, moves) = outcome {
                return Ok(Recalled { release: item.into_release(package), previous, moves });
            }
        }
        Err(Conflict::Contention(package.clone()).into())
    }
}
