//! `apply`: moves tags of many packages, all or none.

use super::{Client, Error};
use crate::{ledger::ApplyRequest, model::TagMove};

impl Client {
    /// Makes all moves of a plan in one transaction, or takes them back; or none of them.
    ///
    /// # Errors
    /// Those of [`Ledger::apply`](crate::ledger::Ledger::apply).
    pub async fn apply(&self, request: &ApplyRequest) -> Result<Vec<TagMove>, Error> {
        Ok(self.ledger.apply(request).await?)
    }

    /// What [`apply`](Self::apply) would do now. Changes nothing.
    ///
    /// # Errors
    /// Those of [`Ledger::preview`](crate::ledger::Ledger::preview).
    pub async fn preview(&self, request: &ApplyRequest) -> Result<Vec<TagMove>, Error> {
        Ok(self.ledger.preview(request).await?)
    }
}
