//! Appending entries to a package's tag log, as part of a transaction; and reading one back.

use super::{frozen::Unfrozen, gates::Passed};
use crate::{
    ledger::{
        Author, Error, Refused,
        engine::{
            idempotency::key_read,
            operation::{Context, OutcomeRef},
        },
        schema::{
            self, BlobFields, PlanEntries, START, TagEvent, TagHead, TagItem, chained, encode, gated, stamp,
            still_at,
        },
        snapshot::{Lookup, Snapshot},
    },
    model::{
        Gates, Message, Override, PackageName, Protection, TagKind, TagMove, TagName, Timestamp, Version,
        Word,
    },
    table::{Action, Change, Condition, Item, Key},
};
use std::collections::BTreeSet;

/// A tag that may be moved, in its present state. Only [`allow`] returns one, so no entry bypasses protection or a
/// freeze.
pub(in crate::ledger) struct Allowed<'a> {
    tag: &'a TagName,
    before: Option<TagItem>,
    passed: Passed,
}

/// Checks that a tag may be moved, once its freezes and gates are passed.
///
/// # Errors
/// [`Refused::Protected`].
pub(in crate::ledger) fn allow<'a>(
    package: &PackageName,
    tag: &'a TagName,
    confirmed: bool,
    passed: Passed,
    seen: &Snapshot,
) -> Result<Allowed<'a>, Error> {
    let before: Option<TagItem> = seen.get(&schema::tag_key(package, tag))?;
    let protection = before.as_ref().and_then(|before| {
        before.protection.filter(|protection| match protection {
            Protection::WriteOnce | Protection::WriteOnceGates => before.version.is_some(),
            Protection::Confirm | Protection::ConfirmGates => !confirmed,
            // A move has passed the gates.
            Protection::Gates => false,
            Protection::Other(_) => true,
        })
    });
    match protection {
        None => Ok(Allowed { tag, before, passed }),
        Some(Protection::Other(word)) => Err(unknown_protection(package, tag, word)),
        Some(protection) => {
            Err(Refused::Protected { package: package.clone(), tag: tag.clone(), protection }.into())
        }
    }
}

/// Returns the error for a protection that this release does not know: it neither moves the tag nor changes its
/// protection.
pub(in crate::ledger) fn unknown_protection(package: &PackageName, tag: &TagName, word: Word) -> Error {
    Error::unknown_word(
        &format!("the protection of the tag {tag} of {package}"),
        word.as_str(),
        "be enforced",
    )
}

/// The link of an entry to the one that a rollback restores.
#[derive(Debug, Clone, Copy)]
pub(in crate::ledger) enum RollbackLink {
    /// A move: a rollback restores the previous version.
    Previous,
    /// A rollback: the next rollback continues from there, to the version of this event.
    From(Option<u64>),
}

/// The content of an entry, except for what follows from its position.
struct Entry<'a> {
    tag: &'a TagName,
    before: Option<TagItem>,
    kind: TagKind,
    target: Option<(Version, BlobFields)>,
    back: Option<u64>,
    standing: Standing,
    overridden: Option<Override>,
    emergency: Option<Message>,
    top: Option<u64>,
}

/// The protection of a tag, with its gates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ledger) struct Standing {
    pub protection: Option<Protection>,
    pub gates: Gates,
    pub no_override: bool,
}

impl Standing {
    pub fn of(item: Option<&TagItem>) -> Self {
        item.map_or_else(Self::default, |item| Self {
            protection: item.protection,
            gates: item.gates.clone(),
            no_override: item.no_override,
        })
    }
}

/// Changes of one package's tags under one head, to be committed together.
pub(in crate::ledger) struct TagLog<'a> {
    package: &'a PackageName,
    context: &'a Context<'a>,
    seen_rev: u64,
    rev: u64,
    chain: String,
    when: Option<Timestamp>,
    /// The attributes that a newer release wrote in the head.
    rest: Item,
    leads: PlanEntries,
    led_by: PlanEntries,
    actions: Vec<Action>,
    /// The conditions of the moves on items of other logs.
    checks: Vec<Action>,
}

