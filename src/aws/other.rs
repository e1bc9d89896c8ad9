//! Requests to services other than AWS's, through the same HTTP client: with its connections, proxies, certificates and
//! limits.

use super::{Aws, CONNECT, S3_STALLED};
use crate::{
    clock::ServerTime,
    fault::{Fault, FaultKind},
};
use aws_smithy_runtime::client::{
    auth::no_auth::{NO_AUTH_SCHEME_ID, NoAuthScheme},
    identity::{IdentityCache, no_auth::NoAuthIdentityResolver},
    orchestrator::endpoints::StaticUriEndpointResolver,
    retries::strategy::NeverRetryStrategy,
};
use aws_smithy_runtime_api::client::{
    auth::static_resolver::StaticAuthSchemeOptionResolver,
    http::{HttpClient, HttpConnectorSettings, SharedHttpConnector},
    runtime_components::{RuntimeComponents, RuntimeComponentsBuilder},
};
use aws_types::SdkConfig;

impl Aws {
    /// Returns a connector for signed requests to another service at `address`, whose time is recorded in `time`. It
    /// makes one attempt. The certificates are those of AWS's standard configuration, or the system's.
    ///
    /// # Errors
    /// [`FaultKind::Misconfigured`] if the certificates can't be read.
    pub(crate) async fn connector(
        &self,
        address: &str,
        time: ServerTime,
    ) -> Result<SharedHttpConnector, Fault> {
        let doing = format!("connecting to {address}");
        let standard = self.standard.get_or_init(|| self.load()).await;
        self.trusted.get_or_try_init(|| async { self.trust(standard, &doing) }).await?;
        if !address.starts_with("http://") {
            self.http.prepare_tls(address);
        }
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT).read_timeout(S3_STALLED);
        let components =
            components(standard).map_err(|error| Fault::new(FaultKind::Unexpected, doing, error))?;
        Ok(super::Dated { http: self.http.clone(), time }.http_connector(&settings.build(), &components))
    }
}

/// Returns what a connector needs, with parts that it does not use and a builder requires.
fn components(
    standard: &SdkConfig,
) -> Result<RuntimeComponents, aws_smithy_runtime_api::client::runtime_components::BuildError> {
    let unused = RuntimeComponentsBuilder::new("other services")
        .with_auth_scheme(NoAuthScheme::default())
        .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![NO_AUTH_SCHEME_ID])))
        .with_endpoint_resolver(Some(StaticUriEndpointResolver::http_localhost(0)))
        .with_identity_cache(Some(IdentityCache::no_cache()))
        .with_identity_resolver(NO_AUTH_SCHEME_ID, NoAuthIdentityResolver::new())
        .with_retry_strategy(Some(NeverRetryStrategy::new()));
    unused.with_sleep_impl(standard.sleep_impl()).with_time_source(standard.time_source()).build()
}
