//! The reasons for missing credentials.

use super::{
    causes::{find, innermost},
    codes,
    proxies::Unproxied,
    watched::Watched,
};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::{
    assume_role::AssumeRoleError, assume_role_with_web_identity::AssumeRoleWithWebIdentityError,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::{error::Error, fmt};

/// The reason why there are no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub text: String,
    /// True if a retry may help: the source is slow, throttles, or fails. Otherwise there are no credentials, or they
    /// are refused.
    pub transient: bool,
    /// The remedy, if the settings for reaching the source are wrong.
    pub remedy: Option<&'static str>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Refusal {}

impl Refusal {
    pub fn new(error: &CredentialsError, watched: &Watched) -> Self {
        // The metadata service, the last source for anyone without credentials, does not exist on most machines.
        let none = matches!(error, CredentialsError::CredentialsNotLoaded(_));
        let configured = !none && !matches!(error, CredentialsError::InvalidConfiguration(_));
        let wrong = find::<Unproxied>(error).filter(|error| error.settings);
        let remedy = wrong.map(|error| error.remedy);
        let busy = watched.is_busy()
            || configured && (watched.is_unreached() || is_throttled(error) || is_of_process(error))
            || matches!(error, CredentialsError::Unhandled(_) | CredentialsError::ProviderTimedOut(_));
        let transient = busy && remedy.is_none();
        let text = match of_sts(error).unwrap_or_else(|| innermost(error)) {
            text if transient => format!("the source of the credentials is not answering: {text}"),
            _ if none => {
                "no credentials found: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or use a role".to_owned()
            }
            text => format!("no credentials: {text}"),
        };
        Self { text, transient, remedy }
    }
}

/// Returns the code and the message of STS, on one line.
fn of_sts(error: &CredentialsError) -> Option<String> {
    let role = || find::<AssumeRoleError>(error).map(ProvideErrorMetadata::meta);
    let web = || find::<AssumeRoleWithWebIdentityError>(error).map(ProvideErrorMetadata::meta);
    let reported = role().or_else(web)?;
    let message = reported.message()?.lines().next()?;
    Some(format!("{}: {message}", reported.code()?))
}

/// Returns true if STS reports, by its code, that it may answer later.
fn is_throttled(error: &CredentialsError) -> bool {
    let role = find::<AssumeRoleError>(error).and_then(ProvideErrorMetadata::code);
    let web = || find::<AssumeRoleWithWebIdentityError>(error).and_then(ProvideErrorMetadata::code);
    role.or_else(web).is_some_and(|code| codes::kind(Some(code), 400).is_transient())
}

/// Returns true if a `credential_process` failed, other than because the program does not exist. A program that
/// succeeds with invalid output would return it again. The SDK reports the program's end only as text.
fn is_of_process(error: &CredentialsError) -> bool {
    let text = innermost(error);
    let missing = ["exit status: 126", "exit status: 127"];
    text.contains("external process exited") && !missing.iter().any(|status| text.contains(status))
}
