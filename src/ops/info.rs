//! `info`: one version of a package.

use super::{Client, Error};
use crate::model::{PackageName, Release, Spec};

impl Client {
    /// All that is known of what a spec means now.
    ///
    /// # Errors
    /// Those of [`Ledger::release`](crate::ledger::Ledger::release).
    pub async fn info(&self, package: &PackageName, spec: &Spec) -> Result<Release, Error> {
        Ok(self.ledger.release(package, spec).await?)
    }
}
