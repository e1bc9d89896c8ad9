//! `wait`: until a version is there, or a tag has moved.

use super::{Client, Error};
use crate::{
    ledger,
    model::{Invalid, PackageName, Release, Spec, Version},
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
    /// It must lead to a version with a higher number than this. A rollback lowers the number, so it is never seen.
    pub newer_than: Option<Version>,
    /// The tag must have been changed at a higher revision than this: moved forth or back, taken off and put on again,
    /// put on the same version again, or protected. Only for a spec that is a tag.
    pub after_rev: Option<u64>,
    /// How long to wait; without it, for ever.
    pub timeout: Option<Duration>,
}

/// How long it waits between two looks, on average: with one consistent read of up to 4 KiB a look, a thousand waiting
/// hosts take a third of what one partition of DynamoDB gives (3,000 read units a second).
pub const POLL: Duration = Duration::from_secs(1);

impl Wait {
    fn is_met_by(&self, version: Version, rev: Option<u64>) -> bool {
        self.version.is_none_or(|wanted| version == wanted)
            && self.newer_than.is_none_or(|than| version > than)
            && self.after_rev.is_none_or(|after| rev.is_some_and(|rev| rev > after))
    }
}

impl Client {
    /// Returns as soon as a look shows that what is waited for is so: strongly consistent, and at most one
    /// and a half times [`POLL`] after it came to be. Changes nothing.
    ///
    /// # Errors
    /// [`Error::TimedOut`]; [`Error::Invalid`] if `after_rev` is given and the spec is no tag; those of
    /// [`Ledger::position`](crate::ledger::Ledger::position), but for what is not there yet.
    pub async fn wait(&self, wait: &Wait) -> Result<Release, Error> {
        if wait.after_rev.is_some() && !matches!(wait.spec, Spec::Tag(_)) {
            let rule = "has no revision: only a tag, such as live, can be waited for by its revision";
            return Err(Invalid::new("spec", &wait.spec.to_string(), rule).into());
        }
        let began = Instant::now();
        loop {
            let found = match self.ledger.position(&wait.package, &wait.spec).await {
                Ok((version, rev)) if wait.is_met_by(version, rev) => {
                    // It may have moved on in between.
                    match self.ledger.release(&wait.package, &wait.spec).await {
                        Ok(release) if wait.is_met_by(release.version, release.rev) => return Ok(release),
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
