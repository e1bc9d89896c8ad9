//! Moving a tag, and taking it off.

use super::{
    Error, TagRequest, UntagRequest,
    error::{Conflict, NotFound, Refused},
    idempotency::{key_read, used_for},
    items::{self, BlobFields, Head, TagEvent, TagItem, VersionItem},
    operation::{Context, Operation, Plan, Proposal, Snapshot},
    read::no_version,
    tag_log::TagLog,
};
use crate::{
    model::{Expectation, PackageName, Spec, State, TagKind, TagMove, TagName, Version},
    table::{Action, Change, Condition, Key},
};

impl Operation for TagRequest {
    type Outcome = TagMove;

    fn package(&self) -> &PackageName {
        &self.package
    }

    fn asked(&self) -> String {
        format!("tag {} {}", self.spec, self.tag)
    }

    fn log(&self) -> String {
        items::tags(&self.package)
    }

    fn reads(&self) -> Vec<Key> {
        let mut keys = reads(&self.package, &self.tag, &self.author);
        let source = match &self.spec {
            Spec::Version(version) => items::version_key(&self.package, version.get()),
            Spec::Tag(source) => items::tag_key(&self.package, source),
            Spec::Latest => items::head_key(&items::releases(&self.package)),
        };
        if !keys.contains(&source) {
            keys.push(source);
        }
        keys
    }

    fn needs_snapshot(&self) -> bool {
        // A tag that is promoted is not acted on: that it has not moved follows from the head, if both were read at
        // one instant. And that a tag is on `latest` already must have been true at one instant, too. But a version
        // that is tagged is active, so the tag alone tells that it is there already.
        !matches!(self.spec, Spec::Version(_))
    }

    fn slots(&self, number: u64) -> Vec<Key> {
        vec![items::tag_event_key(&self.package, number)]
    }

    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Plan<TagMove>, Error> {
        let (version, blob, check) = self.target(seen)?;
        let before: Option<TagItem> = seen.get(&items::tag_key(&self.package, &self.tag))?;
        check_expectation(&self.package, &self.tag, self.expect, before.as_ref())?;
        let mut entries = TagLog::open(&self.package, seen, context)?;
        match before {
            Some(before) if before.version == Some(version) => {
                Ok(unchanged(before, &self.package, entries.seen_head()))
            }
            _ => {
                let outcome = entries.set(&self.tag, Some((version, blob)), TagKind::Move)?;
                Ok(committed(entries, check, outcome))
            }
        }
    }

    fn recall(
        &self,
        entry: &Key,
        unchanged: bool,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Plan<TagMove>, Error> {
        let same = |found: &TagMove| {
            let there = match self.spec {
                Spec::Version(version) => found.version == Some(version),
                _ => found.version.is_some(),
            };
            found.tag == self.tag && there
        };
        recall(self, entry, unchanged, seen, context, same)
    }
}

impl TagRequest {
    /// What the spec means, and the check that makes it still mean that at the commit.
    fn target(&self, seen: &Snapshot) -> Result<(Version, BlobFields, Option<Action>), Error> {
        let package = &self.package;
        let key = match &self.spec {
            Spec::Version(version) => items::version_key(package, version.get()),
            Spec::Tag(source) => items::tag_key(package, source),
            Spec::Latest => items::head_key(&items::releases(package)),
        };
        let check = |condition| Some(Action { key: key.clone(), condition, change: Change::Check });
        match &self.spec {
            Spec::Version(version) => {
                // Which of package and version is missing is found out by who shows the error.
                let item: VersionItem = seen.get(&key)?.ok_or_else(|| no_version(package, *version, None))?;
                if item.state != State::Active {
                    let package = package.clone();
                    return Err(Refused::NotActive { package, version: *version, state: item.state }.into());
                }
                Ok((*version, item.blob, check(Condition::equals("state", "active"))))
            }
            Spec::Tag(source) => {
                let item: Option<TagItem> = seen.get(&key)?;
                let target = item.and_then(|item| Some((item.version?, item.blob?)));
                let (version, blob) =
                    target.ok_or_else(|| NotFound::Tag { package: package.clone(), tag: source.clone() })?;
                // A tagged version is active, and the head's rev says that this tag is still on it.
                Ok((version, blob, None))
            }
            Spec::Latest => {
                let head: Head = seen
                    .get(&key)?
                    .filter(|head: &Head| head.n > 0)
                    .ok_or_else(|| NotFound::Package(package.clone()))?;
                let (version, blob) =
                    head.latest.zip(head.blob).ok_or_else(|| NotFound::Latest(package.clone()))?;
                Ok((version, blob, check(Condition::equals("latest", version.get()))))
            }
        }
    }
}

impl Operation for UntagRequest {
    type Outcome = TagMove;

