//! Adding a version.

use super::{
    AddRequest, Error, Staged,
    chain::START,
    commit::{self, Context, Draft, Operation, Plan, Snapshot},
    error::{Conflict, Refused},
    fence::{after, chained, still_at},
    items::{self, BlobItem, BlobState, Head, TagEvent, TagItem, VersionItem, decode, encode},
    tag_log::TagLog,
};
use crate::{
    model::{Blob, Digest, Generation, Labels, PackageName, State, TagKind, Version},
    table::{Action, Change, Condition, Item, Key},
};
use serde_json::json;

/// An addition of one blob, as it stands before the commit.
#[derive(Debug)]
pub(super) struct Addition<'a> {
    pub request: &'a AddRequest,
    pub sha256: &'a Digest,
    /// The blob, once it is in the store.
    pub blob: Option<&'a Blob>,
}

/// How an addition ended, as far as its own entry tells.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// This version was made, by this operation or an earlier run with its key.
    Made(Box<VersionItem>),
    /// Nothing was added: this version has the same sha256.
    Unchanged(Version),
    /// The blob has to be in the store at this generation first.
    Stage(Staged),
}

impl Addition<'_> {
    fn log(&self) -> String {
        items::releases(&self.request.package)
    }

    fn asked(&self) -> String {
        format!("add {}", self.sha256)
    }

    /// Where the blob has to be for a version to be committed against it.
    pub(super) fn upload(&self, seen: &Snapshot) -> Result<Staged, Error> {
        let item: Option<BlobItem> = seen.get(&items::blob_key(self.sha256))?;
        let (generation, expected) = match item {
            None => (0, false),
            Some(BlobItem { state: BlobState::Kept, generation, refs }) => (generation, refs > 0),
            Some(BlobItem { state: BlobState::Condemned, generation, .. }) => (generation + 1, false),
        };
        Ok(Staged::Upload { generation, expected })
    }

    /// The plan where `latest` has this blob already: only the tags move.
    fn plan_unchanged(
        &self,
        latest: Version,
        head: &Head,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Plan<Outcome>, Error> {
        let package = &self.request.package;
        let mut entries = TagLog::open(package, seen, context)?;
        let tags_rev = entries.seen_rev();
        let mut moved = false;
        for tag in &self.request.tags {
            let before: Option<TagItem> = seen.get(&items::tag_key(package, tag))?;
            if before.and_then(|before| before.version) != Some(latest) {
                entries.set(tag, Some((latest, blob_of(head)?)), TagKind::Move)?;
                moved = true;
            }
        }
        let entry = items::version_key(package, latest.get());
        let remember = commit::remember(context, &self.log(), &self.asked(), &entry, true);
        let outcome = Outcome::Unchanged(latest);
        if !moved && remember.is_none() {
            return Ok(Plan::Done(outcome));
        }
        let (log, rev, slot, number) = match &remember {
            Some(remember) => (self.log(), head.rev, remember.key.clone(), head.n),
            None => (items::tags(package), tags_rev, entries.first_slot(), tags_rev + 1),
        };
        // Under the rev, not `latest` alone: so that a fence stops this, too.
        let still_latest = Action {
            key: items::head_key(&self.log()),
            condition: still_at(head.rev),
            change: Change::Check,
        };
        let mut actions = vec![still_latest];
        if moved {
            actions.extend(entries.close());
        }
        actions.extend(remember);
        Ok(Plan::Commit(Draft { actions, log, rev, slot, number, outcome }))
    }

    /// The plan for a new version.
    fn plan_version(
        &self,
        blob: &Blob,
        head: Option<&Head>,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Draft<Outcome>, Error> {
        let package = &self.request.package;
        let seen_rev = head.map_or(0, |head| head.rev);
        let number = head.map_or(0, |head| head.n) + 1;
        let version = Version::try_from(number).map_err(|_| Refused::Full(package.clone()))?;
        let slot = items::version_key(package, number);
        let mut item = VersionItem {
            n: version,
            blob: blob.into(),
            labels: self.request.labels.clone(),
            more_labels: Labels::default(),
            state: State::Active,
            who: context.author.actor.clone(),
            when: after(context.now, head.map(|head| head.when)),
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
        };
        let put = |key, condition, item| Action { key, condition, change: Change::Put(item) };
        let mut actions = vec![
            put(items::head_key(&self.log()), still_at(seen_rev), encode(&new_head)),
            put(slot.clone(), Condition::Absent, entry),
            keep(blob),
        ];
        if number == 1 {
            actions.push(put(items::directory_key(package), Condition::Always, Item::new()));
        }
        if !self.request.tags.is_empty() {
            let mut entries = TagLog::open(package, seen, context)?;
            for tag in &self.request.tags {
                entries.set(tag, Some((version, item.blob.clone())), TagKind::Move)?;
            }
            actions.extend(entries.close());
        }
        actions.extend(commit::remember(context, &self.log(), &self.asked(), &slot, false));
        let outcome = Outcome::Made(Box::new(item));
        Ok(Draft { actions, log: self.log(), rev: seen_rev, slot, number, outcome })
    }
}

impl Operation for Addition<'_> {
    type Outcome = Outcome;

    fn package(&self) -> &PackageName {
        &self.request.package
    }

    fn reads(&self) -> Vec<Key> {
        let mut keys = reads(self.request);
        keys.push(items::blob_key(self.sha256));
        keys
    }

    fn needs_snapshot(&self) -> bool {
        // Each item read is acted on under a condition of its own. What decides without being acted on is decided by
        // one item alone.
        false
    }

    fn slots(&self, number: u64) -> Vec<Key> {
        let package = &self.request.package;
        vec![items::version_key(package, number), items::tag_event_key(package, number)]
    }

    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Plan<Outcome>, Error> {
        let recall = commit::remembered(seen, context.author, &self.log(), &self.asked())?;
        if let Some(recall) = recall {
            return Ok(recall);
        }
        let package = &self.request.package;
        let head: Option<Head> = seen.get(&items::head_key(&self.log()))?;
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
        let staged = self.upload(seen)?;
        let there = |blob: &&Blob| matches!(staged, Staged::Upload { generation, .. } if generation == blob.address.generation);
        match self.blob.filter(there) {
            Some(blob) => self.plan_version(blob, head.as_ref(), seen, context).map(Plan::Commit),
            None => Ok(Plan::Done(Outcome::Stage(staged))),
        }
    }

    fn recall(&self, entry: &Key, item: &Item, unchanged: bool) -> Result<Outcome, Error> {
        if entry.pk == self.log() {
            let item: VersionItem = decode(entry, item)?;
            return Ok(if unchanged { Outcome::Unchanged(item.n) } else { Outcome::Made(Box::new(item)) });
        }
        // The tags were put on the version that had this blob already.
        let event: TagEvent = decode(entry, item)?;
        event.version.map(Outcome::Unchanged).ok_or_else(|| Error::Damaged {
            what: format!("the ledger's item {entry}"),
            why: "it names no version".to_owned(),
        })
    }
}

