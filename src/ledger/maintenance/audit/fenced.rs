//! Protecting repairs from changes that were planned before them.
//!
//! A change is planned from items that it does not act on, such as the version that becomes `latest`. It checks them by
//! the `rev` of their log's head, and a repair of such an item does not change that. So a change that was planned
//! before a repair could commit after it, with the wrong content. To prevent that, a log is fenced once everything
//! found in it is repaired: the fence advances `rev`, and no earlier plan can commit. A change that committed between
//! the repair and the fence is found by examining the package again.

use super::violation::{Invariant, OnProgress, OnViolation, Repair, Violation};
use crate::{
    fault::Fault,
    ledger::{Author, Error, TableLedger, schema, snapshot::Snapshot},
    model::PackageName,
    table::TransactError,
};
use std::collections::BTreeSet;

/// The maximum number of examinations of a package after a fence. Each one after the first means that changes that were
/// planned before the fence have been committed in the meantime.
const ROUNDS: usize = 5;

/// The author of these fences.
const ACTOR: &str = "fsck --repair";

impl TableLedger {
    /// Reports the violations of a package, and repairs them if possible, so that no change that was planned before
    /// brings them back.
    pub(super) async fn audit_and_fence(
        &self,
        name: &PackageName,
        repair: bool,
        on_violation: OnViolation<'_>,
        on_progress: OnProgress<'_>,
    ) -> Result<(), Error> {
        let logs = [schema::releases(name), schema::tags(name)];
        let mut reported = BTreeSet::new();
        for _ in 0..ROUNDS {
            let (mut repaired, mut unsound) = (BTreeSet::new(), BTreeSet::new());
            let mut watch = |violation: Violation| {
                let is_done = violation.repair == Repair::Done;
                let sk = |log: &String| violation.place.strip_prefix(log.as_str())?.strip_prefix('/');
                if let Some((log, sk)) = logs.iter().find_map(|log| Some((log, sk(log)?))) {
                    if is_done {
                        repaired.insert(log);
                    } else if is_of_a_log(violation.rule) && !is_apart(sk) {
                        unsound.insert(log);
                    }
                }
                if reported.insert((violation.place.clone(), violation.rule, violation.what.clone(), is_done))
                {
                    on_violation(violation);
                }
            };
            self.audit_package(name, repair, &mut watch, on_progress).await?;
            // Nothing is appended to a damaged log.
            let mut logs = repaired.difference(&unsound).peekable();
            if logs.peek().is_none() {
                break;
            }
            for log in logs {
                self.fence_off(log).await?;
            }
        }
        Ok(())
    }

    /// Ensures that no change of a log that was planned before now can commit.
    async fn fence_off(&self, log: &str) -> Result<(), Error> {
        let author = Author::new(ACTOR.parse().expect("it is an actor"));
        let key = schema::head_key(log);
        let fenced =
            self.retry_policy().run("fencing off changes that were planned before a repair", || async {
                let head = self.table().get(&key).await?;
                let seen = Snapshot::new(vec![key.clone()], vec![head], true);
                // A head that can't be read, or can't be changed, lets no change commit.
                let Ok(fence) = self.fence(log, &author, &seen) else { return Ok(()) };
                match self.send(&fence).await {
                    // A head that has moved in the meantime has the same effect.
                    Ok(()) | Err(TransactError::Refused(_)) => Ok::<_, Fault>(()),
                    Err(TransactError::Fault(fault)) => Err(fault),
                }
            });
        Ok(fenced.await?)
    }
}

/// Returns true for a tag or an idempotency key: neither is part of a log, unlike its head and its entries.
fn is_apart(sk: &str) -> bool {
    sk.starts_with("t#") || sk.starts_with("K#")
}

/// Returns true for an invariant of a log itself, rather than of the items derived from it.
fn is_of_a_log(rule: Invariant) -> bool {
    matches!(
        rule,
        Invariant::Form
            | Invariant::Dense
            | Invariant::Head
            | Invariant::Op
            | Invariant::Time
            | Invariant::Chain
    )
}