    fn package(&self) -> &PackageName {
        &self.package
    }

    fn asked(&self) -> String {
        format!("untag {}", self.tag)
    }

    fn log(&self) -> String {
        items::tags(&self.package)
    }

    fn reads(&self) -> Vec<Key> {
        reads(&self.package, &self.tag, &self.author)
    }

    fn needs_snapshot(&self) -> bool {
        false
    }

    fn slots(&self, number: u64) -> Vec<Key> {
        vec![items::tag_event_key(&self.package, number)]
    }

    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Plan<TagMove>, Error> {
        let before: Option<TagItem> = seen.get(&items::tag_key(&self.package, &self.tag))?;
        let Some(before) = before else {
            return Err(NotFound::Tag { package: self.package.clone(), tag: self.tag.clone() }.into());
        };
        check_expectation(&self.package, &self.tag, self.expect, Some(&before))?;
        let mut entries = TagLog::open(&self.package, seen, context)?;
        if before.version.is_none() {
            return Ok(unchanged(before, &self.package, entries.seen_head()));
        }
        let outcome = entries.set(&self.tag, None, TagKind::Untag)?;
        Ok(committed(entries, None, outcome))
    }

    fn recall(
        &self,
        entry: &Key,
        unchanged: bool,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Plan<TagMove>, Error> {
        let same = |found: &TagMove| found.tag == self.tag && found.version.is_none();
        recall(self, entry, unchanged, seen, context, same)
    }
}

fn reads(package: &PackageName, tag: &TagName, author: &super::Author) -> Vec<Key> {
    let log = items::tags(package);
    let mut keys = vec![items::meta_key(), items::head_key(&log), items::tag_key(package, tag)];
    keys.extend(key_read(author, &log));
    keys
}

fn check_expectation(
    package: &PackageName,
    tag: &TagName,
    expected: Option<Expectation>,
    before: Option<&TagItem>,
) -> Result<(), Error> {
    let found = before.and_then(|before| before.version);
    match expected {
        Some(expected) if !expected.is_met_by(found) => Err(Conflict::Tag {
            package: package.clone(),
            tag: tag.clone(),
            expected,
            found,
            by: before.map(|before| (before.who.clone(), before.when)),
        }
        .into()),
        _ => Ok(()),
    }
}

/// The plan of which this is the only entry.
fn committed(entries: TagLog<'_>, check: Option<Action>, outcome: TagMove) -> Plan<TagMove> {
    let (slot, number, heads) = (entries.first_slot(), entries.seen_rev() + 1, vec![entries.seen_head()]);
    let mut actions = entries.close();
    actions.extend(check);
    Plan::Commit(Proposal { actions, heads, entry: slot.clone(), slot, number, unchanged: false, outcome })
}

/// A tag as it stands, where nothing has to change.
fn unchanged(item: TagItem, package: &PackageName, head: (String, u64)) -> Plan<TagMove> {
    let entry = items::tag_event_key(package, item.set);
    let outcome = TagMove { previous: item.version, ..item.into_move(package) };
    Plan::Unchanged { outcome, entry, heads: vec![head] }
}

/// The change that an entry tells of.
///
/// # Errors
/// [`Conflict::Key`] if it is not the `same` as what is asked for: the caller's key is of another operation.
fn recall<O: Operation<Outcome = TagMove>>(
    operation: &O,
    key: &Key,
    unchanged: bool,
    seen: &Snapshot,
    context: &Context<'_>,
    same: impl Fn(&TagMove) -> bool,
) -> Result<Plan<TagMove>, Error> {
    let Some(event) = seen.told_of::<TagEvent>(key)? else { return Ok(Plan::Read(vec![key.clone()])) };
    let tag = event.tag.ok_or_else(|| Error::Damaged {
        what: format!("the ledger's item {key}"),
        why: "it names no tag".to_owned(),
    })?;
    let found = TagMove {
        package: operation.package().clone(),
        tag,
        version: event.version,
        previous: if unchanged { event.version } else { event.previous },
        kind: event.kind,
        rev: event.rev,
        moved_at: event.when,
        moved_by: event.who,
        message: event.message,
    };
    if same(&found) {
        return Ok(Plan::Done(found));
    }
    let first = match found.version {
        Some(version) => format!("tag {version} {}", found.tag),
        None => format!("untag {}", found.tag),
    };
    Err(used_for(first, operation, context))
}
