//! `prune`: deletes the versions that no rule keeps.
//!
//! A version is decided on once it is read, newest first, together with the stops of the package's tags. Its deletion is
//! a transaction under the condition that neither log of the package has changed since the stops were read. If one has,
//! the stops are read again, and the version is decided on again. So a tag that moves in between wins.
//!
//! Freezes are read once for the report, and again before each deletion. They are no condition of the transaction: they stop
//! tags, not changes of versions, and a condition would need further permissions and could refuse the moves of others.

use super::{
    client::Client,
    error::Error,
    observer::{Phase, Within},
    status::is_of_one,
};
use crate::{
    failpoint::reach,
    ledger::{self, Author, Authored, Conflict, PackageQuery, PruneRequest, Pruned, Stops},
    model::{
        Freeze, Length, Moment, PackageName, PackagePrefix, Release, Retention, RetentionPolicy, State,
        TagName, Timestamp, Version, Word,
    },
};
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use std::{fmt, sync::Arc};

/// The number of packages that are pruned at once.
const JOBS: usize = 8;

/// The maximum number of times that one version is decided on, because the logs of its package have changed.
const MAX_DECISIONS: usize = 100;

/// The packages to be pruned.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PruneScope {
    /// One package.
    Package(PackageName),
    /// All packages whose names begin with this.
    Prefix(String),
}

/// Options of [`Client::prune`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PruneOptions {
    /// The packages.
    pub scope: PruneScope,
    /// The versions that are kept.
    pub policy: RetentionPolicy,
    /// Delete the others; else they are only reported.
    pub delete: bool,
    /// The author of the deletions. A key has no use: a repeat finds what was deleted before.
    pub author: Author,
}

impl PruneOptions {
    /// Reports the versions of these packages that the policy does not keep.
    #[must_use]
    pub fn new(scope: PruneScope, policy: RetentionPolicy) -> Self {
        Self { scope, policy, delete: false, author: Author::default() }
    }

    /// Deletes them.
    #[must_use]
    pub fn delete(self, delete: bool) -> Self {
        Self { delete, ..self }
    }

    /// Sets the author of the deletions, with a reason if there is one.
    #[must_use]
    pub fn author(self, author: impl Into<Author>) -> Self {
        Self { author: author.into(), ..self }
    }
}

impl Authored for PruneOptions {
    fn author_ref(&self) -> &Author {
        &self.author
    }

    fn author_mut(&mut self) -> &mut Author {
        &mut self.author
    }
}

/// A reason to keep a version, or to delete it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PruneReason {
    /// It is `latest`.
    Latest,
    /// A tag is on it.
    Tagged(TagName),
    /// This many rollbacks put the tag on it.
    Rollback(TagName, u16),
    /// It has the label with this name.
    Labelled(String),
    /// It is one of the newest versions, this many of which are kept.
    Newest(u64),
    /// It was added less than this long ago.
    Younger(Length),
    /// The packages below this prefix are frozen.
    Frozen(PackagePrefix),
    /// Its state is not known to this release.
    State(Word),
    /// To delete it: it is not one of the newest versions, this many of which are kept.
    NotNewest(u64),
    /// To delete it: it was added at least this long ago.
    Older(Length),
}

impl fmt::Display for PruneReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Tagged(tag) => write!(f, "tag:{tag}"),
            Self::Rollback(tag, rollbacks) => write!(f, "rollback:{tag}~{rollbacks}"),
            Self::Labelled(name) => write!(f, "label:{name}"),
            Self::Newest(u64::MAX) => f.write_str("newest:all"),
            Self::Newest(keep) => write!(f, "newest:{keep}"),
            Self::Younger(age) => write!(f, "younger:{}", plain(*age)),
            Self::Frozen(prefix) => write!(f, "frozen:{}", prefix.pattern()),
            Self::State(word) => write!(f, "state:{}", word.as_str()),
            Self::NotNewest(keep) => write!(f, "not-newest:{keep}"),
            Self::Older(age) => write!(f, "older:{}", plain(*age)),
        }
    }
}

/// Returns a length without spaces.
fn plain(length: Length) -> String {
    length.to_string().replace(' ', "")
}

/// The fate of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PruneAction {
    /// It stays.
    Keep,
    /// It would be deleted.
    Delete,
    /// It was deleted.
    Deleted,
}

