//! Changing a version: yank, unyank, delete, undelete, label.

use super::{
    effects::{self, Deletion},
    guard::{Found, Guard, Kept},
    tagging::TagDependencies,
};
use crate::{
    failpoint::reach,
    ledger::{
        ChangeRequest, Changed, Conflict, Error, NotFound, Refused, TableLedger,
        engine::{
            attempt::Commit,
            idempotency::{key_read, used_for},
            operation::{Context, Operation, OutcomeRef, Proposal, Step},
        },
        error::no_version,
        schema::{
            self, BlobFields, Head, PlanEntries, ReleaseEvent, ReleaseEventKind, Revision, VersionItem,
            after, chained, encode, still_at,
        },
        snapshot::{Lookup, Snapshot},
    },
    model::{Address, Labels, PackageName, ReleaseChange, State, Version},
    table::{Action, Change, Condition, Key},
};
use futures_util::future::try_join3;
use serde_json::json;

/// The maximum number of times that a change of a version reads the package's tags again because one has moved.
const MAX_TAG_READS: usize = 100;

/// A change of a version, with the tags that it depends on.
#[derive(Debug)]
pub(in crate::ledger) struct Changing<'a> {
    pub request: &'a ChangeRequest,
    /// The tags that it depends on, read before the change.
    pub tags: TagDependencies,
    /// The blob of a version that is to be deleted or undeleted, so that its count is read in one snapshot with the
    /// version: if it were read later, another deletion of the version could come between.
    pub blob: Option<Address>,
    /// The last deletion of a version that is to be undeleted.
    pub deletion: Option<Deletion>,
    /// Further reasons to keep a version that is to be deleted.
    pub guard: Option<Guard<'a>>,
}

/// The outcome of a change of a version.
#[derive(Debug, Clone)]
pub(in crate::ledger) enum Outcome {
    /// The version after the change, and its state before.
    Changed(Box<VersionItem>, State),
    /// The tags and the blob must be read again: a tag has moved, or the version was just added. Or another change of
    /// the package's versions came between the reads.
    ReadAgain,
    /// A guard keeps the version.
    Kept(Kept),
}

