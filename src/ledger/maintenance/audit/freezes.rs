//! Checking the freezes: their log is replayed, and compared with its head and with every replica.
//!
//! The replicas are read first, then the head, then the log up to it: so no replica is newer than what it is compared
//! with. A replica may be older, while a change of the freezes is in progress; if that was interrupted, the repair
//! completes it.

use super::{
    violation::{Found, Invariant, OnProgress, OnViolation, Repair, UNKNOWN_ITEM, Violation},
    walk::number,
};
use crate::{
    ledger::{
        Error, TableLedger,
        schema::{
            self, FREEZES, FreezeEntry, FreezeHead, FreezeReplica, InForce, KeyItem, REPLICAS, START,
            chained, decode, encode, replica_key, still_at,
        },
        snapshot::Snapshot,
    },
    model::{FreezeKind, Timestamp},
    table::{Action, Change, Condition, Item, Key},
};
use std::collections::BTreeMap;

/// The finding on a replica that is older than the last change of the freezes.
const UNFINISHED: &str = "the last freeze or thaw is not complete: it is in progress, or was interrupted";

/// The result of a replay.
#[derive(Default)]
struct Replayed {
    rev: u64,
    chain: String,
    when: Option<Timestamp>,
    freezes: InForce,
    /// The freezes after each change of them, by its rev.
    changes: BTreeMap<u64, InForce>,
    /// True if an entry has a kind that this release does not know.
    unjudged: bool,
    findings: Vec<Violation>,
}

impl Replayed {
    fn find(&mut self, key: &Key, rule: Invariant, what: impl Into<String>) {
        self.findings.push(Violation::new(key.to_string(), rule, what));
    }

    fn take(&mut self, key: &Key, item: Item) {
        let entry: FreezeEntry = match decode(key, &item) {
            Ok(entry) => entry,
            Err(Error::Newer { what, .. }) => {
                self.unjudged = true;
                return self.find(key, Invariant::Newer, format!("{what} can't be read"));
            }
            Err(error) => return self.find(key, Invariant::Form, error.to_string()),
        };
        if number(&key.sk) != Some(entry.rev) || entry.rev != self.rev + 1 {
            let next = self.rev + 1;
            self.find(key, Invariant::Dense, format!("it has rev {}, and {next} must follow", entry.rev));
        }
        if self.when.is_some_and(|when| entry.when <= when) {
            self.find(key, Invariant::Time, "its time is not later than that of the entry before");
        }
        let (_, chain) = chained(&self.chain, key, item);
        if chain != entry.chain {
            self.find(key, Invariant::Chain, "its chain value does not follow from the entry before");
        }
        schema::replay(&mut self.freezes, &entry);
        match entry.kind {
            FreezeKind::Freeze | FreezeKind::Thaw => {
                self.changes.insert(entry.rev, self.freezes.clone());
            }
            FreezeKind::Fence => {}
            FreezeKind::Other(_) => self.unjudged = true,
        }
        (self.rev, self.chain, self.when) = (entry.rev, entry.chain, Some(entry.when));
    }
}

/// Returns true if the item belongs to the freezes.
pub(super) fn is_of_freezes(key: &Key) -> bool {
    key.pk == FREEZES || (0..REPLICAS).any(|replica| *key == replica_key(replica))
}

