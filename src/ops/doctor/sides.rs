//! The examination of the ledger and of the store, each by itself, and of the relation between the two.

use super::{
    findings::{Finding, Findings, Verdict},
    grants::PROBE,
};
use crate::{
    fault::FaultKind,
    ledger::{self, CLOCKS_DIFFER, Identity},
    model::{GrantState, Timestamp, Trial},
    ops::{client::Client, error::Error, kind::ErrorKind},
};
use std::time::{Duration, Instant};

/// The round-trip time from which every command is slow.
const SLOW: Duration = Duration::from_millis(500);
/// The difference from which AWS refuses requests.
const REFUSED: Duration = Duration::from_mins(5);

const INIT: &str = "sacker init";

/// The owner of a store that can be used.
#[derive(Debug)]
pub(super) enum Owner {
    /// The store states this owner, or none.
    Known(Option<String>),
    /// The credentials may not read it: the roles that only download need not.
    Hidden,
}

impl Client {
    /// Examines the ledger; returns its identity, if it could be read.
    pub(super) async fn examine_ledger(&self, found: &Findings) -> Option<Option<Identity>> {
        let identity = match self.ledger.identity().await {
            Ok(identity) => identity,
            Err(error) => {
                let finding = unreadable("ledger", &error.into());
                let answers = finding.kind != Some(ErrorKind::Unavailable);
                found.add(finding);
                // They may say why.
                if answers && let Ok(settings) = self.ledger.settings().await {
                    found.settings(&settings);
                }
                return None;
            }
        };
        match &identity {
            None => found.add(
                Finding::new(
                    "ledger",
                    Verdict::Warn,
                    format!("{} has no identity yet", self.ledger.describe()),
                )
                .repair(INIT),
            ),
            Some(identity) => {
                found.ok(
                    "ledger",
                    format!("{} can be read; its id is {}", self.ledger.describe(), identity.id),
                );
                found.ok("schema", format!("the schema of the ledger is {}", identity.schema));
                found.add(home(identity));
            }
        }
        let began = Instant::now();
        if self.ledger.identity().await.is_ok() {
            found.add(round_trip("ledger_round_trip", began.elapsed()));
        }
        found.clock("ledger_clock", self.ledger.server_time(), Timestamp::now());
        match self.ledger.settings().await {
            Ok(settings) => found.settings(&settings),
            Err(error) => found.add(unseen("table_settings", &error.into())),
        }
        Some(identity)
    }

    /// Examines the store; returns its owner, if the store can be used.
    pub(super) async fn examine_store(&self, found: &Findings) -> Option<Owner> {
        let owner = match self.owner().await {
            Ok(owner) => Owner::Known(owner),
            Err(error) => {
                if error.kind() != ErrorKind::Denied || !self.may_use_store().await {
                    found.add(unreadable("store", &error));
                    return None;
                }
                let finding = Finding::of_error("store_owner", &error);
                found.add(Finding { verdict: Verdict::Unknown, kind: None, ..finding });
                Owner::Hidden
            }
        };
        found.ok("store", format!("{} can be read", self.store.describe()));
        let began = Instant::now();
        if matches!(owner, Owner::Known(_)) && self.owner().await.is_ok() {
            found.add(round_trip("store_round_trip", began.elapsed()));
        }
        found.clock("store_clock", self.store.time(), Timestamp::now());
        let settings = self.retry_policy.run("checking the settings of the store", || self.store.settings());
        match settings.await {
            Ok(settings) => found.settings(&settings),
            Err(fault) => found.add(unseen("bucket_settings", &Error::Store(fault))),
        }
        Some(owner)
    }

    /// Returns true if the credentials have some permission on the store.
    async fn may_use_store(&self) -> bool {
        let tried = self.retry_policy.run("trying the permissions", || self.store.grants(Trial::Reads));
        tried.await.is_ok_and(|grants| grants.iter().any(|grant| grant.state == GrantState::Granted))
    }

    /// Compares the store's owner with the ledger; returns true if the store is the ledger's own.
    pub(super) fn examine_owner(
        &self,
        identity: Option<&Identity>,
        owner: Option<&str>,
        found: &Findings,
    ) -> bool {
        const NAME: &str = "store_owner";
        match (identity, owner) {
            (_, None) => {
                found.add(Finding::new(NAME, Verdict::Warn, "the store has no owner yet").repair(INIT));
                false
            }
            (identity, Some(owner)) => match self.must_own(Some(owner.to_owned()), identity) {
                Ok(()) => {
                    found.ok(NAME, format!("the store belongs to this ledger: {owner}"));
                    true
                }
                Err(error) => {
                    let adopt = "sacker init --adopt-store (the other ledger is refused from then on)";
                    found.add(Finding::new(NAME, Verdict::Fail, error.to_string()).repair(adopt));
                    false
                }
            },
        }
    }

