//! Addresses of services, and the removal of credentials from them.

mod postgres;

pub use postgres::{PostgresHost, PostgresPlace, PostgresTls};
use url::Url;

/// Settings of one service that take precedence over the standard configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The region.
    pub region: Option<String>,
    /// The address of the service, `http` or `https`, if it is not AWS's own.
    pub url: Option<String>,
}

/// Returns true if a URL contains a user or a password.
pub(crate) fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Returns a URL without anything that might be a user's name or password, in the URL itself or in an address within
/// it. It removes too much rather than too little: a valid address contains no `@`.
pub(crate) fn without_credentials(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let end = lower.rfind('@').map(|at| at + 1).max(lower.rfind("%40").map(|at| at + 3));
    match end {
        None => text.to_owned(),
        // A directory's path may contain one.
        Some(_) if lower.starts_with("file:///") => text.to_owned(),
        Some(end) => {
            let begin = text.find("://").map_or(0, |at| at + 3);
            format!("{}…@{}", &text[..begin.min(end)], &text[end..])
        }
    }
}
