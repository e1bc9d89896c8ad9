//! The invariants of either log of a package. Pure.

use super::{
    facts::{Entry, Link},
    findings::{Findings, Walked},
    records::Log,
    violation::Invariant,
};
use crate::{
    ledger::schema::{START, still_at},
    model::OpId,
    table::{Action, Change, Item, Key},
};
use std::collections::{BTreeSet, HashSet};

impl Findings {
    /// Checks a log: dense in `rev`, ascending times, the entries of each operation together, and the chain.
    pub(super) fn walk(&mut self, log: &Log, tags: bool) -> Walked {
        let before = self.violations();
        let mut entries: Vec<&Entry> = log.entries.iter().collect();
        entries.sort_by_key(|entry| entry.rev);
        let (mut rev, mut when) = (0, None);
        let start = Link::of(START);
        let mut chain = &start;
        let (mut ops, mut last_op) = (HashSet::new(), None);
        for entry in entries {
            let key = || entry.place.key(&log.pk);
            let gap = entry.rev != rev + 1;
            if gap {
                let pk = &log.pk;
                let what = if entry.rev == rev {
                    format!("{pk} has a second entry at rev {rev}")
                } else {
                    format!("{pk} has no entries between rev {rev} and rev {}", entry.rev)
                };
                self.add(&key(), Invariant::Dense, what);
            }
            // After a gap there is nothing to compare with.
            if !gap && !entry.fits(&log.pk, chain) {
                self.add(&key(), Invariant::Chain, "it or an entry before it is not as it was written");
            }
            if when.is_some_and(|when| entry.when <= when) {
                self.add(
                    &key(),
                    Invariant::Time,
                    format!("{} is not later than the entry before it", entry.when),
                );
            }
            // Several tags can be set at once.
            let together = tags && last_op == Some(entry.op);
            if !ops.insert(&entry.op) && !together {
                let op = OpId::from(u128::from_be_bytes(entry.op));
                self.add(&key(), Invariant::Op, format!("the operation {op} has another entry"));
            }
            last_op = Some(entry.op);
            (rev, chain, when) = (entry.rev, &entry.chain, Some(entry.when));
        }
        Walked { sound: self.violations() == before, rev, chain: chain.clone(), when }
    }
}

/// Returns true if an item is an entry of a log.
pub(super) fn is_entry(sk: &str) -> bool {
    matches!(sk.get(..2), Some("V#" | "A#" | "E#"))
}

pub(super) fn number(sk: &str) -> Option<u64> {
    sk.get(2..)?.parse().ok()
}

pub(super) fn check_key_targets(log: &Log, findings: &mut Findings) {
    findings.extend(&log.keys);
    // The target of a key may have been committed after the instant that the log is judged at.
    for (sk, entry) in log.dangling.iter().filter(|(_, entry)| !log.was_added(entry)) {
        let what = format!("it refers to {entry}, which is missing");
        findings.add(&Key::new(&log.pk, sk), Invariant::Key, what);
    }
}

/// Compares a head with the one derived from its log.
pub(super) fn compare_heads(
    key: &Key,
    rev: u64,
    head: Option<&Item>,
    derived: Option<Item>,
    walked: &Walked,
    findings: &mut Findings,
) {
    if head == derived.as_ref() {
        return;
    }
    if rev > walked.rev {
        let what =
            format!("it is at rev {rev}, and the log ends at {}: its last entries are missing", walked.rev);
        findings.add(key, Invariant::Dense, what);
        return;
    }
    let mut wrong: Vec<String> = Vec::new();
    let (was, is) = (head.cloned().unwrap_or_default(), derived.clone().unwrap_or_default());
    for name in was.keys().chain(is.keys()).collect::<BTreeSet<_>>() {
        if was.get(name) != is.get(name) {
            wrong.push(name.clone());
        }
    }
    let what = if head.is_none() {
        "the log has no head".to_owned()
    } else {
        format!("its {} does not match the log", wrong.join(", "))
    };
    let fix = derived.filter(|_| walked.sound).map(|derived| {
        vec![Action { key: key.clone(), condition: still_at(rev), change: Change::Put(derived) }]
    });
    findings.repairable(key, Invariant::Head, what, fix);
}
