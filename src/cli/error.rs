//! Failures as the user sees them: kind, exit code, message and hints.
//!
//! The library's errors don't depend on this module, which gives each of them its kind.

use super::{
    config, hints,
    places::{Places, Side},
    render::{plain, without_number},
};
use crate::{
    fault::Fault,
    ledger,
    ops::{self, ErrorKind},
};
use std::{error::Error, io};

/// The kinds of failure. Their names and codes never change once released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Internal,
    Invalid,
    Timeout,
    NotFound,
    Conflict,
    Refused,
    Unavailable,
    Integrity,
    Unknown,
    Denied,
    Interrupted,
    /// The reader of stdout has closed it: the command ends without a failure.
    Closed,
}

impl Kind {
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::Internal => 1,
            Self::Invalid => 2,
            Self::Timeout => 3,
            Self::NotFound => 4,
            Self::Conflict => 5,
            Self::Refused => 6,
            Self::Unavailable => 7,
            Self::Integrity => 8,
            Self::Unknown => 9,
            Self::Denied => 10,
            Self::Interrupted => 130,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Internal => "internal",
            Self::Invalid => "invalid",
            Self::Timeout => "timeout",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Integrity => "integrity",
            Self::Unknown => "unknown",
            Self::Denied => "denied",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A command's failure, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub kind: Kind,
    /// The activity, its object and its place, then the error.
    pub message: String,
    /// The actions that the user can take.
    pub hints: Vec<String>,
    /// The underlying errors, the nearest first.
    pub causes: Vec<String>,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new(), causes: Vec::new() }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted before anything was committed")
    }

    /// Returns the failure to write to stdout.
    pub fn stdout(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Kind::Closed, "standard output is closed");
        }
        Self::new(Kind::Invalid, format!("can't write to standard output: {}", plain(error)))
    }

    /// Returns the failure of an operation during an activity, such as "moving the tag live of app".
    pub fn of_operation(error: &ops::Error, doing: &str, places: &Places) -> Self {
        let message = match location(error, places) {
            Some(place) => format!("{doing} in {place}: {}", said(error)),
            None => format!("{doing}: {}", said(error)),
        };
        let hints = hints::of_operation(error, places);
        Self { kind: kind(error), message, hints, causes: causes(error) }
    }

    /// Returns the failure to open the back ends, before any request.
    pub fn of_opening(error: &ops::Error, places: &Places) -> Self {
        let (ops::Error::Ledger(ledger::Error::Fault(fault)) | ops::Error::Store(fault)) = error else {
            return Self::of_operation(error, "opening the ledger and the store", places);
        };
        Self {
            kind: kind(error),
            message: said_by_fault(fault),
            hints: hints::of_fault(fault, Side::Either, places),
            causes: causes(fault),
        }
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        use config::Error as E;
        let message = match &error {
            E::Read { source, .. } => format!("{error}: {}", plain(source)),
            E::Parse { source, .. } => format!("{error}: {}", without_place(source)),
            _ => error.to_string(),
        };
        Self { kind: Kind::Invalid, message, hints: hints::of_configuration(&error), causes: causes(&error) }
    }
}

fn kind(error: &ops::Error) -> Kind {
    match error.kind() {
        ErrorKind::NotFound => Kind::NotFound,
        ErrorKind::Conflict => Kind::Conflict,
        ErrorKind::Refused => Kind::Refused,
        ErrorKind::Invalid => Kind::Invalid,
        ErrorKind::Unavailable => Kind::Unavailable,
        ErrorKind::Denied => Kind::Denied,
        ErrorKind::TimedOut => Kind::Timeout,
        ErrorKind::Integrity => Kind::Integrity,
        ErrorKind::Unknown => Kind::Unknown,
        ErrorKind::Interrupted => Kind::Interrupted,
        ErrorKind::Internal => Kind::Internal,
    }
}

/// Returns the place of the error, unless the message contains it already.
fn location(error: &ops::Error, places: &Places) -> Option<String> {
    match error {
        ops::Error::Ledger(ledger::Error::Interrupted) => None,
        ops::Error::Ledger(_) | ops::Error::TimedOut { .. } => Some(places.ledger.to_string()),
        ops::Error::Store(_) | ops::Error::Lost { .. } | ops::Error::Damaged { .. } => {
            Some(places.store.to_string())
        }
        _ => None,
    }
}

/// Returns the error as one line.
fn said(error: &ops::Error) -> String {
    use ops::Error as E;
    match error {
        E::Ledger(ledger::Error::Fault(fault)) | E::Store(fault) | E::Source(fault) => said_by_fault(fault),
        E::Ledger(ledger::Error::Unknown { source, .. }) => {
            format!("the outcome is unknown: {}", said_by_fault(source))
        }
        // The activity contains the file's name.
        E::Input { why, .. } => why.clone(),
        E::Spool { directory, source } => {
            format!("can't buffer standard input in {}: {}", directory.display(), plain(source))
        }
        E::Output { path, source } => format!("can't write {}: {}", path.display(), plain(source)),
        error => error.to_string(),
    }
}

/// Returns the fault with its direct cause, without which the message would be of little help.
fn said_by_fault(fault: &Fault) -> String {
    format!("{fault}: {}", without_number(&fault.source.to_string()))
}

fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    std::iter::successors(error.source(), |&cause| cause.source()).map(ToString::to_string).collect()
}

/// Returns the message without the position at its end, which is shown with the file's name.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(text, _)| text.to_owned())
}

#[cfg(test)]
mod tests;