/// A version that was decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrunedVersion {
    /// The package.
    pub package: PackageName,
    /// The version.
    pub version: Version,
    /// Its fate.
    pub action: PruneAction,
    /// The reasons: at least one.
    pub reasons: Vec<PruneReason>,
}

/// A result of [`Client::prune`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Pruning {
    /// A version.
    Version(PrunedVersion),
    /// A package to which no rule of the policy applies: all of its versions stay.
    NoRule(PackageName),
    /// A package that can't be read or changed: access is denied, or an item is damaged. What was not deleted stays.
    Unreadable {
        /// The package.
        package: PackageName,
        /// The reason.
        error: ledger::Error,
    },
}

/// The pruning of one package.
struct Pruner<'a> {
    client: &'a Client,
    package: PackageName,
    retention: Retention,
    delete: bool,
    author: Author,
    /// The time before which a version is old enough.
    old: Option<Timestamp>,
    stops: Stops,
    /// The freezes in force of all packages.
    freezes: Arc<[Freeze]>,
    /// The number of active versions so far: all of them are newer than the next one.
    newer: u64,
    versions: BoxStream<'a, Result<Release, ledger::Error>>,
}

type Rows<'a> = BoxStream<'a, Result<Pruning, ledger::Error>>;

impl Client {
    /// Decides which versions are kept, and with `delete` deletes the others. Streams each version that is not deleted
    /// yet, with the reasons: those of one package newest first, those of different packages in no order. Memory does
    /// not grow with the number of versions.
    ///
    /// Never deletes a version that a tag is on or that is `latest`, that has the label, or that the next rollbacks of a
    /// tag would go to, also if a tag moves concurrently: such a version is then reported as kept. Deletes no version of a
    /// package that is frozen: the freezes are read again before each deletion, so one that begins at that moment may miss
    /// that deletion. An interrupted run is resumed by the next one.
    ///
    /// A package that can't be read is yielded as [`Pruning::Unreadable`] and ends nothing. Yields
    /// [`NotFound`](ledger::NotFound) if the one package does not exist.
    #[must_use]
    pub fn prune(&self, options: &PruneOptions) -> BoxStream<'_, Result<Pruning, Error>> {
        let observer = Arc::clone(&self.observer);
        let options = options.clone();
        stream::once(async move {
            let author = self.signed(&options).into_owned().author;
            let options = PruneOptions { author, ..options };
            let freezes: Arc<[Freeze]> = self.freezes_in_force().await?.into();
            let examining = Within::begin(&observer, Phase::Examining, None);
            let rows = match options.scope.clone() {
                PruneScope::Package(package) => self.prune_one(package, &options, freezes),
                PruneScope::Prefix(prefix) => {
                    let packages = self.ledger.packages(&PackageQuery::new().prefix(prefix));
                    let each = packages
                        .map_ok(move |package| self.prune_each(package, &options, Arc::clone(&freezes)));
                    each.try_flatten_unordered(JOBS).boxed()
                }
            };
            Ok::<_, ledger::Error>(rows.inspect_ok(move |_| examining.advance(1)))
        })
        .try_flatten()
        .err_into()
        .boxed()
    }

    /// Prunes one of several packages: its failure does not end the others.
    fn prune_each(&self, package: PackageName, options: &PruneOptions, freezes: Arc<[Freeze]>) -> Rows<'_> {
        let rows = self.prune_one(package.clone(), options, freezes);
        rows.map(move |row| match row {
            Err(error) if is_of_one(&error) => Ok(Pruning::Unreadable { package: package.clone(), error }),
            row => row,
        })
        .boxed()
    }

    fn prune_one(&self, package: PackageName, options: &PruneOptions, freezes: Arc<[Freeze]>) -> Rows<'_> {
        let Some(retention) = options.policy.of(&package).cloned() else {
            return stream::once(async move { Ok(Pruning::NoRule(package)) }).boxed();
        };
        let (delete, author) = (options.delete, options.author.clone());
        stream::once(async move {
            let stops = self.ledger.stops(&package, retention.rollback_depth).await?;
            let old = match retention.min_age {
                Some(age) => Some(self.ledger.time_of(Moment::Ago(age)).await?),
                None => None,
            };
            let versions = self.ledger.versions(&package);
            let pruner = Pruner {
                client: self,
                package,
                retention,
                delete,
                author,
                old,
                stops,
                freezes,
                newer: 0,
                versions,
            };
            Ok::<_, ledger::Error>(stream::try_unfold(pruner, Pruner::next))
        })
        .try_flatten()
        .map_ok(Pruning::Version)
        .boxed()
    }
}

