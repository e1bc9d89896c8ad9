//! `list`: the packages of a ledger.

use super::{client::Client, error::Error};
use crate::{
    fault::FaultKind,
    ledger::{self, PackageQuery},
    model::{PackageName, PackageSummary},
};
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};

/// How many packages are summarised at once: one batch of DynamoDB.
const BATCH: usize = 100;

/// How many packages are asked for at once, where each has to be asked for by itself.
const JOBS: usize = 8;

/// A package of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// The package, with what a listing shows of it.
    Package(PackageSummary),
    /// A package of which the back end lets this caller read no more than its name.
    Denied(PackageName),
}

/// Names of packages, as they are read.
pub type Packages<'a> = BoxStream<'a, Result<PackageName, Error>>;

impl Client {
    /// Every package that matches, in bytewise order, streamed.
    #[must_use]
    pub fn list(&self, query: &PackageQuery) -> Packages<'_> {
        self.ledger.packages(query).err_into().boxed()
    }

    /// As [`list`](Self::list), with what a listing shows of each, and at most `limit` of them. A package that this
    /// caller may not read is yielded as [`Listed::Denied`] and ends nothing.
    #[must_use]
    pub fn list_long(&self, query: &PackageQuery, limit: usize) -> BoxStream<'_, Result<Listed, Error>> {
        self.ledger
            .packages(query)
            .take(limit)
            .try_chunks(BATCH)
            .map_err(|error| error.1)
            .and_then(move |names| async move {
                let listed = match self.ledger.summaries(&names).await {
                    Ok(summaries) => summaries.into_iter().map(Listed::Package).collect(),
                    Err(error) if is_denied(&error) => self.list_readable(names).await?,
                    Err(error) => return Err(error),
                };
                Ok(stream::iter(listed.into_iter().map(Ok::<_, ledger::Error>)))
            })
            .try_flatten()
            .err_into()
            .boxed()
    }

    /// Summarises packages of which some may not be read: one batch with such a package is refused as a whole, so each
    /// is asked for by itself.
    async fn list_readable(&self, names: Vec<PackageName>) -> Result<Vec<Listed>, ledger::Error> {
        let each = stream::iter(names).map(|name| async move {
            match self.ledger.summaries(std::slice::from_ref(&name)).await {
                Ok(summaries) => Ok(summaries.into_iter().next().map(Listed::Package)),
                Err(error) if is_denied(&error) => Ok(Some(Listed::Denied(name))),
                Err(error) => Err(error),
            }
        });
        each.buffered(JOBS).try_filter_map(|listed| std::future::ready(Ok(listed))).try_collect().await
    }
}

fn is_denied(error: &ledger::Error) -> bool {
    matches!(error, ledger::Error::Fault(fault) if fault.kind == FaultKind::Denied)
}
