//! `untag`: takes a tag off.

use super::{Client, Error};
use crate::{ledger::UntagRequest, model::TagMove};

impl Client {
    /// Takes a tag off.
    ///
    /// # Errors
    /// Those of [`Ledger::untag`](crate::ledger::Ledger::untag).
    pub async fn untag(&self, request: &UntagRequest) -> Result<TagMove, Error> {
        Ok(self.ledger.untag(request).await?)
    }
}