/// What an addition is decided on, but for its blob.
pub(super) fn reads(request: &AddRequest) -> Vec<Key> {
    let package = &request.package;
    let log = items::releases(package);
    let mut keys = vec![items::meta_key(), items::head_key(&log)];
    keys.extend(commit::key_read(&request.author, &log));
    if !request.tags.is_empty() {
        keys.push(items::head_key(&items::tags(package)));
        keys.extend(request.tags.iter().map(|tag| items::tag_key(package, tag)));
    }
    keys
}

/// Counts one more version that needs a blob, if its generation may still be committed against.
fn keep(blob: &Blob) -> Action {
    let generation = blob.address.generation;
    let is = |state: &str, generation: Generation| {
        Condition::All(vec![Condition::equals("state", state), Condition::equals("gen", generation)])
    };
    let before = match generation {
        0 => Condition::Absent,
        generation => is("condemned", generation - 1),
    };
    let set = json!({ "state": "kept", "gen": generation });
    Action {
        key: items::blob_key(&blob.address.sha256),
        condition: Condition::Any(vec![before, is("kept", generation)]),
        change: Change::Update {
            set: set.as_object().cloned().unwrap_or_default(),
            add: [("refs", 1)].into(),
        },
    }
}

fn blob_of(head: &Head) -> Result<items::BlobFields, Error> {
    head.blob.clone().ok_or_else(|| Error::Damaged {
        what: "the head of a package".to_owned(),
        why: "it has a latest version and no blob".to_owned(),
    })
}
