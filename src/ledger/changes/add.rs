//! Adding a version.

use super::tags::{
    gates::Forward,
    log::{Allowed, RollbackLink, TagLog, allow},
};
use crate::{
    ledger::{
        AddRequest, Conflict, Error, Refused, Staged,
        engine::{
            idempotency::{key_read, used_for},
            operation::{Context, Operation, OutcomeRef, Proposal, Step},
        },
        reads::gates::Candidate,
        schema::{
            self, BlobItem, BlobState, Head, PlanEntries, START, TagEvent, TagItem, VersionItem, chained,
            encode, stamp, still_at,
        },
        snapshot::{Lookup, Shown, Snapshot},
    },
    model::{
        Blob, Digest, Generation, Labels, PackageName, State, TagName, Version, epoch, first_generation,
    },
    table::{Action, Change, Condition, Item, Key},
};
use serde_json::json;
use std::collections::BTreeSet;

/// An addition of one blob, before its commit.
#[derive(Debug)]
pub(in crate::ledger) struct Addition<'a> {
    pub request: &'a AddRequest,
    pub sha256: &'a Digest,
    /// The epoch of the store that the ledger was found to own.
    pub epoch: u64,
    /// The blob, once it is in the store where [`Staged`] requires it.
    pub blob: Option<&'a Blob>,
}

/// The outcome of an addition, as far as its own entry records it.
#[derive(Debug, Clone)]
pub(in crate::ledger) enum Outcome {
    /// This version was created, by this operation or an earlier run with its key.
    Made(Box<VersionItem>),
    /// The addition was not needed: this version has the same sha256.
    Unchanged(Shown<Box<VersionItem>>),
    /// The blob must be in the store at this generation first.
    Stage(Staged),
}

