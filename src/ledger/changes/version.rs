//! Changing a version: yank, unyank, delete, label.

use super::tagging::TagDependencies;
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
            self, BlobFields, BlobItem, BlobState, Head, PlanEntries, ReleaseEvent, ReleaseEventKind,
            Revision, VersionItem, after, chained, encode, still_at,
        },
        snapshot::{Lookup, Snapshot},
    },
    model::{Address, Labels, PackageName, ReleaseChange, State, Version, epoch},
    table::{Action, Change, Condition, Key},
};
use futures_util::future::try_join;
use serde_json::json;

/// The number of versions read at once below a withdrawn `latest`, to find the one that replaces it.
const BELOW: u64 = 50;

/// The maximum number of times that a change of a version reads the package's tags again because one has moved.
const MAX_TAG_READS: usize = 100;

/// A change of a version, with the tags that it depends on.
#[derive(Debug)]
pub(in crate::ledger) struct Changing<'a> {
    pub request: &'a ChangeRequest,
    /// The tags that it depends on, read before the change.
    pub tags: TagDependencies,
    /// The blob of a version that is to be deleted, so that its count is read in one snapshot with the version: if it
    /// were read later, another deletion of the version could come between.
    pub blob: Option<Address>,
}

/// The outcome of a change of a version.
#[derive(Debug, Clone)]
pub(in crate::ledger) enum Outcome {
    /// The version after the change, and its state before.
    Changed(Box<VersionItem>, State),
    /// The tags and the blob must be read again: a tag has moved, or the version was just added.
    ReadAgain,
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
            | (ReleaseChange::Unyank, State::Active) => return Ok(None),
            (_, State::Other(word)) => {
                let what = format!("version {version} of {package}");
                return Err(Error::unknown_word(&what, word.as_str(), "be changed"));
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

    /// Returns `latest` after the change, or the keys that must be read to know.
    pub(in crate::ledger) fn latest(
        &self,
        head: &Head,
        item: &VersionItem,
        seen: &Snapshot,
    ) -> Result<Lookup<Option<(Version, BlobFields)>>, Error> {
        let as_it_is = || head.latest.zip(head.blob.clone());
        if item.state == State::Active {
            let higher = head.latest.is_none_or(|latest| item.n > latest);
            return Ok(Lookup::Ready(if higher { Some((item.n, item.copied_blob())) } else { as_it_is() }));
        }
        if head.latest != Some(item.n) {
            return Ok(Lookup::Ready(as_it_is()));
        }
        // The head's rev covers all versions, and was read before them.
        let mut below = item.n.get();
        while below > 1 {
            let keys: Vec<_> = (below.saturating_sub(BELOW).max(1)..below)
                .rev()
                .map(|number| schema::version_key(&self.request.package, number))
                .collect();
            if !keys.iter().all(|key| seen.contains(key)) {
                return Ok(Lookup::Missing(keys));
            }
            for key in &keys {
                let Some(candidate) = seen.get_referenced::<VersionItem>(key)? else { continue };
                if candidate.state == State::Active {
                    return Ok(Lookup::Ready(Some((candidate.n, candidate.copied_blob()))));
                }
            }
            below -= keys.len() as u64;
        }
        Ok(Lookup::Ready(None))
    }

    /// Decrements the number of versions that need the blob; `None` if the blob was not read.
    fn release_blob(&self, item: &VersionItem, seen: &Snapshot) -> Result<Option<Action>, Error> {
        let key = schema::blob_key(&item.blob.sha256, epoch(item.blob.generation));
        if seen.shown::<BlobItem>(&key)?.is_none() {
            return Ok(None);
        }
        let condition = Condition::All(vec![
            Condition::equals("state", "kept"),
            Condition::equals("gen", item.blob.generation),
            Condition::AtLeast("refs", 1),
        ]);
        if !seen.fits(&key, &condition) {
            if let Some(BlobItem { state: BlobState::Other(word), .. }) = seen.get(&key)? {
                let what = format!("the blob of version {} of {}", item.n, self.request.package);
                return Err(Error::unknown_word(&what, word.as_str(), "be changed"));
            }
            return Err(Error::Damaged {
                what: format!("the ledger's item {key}"),
                why: format!(
                    "{} {} needs it, and its count does not include that",
                    self.request.package, item.n
                ),
            });
        }
        let change = Change::Update { set: crate::table::Item::new(), add: [("refs", -1)].into() };
        let condition = Condition::All(vec![condition, schema::still_needs(seen.item(&key))]);
        Ok(Some(Action { key, condition, change }))
    }

    /// Returns the entry of the change, and the head after it. `moves` are the entries of the tags that it puts back.
    pub(in crate::ledger) fn entry(
        &self,
        head: &Head,
        was: State,
        latest: Option<(Version, BlobFields)>,
        moves: PlanEntries,
        context: &Context<'_>,
    ) -> (Action, Action) {
        let package = &self.request.package;
        let (kind, labels) = match &self.request.change {
            ReleaseChange::Yank => (ReleaseEventKind::Yank, Labels::default()),
            ReleaseChange::Unyank => (ReleaseEventKind::Unyank, Labels::default()),
            ReleaseChange::Delete => (ReleaseEventKind::Delete, Labels::default()),
            ReleaseChange::Label(labels) => (ReleaseEventKind::Label, labels.clone()),
        };
        let rev = head.rev + 1;
        let when = after(context.now.at, Some(head.when));
        let event = ReleaseEvent {
            kind,
            version: Some(self.request.version),
            was: Some(was),
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
        // A refusal because of a tag depends on the version and on the head of the tags.
        self.withdraws()
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
            if rev != self.tags.rev {
                return Ok(Step::Done(Outcome::ReadAgain));
            }
            let (package, version) = (package.clone(), self.request.version);
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
            heads.push((schema::tags(&self.request.package), rev));
            actions.push(Action { key: self.tag_head(), condition: still_at(rev), change: Change::Check });
        }
        if self.request.change == ReleaseChange::Delete {
            match self.release_blob(&before, seen)? {
                Some(action) => actions.push(action),
                None => return Ok(Step::Done(Outcome::ReadAgain)),
            }
        }
        let latest = match self.latest(&head, &item, seen)? {
            Lookup::Ready(latest) => latest,
            Lookup::Missing(keys) => return Ok(Step::Read(keys)),
        };
        let (entry, new_head) = self.entry(&head, before.state, latest, PlanEntries::new(), context);
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
            ReleaseChange::Label(_) => otherwise,
        };
        if reference.unchanged {
            let state = state_after(item.state);
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
        let is = state_after(was);
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
            let found = try_join(self.tagging(request), self.blob_to_delete(request)).await;
            let (tags, blob) = found.map_err(|error| error.unresolved(&request.author))?;
            reach("change-tags-read");
            let operation = Changing { request, tags, blob };
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
