//! The mark of an unfinished import, in the item `M`: no other change of the ledger is allowed until it is finished.
//!
//! The mark is `needs`, with a release that does not exist, so that every release obeys it: the release that may write
//! the ledger is named `import`. The previous value is kept in `importing`.

use crate::{
    ledger::{
        Error, Identity, TableLedger,
        schema::{self, Meta, UNFINISHED_IMPORT},
        snapshot::coverage::Sealed,
    },
    model::OpId,
    table::{Action, Change, Condition, Item, TransactError, Transaction},
};
use serde_json::{Value, json};

/// The attribute that keeps the previous `needs`.
const IMPORTING: &str = "importing";

/// Returns true if an import of the ledger with this item `M` is unfinished.
pub(super) fn is_marked(meta: &Item) -> bool {
    meta.get("needs").and_then(|needs| needs.get("write")).and_then(Value::as_str) == Some(UNFINISHED_IMPORT)
}

fn marked(mut meta: Item) -> Item {
    let before = meta.get("needs").cloned().unwrap_or_else(|| json!({}));
    let mut needs = before.as_object().cloned().unwrap_or_default();
    needs.insert("write".to_owned(), UNFINISHED_IMPORT.into());
    meta.insert(IMPORTING.to_owned(), before);
    meta.insert("needs".to_owned(), needs.into());
    meta
}

fn unmarked(mut meta: Item) -> Item {
    match meta.remove(IMPORTING) {
        Some(Value::Object(before)) if !before.is_empty() => meta.insert("needs".to_owned(), before.into()),
        _ => meta.remove("needs"),
    };
    meta
}

impl TableLedger {
    /// Marks the ledger before an import, or removes the mark after it. Idempotent.
    pub(in crate::ledger) async fn mark(&self, begins: bool) -> Result<Identity, Error> {
        let key = schema::meta_key();
        loop {
            let seen = self.read(vec![key.clone()]).await?;
            let (Some(item), Some(meta)) = (seen.item(&key), seen.get::<Meta>(&key)?) else {
                self.make_identity(&seen).await?;
                continue;
            };
            let identity = self.identify(meta).await?;
            if let Some(home) = identity.copy_of {
                return Err(Error::Copy { id: identity.id, home });
            }
            let is_marked = is_marked(item);
            if !is_marked {
                schema::check_write(&key, item)?;
            }
            if is_marked == begins {
                return Ok(identity);
            }
            let after = if begins { marked(item.clone()) } else { unmarked(item.clone()) };
            let condition = Condition::All(vec![seen.unchanged::<Meta>(&key)]);
            let mut put = Transaction::new(OpId::from(self.retry_policy().random()).to_string());
            put.push(Action { key: key.clone(), condition, change: Change::Put(after) });
            let put = Sealed::or_stop(seen.seal(put))?;
            let send = || async {
                match self.send(&put).await {
                    Ok(()) | Err(TransactError::Refused(_)) => Ok(()),
                    Err(TransactError::Fault(fault)) => Err(fault),
                }
            };
            // The next read shows if it was done.
            self.retry_policy().run("marking the ledger for an import", send).await?;
        }
    }
}