impl Changing<'_> {
    pub(in crate::ledger) fn version_key(&self) -> Key {
        schema::version_key(&self.request.package, self.request.version.get())
    }

    /// Returns true if the change makes the version inactive, so that no tag may be on it.
    fn withdraws(&self) -> bool {
        matches!(self.request.change, ReleaseChange::Yank | ReleaseChange::Delete)
    }

    pub(in crate::ledger) fn tag_head(&self) -> Key {
        schema::head_key(&schema::tags(&self.request.package))
    }

    /// Returns the version after the change; `None` if nothing changes.
    pub(in crate::ledger) fn apply(&self, before: &VersionItem) -> Result<Option<VersionItem>, Error> {
        let (package, version) = (self.request.package.clone(), self.request.version);
        let mut item = before.clone();
        match (&self.request.change, before.state) {
            (ReleaseChange::Delete, State::Deleted)
            | (ReleaseChange::Yank, State::Yanked)
            | (ReleaseChange::Unyank, State::Active)
            | (ReleaseChange::Undelete, State::Active | State::Yanked) => return Ok(None),
            (_, State::Other(word)) => {
                let what = format!("version {version} of {package}");
                return Err(Error::unknown_word(&what, word.as_str(), "be changed"));
            }
            (ReleaseChange::Undelete, State::Deleted) => {
                item.state = self.deletion.and_then(|deletion| deletion.was).unwrap_or(State::Deleted);
            }
            (_, State::Deleted) => return Err(NotFound::Deleted { package, version }.into()),
            (ReleaseChange::Yank, _) => item.state = State::Yanked,
            (ReleaseChange::Unyank, _) => item.state = State::Active,
            (ReleaseChange::Delete, _) => item.state = State::Deleted,
            (ReleaseChange::Label(labels), _) => {
                let all = before.labels.clone().and(&before.more_labels);
                let missing = labels.missing_in(&all).map_err(|(name, value)| {
                    let name = name.to_owned();
                    Refused::Labelled { package: package.clone(), version, name, value: value.to_owned() }
                })?;
                if missing.is_empty() {
                    return Ok(None);
                }
                let too_many = |why: crate::model::Invalid| Refused::Labels {
                    package: package.clone(),
                    version,
                    why: why.to_string(),
                };
                all.join(&missing).map_err(too_many)?;
                item.more_labels = before.more_labels.join(&missing).map_err(too_many)?;
            }
        }
        Ok(Some(item))
    }

    /// Returns the entry of the change, and the head after it. `moves` are the entries of the tags that it puts back.
    pub(in crate::ledger) fn entry(
        &self,
        head: &Head,
        (was, is): (State, State),
        latest: Option<(Version, BlobFields)>,
        moves: PlanEntries,
        context: &Context<'_>,
    ) -> (Action, Action) {
        let package = &self.request.package;
        let labels = match &self.request.change {
            ReleaseChange::Label(labels) => labels.clone(),
            _ => Labels::default(),
        };
        let kind = self.kind();
        let rev = head.rev + 1;
        let when = after(context.now.at, Some(head.when));
        let event = ReleaseEvent {
            kind,
            version: Some(self.request.version),
            was: Some(was),
            state: (kind == ReleaseEventKind::Undelete).then_some(is),
            labels,
            moves,
            who: context.author.who(),
            when,
            message: context.author.message.clone(),
            op: context.op.clone(),
            rev,
            chain: String::new(),
        };
        let key = schema::release_event_key(package, rev);
        let (entry, chain) = chained(&head.chain, &key, encode(&event));
        let (latest, blob) = latest.unzip();
        let head = Head { latest, blob, rev, chain, when, ..head.clone() };
        let head = Action {
            key: schema::head_key(&self.log()),
            condition: still_at(rev - 1),
            change: Change::Put(encode(&head)),
        };
        (Action { key, condition: Condition::Absent, change: Change::Put(entry) }, head)
    }
}

/// Returns the change that an event records as text, for a key that was used for it.
pub(super) fn recorded(event: &ReleaseEvent) -> String {
    let version = event.version.map_or_else(String::new, |version| version.to_string());
    format!("{:?} {version}", event.kind).to_lowercase()
}

impl Changing<'_> {
    /// Checks the tags before a version is withdrawn. Returns the outcome if they must be read again.
    fn check_tags(&self, rev: u64, before: &VersionItem) -> Result<Option<Outcome>, Error> {
        if rev != self.tags.rev {
            return Ok(Some(Outcome::ReadAgain));
        }
        let (package, version) = (self.request.package.clone(), self.request.version);
        if !self.tags.on.is_empty() {
            return Err(Refused::Tagged { package, version, tags: self.tags.on.clone() }.into());
        }
        // No tag is on a yanked version, and no rollback goes to one.
        if before.state == State::Active {
            if !self.tags.back.is_empty() {
                return Err(Refused::WayBack { package, version, tags: self.tags.back.clone() }.into());
            }
            if let Some(unreadable) = &self.tags.unreadable {
                return Err(unreadable.error(&package, version));
            }
        }
        Ok(None)
    }
}

