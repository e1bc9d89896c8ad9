//! `wait`: until a version is there, or a tag has moved.

use super::{client::Client, error::Error};
use crate::{
    fault::{Fault, FaultKind},
    ledger::{self, NotFound},
    model::{Invalid, PackageName, Release, Spec, Version},
};
use std::{mem, time::Duration};
use tokio::time::Instant;

/// A condition to wait for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Wait {
    /// The package, which need not be there yet.
    pub package: PackageName,
    /// The spec that must mean a version.
    pub spec: Spec,
    /// It must lead to this version.
    pub version: Option<Version>,
    /// It must lead to a version with a higher number than this. A rollback lowers the number, so it is never seen.
    pub newer_than: Option<Version>,
    /// The tag must have been changed at a higher revision than this: moved forth or back, put on the same version
    /// again, or protected. If it is on no version after such a change, the wait ends with
    /// [`NotFound::Unset`], unless a version is named. Only for a spec that is a tag.
    pub after_rev: Option<u64>,
    /// The time after which it ends; without it, it waits without end.
    pub timeout: Option<Duration>,
}

/// The pause between two polls, on average: with one consistent read of up to 4 KiB a poll, a thousand waiting
/// hosts take a third of what one partition of DynamoDB gives (3,000 read units a second).
pub const POLL: Duration = Duration::from_secs(1);

impl Wait {
    /// Until `spec` means some version of `package`, without a timeout.
    #[must_use]
    pub fn new(package: PackageName, spec: Spec) -> Self {
        Self { package, spec, version: None, newer_than: None, after_rev: None, timeout: None }
    }

    /// Until the spec means this version.
    #[must_use]
    pub fn version(self, version: Version) -> Self {
        Self { version: Some(version), ..self }
    }

    /// Until the spec means a version with a higher number than this.
    #[must_use]
    pub fn newer_than(self, version: Version) -> Self {
        Self { newer_than: Some(version), ..self }
    }

    /// Until the tag was changed at a higher revision than this.
    #[must_use]
    pub fn after_rev(self, rev: u64) -> Self {
        Self { after_rev: Some(rev), ..self }
    }

    /// Ends with [`Error::TimedOut`] after this time.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    fn is_met_by(&self, version: Version, rev: Option<u64>) -> bool {
        self.version.is_none_or(|wanted| version == wanted)
            && self.newer_than.is_none_or(|than| version > than)
            && self.after_rev.is_none_or(|after| rev.is_some_and(|rev| rev > after))
    }

    /// Returns `true` if that which was not found is a later change of the tag, and any later change is waited for.
    fn is_ended_by(&self, not_found: &NotFound) -> bool {
        let any = self.version.is_none() && self.newer_than.is_none();
        let unset = matches!(not_found, NotFound::Unset { rev, .. } if self.after_rev.is_some_and(|after| *rev > after));
        any && unset
    }
}

/// The longest time of the last poll: the timeout of a wait has passed by then.
pub const LAST_POLL: Duration = Duration::from_secs(5);

impl Client {
    /// Returns as soon as a poll shows that what is waited for is so: strongly consistent, and at most one
    /// and a half times [`POLL`] after it came to be. Changes nothing.
    ///
    /// An outage, throttling or contention does not end it, however long that lasts: its deadline is its timeout alone.
    /// The observer is warned once the ledger has not answered for as long as the client's own deadline, and when it
    /// answers again. It ends at most [`LAST_POLL`] after the timeout.
    ///
    /// # Cancellation
    /// May be dropped at any time.
    ///
    /// # Errors
    /// [`Error::TimedOut`]; a transient [`ledger::Error::Fault`] if the last poll got no answer, so that it is not
    /// known what is there; [`NotFound::Unset`] if the tag was taken off after `after_rev`, and no version is named;
    /// [`Error::Invalid`] if `after_rev` is given and the spec is no tag; those of
    /// [`Ledger::position`](crate::ledger::Ledger::position), but for what is not there yet.
    pub async fn wait(&self, wait: &Wait) -> Result<Release, Error> {
        if wait.after_rev.is_some() && !matches!(wait.spec, Spec::Tag(_)) {
            let rule = "has no revision: only a tag, such as live, can be waited for by its revision";
            return Err(Invalid::new("spec", &wait.spec.to_string(), rule).into());
        }
        let began = Instant::now();
        let left = || wait.timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
        let mut away = false;
        loop {
            let polled = match left() {
                Some(left) => tokio::time::timeout(left.max(LAST_POLL), self.poll(wait)).await,
                None => Ok(self.poll(wait).await),
            };
            let result = polled.unwrap_or_else(|_| Err(unanswered()));
            let over = left().is_some_and(|left| left.is_zero());
            match result {
                Ok(Polled::Met(release)) => return Ok(*release),
                Ok(Polled::NotYet(found)) => {
                    if mem::take(&mut away) {
                        self.observer.warn("the ledger answers again");
                    }
                    if over {
                        let (package, spec) = (wait.package.clone(), wait.spec.clone());
                        return Err(Error::TimedOut { package, spec, found });
                    }
                }
                Err(ledger::Error::Fault(fault))
                    if fault.kind.is_transient() && !over && !self.is_stopped() =>
                {
                    if !mem::replace(&mut away, true) {
                        self.observer.warn(&format!("the ledger does not answer; still waiting: {fault}"));
                    }
                }
                Err(error) => return Err(error.into()),
            }
            let pause = self.retry_policy.pause(POLL);
            // The last poll is at the very end.
            match left() {
                Some(left) => drop(tokio::time::timeout(left, pause).await),
                None => pause.await,
            }
        }
    }

    async fn poll(&self, wait: &Wait) -> Result<Polled, ledger::Error> {
        let found = match self.ledger.position(&wait.package, &wait.spec).await {
            Ok((version, rev)) if wait.is_met_by(version, rev) => {
                // It may have moved since.
                let release = self.ledger.release(&wait.package, &wait.spec).await;
                match release {
                    Ok(release) if wait.is_met_by(release.version, release.rev) => {
                        return Ok(Polled::Met(Box::new(release)));
                    }
                    release => release.map(|release| release.version),
                }
            }
            found => found.map(|(version, _)| version),
        };
        match found {
            Ok(version) => Ok(Polled::NotYet(Some(version))),
            Err(ledger::Error::NotFound(not_found)) if !wait.is_ended_by(&not_found) => {
                Ok(Polled::NotYet(None))
            }
            Err(error) => Err(error),
        }
    }

    fn is_stopped(&self) -> bool {
        self.retry_policy.cancellation().is_cancelled()
    }
}

/// The result of a poll.
enum Polled {
    Met(Box<Release>),
    /// Not yet; the version that it is on.
    NotYet(Option<Version>),
}

fn unanswered() -> ledger::Error {
    Fault::new(FaultKind::Unavailable, "reading the ledger", "no answer in time").into()
}
