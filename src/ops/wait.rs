//! `wait`: until a version is there, or a tag has moved.

use super::{client::Client, error::Error, observer::Observer};
use crate::{
    fault::{Fault, FaultKind},
    ledger,
    model::{Invalid, PackageName, Release, Spec, Version},
};
use std::{mem, sync::Arc, time::Duration};
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
    /// How long to wait; without it, without end.
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

/// How long the last look may take: the timeout of a wait has passed by then.
pub const LAST_LOOK: Duration = Duration::from_secs(5);

impl Client {
    /// Returns as soon as a look shows that what is waited for is so: strongly consistent, and at most one
    /// and a half times [`POLL`] after it came to be. Changes nothing; may be dropped at any time.
    ///
    /// An outage, throttling or contention does not end it, however long that lasts: its deadline is its timeout alone.
    /// `observer` is warned once the ledger has not answered for as long as the client's own deadline, and when it
    /// answers again. It ends at most [`LAST_LOOK`] after the timeout.
    ///
    /// # Errors
    /// [`Error::TimedOut`]; a transient [`ledger::Error::Fault`] if the last look got no answer, so that it is not
    /// known what is there; [`Error::Invalid`] if `after_rev` is given and the spec is no tag; those of
    /// [`Ledger::position`](crate::ledger::Ledger::position), but for what is not there yet.
    pub async fn wait(&self, wait: &Wait, observer: &Arc<dyn Observer>) -> Result<Release, Error> {
        if wait.after_rev.is_some() && !matches!(wait.spec, Spec::Tag(_)) {
            let rule = "has no revision: only a tag, such as live, can be waited for by its revision";
            return Err(Invalid::new("spec", &wait.spec.to_string(), rule).into());
        }
        let began = Instant::now();
        let left = || wait.timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
        let mut away = false;
        loop {
            let look = match left() {
                Some(left) => tokio::time::timeout(left.max(LAST_LOOK), self.look(wait)).await,
                None => Ok(self.look(wait).await),
            };
            let looked = look.unwrap_or_else(|_| Err(unanswered()));
            match &looked {
                Ok(Looked::On(_)) => {
                    if mem::take(&mut away) {
                        observer.warn("the ledger answers again");
                    }
                }
                Err(ledger::Error::Fault(fault)) if fault.kind.is_transient() && !self.is_stopped() => {
                    if !mem::replace(&mut away, true) {
                        observer.warn(&format!("the ledger does not answer; still waiting: {fault}"));
                    }
                }
                Ok(Looked::Met(_)) | Err(_) => {}
            }
            let over = left().is_some_and(|left| left.is_zero());
            match looked {
                Ok(Looked::Met(release)) => return Ok(*release),
                Ok(Looked::On(found)) if over => {
                    let (package, spec) = (wait.package.clone(), wait.spec.clone());
                    return Err(Error::TimedOut { package, spec, found });
                }
                Err(error) if over || !away => return Err(error.into()),
                _ => {}
            }
            let pause = self.retry_policy.pause(POLL);
            // The last look is at the very end.
            match left() {
                Some(left) => drop(tokio::time::timeout(left, pause).await),
                None => pause.await,
            }
        }
    }

    async fn look(&self, wait: &Wait) -> Result<Looked, ledger::Error> {
        let found = match self.ledger.position(&wait.package, &wait.spec).await {
            Ok((version, rev)) if wait.is_met_by(version, rev) => {
                // It may have moved since.
                let release = self.ledger.release(&wait.package, &wait.spec).await;
                match release {
                    Ok(release) if wait.is_met_by(release.version, release.rev) => {
                        return Ok(Looked::Met(Box::new(release)));
                    }
                    release => release.map(|release| release.version),
                }
            }
            found => found.map(|(version, _)| version),
        };
        match found {
            Ok(version) => Ok(Looked::On(Some(version))),
            Err(ledger::Error::NotFound(_)) => Ok(Looked::On(None)),
            Err(error) => Err(error),
        }
    }

    fn is_stopped(&self) -> bool {
        self.retry_policy.cancellation().is_cancelled()
    }
}

/// What a look has shown.
enum Looked {
    Met(Box<Release>),
    /// Not yet; the version that it is on.
    On(Option<Version>),
}

fn unanswered() -> ledger::Error {
    Fault::new(FaultKind::Unavailable, "reading the ledger", "no answer in time").into()
}
