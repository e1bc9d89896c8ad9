//! The findings of an examination.

use crate::{
    ledger,
    model::{Setting, SettingState, Severity},
    ops::{error::Error, kind::ErrorKind},
};
use serde::Serialize;
use std::{
    borrow::Cow,
    fmt,
    sync::{Mutex, PoisonError},
};
use tokio::time::{Instant, timeout_at};

/// A fact about a set-up, and its judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The stable name: `bucket_versioning`.
    pub name: Cow<'static, str>,
    /// The judgement.
    pub verdict: Verdict,
    /// The fact, for people.
    pub detail: String,
    /// The command that repairs it, or shows more, if there is one.
    pub repair: Option<String>,
    /// For [`Verdict::Fail`]: the kind of the failure.
    pub kind: Option<ErrorKind>,
}

/// The judgement of a [`Finding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is as it should be.
    Ok,
    /// It should be changed, but nothing is at risk now.
    Warn,
    /// It must be repaired: data is at risk, or commands fail.
    Fail,
    /// It can't be known: usually a permission is missing.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        })
    }
}

impl Finding {
    /// Returns a finding without a repair.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, verdict: Verdict, detail: impl Into<String>) -> Self {
        let kind = (verdict == Verdict::Fail).then_some(ErrorKind::Integrity);
        Self { name: name.into(), verdict, detail: detail.into(), repair: None, kind }
    }

    /// Adds the command that repairs it.
    #[must_use]
    pub fn repair(self, repair: impl Into<String>) -> Self {
        Self { repair: Some(repair.into()), ..self }
    }

    /// Returns the finding that an error is.
    #[must_use]
    pub fn of_error(name: impl Into<Cow<'static, str>>, error: &Error) -> Self {
        let kind = match error.kind() {
            kind @ (ErrorKind::Unavailable | ErrorKind::Denied) => kind,
            _ => ErrorKind::Integrity,
        };
        let found = Self::new(name, Verdict::Fail, described(error));
        Self { kind: Some(kind), ..found }
    }

    fn of_setting(setting: &Setting) -> Self {
        let is = |what: &str| match &setting.found {
            Some(found) => format!("{}: {what} ({found})", setting.title),
            None => format!("{}: {what}", setting.title),
        };
        let (verdict, detail) = match (&setting.state, setting.severity) {
            (SettingState::On, _) => (Verdict::Ok, is("on")),
            (SettingState::Off, Severity::Serious) => (Verdict::Fail, is("off")),
            (SettingState::Off, Severity::Minor) => (Verdict::Warn, is("off")),
            (SettingState::NotKnown(why), _) => {
                (Verdict::Unknown, format!("{}: unknown: {why}", setting.title))
            }
            (SettingState::NotSupported, _) => {
                (Verdict::Warn, format!("{}: not available on this server", setting.title))
            }
        };
        Self { repair: setting.repair.clone(), ..Self::new(setting.name, verdict, detail) }
    }
}

/// Returns an error with the direct cause of a fault, without which the fault would be of little help.
fn described(error: &Error) -> String {
    match error {
        Error::Ledger(ledger::Error::Fault(fault)) | Error::Store(fault) => {
            format!("{fault}: {}", fault.source)
        }
        error => error.to_string(),
    }
}

/// The result of an examination.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DoctorReport {
    /// All findings, in order.
    pub findings: Vec<Finding>,
}

impl DoctorReport {
    pub(super) fn of(found: impl IntoIterator<Item = Findings>) -> Self {
        Self { findings: found.into_iter().flat_map(Findings::into_inner).collect() }
    }

    /// Returns the number of findings with this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }

    /// Returns the kind of the worst failure, if there is one: a defect is certain; without one, what may not be seen
    /// or did not answer may still be in order.
    #[must_use]
    pub fn worst(&self) -> Option<ErrorKind> {
        let order = [ErrorKind::Integrity, ErrorKind::Denied, ErrorKind::Unavailable];
        order.into_iter().find(|kind| self.findings.iter().any(|finding| finding.kind == Some(*kind)))
    }
}

/// The findings until now, which are kept when an examination is cut short.
#[derive(Debug, Default)]
pub(super) struct Findings(Mutex<Vec<Finding>>);

impl Findings {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn add(&self, finding: Finding) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(finding);
    }

    pub(super) fn ok(&self, name: &'static str, detail: impl Into<String>) {
        self.add(Finding::new(name, Verdict::Ok, detail));
    }

    pub(super) fn failed(&self, name: &'static str, error: &Error) {
        self.add(Finding::of_error(name, error));
    }

    pub(super) fn settings(&self, settings: &[Setting]) {
        for setting in settings {
            self.add(Finding::of_setting(setting));
        }
    }

    /// Runs an examination until it is done or the time is up, which is a finding, too.
    pub(super) async fn until<T>(
        &self,
        ends: Instant,
        side: &'static str,
        examination: impl Future<Output = T>,
    ) -> Option<T> {
        let done = timeout_at(ends, examination).await.ok();
        if done.is_none() {
            let found = Finding::new(side, Verdict::Fail, "no answer until the deadline");
            self.add(Finding { kind: Some(ErrorKind::Unavailable), ..found });
        }
        done
    }

    fn into_inner(self) -> Vec<Finding> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
