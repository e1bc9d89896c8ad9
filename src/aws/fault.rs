//! The meaning of AWS's errors.

use super::{
    causes::{find, innermost},
    codes,
    date::is_skewed,
    expired::{is_expired, is_renewed},
    permissions,
    proxies::Unproxied,
    refusal::Refusal,
};
use crate::fault::{Fault, FaultKind, Permission};
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;

/// The remedy if no source of credentials answers.
pub(crate) const BUSY: &str = "run it again, or check the source of the credentials: STS, the metadata or container service, SSO, or \
                    the profile's `credential_process`; in a container, the instance's metadata needs a hop limit of 2";

const UNKNOWN_ISSUER: &str = "the server's certificate is not signed by a trusted authority: name a file with that authority's \
                              certificate in AWS_CA_BUNDLE (it replaces the system's), or add it to the system's";
const OTHER_CERTIFICATE: &str = "the server's certificate is not valid for this address, or at this time: check the address, \
                                 and the clock of this machine";

/// Converts an error of an SDK client by its error code, its HTTP status, or the stage at which it failed.
///
/// The codes are those of `codes`. Errors of normal operation (a failed condition, a missing object, an existing
/// bucket) must be handled before this function is called.
///
/// The source is one line for people: the service's code and message, or the network's error. It contains no secret.
#[expect(clippy::needless_pass_by_value, reason = "so that it fits into `map_err`")]
pub fn fault<E>(doing: impl Into<String>, error: SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let doing = doing.into();
    if let Some(error) = find::<CredentialsError>(&error) {
        return credentials_fault(&doing, error);
    }
    let mut remedy = None;
    let mut lacking = Vec::new();
    let (kind, source) = match &error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            let (code, message) = (context.err().code(), context.err().message());
            // DynamoDB names every error: an error without a name was truncated in transit, and may be any error.
            let cut = code.is_none() && status == 400 && is_of_dynamodb(context.raw());
            let kind = if cut { FaultKind::Unavailable } else { codes::kind(code, status) };
            remedy = codes::remedy(code, status);
            // The SDK has read the server's time from this answer, and signs the next request with it.
            let kind = if kind == FaultKind::Denied && is_skewed(context.raw()) {
                remedy = Some(codes::SKEWED);
                FaultKind::Unavailable
            } else {
                kind
            };
            let kind = if is_renewed(context.raw()) {
                remedy = Some(BUSY);
                FaultKind::Unsent
            } else if is_expired(context.raw()) {
                remedy = Some(codes::EXPIRED);
                FaultKind::Denied
            } else {
                kind
            };
            if kind == FaultKind::Denied {
                lacking = lacked(code, message, context.raw());
            }
            (kind, reported(code, message, status))
        }
        // An answer that can't be read. Its status counts if another program answers in AWS's place, or AWS denies
        // access; but a 400 may be any error: a conflict that a retry resolves, or an invalid request.
        SdkError::ResponseError(context) => {
            let status = context.raw().status().as_u16();
            let kind = if status < 300 || status == 400 {
                FaultKind::Unavailable
            } else {
                codes::kind(None, status)
            };
            remedy = codes::remedy(None, status);
            (kind, format!("HTTP {status}: {}", innermost(&error)))
        }
        SdkError::TimeoutError(_) => (FaultKind::Unavailable, innermost(&error)),
        SdkError::DispatchFailure(_) => {
            let source = innermost(&error);
            let unproxied = find::<Unproxied>(&error);
            remedy = unproxied.map(|error| error.remedy).or_else(|| untrusted(&source));
            let settings = match unproxied {
                Some(error) => error.settings,
                None => remedy.is_some() || source.contains("InvalidContentType"),
            };
            (if settings { FaultKind::Misconfigured } else { FaultKind::Unavailable }, source)
        }
        _ => (FaultKind::Unexpected, innermost(&error)),
    };
    Fault { remedy, lacking: lacking.into(), ..Fault::new(kind, doing, source) }
}

/// Returns the permissions that a denied request lacked, if its code does not report something else, such as wrong
/// credentials. The answer to a `HEAD` has no code.
fn lacked(code: Option<&str>, message: Option<&str>, answer: &HttpResponse) -> Vec<Permission> {
    match code {
        None | Some("AccessDenied" | "AccessDeniedException" | "Forbidden") if !is_expired(answer) => {
            permissions::lacking(answer, message)
        }
        _ => Vec::new(),
    }
}

