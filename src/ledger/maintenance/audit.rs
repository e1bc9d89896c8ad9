//! Verifying the stored data: every log, head, tag, count and directory entry is compared with all the others.
//!
//! Writers may be active. A package is judged as of the instant at which its two heads were read, first and as one
//! snapshot: later commits are left out (see [`package`]). The count of a blob is judged by its item, read between two
//! passes over the whole table that find the same versions of it, and together with these versions at one instant: a
//! version is added only once, but may be deleted and undeleted any number of times. Memory: about 200 bytes for each
//! entry of one package at a time, a name for each package, and a small record for each distinct blob.

mod compact;
mod count;
mod examine;
mod facts;
mod fenced;
mod findings;
mod freezes;
mod gather;
mod package;
mod records;
mod replay;
mod report;
mod tags;
mod tally;
mod violation;
mod walk;

pub use report::{AuditReport, NeededBlob};
pub use violation::{Invariant, OnProgress, OnViolation, Repair, Violation};

use crate::{
    ledger::{
        Error, TableLedger,
        reads::pages::PageSize,
        schema::{self, Head},
        snapshot::Snapshot,
    },
    model::{OpId, PackageName},
    table::{self, Action, Change, Condition, Key, Note, Order, Query, TransactError, Transaction},
};
use count::Counted;
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};
use violation::{Found, UNKNOWN_ITEM};

