//! Errors of ZooKeeper, sorted into faults.

use crate::fault::{Fault, FaultKind};
use zookeeper_client::Error;

const RAISE_QUOTA: &str =
    "nothing was changed; raise the quota of the ledger's node (`listquota`, `setquota`), then run it again";

/// Returns the fault of a request.
pub(super) fn of(doing: &str, error: Error) -> Fault {
    let kind = match &error {
        Error::NoAuth | Error::AuthFailed | Error::InvalidAcl => FaultKind::Denied,
        Error::NoNode => FaultKind::Missing,
        Error::QuotaExceeded => FaultKind::Full,
        Error::Throttled => FaultKind::Throttled,
        // The server takes no changes now.
        Error::NotReadOnly => FaultKind::Unsent,
        Error::BadArguments(_) | Error::MarshallingError | Error::Unimplemented | Error::BadVersion => {
            FaultKind::Unexpected
        }
        // The session or the connection ended, or sent what can't be understood.
        _ => FaultKind::Unavailable,
    };
    let remedy = (kind == FaultKind::Full).then_some(RAISE_QUOTA);
    Fault { remedy, ..Fault::new(kind, doing, error) }
}

/// Returns the fault of a change that was certainly not sent: it is never ambiguous.
pub(super) fn unsent(fault: Fault) -> Fault {
    match fault.kind {
        FaultKind::Unavailable => Fault { kind: FaultKind::Unsent, ..fault },
        _ => fault,
    }
}

/// Returns the fault of a request that had no answer in time.
pub(super) fn no_answer(doing: &str) -> Fault {
    Fault::new(FaultKind::Unavailable, doing, "the server did not answer in time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_ambiguous_only_after_it_was_sent() {
        for error in [
            Error::ConnectionLoss,
            Error::SessionExpired,
            Error::SessionMoved,
            Error::Timeout,
            Error::NoHosts,
            Error::ClientClosed,
            Error::UnexpectedError("an answer to nothing".to_owned()),
            Error::UnexpectedErrorCode(-1000),
        ] {
            assert!(of("x", error.clone()).kind.is_ambiguous(), "{error}");
            let before = unsent(of("x", error.clone())).kind;
            assert_eq!(before, FaultKind::Unsent, "{error}");
        }
    }

    #[test]
    fn a_refused_change_is_certain() {
        for (error, expected) in [
            (Error::NoAuth, FaultKind::Denied),
            (Error::AuthFailed, FaultKind::Denied),
            (Error::QuotaExceeded, FaultKind::Full),
            (Error::Throttled, FaultKind::Throttled),
            (Error::NotReadOnly, FaultKind::Unsent),
            (Error::NoNode, FaultKind::Missing),
        ] {
            assert_eq!(of("x", error).kind, expected);
        }
    }
}
