//! `rollback`: puts a tag back to where it was.

use super::{Client, Error};
use crate::{ledger::RollbackRequest, model::TagMove};

impl Client {
    /// Puts a tag back to where it was before.
    ///
    /// # Errors
    /// Those of [`Ledger::rollback`](crate::ledger::Ledger::rollback).
    pub async fn rollback(&self, request: &RollbackRequest) -> Result<TagMove, Error> {
        Ok(self.ledger.rollback(request).await?)
    }
}