impl<'a> TagLog<'a> {
    /// Begins at the head in `seen`.
    pub(in crate::ledger) fn open(
        package: &'a PackageName,
        seen: &Snapshot,
        context: &'a Context<'a>,
    ) -> Result<Self, Error> {
        let head: Option<TagHead> = seen.get(&schema::head_key(&schema::tags(package)))?;
        let rev = head.as_ref().map_or(0, |head| head.rev);
        Ok(Self {
            package,
            context,
            seen_rev: rev,
            rev,
            when: head.as_ref().map(|head| head.when),
            rest: head.as_ref().map(|head| head.rest.clone()).unwrap_or_default(),
            chain: head.map_or_else(|| START.to_owned(), |head| head.chain),
            leads: PlanEntries::new(),
            led_by: PlanEntries::new(),
            actions: Vec::new(),
            checks: Vec::new(),
        })
    }

    /// Returns the rev that was seen in the head; 0 if there was none.
    pub(in crate::ledger) fn seen_rev(&self) -> u64 {
        self.seen_rev
    }

    /// Returns the log, and the rev that was seen in its head.
    pub(in crate::ledger) fn seen_head(&self) -> (String, u64) {
        (schema::tags(self.package), self.seen_rev)
    }

    /// Returns the key of the first entry.
    pub(in crate::ledger) fn first_slot(&self) -> Key {
        schema::tag_event_key(self.package, self.seen_rev + 1)
    }

    /// Makes the next entry record all these moves, if there are any, and every other one refer to that entry.
    pub(in crate::ledger) fn link_to_first(&mut self, moves: PlanEntries, at: PlanEntries) {
        (self.leads, self.led_by) = (moves, at);
    }

    /// Puts a tag on a version, or removes it.
    pub(in crate::ledger) fn put(
        &mut self,
        allowed: Allowed<'a>,
        target: Option<(Version, BlobFields)>,
        link: RollbackLink,
    ) -> TagMove {
        let Allowed { tag, before, passed: Passed { overridden, pin, unfrozen } } = allowed;
        self.actions.extend(pin);
        let Unfrozen { check, emergency } = unfrozen;
        self.checks.extend(check);
        let (kind, back) = match link {
            RollbackLink::Previous if target.is_some() => {
                (TagKind::Move, before.as_ref().map(|before| before.set))
            }
            RollbackLink::Previous => (TagKind::Untag, before.as_ref().map(|before| before.set)),
            RollbackLink::From(back) => (TagKind::Rollback, back),
        };
        let standing = Standing::of(before.as_ref());
        let top = top_after(before.as_ref(), target.as_ref().map(|(version, _)| *version));
        self.append(Entry { tag, before, kind, target, back, standing, overridden, emergency, top })
    }

    /// Changes the protection of a tag, and leaves the tag on its version.
    pub(in crate::ledger) fn protect(
        &mut self,
        tag: &'a TagName,
        before: Option<TagItem>,
        standing: Standing,
    ) -> TagMove {
        let kind = if standing.protection.is_some() { TagKind::Protect } else { TagKind::Unprotect };
        let target = before.as_ref().and_then(|before| before.version.zip(before.blob.clone()));
        let back = before.as_ref().and_then(|before| before.back);
        let top = top_after(before.as_ref(), None);
        let (overridden, emergency) = (None, None);
        self.append(Entry { tag, before, kind, target, back, standing, overridden, emergency, top })
    }