    /// Tests if the store's server has what a store needs; returns true if it has.
    pub(super) async fn examine_server(&self, identity: &Identity, found: &Findings) -> bool {
        match self.probe(&identity.mark()).await {
            Ok(properties) => {
                found.settings(&properties);
                if properties.is_empty() {
                    found.ok("server", "this store needs no properties of a server");
                }
                true
            }
            Err(error) => {
                found.failed("server", &error);
                false
            }
        }
    }
}

/// Notes that the store's server was not tested.
pub(super) fn note_unprobed(wanted: bool, knows_owner: bool, found: &Findings) {
    let server = |detail| Finding::new("server", Verdict::Unknown, detail);
    found.add(match (wanted, knows_owner) {
        (true, true) => server("the store's server was not tested: the store does not belong to this ledger"),
        (true, false) => server("the store's server was not tested: the owner of the store can't be read"),
        (false, _) => server("the store's server is tested only with --probe").repair(PROBE),
    });
}

/// Returns the finding of a ledger or store that can't be read.
fn unreadable(name: &'static str, error: &Error) -> Finding {
    let finding = Finding::of_error(name, error);
    let missing = match error {
        Error::Ledger(ledger::Error::Fault(fault)) | Error::Store(fault) => fault.kind == FaultKind::Missing,
        _ => false,
    };
    if missing { finding.repair(INIT) } else { finding }
}

/// Returns the finding of settings that can't be read: `Unknown` if that is not allowed.
fn unseen(name: &'static str, error: &Error) -> Finding {
    let finding = Finding::of_error(name, error);
    if finding.kind == Some(ErrorKind::Denied) {
        return Finding { verdict: Verdict::Unknown, kind: None, ..finding };
    }
    finding
}

fn home(identity: &Identity) -> Finding {
    match &identity.copy_of {
        None => Finding::new("ledger_home", Verdict::Ok, "the ledger is where it was created"),
        Some(home) => Finding::new(
            "ledger_home",
            Verdict::Fail,
            format!("the ledger is a copy, such as a restored table: it was created in {home}"),
        )
        .repair("sacker init --adopt-store (the original is refused from then on)"),
    }
}

fn round_trip(name: &'static str, took: Duration) -> Finding {
    let verdict = if took < SLOW { Verdict::Ok } else { Verdict::Warn };
    let tenths = took.as_micros() / 100;
    Finding::new(name, verdict, format!("a read takes {}.{} ms", tenths / 10, tenths % 10))
}

impl Findings {
    /// Adds the difference between this machine's clock and a server's, if the server has stated its time.
    fn clock(&self, name: &'static str, server: Option<Timestamp>, local: Timestamp) {
        let Some(server) = server else { return };
        let (ahead, behind) = (local.since(server), server.since(local));
        let difference = ahead.max(behind);
        let which = if ahead > behind { "ahead of" } else { "behind" };
        let seconds = difference.as_secs();
        let (verdict, detail) = match difference {
            difference if difference <= CLOCKS_DIFFER => {
                (Verdict::Ok, "this machine's clock and the server's agree".to_owned())
            }
            difference => (
                if difference > REFUSED { Verdict::Fail } else { Verdict::Warn },
                format!("this machine's clock is {seconds} s {which} the server's"),
            ),
        };
        let finding = Finding::new(name, verdict, detail);
        self.add(if verdict == Verdict::Ok { finding } else { finding.repair("timedatectl set-ntp true") });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_judged_by_its_difference() {
        let noon = Timestamp::from_millis(1_800_000_000_000);
        let judged = |server: Timestamp, local: Timestamp| {
            let found = Findings::new();
            found.clock("ledger_clock", Some(server), local);
            let report = super::super::DoctorReport::of([found]);
            (report.findings[0].verdict, report.findings[0].detail.clone())
        };
        let later = |seconds| noon.later(Duration::from_secs(seconds));
        assert_eq!(judged(noon, later(30)).0, Verdict::Ok);
        assert_eq!(judged(later(30), noon).0, Verdict::Ok);
        let ahead = "this machine's clock is 31 s ahead of the server's".to_owned();
        assert_eq!(judged(noon, later(31)), (Verdict::Warn, ahead));
        let behind = "this machine's clock is 301 s behind the server's".to_owned();
        assert_eq!(judged(later(301), noon), (Verdict::Fail, behind));
    }

    #[test]
    fn a_slow_round_trip_is_a_warning() {
        assert_eq!(round_trip("a", Duration::from_millis(499)).verdict, Verdict::Ok);
        let slow = round_trip("a", Duration::from_micros(500_250));
        assert_eq!((slow.verdict, slow.detail.as_str()), (Verdict::Warn, "a read takes 500.2 ms"));
    }
}
