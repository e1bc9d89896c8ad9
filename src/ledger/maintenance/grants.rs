//! The accesses that the roles need, to try which of them the credentials have.

use crate::{
    ledger::{Error, TableLedger, schema},
    model::{Grant, PackageName, Trial},
    table::{Access, Key},
};

/// The sort key of the tries. No item has it.
const NO_ITEM: &str = "0";

impl TableLedger {
    /// Implements [`Ledger::grants`](crate::ledger::Ledger::grants).
    pub(in crate::ledger) async fn try_grants(
        &self,
        package: Option<&PackageName>,
        trial: Trial,
    ) -> Result<Vec<Grant>, Error> {
        let accesses = accesses(package, trial);
        Ok(self.retrying(|| self.table().grants(&accesses)).await?)
    }
}

fn accesses(package: Option<&PackageName>, trial: Trial) -> Vec<(Access, Key)> {
    let on = |access, pk: &str| (access, Key::new(pk, NO_ITEM));
    let (directory, blob) = ("D#0", format!("B#{}", "0".repeat(64)));
    let mut all = vec![
        (Access::Get, schema::meta_key()),
        on(Access::GetMany, &blob),
        on(Access::Query, directory),
        on(Access::Scan, directory),
    ];
    let logs = package.map(|package| (schema::releases(package), schema::tags(package)));
    if let Some((releases, tags)) = &logs {
        all.extend([on(Access::Query, releases), on(Access::Query, tags)]);
    }
    if trial == Trial::Writes {
        all.push(on(Access::Update, &blob));
        all.push(on(Access::Put, directory));
        if let Some((releases, tags)) = &logs {
            all.extend([Access::Put, Access::Update, Access::Check].map(|access| on(access, releases)));
            all.extend([Access::Put, Access::Check].map(|access| on(access, tags)));
        }
    }
    all
}
