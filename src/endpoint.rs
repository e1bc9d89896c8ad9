//! Addresses of services, and what may not be in them.

use url::Url;

/// Settings of one service that win over the standard configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The region.
    pub region: Option<String>,
    /// The address of the service, `http` or `https`, where it is not AWS's own.
    pub url: Option<String>,
}

/// Returns true if a URL names a user or gives a password.
pub(crate) fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// A URL without anything that might be a user's name or password, its own or that of an address within it. Rather too
/// little than too much: a `@` has no place in a good one.
pub(crate) fn without_credentials(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let end = lower.rfind('@').map(|at| at + 1).max(lower.rfind("%40").map(|at| at + 3));
    match end {
        None => text.to_owned(),
        // A directory's path may hold one.
        Some(_) if lower.starts_with("file:///") => text.to_owned(),
        Some(end) => {
            let begin = text.find("://").map_or(0, |at| at + 3);
            format!("{}…@{}", &text[..begin.min(end)], &text[end..])
        }
    }
}