impl Addition<'_> {
    pub(in crate::ledger) fn blob_key(&self) -> Key {
        schema::blob_key(self.sha256, self.epoch)
    }

    /// Returns where the blob must be for a version to be committed against it.
    pub(in crate::ledger) fn needed(&self, seen: &Snapshot) -> Result<Staged, Error> {
        let item: Option<BlobItem> = seen.get(&self.blob_key())?;
        let (generation, expected) = match item {
            None => (first_generation(self.epoch), false),
            Some(BlobItem { state: BlobState::Other(word), .. }) => {
                let what = format!("the blob {}", self.sha256);
                return Err(Error::unknown_word(&what, word.as_str(), "be used"));
            }
            Some(BlobItem { state: BlobState::Kept, generation, refs, .. }) => (generation, refs > 0),
            Some(BlobItem { state: BlobState::Condemned, generation, .. }) => {
                (generation.saturating_add(1), false)
            }
        };
        if epoch(generation) != self.epoch {
            let why = format!("its next generation, {generation}, belongs to another epoch");
            return Err(Error::damaged(&self.blob_key(), why));
        }
        Ok(Staged::Upload { generation, expected })
    }

    /// Returns the blob, if it is where it must be.
    pub(in crate::ledger) fn stored(&self, seen: &Snapshot) -> Result<Option<&Blob>, Error> {
        let key = self.blob_key();
        if seen.item(&key).is_some() {
            // An unreadable item is damage.
            seen.shown::<BlobItem>(&key)?;
        }
        let blob = self.blob.filter(|blob| blob.address.epoch() == self.epoch);
        Ok(blob.filter(|blob| seen.fits(&key, &keepable(blob))))
    }

    /// Checks that all these tags may be moved to a version: first the freezes and gates of all, then each protection.
    fn allow<'s>(
        &'s self,
        tags: &[&'s TagName],
        candidate: Candidate<'_>,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Lookup<Vec<Allowed<'s>>>, Error> {
        let package = &self.request.package;
        let [overriding, emergency] = [&self.request.overriding, &self.request.emergency].map(Option::as_ref);
        let passed = Lookup::all(tags.iter().map(|tag| {
            let before: Option<TagItem> = seen.get(&schema::tag_key(package, tag))?;
            let before = before.as_ref();
            let forward = Forward { package, tag, before, candidate, require: &[], overriding, emergency };
            forward.pass(seen, context)
        }));
        let passed = match passed? {
            Lookup::Ready(passed) => passed,
            Lookup::Missing(keys) => return Ok(Lookup::Missing(keys)),
        };
        let confirmed = |tag| self.request.confirm.contains(tag);
        let each = tags.iter().zip(passed);
        let allowed = each.map(|(tag, passed)| allow(package, tag, confirmed(tag), passed, seen));
        allowed.collect::<Result<_, _>>().map(Lookup::Ready)
    }

    /// Returns the plan for a `latest` that has this blob already: only the tags move.
    fn plan_unchanged(
        &self,
        latest: Version,
        head: &Head,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Step<Outcome>, Error> {
        let package = &self.request.package;
        let entry = schema::version_key(package, latest.get());
        let Some(item) = seen.shown(&entry)? else { return Ok(Step::Read(vec![entry])) };
        let outcome = Outcome::Unchanged(item);
        let tags = tags(self.request);
        if tags.is_empty() {
            return Ok(Step::Unchanged {
                outcome,
                entry,
                moves: PlanEntries::new(),
                logs: vec![self.log()],
                checks: Vec::new(),
            });
        }
        let mut entries = TagLog::open(package, seen, context)?;
        let heads = vec![(self.log(), head.rev), entries.seen_head()];
        let (slot, number) = (entries.first_slot(), entries.seen_rev() + 1);
        let mut elsewhere = Vec::new();
        for tag in tags {
            let before: Option<TagItem> = seen.get(&schema::tag_key(package, tag))?;
            if before.and_then(|before| before.version) != Some(latest) {
                elsewhere.push(tag);
            }
        }
        let allowed = match self.allow(&elsewhere, Candidate::Existing(latest), seen, context)? {
            Lookup::Ready(allowed) => allowed,
            Lookup::Missing(keys) => return Ok(Step::Read(keys)),
        };
        for allowed in allowed {
            entries.put(allowed, Some((latest, blob_of(head)?)), RollbackLink::Previous);
        }
        let mut actions = entries.close();
        if actions.is_empty() {
            let logs = vec![self.log(), schema::tags(package)];
            return Ok(Step::Unchanged {
                outcome,
                entry,
                moves: PlanEntries::new(),
                logs,
                checks: Vec::new(),
            });
        }
        // The condition covers the rev, not only `latest`, so that a fence stops this, too.
        let still_latest = Action {
            key: schema::head_key(&self.log()),
            condition: still_at(head.rev),
            change: Change::Check,
        };
        actions.push(still_latest);
        let (unchanged, moves) = (true, PlanEntries::new());
        Ok(Step::Commit(Proposal { actions, heads, slot, number, entry, unchanged, moves, outcome }))
    }

    /// Returns the plan for a new version.
    fn plan_version(
        &self,
        blob: &Blob,
        head: Option<&Head>,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Step<Outcome>, Error> {
        let package = &self.request.package;
        let seen_rev = head.map_or(0, |head| head.rev);
        let number = head.map_or(0, |head| head.n) + 1;
        let version = Version::try_from(number).map_err(|_| Refused::Full(package.clone()))?;
        let slot = schema::version_key(package, number);
        let (when, clock) = stamp(context.now.at, head.map(|head| head.when));
        let mut item = VersionItem {
            n: version,
            blob: blob.into(),
            labels: self.request.labels.clone(),
            more_labels: Labels::default(),
            state: State::Active,
            who: context.author.who(),
            when,
            clock,
            message: context.author.message.clone(),
            op: context.op.clone(),
            rev: seen_rev + 1,
            chain: String::new(),
        };
        let previous = head.map_or(START, |head| &head.chain);
        let (entry, chain) = chained(previous, &slot, encode(&item));
        item.chain.clone_from(&chain);
        let new_head = Head {
            n: number,
            latest: Some(version),
            blob: Some(item.blob.clone()),
            rev: seen_rev + 1,
            chain,
            when: item.when,
            rest: head.map(|head| head.rest.clone()).unwrap_or_default(),
        };
        let put = |key, condition, item| Action { key, condition, change: Change::Put(item) };
        let mut actions = vec![
            put(schema::head_key(&self.log()), still_at(seen_rev), encode(&new_head)),
            put(slot.clone(), Condition::Absent, entry),
            keep(blob, seen),
        ];
        if number == 1 {
            actions.push(put(schema::directory_key(package), Condition::Always, Item::new()));
        }
        let mut heads = vec![(self.log(), seen_rev)];
        let tags = tags(self.request);
        if !tags.is_empty() {
            let mut entries = TagLog::open(package, seen, context)?;
            heads.push(entries.seen_head());
            let tags: Vec<_> = tags.into_iter().collect();
            let allowed = match self.allow(&tags, Candidate::New(version, &item.labels), seen, context)? {
                Lookup::Ready(allowed) => allowed,
                Lookup::Missing(keys) => return Ok(Step::Read(keys)),
            };
            for allowed in allowed {
                entries.put(allowed, Some((version, item.blob.clone())), RollbackLink::Previous);
            }
            actions.extend(entries.close());
        }
        let outcome = Outcome::Made(Box::new(item));
        let (entry, unchanged, moves) = (slot.clone(), false, PlanEntries::new());
        Ok(Step::Commit(Proposal { actions, heads, slot, number, entry, unchanged, moves, outcome }))
    }
}

impl Operation for Addition<'_> {
    type Outcome = Outcome;

    fn package(&self) -> Option<&PackageName> {
        Some(&self.request.package)
    }

    fn request_text(&self) -> String {
        format!("add {}", self.sha256)
    }

    fn log(&self) -> String {
        schema::releases(&self.request.package)
    }

    fn reads(&self) -> Vec<Key> {
        let mut keys = reads(self.request);
        keys.push(self.blob_key());
        keys
    }

    fn reads_at_once(&self) -> bool {
        reads_at_once(self.request)
    }

    fn slots(&self, number: u64) -> Vec<Key> {
        let package = &self.request.package;
        let mut slots = vec![schema::version_key(package, number)];
        // Only if nothing was added is the first tag's event the entry that records the outcome.
        if self.request.if_changed && !self.request.tags.is_empty() {
            slots.push(schema::tag_event_key(package, number));
        }
        slots
    }

    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Step<Outcome>, Error> {
        let package = &self.request.package;
        let head: Option<Head> = seen.get(&schema::head_key(&self.log()))?;
        let latest = head.as_ref().and_then(|head| head.latest);
        match self.request.expect_latest {
            Some(expected) if !expected.is_met_by(latest) => {
                return Err(Conflict::Latest { package: package.clone(), expected, found: latest }.into());
            }
            _ => {}
        }
        if let (true, Some(head), Some(latest)) = (self.request.if_changed, &head, latest)
            && blob_of(head)?.sha256 == *self.sha256
        {
            return self.plan_unchanged(latest, head, seen, context);
        }
        match self.stored(seen)? {
            Some(blob) => self.plan_version(blob, head.as_ref(), seen, context),
            None => Ok(Step::Done(Outcome::Stage(self.needed(seen)?))),
        }
    }

    fn recall(
        &self,
        reference: &OutcomeRef,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Step<Outcome>, Error> {
        let entry = &reference.entry;
        if entry.pk != self.log() {
            // The tags were put on the version that had this blob already.
            let event: Option<TagEvent> = seen.get_referenced(entry)?;
            let version = event.and_then(|event| event.version);
            let version = version.ok_or_else(|| Error::damaged(entry, "it names no version"))?;
            let entry = schema::version_key(&self.request.package, version.get());
            return self.recall(&OutcomeRef { entry, unchanged: true, ..reference.clone() }, seen, context);
        }
        let Some(item) = seen.get_referenced::<Box<VersionItem>>(entry)? else {
            return Ok(Step::Read(vec![entry.clone()]));
        };
        if item.blob.sha256 != *self.sha256 {
            return Err(used_for(format!("add {}", item.blob.sha256), self, context));
        }
        Ok(Step::Done(if reference.unchanged {
            Outcome::Unchanged(Shown::of(item))
        } else {
            Outcome::Made(item)
        }))
    }
}

/// Returns the tags that an addition moves, in the order of its entries.
pub(in crate::ledger) fn tags(request: &AddRequest) -> BTreeSet<&TagName> {
    request.tags.iter().collect()
}

/// Implements [`Operation::reads_at_once`].
pub(in crate::ledger) fn reads_at_once(request: &AddRequest) -> bool {
    // Each item read has a condition of its own in the transaction, except a tag that is on `latest` already.
    request.if_changed && !request.tags.is_empty()
}

/// Returns the items that an addition depends on, except its blob.
pub(in crate::ledger) fn reads(request: &AddRequest) -> Vec<Key> {
    let package = &request.package;
    let log = schema::releases(package);
    let mut keys = vec![schema::meta_key(), schema::head_key(&log)];
    keys.extend(key_read(&request.author, &log));
    if !request.tags.is_empty() {
        keys.push(schema::head_key(&schema::tags(package)));
        keys.push(schema::replica_of(package));
        keys.extend(tags(request).into_iter().map(|tag| schema::tag_key(package, tag)));
    }
    keys
}

/// Returns the condition that a version may still be committed against a blob's generation.
fn keepable(blob: &Blob) -> Condition {
    let generation = blob.address.generation;
    let is = |state: &str, generation: Generation| {
        Condition::All(vec![Condition::equals("state", state), Condition::equals("gen", generation)])
    };
    let before = if generation == first_generation(blob.address.epoch()) {
        Condition::Absent
    } else {
        is("condemned", generation - 1)
    };
    Condition::Any(vec![before, is("kept", generation)])
}

/// Increments the number of versions that need a blob.
fn keep(blob: &Blob, seen: &Snapshot) -> Action {
    let set = json!({ "state": "kept", "gen": blob.address.generation });
    let key = schema::blob_key(&blob.address.sha256, blob.address.epoch());
    let needs = schema::still_needs(seen.item(&key));
    Action {
        key,
        condition: Condition::All(vec![keepable(blob), needs]),
        change: Change::Update {
            set: set.as_object().cloned().unwrap_or_default(),
            add: [("refs", 1)].into(),
        },
    }
}

fn blob_of(head: &Head) -> Result<schema::BlobFields, Error> {
    head.blob.clone().ok_or_else(|| Error::Damaged {
        what: "the head of a package".to_owned(),
        why: "it has a latest version and no blob".to_owned(),
    })
}
