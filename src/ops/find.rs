//! Finding versions: in a package, between two specs, and across packages.

use super::{client::Client, error::Error, status::is_of_one};
use crate::{
    ledger::{self, PackageQuery},
    model::{Labels, Moment, PackageName, Release, Spec, State, Timestamp, Version, VersionRange},
};
use futures_util::{
    StreamExt, TryStreamExt,
    future::{ready, try_join},
    stream::{self, BoxStream},
};

/// The number of packages whose versions are read at once.
const JOBS: usize = 8;

/// A selection of versions. The default selects all.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct VersionQuery {
    /// Only versions in this range; no others are read.
    pub range: VersionRange,
    /// Only versions with all these labels.
    pub labels: Labels,
    /// Only versions in this state.
    pub state: Option<State>,
    /// Only versions that were added at this time or later; older ones are not read.
    pub since: Option<Moment>,
    /// Only versions whose sha256 begins with these digits, in lower case.
    pub sha256: Option<String>,
}

impl VersionQuery {
    /// Selects all versions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Selects only versions in this range.
    #[must_use]
    pub fn range(self, range: VersionRange) -> Self {
        Self { range, ..self }
    }

    /// Selects only versions with all these labels.
    #[must_use]
    pub fn labels(self, labels: Labels) -> Self {
        Self { labels, ..self }
    }

    /// Selects only versions in this state.
    #[must_use]
    pub fn state(self, state: State) -> Self {
        Self { state: Some(state), ..self }
    }

    /// Selects only versions that were added at this time or later.
    #[must_use]
    pub fn since(self, since: Moment) -> Self {
        Self { since: Some(since), ..self }
    }

    /// Selects only versions whose sha256 begins with these digits, in lower case.
    #[must_use]
    pub fn sha256(self, digits: impl Into<String>) -> Self {
        Self { sha256: Some(digits.into()), ..self }
    }

    fn selects(&self, release: &Release) -> bool {
        let labels = self.labels.missing_in(&release.labels);
        labels.is_ok_and(|missing| missing.is_empty())
            && self.state.is_none_or(|state| release.state == state)
            && self
                .sha256
                .as_deref()
                .is_none_or(|digits| release.blob.address.sha256.as_str().starts_with(digits))
    }
}

/// The versions between two specs.
#[non_exhaustive]
pub struct Changes<'a> {
    /// The version that the first spec means: the last one that is left out.
    pub from: Version,
    /// The version that the second spec means: the last one that is listed.
    pub to: Version,
    /// True if `to` is the lower one. Then the versions above `to`, up to `from`, are listed: those that are taken back.
    pub backwards: bool,
    /// The versions, newest first.
    pub versions: BoxStream<'a, Result<Release, Error>>,
}

/// A result of [`Client::find`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Found {
    /// A version that was selected.
    Version(Box<Release>),
    /// A package whose versions can't be read: access is denied, or an item is damaged.
    Unreadable {
        /// The package.
        package: PackageName,
        /// The reason.
        error: ledger::Error,
    },
}

type Releases<'a> = BoxStream<'a, Result<Release, ledger::Error>>;

impl Client {
    /// Streams the versions of a package that a query selects, newest first.
    ///
    /// Yields the errors of [`Ledger::versions`](crate::ledger::Ledger::versions).
    #[must_use]
    pub fn find_versions(
        &self,
        package: &PackageName,
        query: &VersionQuery,
    ) -> BoxStream<'_, Result<Release, Error>> {
        let (package, query) = (package.clone(), query.clone());
        stream::once(async move {
            let since = self.since(&query).await?;
            Ok::<_, ledger::Error>(self.selected(&package, query, since))
        })
        .try_flatten()
        .err_into()
        .boxed()
    }

    /// Returns the versions that `to` contains and `from` does not: those above `from`, up to `to`. The two specs are
    /// resolved one by one, so a tag may move in between.
    ///
    /// # Cancellation
    /// Changes nothing; may be dropped at any time.
    ///
    /// # Errors
    /// The errors of [`Ledger::position`](crate::ledger::Ledger::position) for each spec.
    pub async fn changes(&self, package: &PackageName, from: &Spec, to: &Spec) -> Result<Changes<'_>, Error> {
        let resolve = |spec| self.ledger.position(package, spec);
        let ((from, _), (to, _)) = try_join(resolve(from), resolve(to)).await?;
        let backwards = to < from;
        let (low, high) = (from.min(to), from.max(to));
        let versions = match Version::try_from(low.get() + 1) {
            Ok(first) if first <= high => {
                let range = VersionRange { first: Some(first), last: Some(high) };
                self.ledger.versions_in(package, range).err_into().boxed()
            }
            _ => stream::empty().boxed(),
        };
        Ok(Changes { from, to, backwards, versions })
    }

    /// Streams the versions of all packages that a query selects, as they are found: those of one package newest first,
    /// and those of different packages in no order. There is no index: the versions of all packages whose names begin
    /// with `prefix` are read, several packages at once.
    ///
    /// A package that can't be read is yielded as [`Found::Unreadable`] and ends nothing.
    #[must_use]
    pub fn find(&self, prefix: &str, query: &VersionQuery) -> BoxStream<'_, Result<Found, Error>> {
        let (packages, query) = (PackageQuery::new().prefix(prefix), query.clone());
        stream::once(async move {
            let since = self.since(&query).await?;
            let each = self.ledger.packages(&packages).map_ok(move |package| {
                let found = self.selected(&package, query.clone(), since).map(move |found| match found {
                    Ok(release) => Ok(Found::Version(Box::new(release))),
                    Err(error) if is_of_one(&error) => {
                        Ok(Found::Unreadable { package: package.clone(), error })
                    }
                    Err(error) => Err(error),
                });
                found.boxed()
            });
            Ok::<_, ledger::Error>(each.try_flatten_unordered(JOBS))
        })
        .try_flatten()
        .err_into()
        .boxed()
    }

    async fn since(&self, query: &VersionQuery) -> Result<Option<Timestamp>, ledger::Error> {
        match query.since {
            Some(moment) => Ok(Some(self.ledger.time_of(moment).await?)),
            None => Ok(None),
        }
    }

    fn selected(&self, package: &PackageName, query: VersionQuery, since: Option<Timestamp>) -> Releases<'_> {
        self.ledger
            .versions_in(package, query.range)
            // Times grow along the log, so all that follow are older, too.
            .try_take_while(move |release| ready(Ok(since.is_none_or(|since| release.added_at >= since))))
            .try_filter(move |release| ready(query.selects(release)))
            .boxed()
    }
}
