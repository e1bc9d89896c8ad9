//! `yank`, `unyank`, `delete`, `label`: change a version.

use super::{Client, Error};
use crate::ledger::{ChangeRequest, Changed};

impl Client {
    /// Yanks, unyanks, deletes or labels a version.
    ///
    /// # Errors
    /// Those of [`Ledger::change`](crate::ledger::Ledger::change).
    pub async fn change(&self, request: &ChangeRequest) -> Result<Changed, Error> {
        Ok(self.ledger.change(request).await?)
    }
}
