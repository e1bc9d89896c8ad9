//! `wait`: until a version is there, or a tag has moved.

use super::{Client, Error};
use crate::{
    ledger,
    model::{PackageName, Release, Spec, Version},
};
use std::time::Duration;
use tokio::time::Instant;

/// What to wait for.
#[derive(Debug, Clone)]
pub struct Wait {
    /// The package, which need not be there yet.
    pub package: PackageName,
    /// What has to lead to a version.
    pub spec: Spec,
    /// It must lead to this version.
    pub version: Option<Version>,
    /// It must lead to a version with a higher number than this.
    pub newer_than: Option<Version>,
    /// How long to wait; without it, for ever.
    pub timeout: Option<Duration>,
}

/// How long it waits between two looks, on average: with one consistent read of up to 4 KiB a look, a thousand waiting
/// hosts take a third of what one partition of DynamoDB gives (3,000 read units a second).
pub const POLL: Duration = Duration::from_secs(1);

impl Wait {
    fn is_met_by(&self, version: Version) -> bool {
        self.version.is_none_or(|wanted| version == wanted)
            && self.newer_than.is_none_or(|than| version > than)
    }
}

impl Client {
    /// Returns as soon as a look shows that what is waited for is so: strongly consistent, and at most one
    /// and a half times [`POLL`] after it came to be. Changes nothing.
    ///
    /// # Errors
    /// [`Error::TimedOut`]; those of [`Ledger::blob`](crate::ledger::Ledger::blob), but for what is not there yet.
    pub async fn wait(&self, wait: &Wait) -> Result<Release, Error> {
        let began = Instant::now();
        loop {
            let found = match self.ledger.blob(&wait.package, &wait.spec).await {
                Ok((version, _)) if wait.is_met_by(version) => {
                    // It may have moved on in between.
                    match self.ledger.release(&wait.package, &wait.spec).await {
                        Ok(release) if wait.is_met_by(release.version) => return Ok(release),
                        Ok(release) => Some(release.version),
                        Err(ledger::Error::NotFound(_)) => None,
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok((version, _)) => Some(version),
                Err(ledger::Error::NotFound(_)) => None,
                Err(error) => return Err(error.into()),
            };
            let pause = self.patience.pause(POLL);
            let left = wait.timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                let (package, spec) = (wait.package.clone(), wait.spec.clone());
                return Err(Error::TimedOut { package, spec, found });
            }
            // The last look is at the very end.
            match left {
                Some(left) => drop(tokio::time::timeout(left, pause).await),
                None => pause.await,
            }
        }
    }
}
