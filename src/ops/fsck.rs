//! `fsck`: proves the promises for what is stored, in the ledger and in the store.

use super::{Client, Error, Observer, fetch::Fetched};
use crate::{
    ledger::{Breach, Census, Mend, Rule, Standing, Tell},
    model::{Address, Blob},
};
use futures_util::TryStreamExt;
use std::{collections::HashSet, io, sync::Arc};

/// What to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fsck {
    /// Whether to repair what can be derived from the logs: states and later labels of versions, heads, tags, counts of
    /// blobs, the directory. Entries of the logs, and the store, are never changed. A copy of a ledger is refused.
    pub repair: bool,
    /// Of how many in a hundred blobs, chosen at random, the bytes are read and hashed as well.
    pub read_data: u8,
}

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checked {
    /// How many packages.
    pub packages: u64,
    /// How many versions they have, deleted ones included.
    pub versions: u64,
    /// How many blobs those need that are not deleted.
    pub blobs: u64,
    /// Of how many the bytes were read.
    pub read: u64,
    /// How many breaches were found, those that were mended included.
    pub breaches: u64,
    /// How many of them were mended.
    pub mended: u64,
    /// How many things were not judged, since a newer release wrote them. They are no breaches.
    pub unjudged: u64,
}

impl Client {
    /// Checks everything that the ledger holds, and that the store has every blob that some version needs, with its
    /// size, and with `read_data` its bytes. Reports each breach as it is found, and changes nothing but what
    /// `repair` says. It may run while others write: each package is judged as of one instant, and what others write
    /// after that is left to another run. A repair is made only where nothing has changed since it was found.
    ///
    /// Memory: the items of one package, a name for each package, and a small record for each distinct blob.
    ///
    /// # Errors
    /// [`Error::NotOwner`] where the store belongs to another ledger; [`Error::Ledger`], with
    /// [`Copy`](crate::ledger::Error::Copy) where a copy of a ledger is to be repaired, and [`Error::Store`] where
    /// one fails. A breach is no error.
    pub async fn fsck(
        &self,
        fsck: Fsck,
        observer: &Arc<dyn Observer>,
        tell: Tell<'_>,
    ) -> Result<Checked, Error> {
        let mut checked = Checked::default();
        let identity = async { Ok(self.ledger.identity().await?) };
        if let (Some(owner), Some(identity)) = tokio::try_join!(self.owner(), identity)? {
            self.must_own(Some(owner), Some(&identity))?;
        }
        let mut count = |breach: Breach| {
            let judged = !breach.is_unjudged();
            checked.unjudged += u64::from(!judged);
            checked.breaches += u64::from(judged);
            checked.mended += u64::from(breach.mend == Mend::Done);
            tell(breach);
        };
        let census = self.ledger.audit(fsck.repair, &mut count).await?;
        let present = self.present(&census).await?;
        let (mut blobs, mut read) = (0, 0);
        for (address, size) in census.needed() {
            blobs += 1;
            if !present.contains(&spot(&address)) {
                if let Some(breach) = self.check_object(&address, size).await? {
                    count(breach);
                }
            } else if self.patience.random() % 100 < u128::from(fsck.read_data) {
                read += 1;
                if let Some(breach) = self.check_bytes(&address, size, observer).await? {
                    count(breach);
                }
            }
        }
        Ok(Checked { packages: census.packages, versions: census.versions, blobs, read, ..checked })
    }

    /// The needed blobs that the store lists with the right size.
    async fn present(&self, census: &Census) -> Result<HashSet<([u8; 32], u64)>, Error> {
        let mut present = HashSet::new();
        let mut pages = self.listing();
        while let Some(page) = pages.try_next().await? {
            let right = page.into_iter().filter(|(address, stat)| census.size(address) == Some(stat.size));
            present.extend(right.map(|(address, _)| spot(&address)));
        }
        Ok(present)
    }

    /// Looks at an object that was not as it must be when the store was listed.
    async fn check_object(&self, address: &Address, size: u64) -> Result<Option<Breach>, Error> {
        let doing = format!("looking for {address}");
        let there = self.patience.run(&doing, || self.store.stat(address)).await?;
        let (rule, what) = match there {
            Some(there) if there.size == size => return Ok(None),
            Some(there) => (Rule::Size, format!("it has {} bytes in the store, not {size}", there.size)),
            None => (Rule::Missing, "it is not in the store".to_owned()),
        };
        self.unless_unneeded(address, rule, what).await
    }

    async fn check_bytes(
        &self,
        address: &Address,
        size: u64,
        observer: &Arc<dyn Observer>,
    ) -> Result<Option<Breach>, Error> {
        let blob = Blob { address: address.clone(), size, filename: None, mode: None };
        match self.fetch_to_stream(&blob, &mut io::sink(), observer).await {
            Ok(Fetched::Whole) => Ok(None),
            Ok(Fetched::Absent) => self.check_object(address, size).await,
            Err(Error::Damaged { why, .. }) => self.unless_unneeded(address, Rule::Bytes, why).await,
            Err(error) => Err(error),
        }
    }

    /// No breach, if the versions that needed it were deleted since.
    async fn unless_unneeded(
        &self,
        address: &Address,
        rule: Rule,
        what: String,
    ) -> Result<Option<Breach>, Error> {
        let standing = self.ledger.standings(std::slice::from_ref(address)).await?;
        // A count that is wrong does not make it unneeded; an object that was collected was condemned.
        let gone = matches!(standing[..], [Standing::Condemned]);
        Ok((!gone).then(|| Breach::new(address.to_string(), rule, what)))
    }
}

/// What is enough to tell needed addresses apart: in each epoch a blob is needed at one generation.
fn spot(address: &Address) -> ([u8; 32], u64) {
    (address.sha256.to_bytes(), address.epoch())
}
