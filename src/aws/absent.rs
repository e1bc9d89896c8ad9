//! AWS in a build without the features `dynamodb` and `s3`: nothing.

#[cfg(feature = "cli")]
use crate::{endpoint::Endpoint, fault::Fault};

/// No source of SDK clients.
#[derive(Debug, Clone)]
pub struct Aws;

impl Aws {
    pub(crate) fn standard() -> Self {
        Self
    }
}

#[cfg(feature = "cli")]
impl Aws {
    #[expect(clippy::unused_async, reason = "as in a build with AWS")]
    pub(crate) async fn access_key_id(&self) -> Option<String> {
        None
    }

    #[expect(clippy::unused_async, reason = "as in a build with AWS")]
    pub(crate) async fn caller(&self, _: &Endpoint) -> Result<Option<String>, Fault> {
        Ok(None)
    }
}