impl TableLedger {
    /// Reports the violations of the freezes, and repairs the replicas.
    pub(super) async fn audit_freezes(
        &self,
        repair: bool,
        on_violation: OnViolation<'_>,
        on_progress: OnProgress<'_>,
    ) -> Result<(), Error> {
        let head_key = schema::head_key(FREEZES);
        let replicas: Vec<_> = (0..REPLICAS).map(replica_key).collect();
        let mut seen = self.read(replicas).await?;
        for key in [head_key.clone(), schema::meta_key()] {
            let items = self.retrying(|| self.get_items(std::slice::from_ref(&key))).await?;
            seen.more([key].into_iter().zip(items));
        }
        let head: Option<FreezeHead> = match seen.get(&head_key) {
            Ok(head) => head,
            Err(error) => {
                on_violation(Violation::new(head_key.to_string(), Invariant::Form, error.to_string()));
                return Ok(());
            }
        };
        let rev = head.as_ref().map_or(0, |head| head.rev);
        let (replayed, others) = self.replay_freezes(rev).await?;
        on_progress(replayed.rev);
        replayed.findings.into_iter().chain(others).for_each(&mut *on_violation);
        let mut found = |rule, what: &str| {
            on_violation(Violation::new(head_key.to_string(), rule, what));
        };
        let agrees = head
            .as_ref()
            .map_or(rev == replayed.rev, |head| (head.rev, &head.chain) == (replayed.rev, &replayed.chain));
        if !agrees {
            found(Invariant::Head, "it does not agree with the end of its log");
        }
        if replayed.unjudged || !agrees {
            return Ok(());
        }
        if head.is_some_and(|head| head.freezes != replayed.freezes) {
            found(Invariant::Head, "its freezes are not those that its log records");
            return Ok(());
        }
        if !replayed.changes.is_empty() && !seen.item(&schema::meta_key()).is_some_and(schema::knows_freezes)
        {
            found(Invariant::Head, "releases that do not obey freezes may change the ledger");
        }
        for found in wrong_replicas(&seen, rev, &replayed.changes) {
            self.settle_found(found, repair, on_violation).await?;
        }
        Ok(())
    }

    /// Replays the log up to a rev. Returns the findings on its other items, too.
    async fn replay_freezes(&self, rev: u64) -> Result<(Replayed, Vec<Violation>), Error> {
        let mut replayed = Replayed { chain: START.to_owned(), ..Replayed::default() };
        let (mut others, mut keys) = (Vec::new(), Vec::new());
        let (from, to) = (" ".to_owned(), schema::HIGHEST.to_owned());
        self.each(FREEZES, from, to, |key, item| match key.sk.get(..2) {
            Some("E#") if number(&key.sk).is_some_and(|at| at > rev) => {}
            Some("E#") => replayed.take(&key, item),
            Some("K#") => keys.push((key, item)),
            _ if key.sk == "H" => {}
            _ => others.push(Violation::new(key.to_string(), Invariant::Newer, UNKNOWN_ITEM)),
        })
        .await?;
        for (key, item) in keys {
            let what = match decode::<KeyItem>(&key, &item) {
                Ok(kept) if number(&kept.entry).is_some() => continue,
                Ok(kept) => format!("it refers to {}, which is no entry", kept.entry),
                Err(error) => error.to_string(),
            };
            others.push(Violation::new(key.to_string(), Invariant::Key, what));
        }
        Ok((replayed, others))
    }
}

/// Returns the findings on the replicas.
fn wrong_replicas(seen: &Snapshot, rev: u64, changes: &BTreeMap<u64, InForce>) -> Vec<Found> {
    let none = InForce::new();
    let as_of =
        |rev: u64| changes.range(..=rev).next_back().map_or((0, &none), |(rev, freezes)| (*rev, freezes));
    let (last, freezes) = as_of(rev);
    let wrong = |number: u8| {
        let key = replica_key(number);
        let replica = match seen.get::<FreezeReplica>(&key) {
            Ok(Some(replica)) if replica.rev <= rev => Some((as_of(replica.rev), replica.freezes)),
            Ok(None) => Some(((0, &none), InForce::new())),
            _ => None,
        };
        let what = match replica {
            Some(((change, expected), found)) if found == *expected && change == last => return None,
            Some(((_, expected), found)) if found == *expected => UNFINISHED,
            _ => "it does not hold the freezes that the log records, so moves may pass them",
        };
        let head = Action { key: schema::head_key(FREEZES), condition: still_at(rev), change: Change::Check };
        let violation = Violation {
            place: key.to_string(),
            rule: Invariant::Head,
            what: what.to_owned(),
            repair: Repair::Possible,
        };
        let condition = seen.item(&key).map_or(Condition::Absent, |item| Condition::same("rev", item));
        let replica = FreezeReplica { rev, freezes: freezes.clone() };
        let put = Action { key, condition, change: Change::Put(encode(&replica)) };
        Some(Found { violation, fix: Some(vec![head, put]) })
    };
    (0..REPLICAS).filter_map(wrong).collect()
}
