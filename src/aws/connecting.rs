//! Recognition of errors of a connection that was not made.

use super::proxies::Unproxied;
use aws_smithy_runtime_api::client::result::ConnectorError;
use std::error::Error;

/// Returns true if no connection was made. The HTTP client names the stage only in its texts; its types are private.
pub(super) fn is_of_connecting(error: &ConnectorError) -> bool {
    const STAGES: [&str; 5] =
        ["dns error", "tcp ", "tunnel error", "TLS handshake failed", "HTTP connect timeout"];
    let first: Option<&(dyn Error + 'static)> = Some(error);
    std::iter::successors(first, |&error| error.source()).any(|error| {
        let proxied = error.downcast_ref::<Unproxied>().is_some_and(|error| error.unconnected);
        let text = error.to_string();
        proxied || STAGES.iter().any(|stage| text.starts_with(stage))
    })
}
