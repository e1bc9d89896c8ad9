//! The meaning of PostgreSQL's errors.

use crate::fault::{Fault, FaultKind};
use tokio_postgres::{
    Error,
    error::{DbError, SqlState},
};

const PASSWORD: &str = "check the user in the URL, and the password: PGPASSWORD, or a line of ~/.pgpass (readable by its \
                        owner alone) or PGPASSFILE";
const PRIVILEGE: &str = "grant the role what its commands need: see docs/ledgers/postgres.md";
const DATABASE: &str =
    "create the database first, with `createdb` or CREATE DATABASE, or correct its name in the URL";
const TABLE: &str = "run `sacker init` to create the table, or correct `table` in the URL";
const ISSUER: &str = "the server's certificate is not signed by a trusted authority: name a file with that authority's \
                      certificate in PGSSLROOTCERT";
const CERTIFICATE: &str = "the server's certificate is not valid for this host, or at this time: check the host in the URL, \
                           and the clock of this machine";
const NO_TLS: &str = "turn on `ssl` in the server's configuration; only if nobody else can reach the network between, add \
                      `sslmode=disable` to the URL";
const SERVER: &str = "nothing was changed; check that the server runs, and the host and the port in the URL";
pub(super) const STANDBY: &str =
    "nothing was changed; name the primary in the URL, or all servers, separated by commas: HOST,HOST";
const CROWDED: &str =
    "nothing was changed; run it again, or raise `max_connections` of the server, or put a pooler before it";

/// The progress of a request when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The connection is being made: nothing was sent.
    Connecting,
    /// A read. It changes nothing.
    Reading,
    /// A transaction whose `COMMIT` was not sent, or can't have been executed.
    BeforeCommit,
    /// A transaction whose `COMMIT` was sent.
    Committing,
}

impl Stage {
    /// Returns the kind of a failure without a definite answer.
    fn unanswered(self) -> FaultKind {
        match self {
            Self::Connecting | Self::BeforeCommit => FaultKind::Unsent,
            Self::Reading | Self::Committing => FaultKind::Unavailable,
        }
    }
}

/// Converts an error of the client. The source is one line for people; it contains no secret.
pub(super) fn fault(doing: &str, stage: Stage, error: &Error) -> Fault {
    if let Some(error) = error.as_db_error() {
        return of_server(doing, stage, error);
    }
    let source = innermost(error);
    let (kind, remedy) = if source.contains("password missing") {
        (FaultKind::Denied, Some(PASSWORD))
    } else if source.contains("does not support TLS") {
        (FaultKind::Misconfigured, Some(NO_TLS))
    } else if let Some(remedy) = untrusted(&source) {
        (FaultKind::Misconfigured, Some(remedy))
    } else if source.contains("unsupported authentication method") {
        (FaultKind::Misconfigured, None)
    } else {
        (stage.unanswered(), (stage != Stage::Committing).then_some(SERVER))
    };
    Fault { remedy, ..Fault::new(kind, doing, source) }
}

/// Returns the fault of a request that got no answer in time.
pub(super) fn silent(doing: &str, stage: Stage, seconds: u64) -> Fault {
    let source = format!("no answer within {seconds} s");
    let remedy = (stage != Stage::Committing).then_some(SERVER);
    Fault { remedy, ..Fault::new(stage.unanswered(), doing, source) }
}

/// Returns the fault of a server that is a standby, or whose transactions are read-only.
pub(super) fn standby(doing: &str, source: impl Into<String>) -> Fault {
    Fault { remedy: Some(STANDBY), ..Fault::new(FaultKind::Unsent, doing, source.into()) }
}

fn of_server(doing: &str, stage: Stage, error: &DbError) -> Fault {
    let (kind, remedy) = meaning(error.code(), stage);
    let message = error.message().lines().next().unwrap_or_default();
    let source = format!("{message} (SQLSTATE {})", error.code().code());
    Fault { remedy, ..Fault::new(kind, doing, source) }
}

