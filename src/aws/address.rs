//! Addresses of services, and what may not be in them.

use url::Url;

/// Whether a URL names a user or gives a password.
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
