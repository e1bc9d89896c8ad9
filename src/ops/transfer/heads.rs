//! `audit`: the heads of all logs, to be saved elsewhere, and verifying a ledger against saved ones.
//!
//! A chain has no secret key: a program that can write the table can change the past and compute the chain again. Then
//! everything in the ledger fits together, but a head that was saved before does not fit to it.

use crate::{
    ledger::{Error as LedgerError, NotFound, PackageCheck, Position, Positions},
    model::PackageName,
    ops::{client::Client, error::Error},
};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The head of a log, as it is saved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SavedHead {
    /// The package.
    pub package: String,
    /// The log: `releases` or `tags`.
    pub log: String,
    /// The number of its last entry.
    pub rev: u64,
    /// The chain value of that entry.
    pub chain: String,
}

/// A saved head that the ledger does not fit to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadDiffers {
    /// The saved head.
    pub head: SavedHead,
    /// The difference.
    pub what: String,
}

impl Client {
    /// Passes on the heads of all logs, package by package, by name. With `since`, only of logs that have changed at or
    /// after that time, in milliseconds since 1970.
    ///
    /// # Errors
    /// The errors of [`Transfers::positions`](crate::ledger::Transfers::positions).
    pub async fn heads(
        &self,
        since: Option<u64>,
        on_head: &mut (dyn FnMut(SavedHead) + Send),
    ) -> Result<u64, Error> {
        let mut heads = 0;
        for (package, Positions { releases, tags, .. }) in self.package_positions().await? {
            for (log, Position { rev, chain, when }) in [("releases", releases), ("tags", tags)] {
                if rev > 0 && since.is_none_or(|since| when >= since) {
                    heads += 1;
                    on_head(SavedHead { package: package.to_string(), log: log.to_owned(), rev, chain });
                }
            }
        }
        Ok(heads)
    }

    /// Verifies the ledger against saved heads: computes the chain of each log that they name again, from its first
    /// entry, and compares it at each saved head. Passes on each difference. Returns the number of entries that were
    /// verified.
    ///
    /// # Errors
    /// The errors of [`Transfers::export`](crate::ledger::Transfers::export). A difference is not an error.
    pub async fn verify_heads(
        &self,
        heads: Vec<SavedHead>,
        on_difference: &mut (dyn FnMut(HeadDiffers) + Send),
    ) -> Result<u64, Error> {
        let mut by_package: BTreeMap<String, BTreeSet<SavedHead>> = BTreeMap::new();
        for head in heads {
            by_package.entry(head.package.clone()).or_default().insert(head);
        }
        let mut entries = 0;
        for (package, mut heads) in by_package {
            let mut differs = |head: SavedHead, what: String| on_difference(HeadDiffers { head, what });
            let Ok(name) = package.parse::<PackageName>() else {
                for head in heads {
                    differs(head, "it names no package".to_owned());
                }
                continue;
            };
            let what = match self.verify_package(&name, &mut heads, &mut differs).await {
                Ok(verified) => {
                    entries += verified;
                    continue;
                }
                Err(Error::Ledger(LedgerError::NotFound(NotFound::Package(_)))) => {
                    "the ledger has no such package".to_owned()
                }
                Err(Error::Ledger(error @ LedgerError::Damaged { .. })) => error.to_string(),
                Err(error) => return Err(error),
            };
            for head in heads {
                differs(head, what.clone());
            }
        }
        Ok(entries)
    }

    /// Verifies the logs of a package, and removes each head that was compared.
    async fn verify_package(
        &self,
        package: &PackageName,
        heads: &mut BTreeSet<SavedHead>,
        differs: &mut (dyn FnMut(SavedHead, String) + Send),
    ) -> Result<u64, Error> {
        let mut items = self.ledger.export(package, &Positions::default());
        let mut check = PackageCheck::new(Positions::default());
        let mut entries = 0;
        while let Some(item) = items.try_next().await? {
            check.take(&item)?;
            let Some(entry) = item.entry() else { continue };
            entries += 1;
            let log = if item.is_tag_entry() { "tags" } else { "releases" };
            let here: Vec<_> =
                heads.iter().filter(|it| it.log == log && it.rev == entry.rev).cloned().collect();
            for head in here {
                heads.remove(&head);
                if head.chain != entry.chain {
                    let what =
                        format!("the ledger has the chain value {} there: its past was changed", entry.chain);
                    differs(head, what);
                }
            }
        }
        check.finish()?;
        for head in std::mem::take(heads) {
            let end = if head.log == "tags" { &check.passed().tags } else { &check.passed().releases };
            let what = format!("the log ends at rev {}: later entries were removed", end.rev);
            differs(head, what);
        }
        Ok(entries)
    }
}
