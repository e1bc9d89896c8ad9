//! `history`: what happened to a package.

use super::{Client, Error};
use crate::model::{Event, PackageName, TagName};
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};

impl Client {
    /// All that happened to a package, or to one tag of it, newest first, page by page as it is asked for.
    ///
    /// Yields the errors of [`Ledger::history`](crate::ledger::Ledger::history).
    #[must_use]
    pub fn history(
        &self,
        package: &PackageName,
        tag: Option<&TagName>,
    ) -> BoxStream<'_, Result<Event, Error>> {
        self.ledger.history(package, tag).err_into().boxed()
    }
}
