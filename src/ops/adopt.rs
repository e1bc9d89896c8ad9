//! `init --adopt-store`: makes a store that belongs to another ledger this one's, as after a restore.
//!
//! The former owner may still be at work, and what it has sent may arrive at any time. Therefore this ledger adds
//! nothing any more at a generation that the former owner can have given out: each owner of a store has an epoch, with
//! generations of its own. The ledger gets a new id and an epoch above all others first, which changes nothing for
//! the store and its owner; then the store gets a new owner, if it still has the one that was seen. A crash in between
//! leaves the store to its owner, and the next run continues.

use super::{
    client::Client,
    error::Error,
    init::{Adopted, InitReport},
};
use crate::{
    failpoint::reach,
    fault::{Fault, FaultKind},
    ledger::Identity,
    model::{Address, Setting, first_generation},
};
use futures_util::TryStreamExt;

impl Client {
    /// As [`init`](Self::init), but a store that belongs to another ledger becomes this one's: from then on the other
    /// is refused, and so is every copy of either. The ledger gets a new id. Idempotent: what is its own already is
    /// left as it is.
    ///
    /// No blob is touched. What this ledger adds from then on is out of reach of all that the former owner has done
    /// or may be doing. What it held already stays where it is: blobs that the former owner has removed, or whose
    /// removal is under way, are missing, and [`fsck`](Self::fsck) says which.
    ///
    /// # Cancellation
    /// May be dropped at any time: the store then has its former owner or the new one, and the next run continues.
    ///
    /// # Errors
    /// The errors of [`init`](Self::init), also for a server that lacks something: it is tried before anything is changed, or,
    /// where the store has no owner, once it has one. [`Error::NotOwner`] if someone else has adopted the store meanwhile; [`Error::Ledger`] with
    /// [`Refused::Unsupported`](crate::ledger::Refused) if the ledger can't.
    pub async fn adopt(&self) -> Result<InitReport, Error> {
        let (mut made, identity) = self.make().await?;
        let owner = self.owner().await?;
        let tried = match &owner {
            Some(owner) => self.probe_before(owner).await?,
            None => None,
        };
        let (identity, adopted) = self.take_over(owner, identity).await?;
        made.settings.extend(match tried {
            Some(tried) => tried,
            None => self.probe(&identity.mark()).await?,
        });
        (made.id, made.adopted) = (identity.id, adopted);
        Ok(made)
    }

    /// Tries the store's server while the store is another's; `None` if it gets another owner meanwhile.
    async fn probe_before(&self, owner: &str) -> Result<Option<Vec<Setting>>, Error> {
        let probe = || async {
            match self.store.probe(owner).await {
                Err(fault) if fault.kind == FaultKind::Contended => match self.store.owner().await? {
                    Some(same) if same == owner => Err(fault),
                    _ => Ok(None),
                },
                tried => tried.map(Some),
            }
        };
        Ok(self.retry_policy.run("trying the store's server", probe).await?)
    }

    /// Makes this ledger the owner, and returns its identity by then.
    async fn take_over(
        &self,
        owner: Option<String>,
        identity: Identity,
    ) -> Result<(Identity, Option<Adopted>), Error> {
        if identity.copy_of.is_none() && owner.as_ref() == Some(&identity.mark()) {
            return Ok((identity, None));
        }
        let said = owner.as_deref().map_or(0, Identity::epoch_of);
        // Who is the owner in an epoch has adopted the store, or was the first to store anything in it; and there is
        // no way to a higher one but through `OWNER`. Without an epoch it may have been claimed by a release that did
        // not look at what the store holds.
        let stored = if said > 0 { Some(said) } else { self.highest_epoch().await? };
        if owner.is_none() && stored.is_none() && identity.copy_of.is_none() {
            self.check_owner(None, &identity).await?;
            return Ok((identity, None));
        }
        if owner.is_none()
            && let Some(owner) = self.owner().await?
        {
            // The store was claimed after the first look, perhaps by this ledger, which must keep its id then.
            self.must_own(Some(owner), Some(&identity))?;
            return Ok((identity, None));
        }
        let taken = said.max(stored.unwrap_or_default());
        let identity = self.raise(identity, taken, false).await?;
        reach("adopt-raised");
        let mark = identity.mark();
        let now = match &owner {
            Some(former) => {
                let replace = || self.store.replace_owner(former, &mark);
                self.retry_policy.run("adopting the store", replace).await?
            }
            None => self.retry_policy.run("claiming the store", || self.store.claim(&mark)).await?,
        };
        reach("adopt-owned");
        self.must_own(Some(now), Some(&identity))?;
        let generation = first_generation(identity.epoch);
        Ok((identity, Some(Adopted { former: owner, generation })))
    }

    /// Gives the ledger an id that no copy has, and an epoch above `taken` and above its own. Does nothing if an
    /// interrupted run has done so.
    /// With `owns_store`, the former mark is kept.
    pub(super) async fn raise(
        &self,
        identity: Identity,
        taken: u64,
        owns_store: bool,
    ) -> Result<Identity, Error> {
        let fits = |identity: &Identity| identity.copy_of.is_none() && identity.epoch > taken;
        if fits(&identity) {
            return Ok(identity);
        }
        let doing = || "adopting the store".to_owned();
        let epoch = taken.max(identity.epoch) + 1;
        if epoch > Address::LAST_EPOCH {
            let why = "it holds a blob at a generation that no ledger can have given out";
            return Err(Fault::new(FaultKind::Corrupt, doing(), why).into());
        }
        let raised = if owns_store {
            self.ledger.raise(&identity, epoch).await?
        } else {
            self.ledger.adopt(&identity, epoch).await?
        };
        if fits(&raised) {
            return Ok(raised);
        }
        let why = "the ledger has got another identity meanwhile";
        Err(Fault::new(FaultKind::Contended, doing(), why).into())
    }

    /// The highest epoch that anything in the store belongs to.
    async fn highest_epoch(&self) -> Result<Option<u64>, Error> {
        let mut highest = None;
        let mut pages = self.listing();
        while let Some(page) = pages.try_next().await? {
            highest = highest.max(page.iter().map(|(address, _)| address.epoch()).max());
        }
        Ok(highest)
    }
}