    fn append(&mut self, entry: Entry<'_>) -> TagMove {
        let Entry { tag, before, kind, target, back, standing, overridden, emergency, top } = entry;
        let Standing { protection, gates, no_override } = standing;
        gated::record(&mut self.rest, tag, protection);
        let author = self.context.author;
        self.rev += 1;
        let (when, clock) = stamp(self.context.now.at, self.when);
        let (version, blob) = target.unzip();
        let moves = std::mem::take(&mut self.leads);
        let event = TagEvent {
            kind,
            tag: Some(tag.clone()),
            previous: before.as_ref().and_then(|before| before.version),
            version,
            back,
            protection,
            gates,
            no_override,
            overridden,
            emergency,
            top,
            led_by: if moves.is_empty() { self.led_by.clone() } else { PlanEntries::new() },
            moves,
            who: author.who(),
            when,
            clock,
            message: author.message.clone(),
            op: self.context.op.clone(),
            rev: self.rev,
            chain: String::new(),
        };
        let overridden = event.overridden.clone();
        let event_key = schema::tag_event_key(self.package, self.rev);
        let (entry, chain) = chained(&self.chain, &event_key, encode(&event));
        let rest = before.as_ref().map(|before| before.rest.clone()).unwrap_or_default();
        let item = event.into_item(tag.clone(), blob, rest);
        let unmoved = match &before {
            // Each change of a tag changes `set`; but a repair may correct the other attributes that the plan was made
            // from.
            Some(before) => {
                let before = encode(before);
                let same = ["set", "version", "back", "protection", "gates", "no_override", "top"];
                Condition::All(same.map(|it| Condition::same(it, &before)).into())
            }
            None => Condition::Absent,
        };
        let put = |key, condition, item| Action { key, condition, change: Change::Put(item) };
        self.actions.push(put(schema::tag_key(self.package, tag), unmoved, encode(&item)));
        self.actions.push(put(event_key, Condition::Absent, entry));
        (self.chain, self.when) = (chain, Some(when));
        TagMove { overridden, ..item.into_move(self.package) }
    }

    /// Returns the actions: the advanced head and then the entries; or none, if none was appended.
    pub(in crate::ledger) fn close(mut self) -> Vec<Action> {
        if let Some(when) = self.when.filter(|_| self.rev > self.seen_rev) {
            let key = schema::head_key(&schema::tags(self.package));
            let head = encode(&TagHead { rev: self.rev, chain: self.chain, when, rest: self.rest });
            let action = Action { key, condition: still_at(self.seen_rev), change: Change::Put(head) };
            self.actions.insert(0, action);
        }
        self.actions.append(&mut self.checks);
        self.actions
    }

    /// Returns the check that the log is unchanged, for a decision that depends on it and appends nothing.
    pub(in crate::ledger) fn check(&self) -> Action {
        let key = schema::head_key(&schema::tags(self.package));
        Action { key, condition: still_at(self.seen_rev), change: Change::Check }
    }
}

/// Returns the highest version that a tag was on, after an event that puts it on this one; `None` if an older release
/// has moved the tag, so that the highest version before is not known.
fn top_after(before: Option<&TagItem>, version: Option<Version>) -> Option<u64> {
    let so_far = before.map_or(Some(0), TagItem::top)?;
    Some(version.map_or(so_far, |version| version.get().max(so_far)))
}

/// Returns the items that a change of tags depends on: the heads, these items, and those that its key refers to.
pub(super) fn reads(
    packages: &BTreeSet<&PackageName>,
    author: &Author,
    more: impl Iterator<Item = Key>,
) -> Vec<Key> {
    let mut keys = vec![schema::meta_key()];
    keys.extend(packages.iter().map(|package| schema::head_key(&schema::tags(package))));
    keys.extend(packages.first().and_then(|first| key_read(author, &schema::tags(first))));
    for key in more {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

/// Returns the move of a tag that stays on its version.
pub(super) fn stayed(of: TagMove) -> TagMove {
    TagMove { previous: of.version, overridden: None, ..of }
}

/// Returns the outcome that an entry records for one tag.
pub(super) fn recall_one(
    package: &PackageName,
    entry: &Key,
    reference: &OutcomeRef,
    seen: &Snapshot,
) -> Result<Lookup<TagMove>, Error> {
    let Some(event) = seen.get_referenced::<TagEvent>(entry)? else {
        return Ok(Lookup::Missing(vec![entry.clone()]));
    };
    let stays = reference.unchanged || event.op != reference.op;
    let found = event.into_move(package).ok_or_else(|| Error::damaged(entry, "it names no tag"))?;
    Ok(Lookup::Ready(if stays { stayed(found) } else { found }))
}
