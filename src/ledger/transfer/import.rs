//! Writing the items of a package to a ledger that holds an earlier state of it.

use super::{
    check::PackageCheck,
    item::{ExportItem, ItemKind, Positions},
    marker::is_marked,
    plan::{plan, reads},
};
use crate::{
    failpoint::reach,
    fault::{Fault, FaultKind},
    ledger::{Error, Refused, TableLedger, engine::race::RaceError, schema, snapshot::coverage::Sealed},
    model::{OpId, PackageName},
    table::{TransactError, Transaction},
};

/// The number of actions that the items of one transaction may take. Its heads, the directory and the ledger's identity
/// take the rest of what a table allows.
const MOST_ACTIONS: usize = 94;

/// The number of bytes that the items of one transaction may have. DynamoDB allows 4 MB.
const MOST_BYTES: usize = 2 << 20;

/// The import of one package: the items that have passed.
#[derive(Debug)]
pub struct Importing {
    package: PackageName,
    check: PackageCheck,
}

/// Some items of a package that fit in one transaction.
#[derive(Debug, Default)]
pub struct ImportBatch {
    items: Vec<ExportItem>,
    actions: usize,
    bytes: usize,
}

impl Importing {
    /// Begins the import of a package with the items after these positions, which the ledger has.
    #[must_use]
    pub fn new(package: PackageName, from: Positions) -> Self {
        Self { package, check: PackageCheck::new(from) }
    }

    /// Returns the package.
    #[must_use]
    pub fn package(&self) -> &PackageName {
        &self.package
    }
}

impl ImportBatch {
    /// Adds an item; returns it if it does not fit any more.
    ///
    /// # Errors
    /// The item.
    pub fn push(&mut self, item: ExportItem) -> Result<(), ExportItem> {
        let actions = match item.kind() {
            ItemKind::Head => 0,
            ItemKind::Version => 2,
            _ => 1,
        };
        let bytes = item.to_line().len();
        let is_full = self.actions + actions > MOST_ACTIONS || self.bytes + bytes > MOST_BYTES;
        if is_full && !self.items.is_empty() {
            return Err(item);
        }
        self.actions += actions;
        self.bytes += bytes;
        self.items.push(item);
        Ok(())
    }

    /// Returns the items.
    #[must_use]
    pub fn items(&self) -> &[ExportItem] {
        &self.items
    }
}

impl TableLedger {
    /// Implements [`Transfers::import`](crate::ledger::Transfers::import).
    ///
    /// Each attempt plans the difference between what is stored and the items, from one snapshot. So an attempt without
    /// an answer needs no settling: whether it has arrived shows in the next snapshot, and a late copy of it is refused
    /// by the condition on the head. That also keeps out a copy that is late for the mark: whatever changes the package
    /// after the mark is removed advances a head.
    pub(in crate::ledger) async fn import_batch(
        &self,
        importing: &mut Importing,
        batch: &ImportBatch,
        last: bool,
    ) -> Result<(), Error> {
        let Importing { package, check } = importing;
        for item in &batch.items {
            if item.package()? != *package {
                return Err(item.damaged(format!("it does not belong to {package}")));
            }
            check.take(item)?;
        }
        if last {
            check.finish()?;
        }
        let heads = last.then(|| [check.head(false), check.head(true)]);
        let keys = reads(package, &batch.items)?;
        let doing = format!("importing {package}");
        let attempt = || async {
            let seen = self.read_once(keys.clone(), true).await?;
            // An ended import must not be continued: other changes are allowed by now.
            if !seen.item(&schema::meta_key()).is_some_and(is_marked) {
                return Err(Error::from(Refused::Importing).into());
            }
            for log in [schema::releases(package), schema::tags(package)] {
                let head = schema::head_key(&log);
                seen.check_writable([&head])?;
            }
            seen.begin();
            let actions = plan(package, &batch.items, heads, &seen)?;
            if actions.is_empty() {
                return Ok(());
            }
            let mut transaction = Transaction::new(OpId::from(self.retry_policy().random()).to_string());
            for action in actions {
                transaction.push(action);
            }
            let sealed = Sealed::or_stop(seen.seal(transaction))?;
            reach("import-planned");
            let sent = self.send(&sealed).await;
            reach("import-sent");
            match sent {
                Ok(()) => Ok(()),
                Err(TransactError::Refused(_)) => {
                    Err(RaceError::Changed("the ledger was changed in the meantime"))
                }
                Err(TransactError::Fault(fault)) => Err(fault.into()),
            }
        };
        match self.retry_policy().run(&doing, attempt).await {
            Ok(()) => Ok(()),
            Err(RaceError::Failed(error)) => Err(error),
            Err(RaceError::Changed(_)) => {
                let why = "the ledger was changed concurrently, again and again";
                Err(Fault::new(FaultKind::Contended, doing, why).into())
            }
        }
    }
}
