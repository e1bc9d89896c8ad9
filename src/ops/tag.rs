//! `tag`: moves a tag.

use super::{Client, Error};
use crate::{ledger::TagRequest, model::TagMove};

impl Client {
    /// Moves a tag to what a spec means at that instant.
    ///
    /// # Errors
    /// Those of [`Ledger::tag`](crate::ledger::Ledger::tag).
    pub async fn tag(&self, request: &TagRequest) -> Result<TagMove, Error> {
        Ok(self.ledger.tag(request).await?)
    }
}
