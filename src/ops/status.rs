//! `status`: the tags of many packages, now or at a time.

use super::{client::Client, error::Error};
use crate::{
    fault::FaultKind,
    ledger::{self, PackageQuery, Refused},
    model::{Freeze, Moment, PackageName, PackageStatus, TagName, Timestamp},
};
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};

/// The number of packages that are read at once: their heads are one batch of DynamoDB.
const BATCH: usize = 50;

/// The number of batches that are read concurrently. At most these and their answers are in memory.
const BATCHES: usize = 4;

/// The number of packages that are read one by one at once.
const JOBS: usize = 8;

/// A selection of tags of packages. The default selects all tags of all packages, as they are now.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct StatusQuery {
    /// Only packages whose names begin with this.
    pub prefix: String,
    /// Only these tags; all if there are none.
    pub tags: Vec<TagName>,
    /// As they were at this time, evaluated once for all packages.
    pub at: Option<Moment>,
}

impl StatusQuery {
    /// Selects all tags of all packages.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Selects only packages whose names begin with `prefix`.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// Selects this tag, too; without any, all tags are selected.
    #[must_use]
    pub fn tag(mut self, tag: TagName) -> Self {
        self.tags.push(tag);
        self
    }

    /// Selects the tags as they were at this time.
    #[must_use]
    pub fn at(self, at: Moment) -> Self {
        Self { at: Some(at), ..self }
    }
}

/// A package of a status.
#[derive(Debug)]
#[non_exhaustive]
pub enum Status {
    /// The package and its tags.
    Package(PackageStatus),
    /// A package whose tags are not known: access is denied, an item is damaged, or the time is not certain.
    Unreadable {
        /// The package.
        package: PackageName,
        /// The reason.
        error: ledger::Error,
    },
}

impl Client {
    /// Streams the tags of packages, by the names of the packages. Several batches of packages are read concurrently,
    /// and no more than these are in memory. The tags of one package are those of one instant; different packages may
    /// be of different instants.
    ///
    /// A package that can't be read is yielded as [`Status::Unreadable`] and ends nothing. Yields the errors of
    /// [`Ledger::status`](crate::ledger::Ledger::status).
    #[must_use]
    pub fn status(&self, query: &StatusQuery) -> BoxStream<'_, Result<Status, Error>> {
        let StatusQuery { prefix, tags, at } = query.clone();
        let begin = async move {
            let at = match at {
                Some(moment) => Some(self.ledger.time_of(moment).await?),
                None => None,
            };
            let freezes = if at.is_none() { self.freezes_in_force().await? } else { Vec::new() };
            let names = self.ledger.packages(&PackageQuery::new().prefix(prefix)).try_chunks(BATCH);
            let read = names.map(move |names| {
                let tags = tags.clone();
                async move {
                    let names = names.map_err(|error| error.1)?;
                    let statuses = match self.ledger.status(&names, &tags, at).await {
                        Ok(statuses) => statuses.into_iter().map(Status::Package).collect(),
                        Err(error) if is_of_one(&error) => self.status_of_each(names, &tags, at).await?,
                        Err(error) => return Err(error),
                    };
                    Ok(stream::iter(statuses.into_iter().map(Ok::<_, ledger::Error>)))
                }
            });
            Ok::<_, ledger::Error>(
                read.buffered(BATCHES).try_flatten().map_ok(move |it| it.frozen_by(&freezes)),
            )
        };
        stream::once(begin).try_flatten().err_into().boxed()
    }

    /// Reads packages of which some can't be read, each for itself.
    async fn status_of_each(
        &self,
        names: Vec<PackageName>,
        tags: &[TagName],
        at: Option<Timestamp>,
    ) -> Result<Vec<Status>, ledger::Error> {
        let each = names.into_iter().map(|package| async move {
            match self.ledger.status(std::slice::from_ref(&package), tags, at).await {
                Ok(mut statuses) => Ok(statuses.pop().map(Status::Package)),
                Err(error) if is_of_one(&error) => Ok(Some(Status::Unreadable { package, error })),
                Err(error) => Err(error),
            }
        });
        let each: Vec<_> = each.collect();
        let read: Vec<_> = stream::iter(each).buffered(JOBS).try_collect().await?;
        Ok(read.into_iter().flatten().collect())
    }
}

impl Status {
    /// Adds those of the freezes that hold for the package.
    fn frozen_by(mut self, freezes: &[Freeze]) -> Self {
        if let Self::Package(status) = &mut self {
            let of_it = freezes.iter().filter(|freeze| freeze.prefix.selects(&status.package));
            status.freezes = of_it.cloned().collect();
        }
        self
    }
}

impl Client {
    /// Returns the freezes that have not ended by themselves, by the server's clock if the ledger has a server: so a move
    /// meets the same ones.
    pub(crate) async fn freezes_in_force(&self) -> Result<Vec<Freeze>, ledger::Error> {
        let mut freezes = self.ledger.freezes().await?;
        // After the read, by which the server has stated its time.
        let now = self.ledger.server_time().unwrap_or_else(Timestamp::now);
        freezes.retain(|freeze| freeze.is_in_force(now));
        Ok(freezes)
    }
}

/// Returns true if an error concerns one package, and may leave others readable.
pub(super) fn is_of_one(error: &ledger::Error) -> bool {
    match error {
        ledger::Error::Fault(fault) => fault.kind == FaultKind::Denied,
        ledger::Error::Refused(Refused::UncertainTime(_))
        | ledger::Error::Damaged { .. }
        | ledger::Error::Newer { .. } => true,
        _ => false,
    }
}