impl Operation for Changing<'_> {
    type Outcome = Outcome;

    fn package(&self) -> Option<&PackageName> {
        Some(&self.request.package)
    }

    fn request_text(&self) -> String {
        let version = self.request.version;
        match &self.request.change {
            ReleaseChange::Yank => format!("yank {version}"),
            ReleaseChange::Unyank => format!("unyank {version}"),
            ReleaseChange::Delete => format!("delete {version}"),
            ReleaseChange::Undelete => format!("undelete {version}"),
            ReleaseChange::Label(labels) => {
                let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("label {version} {}", labels.join(" "))
            }
        }
    }

    fn log(&self) -> String {
        schema::releases(&self.request.package)
    }

    fn reads(&self) -> Vec<Key> {
        let mut keys = vec![schema::meta_key(), schema::head_key(&self.log()), self.version_key()];
        if self.withdraws() {
            keys.push(self.tag_head());
        }
        keys.extend(self.blob.as_ref().map(|blob| schema::blob_key(&blob.sha256, blob.epoch())));
        keys.extend(key_read(&self.request.author, &self.log()));
        keys
    }

    fn reads_at_once(&self) -> bool {
        // A refusal because of a tag depends on the version and on the head of the tags; that of an undeletion on the
        // version and on its blob.
        self.withdraws() || self.request.change == ReleaseChange::Undelete
    }

    fn slots(&self, number: u64) -> Vec<Key> {
        vec![schema::release_event_key(&self.request.package, number)]
    }

    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Step<Outcome>, Error> {
        let package = &self.request.package;
        let before: Option<VersionItem> = seen.get(&self.version_key())?;
        let Some(before) = before else {
            let head: Option<Head> = seen.get(&schema::head_key(&self.log()))?;
            let head = head.filter(|head| head.n > 0);
            return Err(no_version(package, self.request.version, head.map(|head| head.n)).into());
        };
        let Some(item) = self.apply(&before)? else {
            let outcome = Outcome::Changed(Box::new(before.clone()), before.state);
            let (entry, moves, logs) = (self.version_key(), PlanEntries::new(), vec![self.log()]);
            return Ok(Step::Unchanged { outcome, entry, moves, logs, checks: Vec::new() });
        };
        let head: Option<Head> = seen.get(&schema::head_key(&self.log()))?;
        let head = head.filter(|head| head.n > 0).ok_or_else(|| NotFound::Package(package.clone()))?;
        let mut heads = vec![(self.log(), head.rev)];
        let mut actions = Vec::new();
        if self.withdraws() {
            let rev = seen.get::<Revision>(&self.tag_head())?.map_or(0, |head| head.rev);
            if let Some(outcome) = self.check_tags(rev, &before)? {
                return Ok(Step::Done(outcome));
            }
            heads.push((schema::tags(&self.request.package), rev));
            actions.push(Action { key: self.tag_head(), condition: still_at(rev), change: Change::Check });
        }
        match self.guard.map(|guard| guard.look(&before, &head)) {
            None | Some(Found::Nothing) => {}
            Some(Found::Later) => return Ok(Step::Done(Outcome::ReadAgain)),
            Some(Found::Kept(kept)) => return Ok(Step::Done(Outcome::Kept(kept))),
        }
        // The deletion that was found is the last one only if no entry came after it was looked for.
        if self.deletion.is_some_and(|deletion| deletion.looked_at != head.rev) {
            return Ok(Step::Done(Outcome::ReadAgain));
        }
        if let Some(deletion) = self.deletion {
            deletion.check(&self.version_key())?;
        }
        let counted = match self.request.change {
            ReleaseChange::Delete => Some(effects::release_blob(package, &before, seen)?),
            ReleaseChange::Undelete => Some(effects::keep_blob(package, &before, seen)?),
            _ => None,
        };
        match counted {
            None => {}
            Some(Some(action)) => actions.push(action),
            Some(None) => return Ok(Step::Done(Outcome::ReadAgain)),
        }
        let latest = match effects::latest(package, &head, &item, seen)? {
            Lookup::Ready(latest) => latest,
            Lookup::Missing(keys) => return Ok(Step::Read(keys)),
        };
        let (was, moves) = (before.state, PlanEntries::new());
        let (entry, new_head) = self.entry(&head, (was, item.state), latest, moves, context);
        let slot = entry.key.clone();
        let mut set = json!({ "state": item.state });
        if !item.more_labels.is_empty() {
            set["more_labels"] = json!(item.more_labels);
        }
        let change = Change::Update { set: set.as_object().cloned().unwrap_or_default(), add: [].into() };
        // Both, for every kind of change: then a refusal returns the version as soon as anything about it has changed.
        let condition = seen.unchanged::<VersionItem>(&self.version_key());
        actions.extend([new_head, entry, Action { key: self.version_key(), condition, change }]);
        let outcome = Outcome::Changed(Box::new(item), before.state);
        let (number, entry) = (head.rev + 1, slot.clone());
        let (unchanged, moves) = (false, PlanEntries::new());
        Ok(Step::Commit(Proposal { actions, heads, slot, number, entry, unchanged, moves, outcome }))
    }

    fn recall(
        &self,
        reference: &OutcomeRef,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Step<Outcome>, Error> {
        let key = self.version_key();
        let Some(item) = seen.get_referenced::<VersionItem>(&key)? else { return Ok(Step::Read(vec![key])) };
        // The version may have changed again since then: its state is as the operation left it, or found it.
        let state_after = |otherwise| match self.request.change {
            ReleaseChange::Yank => State::Yanked,
            ReleaseChange::Unyank => State::Active,
            ReleaseChange::Delete => State::Deleted,
            ReleaseChange::Undelete | ReleaseChange::Label(_) => otherwise,
        };
        if reference.unchanged {
            let mut state = state_after(item.state);
            if self.request.change == ReleaseChange::Undelete && state == State::Deleted {
                // It was deleted later: the state before that is one in which it was not deleted.
                let Some(was) = self.deletion.and_then(|deletion| deletion.was) else {
                    return Ok(Step::Done(Outcome::ReadAgain));
                };
                state = was;
            }
            let item = VersionItem { state, ..item };
            return Ok(Step::Done(Outcome::Changed(Box::new(item), state)));
        }
        let Some(event) = seen.get_referenced::<ReleaseEvent>(&reference.entry)? else {
            return Ok(Step::Read(vec![reference.entry.clone()]));
        };
        let same_labels = match &self.request.change {
            ReleaseChange::Label(labels) => *labels == event.labels,
            _ => true,
        };
        if event.version != Some(self.request.version) || event.kind != self.kind() || !same_labels {
            return Err(used_for(recorded(&event), self, context));
        }
        let was = event.was.unwrap_or(item.state);
        let is = state_after(event.state.unwrap_or(was));
        let item = VersionItem { state: is, ..item };
        Ok(Step::Done(Outcome::Changed(Box::new(item), was)))
    }
}