/// Returns the fault of missing credentials: transient if their source may return some later.
pub(super) fn credentials_fault(doing: &str, error: &CredentialsError) -> Fault {
    // An error without a `Refusal` comes from the SDK itself, which waited too long or lost the answer.
    let busy = matches!(error, CredentialsError::ProviderTimedOut(_));
    let (text, transient) = match find::<Refusal>(error) {
        Some(refusal) => (refusal.text.clone(), refusal.transient),
        None => (format!("no credentials: {}", innermost(error)), busy),
    };
    let wrong = find::<Refusal>(error).and_then(|refusal| refusal.remedy);
    let (kind, remedy) = match wrong.or_else(|| untrusted(&text)) {
        Some(remedy) => (FaultKind::Misconfigured, Some(remedy)),
        None if transient => (FaultKind::Unsent, Some(BUSY)),
        None => (FaultKind::Denied, None),
    };
    Fault { remedy, ..Fault::new(kind, doing, text) }
}

/// Returns the remedy if TLS does not trust the server.
fn untrusted(text: &str) -> Option<&'static str> {
    // https://docs.rs/rustls/0.23/rustls/enum.CertificateError.html
    const OF_ITS_OWN: [&str; 3] = ["NotValidForName", "NotValidYet", "Expired"];
    let refused = text.contains("invalid peer certificate");
    let own = OF_ITS_OWN.iter().any(|sign| text.contains(sign));
    refused.then_some(if own { OTHER_CERTIFICATE } else { UNKNOWN_ISSUER })
}

fn is_of_dynamodb(answer: &HttpResponse) -> bool {
    answer.headers().get("content-type").is_some_and(|kind| kind.starts_with("application/x-amz-json"))
}

fn reported(code: Option<&str>, message: Option<&str>, status: u16) -> String {
    // DynamoDB's message on a wrong signature contains the signed request, including the session token.
    let [code, message] = [code, message].map(|text| text?.lines().next().filter(|line| !line.is_empty()));
    match (code, message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(one), None) | (None, Some(one)) => format!("{one} (HTTP {status})"),
        (None, None) => format!("HTTP {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FaultKind::*;
    use aws_smithy_types::error::ErrorMetadata;

    #[test]
    fn a_refusal_of_dynamodb_without_a_name_may_be_anything() {
        let fault_of = |content_type: &'static str| {
            let mut answer = HttpResponse::new(400.try_into().unwrap(), "".into());
            answer.headers_mut().insert("content-type", content_type);
            let error = aws_sdk_dynamodb::operation::get_item::GetItemError::generic(
                ErrorMetadata::builder().build(),
            );
            fault("x", SdkError::service_error(error, answer)).kind
        };
        assert_eq!(fault_of("application/x-amz-json-1.0"), Unavailable);
        assert_eq!(fault_of("application/xml"), Unexpected);
    }

    #[test]
    fn an_error_message_holds_no_secret() {
        let message = "The request signature we calculated does not match.\n\nThe Canonical String for this request \
                       should have been\n'POST\n/\n\nx-amz-security-token:SECRET'";
        let reported = reported(Some("InvalidSignatureException"), Some(message), 400);
        assert_eq!(
            reported,
            "InvalidSignatureException: The request signature we calculated does not match."
        );
    }

    #[test]
    fn an_error_message_is_never_empty() {
        assert_eq!(reported(None, None, 405), "HTTP 405");
        assert_eq!(reported(Some("SlowDown"), Some(""), 503), "SlowDown (HTTP 503)");
        assert_eq!(reported(None, Some("no"), 400), "no (HTTP 400)");
        assert_eq!(reported(Some("Slow\nDown"), Some("\n"), 503), "Slow (HTTP 503)");
    }

    #[test]
    fn credentials() {
        for (transient, expected) in [(true, Unsent), (false, Denied)] {
            let refusal = Refusal { text: "why".to_owned(), transient, remedy: None };
            assert_eq!(credentials_fault("x", &CredentialsError::provider_error(refusal)).kind, expected);
        }
        for (error, expected) in [
            (CredentialsError::not_loaded("none"), Denied),
            (CredentialsError::provider_timed_out(std::time::Duration::from_secs(5)), Unsent),
        ] {
            assert_eq!(credentials_fault("x", &error).kind, expected, "{error:?}");
        }
        // At any depth in the SDK's chain of causes.
        let buried = SdkError::<aws_sdk_dynamodb::operation::get_item::GetItemError, _>::construction_failure(
            CredentialsError::not_loaded("none"),
        );
        assert_eq!(fault("x", buried).kind, Denied);
    }
}