/// Returns what an [error code](https://www.postgresql.org/docs/current/errcodes-appendix.html) means.
fn meaning(code: &SqlState, stage: Stage) -> (FaultKind, Option<&'static str>) {
    match code.code() {
        "42501" => (FaultKind::Denied, Some(PRIVILEGE)),
        "3D000" => (FaultKind::Missing, Some(DATABASE)),
        "42P01" | "3F000" => (FaultKind::Missing, Some(TABLE)),
        "53100" => (FaultKind::Full, None),
        "53300" => (FaultKind::Throttled, Some(CROWDED)),
        // Lost to another transaction, or judged on a row that somebody changed past the locks.
        "40001" | "40P01" | "55P03" | "23505" | "22012" => (FaultKind::Contended, None),
        "25006" => (FaultKind::Unsent, Some(STANDBY)),
        "42703" | "42804" | "42P10" | "0A000" => (FaultKind::Misconfigured, None),
        "XX001" | "XX002" => (FaultKind::Corrupt, None),
        // A cancelled statement, also by the time limit.
        "57014" => (stage.unanswered(), None),
        code => match &code[..2.min(code.len())] {
            "28" => (FaultKind::Denied, Some(PASSWORD)),
            "53" => (FaultKind::Throttled, None),
            // A lost connection, or a server that stops, starts or fails.
            "08" | "57" | "58" => (stage.unanswered(), (stage != Stage::Committing).then_some(SERVER)),
            // The server ends idle transactions, and those that last too long.
            "25" => (stage.unanswered(), None),
            _ => (FaultKind::Unexpected, None),
        },
    }
}

fn untrusted(text: &str) -> Option<&'static str> {
    // https://docs.rs/rustls/0.23/rustls/enum.CertificateError.html
    const OF_ITS_OWN: [&str; 3] = ["not valid for name", "not valid yet", "expired"];
    let refused = text.contains("invalid peer certificate");
    let own = OF_ITS_OWN.iter().any(|sign| text.contains(sign));
    refused.then_some(if own { CERTIFICATE } else { ISSUER })
}

fn innermost(error: &Error) -> String {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_meaning() {
        use FaultKind::{
            Contended, Corrupt, Denied, Full, Misconfigured, Missing, Throttled, Unexpected, Unsent,
        };
        for (code, expected) in [
            ("28P01", Denied),
            ("28000", Denied),
            ("42501", Denied),
            ("3D000", Missing),
            ("42P01", Missing),
            ("3F000", Missing),
            ("53100", Full),
            ("53200", Throttled),
            ("53300", Throttled),
            ("40001", Contended),
            ("40P01", Contended),
            ("55P03", Contended),
            ("25006", Unsent),
            ("25P03", Unsent),
            ("57P01", Unsent),
            ("57P03", Unsent),
            ("08006", Unsent),
            ("57014", Unsent),
            ("42703", Misconfigured),
            ("XX001", Corrupt),
            ("42601", Unexpected),
        ] {
            assert_eq!(meaning(&SqlState::from_code(code), Stage::BeforeCommit).0, expected, "{code}");
        }
    }

    #[test]
    fn only_what_ends_a_commit_is_ambiguous() {
        for code in ["57P01", "57P02", "08006", "58030", "25P04"] {
            let kind = |stage| meaning(&SqlState::from_code(code), stage).0;
            assert!(kind(Stage::Committing).is_ambiguous(), "{code}");
            for stage in [Stage::Connecting, Stage::BeforeCommit] {
                assert!(!kind(stage).is_ambiguous() && kind(stage).is_transient(), "{code}");
            }
        }
        assert!(silent("x", Stage::Committing, 1).kind.is_ambiguous());
        assert!(!silent("x", Stage::BeforeCommit, 1).kind.is_ambiguous());
        for code in ["40001", "53100", "42501", "22012"] {
            assert!(!meaning(&SqlState::from_code(code), Stage::Committing).0.is_ambiguous(), "{code}");
        }
    }
}