impl Changing<'_> {
    fn kind(&self) -> ReleaseEventKind {
        match self.request.change {
            ReleaseChange::Yank => ReleaseEventKind::Yank,
            ReleaseChange::Unyank => ReleaseEventKind::Unyank,
            ReleaseChange::Delete => ReleaseEventKind::Delete,
            ReleaseChange::Undelete => ReleaseEventKind::Undelete,
            ReleaseChange::Label(_) => ReleaseEventKind::Label,
        }
    }
}

impl TableLedger {
    /// Implements [`Ledger::change`](crate::ledger::Ledger::change).
    pub(in crate::ledger) async fn change_version(&self, request: &ChangeRequest) -> Result<Changed, Error> {
        let op = self.op_id(&request.author);
        // The tags are read again as long as tags of the package keep moving.
        for _ in 0..MAX_TAG_READS {
            let found =
                try_join3(self.tagging(request), self.blob_to_count(request), self.last_deletion(request));
            let (tags, blob, deletion) = found.await.map_err(|error| error.unresolved(&request.author))?;
            reach("change-tags-read");
            let operation = Changing { request, tags, blob, deletion, guard: None };
            let commit = Commit { ledger: self, operation: &operation, author: &request.author, op: &op };
            if let Outcome::Changed(item, previous) = commit.run(None).await? {
                reach("change-done");
                let mut release = item.into_release(&request.package);
                // The change is committed, even if the tags can't be read now.
                let tags = self.tags_by_version(&request.package).await;
                let tags = tags.map(|mut tags| tags.remove(&request.version).unwrap_or_default());
                release.tags = tags.unwrap_or(operation.tags.on);
                return Ok(Changed { release, previous });
            }
        }
        Err(Conflict::Contention(request.package.clone()).into())
    }
}