impl Pruner<'_> {
    async fn next(mut self) -> Result<Option<(PrunedVersion, Self)>, ledger::Error> {
        while let Some(release) = self.versions.try_next().await? {
            if release.state == State::Deleted {
                continue;
            }
            let decided = self.decide(&release).await?;
            self.newer += u64::from(release.state == State::Active);
            if let Some((action, reasons)) = decided {
                let (package, version) = (self.package.clone(), release.version);
                return Ok(Some((PrunedVersion { package, version, action, reasons }, self)));
            }
        }
        Ok(None)
    }

    /// Decides on a version and deletes it if nothing keeps it. Returns `None` if it was deleted by others.
    async fn decide(
        &mut self,
        release: &Release,
    ) -> Result<Option<(PruneAction, Vec<PruneReason>)>, ledger::Error> {
        for _ in 0..MAX_DECISIONS {
            let mut kept = self.reasons_to_keep(release);
            if kept.is_empty() && self.delete {
                self.freezes = self.client.freezes_in_force().await?.into();
                kept = self.reasons_to_keep(release);
            }
            if !kept.is_empty() {
                return Ok(Some((PruneAction::Keep, kept)));
            }
            if !self.delete {
                return Ok(Some((PruneAction::Delete, self.reasons_to_delete())));
            }
            reach("prune-decided");
            let mut request = PruneRequest::new(release).label_keep(&self.retention.label_keep);
            request.author = self.author.clone();
            match self.client.ledger.prune(&request, &self.stops).await? {
                Pruned::Deleted(changed) if changed.previous == State::Deleted => return Ok(None),
                Pruned::Deleted(_) => {
                    self.stops.after_deletion();
                    reach("prune-deleted");
                    return Ok(Some((PruneAction::Deleted, self.reasons_to_delete())));
                }
                Pruned::Latest => return Ok(Some((PruneAction::Keep, vec![PruneReason::Latest]))),
                Pruned::Labelled => {
                    let label = PruneReason::Labelled(self.retention.label_keep.clone());
                    return Ok(Some((PruneAction::Keep, vec![label])));
                }
                // The stops are those that were looked at above.
                Pruned::Stop | Pruned::Moved => {
                    self.stops =
                        self.client.ledger.stops(&self.package, self.retention.rollback_depth).await?;
                }
            }
        }
        Err(Conflict::Contention(self.package.clone()).into())
    }

    /// Returns the reasons to keep a version: the one place where a new reason is added. A reason that can come up at any
    /// time must also be a condition of the deletion, as those of [`Stops`] are, or be looked for just before it, as freezes
    /// are.
    fn reasons_to_keep(&self, release: &Release) -> Vec<PruneReason> {
        let mut reasons = Vec::new();
        reasons.extend(release.tags.iter().any(|tag| tag == "latest").then_some(PruneReason::Latest));
        reasons.extend(self.stops.on(release.version).iter().cloned().map(PruneReason::Tagged));
        let stops = self.stops.of(release.version).iter();
        reasons.extend(stops.map(|stop| PruneReason::Rollback(stop.tag.clone(), stop.rollbacks)));
        let label = &self.retention.label_keep;
        let labelled = release.labels.iter().any(|(name, _)| name == label);
        reasons.extend(labelled.then(|| PruneReason::Labelled(label.clone())));
        let keep = self.retention.keep.filter(|keep| self.newer < *keep);
        reasons.extend(keep.map(PruneReason::Newest));
        let is_young = self.old.is_some_and(|old| release.added_at > old);
        reasons.extend(self.retention.min_age.filter(|_| is_young).map(PruneReason::Younger));
        let frozen = self.freezes.iter().filter(|freeze| freeze.prefix.selects(&self.package));
        reasons.extend(frozen.map(|freeze| PruneReason::Frozen(freeze.prefix.clone())));
        if let State::Other(word) = release.state {
            reasons.push(PruneReason::State(word));
        }
        reasons
    }

    /// Returns the reasons to delete a version that nothing keeps: the limits that it is beyond.
    fn reasons_to_delete(&self) -> Vec<PruneReason> {
        let newest = self.retention.keep.map(PruneReason::NotNewest);
        newest.into_iter().chain(self.retention.min_age.map(PruneReason::Older)).collect()
    }
}
