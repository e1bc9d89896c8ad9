//! `tags`: the tags of a package.

use super::{Client, Error};
use crate::model::{PackageName, Tagged};

impl Client {
    /// `latest`, and the tags of a package that are on a version.
    ///
    /// # Errors
    /// Those of [`Ledger::tags`](crate::ledger::Ledger::tags).
    pub async fn tags(&self, package: &PackageName) -> Result<Tagged, Error> {
        Ok(self.ledger.tags(package).await?)
    }
}
