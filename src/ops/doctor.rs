//! `doctor`: examines a set-up, and changes nothing.

mod findings;
mod grants;
mod sides;

pub use findings::{DoctorReport, Finding, Verdict};

use super::{client::Client, error::Error};
use crate::{
    ledger::Identity,
    model::{PackageName, Trial},
};
use findings::Findings;
use sides::Owner;
use std::time::Duration;

/// The time by which an examination may exceed the deadline, so that the error of a last try is reported.
const GRACE: Duration = Duration::from_millis(500);

/// Options of an examination.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Doctor {
    /// Also send requests that write, to learn what only they show; they change nothing.
    pub probe: bool,
    /// The package for which permissions are tried.
    pub package: Option<PackageName>,
}

impl Doctor {
    /// Sends only requests that read, and tries no permission for a package.
    #[must_use]
    pub const fn new() -> Self {
        Self { probe: false, package: None }
    }

    /// Also sends requests that write: ones that the store's server must refuse, ones that write the same owner again,
    /// and ones under a condition that can't hold, to learn the permissions to write and delete.
    #[must_use]
    pub fn probe(self, probe: bool) -> Self {
        Self { probe, ..self }
    }

    /// Tries the permissions for this package, too.
    #[must_use]
    pub fn package(self, package: Option<PackageName>) -> Self {
        Self { package, ..self }
    }
}

/// The state of a side, as far as it is known.
type Seen<T> = Option<T>;

impl Client {
    /// Examines the ledger, the store, their settings, clocks and round-trip times, and the permissions of the
    /// credentials. Changes nothing. Reports each finding; a defect is no error.
    ///
    /// Ends by the deadline of the retry policy, with the findings until then: a server without an answer is a finding
    /// itself.
    ///
    /// # Cancellation
    /// May be dropped at any time.
    pub async fn doctor(&self, options: &Doctor) -> DoctorReport {
        let limit = self.retry_policy.deadline() + GRACE;
        let ends = tokio::time::Instant::now() + limit;
        let (of_ledger, of_store, of_both) = (Findings::new(), Findings::new(), Findings::new());
        let (identity, owner) = tokio::join!(
            of_ledger.until(ends, "ledger", self.examine_ledger(&of_ledger)),
            of_store.until(ends, "store", self.examine_store(&of_store)),
        );
        if tokio::time::Instant::now() + GRACE < ends {
            let examine = self.examine_both(options, identity.flatten(), owner.flatten(), &of_both);
            of_both.until(ends, "permissions", examine).await;
        } else {
            let detail = "the permissions were not tried: the time is up";
            of_both.add(Finding::new("permissions", Verdict::Unknown, detail));
        }
        DoctorReport::of([of_ledger, of_store, of_both])
    }

    /// Compares the store's owner with the ledger, tests the server, and tries the permissions.
    async fn examine_both(
        &self,
        options: &Doctor,
        identity: Seen<Option<Identity>>,
        owner: Seen<Owner>,
        found: &Findings,
    ) {
        let own = match (&identity, &owner) {
            (Some(identity), Some(Owner::Known(owner))) => {
                self.examine_owner(identity.as_ref(), owner.as_deref(), found)
            }
            _ => false,
        };
        let probed = if let (Some(Some(identity)), true) = (&identity, options.probe && own) {
            self.examine_server(identity, found).await
        } else {
            sides::note_unprobed(options.probe, matches!(owner, Some(Owner::Known(_))), found);
            false
        };
        let trial = |allowed| if options.probe && allowed { Trial::Writes } else { Trial::Reads };
        let package = options.package.as_ref();
        if identity.is_some() {
            match self.ledger.grants(package, trial(true)).await {
                Ok(grants) => grants::of_ledger(&grants, package, options.probe, found),
                Err(error) => found.failed("ledger_grants", &error.into()),
            }
        }
        if owner.is_some() {
            let tried = self.retry_policy.run("trying the permissions", || self.store.grants(trial(probed)));
            match tried.await {
                Ok(grants) => grants::of_store(&grants, options.probe, found),
                Err(fault) => found.failed("store_grants", &Error::Store(fault)),
            }
        }
    }
}
