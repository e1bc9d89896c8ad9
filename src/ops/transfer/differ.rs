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
        let mut behind = Vec::new();
        for some in source.chunks(AT_ONCE) {
            let names: Vec<_> = some.iter().map(|(package, _)| package.clone()).collect();
            for ((package, source), present) in some.iter().zip(self.ledger.positions(&names).await?) {
                if *source == present {
                    continue;
                }
                let of = |source: &Positions, name| {
                    let (at, present) = match name {
                        "releases" => (&source.releases, &present.releases),
                        _ => (&source.tags, &present.tags),
                    };
                    (present.rev > at.rev).then(|| {
                        let what =
                            format!("it ends at rev {}, past rev {} of the source", present.rev, at.rev);
                        diverged(format!("the log of {name} of {package}"), what)
                    })
                };
                if let Some(error) = of(source, "releases").or_else(|| of(source, "tags")) {
                    return Err(error);
                }
                behind.push(Behind { package: package.clone(), source: source.clone(), present });
            }
        }
        Ok(behind)
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
