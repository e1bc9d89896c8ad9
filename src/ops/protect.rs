//! `protect`, `unprotect`: keep a tag from being moved by a slip.

use super::{Client, Error};
use crate::{ledger::ProtectRequest, model::TagMove};

impl Client {
    /// Protects a tag, or takes its protection away.
    ///
    /// # Errors
    /// Those of [`Ledger::protect`](crate::ledger::Ledger::protect).
    pub async fn protect(&self, request: &ProtectRequest) -> Result<TagMove, Error> {
        Ok(self.ledger.protect(request).await?)
    }
}