impl TableLedger {
    /// Implements [`Ledger::audit`](crate::ledger::Ledger::audit).
    pub(in crate::ledger) async fn audit_all(
        &self,
        repair: bool,
        on_violation: OnViolation<'_>,
        on_progress: OnProgress<'_>,
    ) -> Result<AuditReport, Error> {
        self.check_schema().await?;
        if repair {
            self.check_repairable().await?;
        }
        let mut audit_report = AuditReport::default();
        let mut counts = Counted::default();
        let mut examined = BTreeSet::new();
        let (mut after, mut size): (Option<Key>, _) = (None, PageSize::first());
        let (mut damaged, mut freezes_read) = (false, false);
        let mut watch = |violation: Violation| {
            let of_a_log = matches!(
                violation.rule,
                Invariant::Form | Invariant::Dense | Invariant::Chain | Invariant::State
            );
            damaged |= of_a_log && violation.repair != Repair::Done;
            on_violation(violation);
        };
        loop {
            let on_violation: OnViolation<'_> = &mut watch;
            let page = self.scan_page(&mut size, after.as_ref()).await?;
            on_progress(page.items.len() as u64);
            let mut listed = Vec::new();
            for (key, item) in &page.items {
                counts.take(key, item);
                match key.pk.split_at_checked(2) {
                    Some(("P#" | "T#", name)) if !examined.contains(name) => {
                        examined.insert(name.to_owned());
                        self.audit_name(key, name, repair, on_violation, on_progress).await?;
                    }
                    Some(("P#" | "T#", _)) => {}
                    Some(("B#", _)) if count::is_blob(key, item) => {}
                    Some(("B#", _)) if schema::least(item, "read").is_none() && count::is_blob_key(key) => {
                        on_violation(Violation::new(
                            key.to_string(),
                            Invariant::Form,
                            "it is not an item of a ledger",
                        ));
                    }
                    Some(("D#", _)) => listed.push(key.clone()),
                    _ if freezes::is_of_freezes(key) => {
                        if !std::mem::replace(&mut freezes_read, true) {
                            self.audit_freezes(repair, on_violation, on_progress).await?;
                        }
                    }
                    _ if *key == schema::meta_key() => {}
                    _ => on_violation(Violation::new(key.to_string(), Invariant::Newer, UNKNOWN_ITEM)),
                }
            }
            self.audit_directory(listed, repair, on_violation).await?;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        audit_report.packages = counts.packages;
        audit_report.versions = counts.versions;
        // The missing part of a damaged log may need a blob: then no count is lowered.
        self.audit_counts(&counts, repair, !damaged, on_violation, on_progress).await?;
        audit_report.blobs = counts.into_blobs();
        Ok(audit_report)
    }

    /// Audits the package with this name, at which an item was found.
    async fn audit_name(
        &self,
        key: &Key,
        name: &str,
        repair: bool,
        on_violation: OnViolation<'_>,
        on_progress: OnProgress<'_>,
    ) -> Result<(), Error> {
        match name.parse::<PackageName>() {
            Ok(name) => self.audit_and_fence(&name, repair, on_violation, on_progress).await,
            Err(error) => {
                on_violation(Violation::new(key.to_string(), Invariant::Form, error.to_string()));
                Ok(())
            }
        }
    }

    /// Checks that this release may change the ledger, and that the table is not a copy, such as a restored one.
    async fn check_repairable(&self) -> Result<(), Error> {
        let meta = schema::meta_key();
        let seen = self.read(vec![meta.clone()]).await?;
        seen.check_writable([&meta])?;
        self.check_home(&seen).await
    }

    /// Reports a finding, and repairs it if that was requested and is possible.
    async fn settle_found(
        &self,
        found: Found,
        repair: bool,
        on_violation: OnViolation<'_>,
    ) -> Result<(), Error> {
        on_violation(self.settled(found, repair).await?);
        Ok(())
    }

    /// Repairs a finding, if that was requested and is possible.
    async fn settled(&self, found: Found, repair: bool) -> Result<Violation, Error> {
        let Found { mut violation, fix } = found;
        violation.repair = match fix {
            None => Repair::Impossible,
            Some(_) if !repair => Repair::Possible,
            Some(actions) => self.apply_repair(actions).await?,
        };
        Ok(violation)
    }

    /// Repairs items, under the condition that they are still as they were read.
    async fn apply_repair(&self, actions: Vec<Action>) -> Result<Repair, Error> {
        let mut transaction = Transaction::new(OpId::from(self.retry_policy().random()).to_string());
        for action in actions {
            transaction.push(action);
        }
        let summary = format!("repair {} items", transaction.actions().len());
        let transaction = transaction.with_note(Note { summary, ..Note::default() });
        let unanswered = AtomicBool::new(false);
        let repaired = self.retry_policy().run("repairing the ledger", || async {
            match self.table().transact(&transaction).await {
                Ok(()) => Ok(Repair::Done),
                Err(TransactError::Refused(found)) => {
                    // After an attempt without an answer the repair may be done already.
                    let done = unanswered.load(Ordering::Relaxed) && is_done(&transaction, &found);
                    Ok(if done { Repair::Done } else { Repair::Overtaken })
                }
                Err(TransactError::Fault(fault)) => {
                    unanswered.fetch_or(fault.kind.is_ambiguous(), Ordering::Relaxed);
                    Err(fault)
                }
            }
        });
        Ok(repaired.await?)
    }

    /// Returns true if a package has any version.
    async fn has_versions(&self, name: &PackageName) -> Result<bool, Error> {
        let (pk, (from, to)) = (schema::releases(name), schema::ANY_VERSION);
        let (from, to) = (from.to_owned(), to.to_owned());
        let query = Query { pk, from, to, order: Order::Ascending, limit: 1, after: None };
        let page = self.retrying(|| self.table().query(&query)).await?;
        Ok(!page.items.is_empty())
    }

    /// Checks the directory: its entries must be of existing packages, in the partition that their name belongs to. A
    /// package's entry and its first head are written at once, so the head, read later, must exist.
    async fn audit_directory(
        &self,
        listed: Vec<Key>,
        repair: bool,
        on_violation: OnViolation<'_>,
    ) -> Result<(), Error> {
        let mut named = Vec::new();
        for key in listed {
            match key.sk.parse::<PackageName>() {
                Ok(name) => named.push((key, name)),
                Err(error) => {
                    on_violation(Violation::new(key.to_string(), Invariant::Directory, error.to_string()));
                }
            }
        }
        let heads: Vec<_> = named.iter().map(|(_, name)| schema::head_key(&schema::releases(name))).collect();
        let seen = Snapshot::new(heads.clone(), self.read_each(&heads).await?, false);
        for ((key, name), head_key) in named.into_iter().zip(heads) {
            // An unreadable head is reported with its package.
            let Ok(head) = seen.get::<Head>(&head_key) else { continue };
            let gone = |condition| Action { key: key.clone(), condition, change: Change::Delete };
            let (what, fix) = if key != schema::directory_key(&name) {
                ("the package belongs in another partition", vec![gone(Condition::Present)])
            } else if head.is_none_or(|head| head.n == 0) {
                if self.has_versions(&name).await? {
                    // The head exists and is wrong: that is reported with the package.
                    continue;
                }
                let none = Condition::Any(vec![Condition::Absent, Condition::equals("n", 0)]);
                let still = Action { key: head_key, condition: none, change: Change::Check };
                ("there is no such package", vec![gone(Condition::Present), still])
            } else {
                continue;
            };
            let violation = Violation::new(key.to_string(), Invariant::Directory, what);
            self.settle_found(Found { violation, fix: Some(fix) }, repair, on_violation).await?;
        }
        Ok(())
    }
}

/// Returns true if the items that a refusal returned are what the repair would have made of them.
fn is_done(repair: &Transaction, found: &[Option<table::Found>]) -> bool {
    let actions = repair.actions().iter().zip(found);
    let mut changes = actions.filter(|(action, _)| action.change != Change::Check);
    changes.all(|(action, found)| match (&action.change, found) {
        (Change::Put(item), Some(Some(found))) => item == found,
        (Change::Update { set, .. }, Some(Some(found))) => {
            set.iter().all(|(name, value)| found.get(name) == Some(value))
        }
        (Change::Delete, Some(None)) => true,
        _ => false,
    })
}
