//! `init`: makes the ledger and the store, or checks them.

use super::{client::Client, error::Error};
use crate::{
    ledger::{self, Identity},
    model::{Created, Generation, Setting},
};

/// The result of `init`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitReport {
    /// The ledger was made, or was there.
    pub ledger: Created,
    /// The ledger's id.
    pub id: String,
    /// The store was made, or was there.
    pub store: Created,
    /// The adoption of the store, if it was adopted now.
    pub adopted: Option<Adopted>,
    /// The settings that table, bucket and server need to be safe, as they were found after that.
    pub settings: Vec<Setting>,
}

/// A store that was adopted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Its former owner, if it had one.
    pub former: Option<String>,
    /// The generation from which on this ledger stores blobs; all that was in the store is below.
    pub generation: Generation,
}

impl Client {
    /// Makes the ledger's table and the store's bucket with safe settings, or checks those that are there; makes the
    /// ledger's identity, and the ledger the store's owner. Never changes an existing one, but looks at its settings.
    /// Idempotent.
    ///
    /// # Cancellation
    /// May be dropped at any time; the next run makes what is missing.
    ///
    /// # Errors
    /// [`Error::NotOwner`] if the store belongs to another ledger; [`FaultKind::Misconfigured`](crate::fault::FaultKind) if
    /// the store's server lacks something that a store relies on.
    pub async fn init(&self) -> Result<InitReport, Error> {
        let (mut made, identity) = self.make().await?;
        let owner = self.owner().await?;
        self.check_owner(owner, &identity).await?;
        made.settings.extend(self.probe(&identity.mark()).await?);
        Ok(made)
    }

    /// Tries if the store's server has what a store needs. `owner` is what `OWNER` says.
    pub(super) async fn probe(&self, owner: &str) -> Result<Vec<Setting>, Error> {
        Ok(self.retry_policy.run("trying the store's server", || self.store.probe(owner)).await?)
    }

    /// Makes the ledger and the store where they are not there, and says which ledger it is.
    pub(super) async fn make(&self) -> Result<(InitReport, Identity), Error> {
        let (ledger, id) = self.ledger.create().await?;
        let store = self.retry_policy.run("making the store", || self.store.create()).await?;
        let identity = match self.ledger.identity().await {
            Ok(Some(identity)) => identity,
            // A ledger that can't know if it is a copy.
            Ok(None) | Err(ledger::Error::Refused(_)) => {
                Identity { id: id.clone(), epoch: 0, schema: 1, copy_of: None, former_mark: None }
            }
            Err(error) => return Err(error.into()),
        };
        // Also of what was there: a run that was cut short, or that was not allowed to, may have left them off.
        let mut settings = self.ledger.settings().await?;
        settings.extend(
            self.retry_policy.run("looking at the settings of the store", || self.store.settings()).await?,
        );
        Ok((InitReport { ledger, id, store, adopted: None, settings }, identity))
    }
}
