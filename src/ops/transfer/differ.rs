//! Comparing the past of a ledger with that of a source, before anything is changed.

use crate::{
    ledger::{ExportItem, PackageQuery, Positions, Refused},
    model::PackageName,
    ops::{client::Client, error::Error},
};
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{BoxStream, Stream},
};
use std::collections::BTreeSet;

/// The number of packages whose positions are read at once.
const AT_ONCE: usize = 100;

/// A package that differs between source and destination.
#[derive(Debug, Clone)]
pub(super) struct Behind {
    pub package: PackageName,
    /// The positions of the source.
    pub source: Positions,
    /// The positions of the destination.
    pub present: Positions,
}

pub(super) fn diverged(place: String, what: impl Into<String>) -> Error {
    crate::ledger::Error::from(Refused::Diverged { place, what: what.into() }).into()
}

impl Client {
    /// Compares this ledger with the packages of a source, by the ends of their logs. Returns those that are not equal.
    ///
    /// # Errors
    /// [`Refused::Diverged`] if this ledger has a package that the source does not have, or is ahead of it.
    pub(super) async fn behind(&self, source: &[(PackageName, Positions)]) -> Result<Vec<Behind>, Error> {
        let known: BTreeSet<_> = source.iter().map(|(package, _)| package).collect();
        let mut own = self.ledger.packages(&PackageQuery::default());
        while let Some(package) = own.try_next().await? {
            if !known.contains(&package) {
                return Err(diverged(format!("the package {package}"), "the source does not have it"));
            }
        }
        let names: Vec<_> = source.iter().map(|(package, _)| package.clone()).collect();
        let present = self.positions_of(&names).await?;
        let mut behind = Vec::new();
        for ((package, source), present) in source.iter().zip(present) {
            if *source == present {
                continue;
            }
            let logs =
                [("releases", &source.releases, &present.releases), ("tags", &source.tags, &present.tags)];
            if let Some((name, at, present)) = logs.into_iter().find(|(_, at, present)| present.rev > at.rev)
            {
                let what = format!("it ends at rev {}, past rev {} of the source", present.rev, at.rev);
                return Err(diverged(format!("the log of {name} of {package}"), what));
            }
            behind.push(Behind { package: package.clone(), source: source.clone(), present });
        }
        Ok(behind)
    }

    /// Returns the ends of the logs of all packages, by name.
    pub(super) async fn package_positions(&self) -> Result<Vec<(PackageName, Positions)>, Error> {
        let names: Vec<_> = self.ledger.packages(&PackageQuery::default()).try_collect().await?;
        let positions = self.positions_of(&names).await?;
        Ok(names.into_iter().zip(positions).collect())
    }

    /// Returns the ends of the logs of these packages, in their order.
    async fn positions_of(&self, packages: &[PackageName]) -> Result<Vec<Positions>, Error> {
        let mut all = Vec::with_capacity(packages.len());
        for some in packages.chunks(AT_ONCE) {
            all.extend(self.ledger.positions(some).await?);
        }
        Ok(all)
    }

    /// Returns the error of a package that has another past here than in the source, with the first entry that differs.
    pub(super) async fn first_difference(
        &self,
        package: &PackageName,
        source: impl Stream<Item = Result<ExportItem, Error>> + Send,
    ) -> Result<Error, Error> {
        let mut source = std::pin::pin!(source.try_filter(|item| std::future::ready(item.entry().is_some())));
        let mut own: [BoxStream<'_, _>; 2] = [false, true].map(|of_tags| {
            let entries = self.ledger.export(package, &Positions::default());
            entries
                .try_filter(move |item| {
                    std::future::ready(item.entry().is_some() && item.is_tag_entry() == of_tags)
                })
                .boxed()
        });
        while let Some(item) = source.next().await.transpose()? {
            let Some(other) = own[usize::from(item.is_tag_entry())].next().await.transpose()? else {
                continue;
            };
            if other.place() != item.place() {
                return Ok(diverged(item.place(), format!("the ledger has {} instead", other.place())));
            }
            if other.entry() != item.entry() {
                return Ok(diverged(item.place(), "the ledger has another entry there"));
            }
        }
        Ok(diverged(format!("the package {package}"), "its heads differ; `sacker fsck` shows more"))
    }
}
