//! Fences: advancing the head that a transaction depends on, so that a late copy of it can't land.

use crate::{
    ledger::{
        Author, Error, TableLedger,
        schema::{
            self, Head, PlanEntries, ReleaseEvent, ReleaseEventKind, START, TagEvent, TagHead, after,
            chained, encode, live, stamp, still_at,
        },
        snapshot::{Snapshot, coverage::Sealed},
    },
    model::{Actor, Labels, OpId, Timestamp},
    table::{Action, Change, Condition, Item, Transaction},
};

impl TableLedger {
    /// Returns the transaction that advances the head of `log` from its state in `seen`, with an event that records the
    /// fence.
    ///
    /// It is refused if the head has moved in the meantime, which has the same effect.
    pub(in crate::ledger) fn fence(
        &self,
        log: &str,
        author: &Author,
        seen: &Snapshot,
    ) -> Result<Sealed, Error> {
        seen.begin();
        let op = OpId::from(self.retry_policy().random());
        let who = author.who();
        let key = schema::head_key(log);
        if let Some(head) = seen.item(&key) {
            schema::check_write(&key, head)?;
        }
        let (rev, head, entry_key, entry) = if schema::is_releases(log) {
            let head: Option<Head> = seen.get(&key)?;
            let rev = head.as_ref().map_or(0, |head| head.rev);
            let when = after(self.now().at, head.as_ref().map(|head| head.when));
            let event = release_fence(who, when, op, rev + 1);
            let previous = head.as_ref().map_or(START, |head| &head.chain);
            let entry_key = schema::fence_key(log, rev + 1);
            let (entry, chain) = chained(previous, &entry_key, encode(&event));
            let fenced = match head {
                Some(head) => Head { rev: rev + 1, chain, when, ..head },
                None => Head { n: 0, latest: None, blob: None, rev: 1, chain, when, rest: Item::new() },
            };
            (rev, encode(&fenced), entry_key, entry)
        } else {
            let head: Option<TagHead> = seen.get(&key)?;
            let rev = head.as_ref().map_or(0, |head| head.rev);
            let (when, clock) = stamp(self.now().at, head.as_ref().map(|head| head.when));
            let event = TagEvent::fence(rev + 1, (who, op), when, clock);
            let previous = head.as_ref().map_or(START, |head| &head.chain);
            let entry_key = schema::fence_key(log, rev + 1);
            let (entry, chain) = chained(previous, &entry_key, encode(&event));
            let mut rest = head.map(|head| head.rest).unwrap_or_default();
            if log != schema::FREEZES {
                live::carry(&mut rest, rev, rev + 1);
            }
            (rev, encode(&TagHead { rev: rev + 1, chain, when, rest }), entry_key, entry)
        };
        let mut fence = Transaction::new(OpId::from(self.retry_policy().random()).to_string());
        fence.push(Action { key, condition: still_at(rev), change: Change::Put(head) });
        fence.push(Action { key: entry_key, condition: Condition::Absent, change: Change::Put(entry) });
        Sealed::or_stop(seen.seal(fence))
    }
}

/// Returns the entry of a fence in a log of releases, without its place in the chain.
fn release_fence(who: Actor, when: Timestamp, op: OpId, rev: u64) -> ReleaseEvent {
    ReleaseEvent {
        kind: ReleaseEventKind::Fence,
        version: None,
        was: None,
        state: None,
        labels: Labels::default(),
        moves: PlanEntries::new(),
        who,
        when,
        message: None,
        op,
        rev,
        chain: String::new(),
    }
}
