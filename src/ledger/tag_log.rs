//! Entries in a package's tag log, as part of a transaction.

use super::{
    Error,
    chain::START,
    error::Refused,
    fence::{after, chained, still_at},
    items::{self, BlobFields, TagEvent, TagHead, TagItem, encode},
    operation::{Context, Snapshot},
};
use crate::{
    model::{PackageName, TagKind, TagMove, TagName, Timestamp, Version},
    table::{Action, Change, Condition, Key},
};

/// Changes of one package's tags under one head, to be committed together.
pub(super) struct TagLog<'a> {
    package: &'a PackageName,
    context: &'a Context<'a>,
    seen: &'a Snapshot,
    seen_rev: u64,
    rev: u64,
    chain: String,
    when: Option<Timestamp>,
    actions: Vec<Action>,
}

impl<'a> TagLog<'a> {
    /// Begins at the head in `seen`.
    pub(super) fn open(
        package: &'a PackageName,
        seen: &'a Snapshot,
        context: &'a Context<'a>,
    ) -> Result<Self, Error> {
        let head: Option<TagHead> = seen.get(&items::head_key(&items::tags(package)))?;
        let rev = head.as_ref().map_or(0, |head| head.rev);
        Ok(Self {
            package,
            context,
            seen,
            seen_rev: rev,
            rev,
            when: head.as_ref().map(|head| head.when),
            chain: head.map_or_else(|| START.to_owned(), |head| head.chain),
            actions: Vec::new(),
        })
    }

    /// The rev that was seen in the head; 0 if there was none.
    pub(super) fn seen_rev(&self) -> u64 {
        self.seen_rev
    }

    /// The log, and the rev that was seen in its head.
    pub(super) fn seen_head(&self) -> (String, u64) {
        (items::tags(self.package), self.seen_rev)
    }

    /// Where the first entry goes.
    pub(super) fn first_slot(&self) -> Key {
        items::tag_event_key(self.package, self.seen_rev + 1)
    }

    /// Puts a tag on a version, or takes it off.
    pub(super) fn set(
        &mut self,
        tag: &TagName,
        target: Option<(Version, BlobFields)>,
        kind: TagKind,
    ) -> Result<TagMove, Error> {
        let key = items::tag_key(self.package, tag);
        let before: Option<TagItem> = self.seen.get(&key)?;
        // Protection is written by a release of this program that knows it; this one must not override it.
        if let Some(protection) = before.as_ref().and_then(|before| before.protection.clone()) {
            return Err(
                Refused::Protected { package: self.package.clone(), tag: tag.clone(), protection }.into()
            );
        }
        let author = self.context.author;
        self.rev += 1;
        let when = after(self.context.now, self.when);
        let (version, blob) = target.unzip();
        let event = TagEvent {
            kind,
            tag: Some(tag.clone()),
            previous: before.as_ref().and_then(|before| before.version),
            version,
            back: before.as_ref().map(|before| before.set),
            who: author.actor.clone(),
            when,
            message: author.message.clone(),
            op: self.context.op.clone(),
            rev: self.rev,
            chain: String::new(),
        };
        let event_key = items::tag_event_key(self.package, self.rev);
        let (entry, chain) = chained(&self.chain, &event_key, encode(&event));
        let item = TagItem {
            tag: tag.clone(),
            version,
            blob,
            previous: event.previous,
            kind,
            set: self.rev,
            back: event.back,
            who: event.who,
            when,
            message: event.message,
            protection: None,
        };
        let unmoved = match &before {
            Some(before) => Condition::equals("set", before.set),
            None => Condition::Absent,
        };
        let put = Change::Put(encode(&item));
        self.actions.push(Action { key, condition: unmoved, change: put });
        self.actions.push(Action {
            key: event_key,
            condition: Condition::Absent,
            change: Change::Put(entry),
        });
        (self.chain, self.when) = (chain, Some(when));
        Ok(item.into_move(self.package))
    }

    /// The actions: the entries made and, first, the head that has advanced past them; or none, if none was made.
    pub(super) fn close(mut self) -> Vec<Action> {
        if let Some(when) = self.when.filter(|_| self.rev > self.seen_rev) {
            let key = items::head_key(&items::tags(self.package));
            let head = encode(&TagHead { rev: self.rev, chain: self.chain, when });
            let action = Action { key, condition: still_at(self.seen_rev), change: Change::Put(head) };
            self.actions.insert(0, action);
        }
        self.actions
    }
}
