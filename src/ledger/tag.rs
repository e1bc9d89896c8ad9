//! Moving a tag, and taking it off.

use super::{
    Error, TagRequest, UntagRequest,
    commit::{self, Context, Draft, Operation, Plan, Snapshot},
    error::{Conflict, NotFound, Refused},
    items::{self, BlobFields, Head, TagEvent, TagItem, VersionItem, decode},
    tag_log::TagLog,
};
use crate::{
    model::{Expectation, PackageName, Spec, State, TagKind, TagMove, TagName, Version},
    table::{Action, Change, Condition, Item, Key},
};

impl Operation for TagRequest {
    type Outcome = TagMove;

    fn package(&self) -> &PackageName {
        &self.package
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
        // The tag that is promoted is not acted on: that it has not moved follows from the head, if both were read
        // at one instant.
        matches!(self.spec, Spec::Tag(_))
    }

    fn slots(&self, number: u64) -> Vec<Key> {
        vec![items::tag_event_key(&self.package, number)]
    }

    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Plan<TagMove>, Error> {
        let request = format!("tag {} {}", self.spec, self.tag);
        let log = items::tags(&self.package);
        if let Some(recall) = commit::remembered(seen, context.author, &log, &request)? {
            return Ok(recall);
        }
        let (version, blob, check) = self.target(seen)?;
        let before: Option<TagItem> = seen.get(&items::tag_key(&self.package, &self.tag))?;
        check_expectation(&self.package, &self.tag, self.expect, before.as_ref())?;
        let mut entries = TagLog::open(&self.package, seen, context)?;
        let (rev, mut slot) = (entries.seen_rev(), entries.first_slot());
        let outcome = match before {
            Some(before) if before.version == Some(version) => {
                let entry = items::tag_event_key(&self.package, before.set);
                let there = unchanged(before, &self.package);
                match commit::remember(context, &log, &request, &entry, true) {
                    None => return Ok(Plan::Done(there)),
                    Some(remember) => {
                        slot = remember.key.clone();
                        let mut actions = entries.close();
                        actions.push(remember);
                        return Ok(Plan::Commit(Draft {
                            actions,
                            log,
                            rev,
                            slot,
                            number: rev + 1,
                            outcome: there,
                        }));
                    }
                }
            }
            _ => entries.set(&self.tag, Some((version, blob)), TagKind::Move)?,
        };
        let mut actions = entries.close();
        actions.extend(check);
        actions.extend(commit::remember(context, &log, &request, &slot, false));
        Ok(Plan::Commit(Draft { actions, log, rev, slot, number: rev + 1, outcome }))
    }

    fn recall(&self, entry: &Key, item: &Item, unchanged: bool) -> Result<TagMove, Error> {
        recall(&self.package, entry, item, unchanged)
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
                let item: VersionItem =
                    seen.get(&key)?.ok_or_else(|| commit::no_version(package, *version, None))?;
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
        let request = format!("untag {}", self.tag);
        let log = items::tags(&self.package);
        if let Some(recall) = commit::remembered(seen, context.author, &log, &request)? {
            return Ok(recall);
        }
        let before: Option<TagItem> = seen.get(&items::tag_key(&self.package, &self.tag))?;
        let Some(before) = before else {
            return Err(NotFound::Tag { package: self.package.clone(), tag: self.tag.clone() }.into());
        };
        check_expectation(&self.package, &self.tag, self.expect, Some(&before))?;
        let mut entries = TagLog::open(&self.package, seen, context)?;
        let (rev, mut slot) = (entries.seen_rev(), entries.first_slot());
        let (outcome, remember) = if before.version.is_none() {
            let entry = items::tag_event_key(&self.package, before.set);
            let outcome = unchanged(before, &self.package);
            let Some(remember) = commit::remember(context, &log, &request, &entry, true) else {
                return Ok(Plan::Done(outcome));
            };
            slot = remember.key.clone();
            (outcome, Some(remember))
        } else {
            let outcome = entries.set(&self.tag, None, TagKind::Untag)?;
            (outcome, commit::remember(context, &log, &request, &slot, false))
        };
        let mut actions = entries.close();
        actions.extend(remember);
        Ok(Plan::Commit(Draft { actions, log, rev, slot, number: rev + 1, outcome }))
    }

    fn recall(&self, entry: &Key, item: &Item, unchanged: bool) -> Result<TagMove, Error> {
        recall(&self.package, entry, item, unchanged)
    }
}

fn reads(package: &PackageName, tag: &TagName, author: &super::Author) -> Vec<Key> {
    let log = items::tags(package);
    let mut keys = vec![items::meta_key(), items::head_key(&log), items::tag_key(package, tag)];
    keys.extend(commit::key_read(author, &log));
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

/// A tag as it stands, where nothing had to change.
fn unchanged(item: TagItem, package: &PackageName) -> TagMove {
    TagMove { previous: item.version, ..item.into_move(package) }
}

fn recall(package: &PackageName, key: &Key, item: &Item, unchanged: bool) -> Result<TagMove, Error> {
    let event: TagEvent = decode(key, item)?;
    let tag = event.tag.ok_or_else(|| Error::Damaged {
        what: format!("the ledger's item {key}"),
        why: "it names no tag".to_owned(),
    })?;
    Ok(TagMove {
        package: package.clone(),
        tag,
        version: event.version,
        previous: if unchanged { event.version } else { event.previous },
        kind: event.kind,
        rev: event.rev,
        moved_at: event.when,
        moved_by: event.who,
        message: event.message,
    })
}
