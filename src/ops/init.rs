//! `init`: makes the ledger and the store, or checks them.

use super::{Adopted, Client, Error};
use crate::{
    ledger::{self, Identity},
    table::Created,
};

/// What `init` found or made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initialised {
    /// Whether the ledger was made.
    pub ledger: Created,
    /// The ledger's id.
    pub id: String,
    /// Whether the store was made.
    pub store: Created,
    /// The adoption of the store, if it was adopted now.
    pub adopted: Option<Adopted>,
}

impl Client {
    /// Makes the ledger's table and the store's bucket with safe settings, or checks those that are there; makes the
    /// ledger's identity, and the ledger the store's owner. Never changes an existing one. Idempotent.
    ///
    /// # Errors
    /// [`Error::NotOwner`] if the store belongs to another ledger.
    pub async fn init(&self) -> Result<Initialised, Error> {
        let (made, identity) = self.make().await?;
        let owner = self.owner().await?;
        self.check_owner(owner, &identity).await?;
        Ok(made)
    }

    /// Makes the ledger and the store where they are not there, and says which ledger it is.
    pub(super) async fn make(&self) -> Result<(Initialised, Identity), Error> {
        let (ledger, id) = self.ledger.create().await?;
        let store = self.patience.run("making the store", || self.store.create()).await?;
        let identity = match self.ledger.identity().await {
            Ok(Some(identity)) => identity,
            // A ledger that can't tell whether it is a copy.
            Ok(None) | Err(ledger::Error::Refused(_)) => Identity { id: id.clone(), epoch: 0, copy_of: None },
            Err(error) => return Err(error.into()),
        };
        Ok((Initialised { ledger, id, store, adopted: None }, identity))
    }
}
