//! `list`: the packages of a ledger.

use super::{Client, Error};
use crate::{
    ledger::PackageQuery,
    model::{PackageName, PackageSummary},
};
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};

/// How many packages are summarised at once: one batch of DynamoDB.
const BATCH: usize = 100;

/// Names of packages, as they are read.
pub type Packages<'a> = BoxStream<'a, Result<PackageName, Error>>;

impl Client {
    /// Every package that matches, in bytewise order, streamed.
    #[must_use]
    pub fn list(&self, query: &PackageQuery) -> Packages<'_> {
        self.ledger.packages(query).err_into().boxed()
    }

    /// As [`list`](Self::list), with what a listing shows of each, and at most `limit` of them.
    #[must_use]
    pub fn list_long(
        &self,
        query: &PackageQuery,
        limit: usize,
    ) -> BoxStream<'_, Result<PackageSummary, Error>> {
        self.ledger
            .packages(query)
            .take(limit)
            .try_chunks(BATCH)
            .map_err(|error| error.1)
            .and_then(move |names| async move {
                let summaries = self.ledger.summaries(&names).await?;
                Ok(stream::iter(summaries.into_iter().map(Ok::<_, crate::ledger::Error>)))
            })
            .try_flatten()
            .err_into()
            .boxed()
    }
}
