//! `versions`: the versions of a package.

use super::{Client, Error};
use crate::model::{PackageName, Release};
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};

impl Client {
    /// The versions of a package, newest first, streamed; with a prefix of a sha256, in lower-case hex, only those
    /// with such a blob.
    #[must_use]
    pub fn versions(
        &self,
        package: &PackageName,
        sha256: Option<String>,
    ) -> BoxStream<'_, Result<Release, Error>> {
        self.ledger
            .versions(package)
            .try_filter(move |release| {
                let digest = release.blob.address.sha256.as_str();
                std::future::ready(sha256.as_deref().is_none_or(|prefix| digest.starts_with(prefix)))
            })
            .err_into()
            .boxed()
    }
}
