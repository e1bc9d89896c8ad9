//! The identity that the credentials belong to.

use super::{Aws, CONNECT, Endpoint, effective_url, is_aws};
use crate::fault::{Fault, FaultKind};
use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::ProvideCredentials;
use std::time::Duration;

/// The longest time for the request, which is not retried.
const ATTEMPT: Duration = Duration::from_secs(3);

impl Aws {
    /// Returns the access key id of the clients' credentials, which identifies them and is not secret. `None` before
    /// the first client is built. Sends requests only to the source of the credentials.
    pub async fn access_key_id(&self) -> Option<String> {
        let credentials = self.credentials.get()?.provider().provide_credentials().await.ok()?;
        Some(credentials.access_key_id().to_owned())
    }

    /// Returns the ARN that the credentials belong to, by
    /// [`GetCallerIdentity`](https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html), which
    /// no policy can deny. `None` if the ledger is not on AWS, since its credentials need not be AWS's, unless the
    /// standard configuration sets an address for STS.
    ///
    /// # Errors
    /// The same as [`dynamodb`](Self::dynamodb); [`FaultKind::Unavailable`] if STS does not answer in time.
    pub async fn caller(&self, ledger: &Endpoint) -> Result<Option<String>, Fault> {
        let at = Endpoint { region: ledger.region.clone(), url: None };
        let sdk = self.configuration(&at, "STS").await?;
        let elsewhere = effective_url(&sdk, ledger, "DynamoDB").is_some_and(|url| !is_aws(&url));
        if elsewhere && effective_url(&sdk, &at, "STS").is_none() {
            return Ok(None);
        }
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT);
        let config = aws_sdk_sts::config::Builder::from(&sdk)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build());
        let client = aws_sdk_sts::Client::from_conf(config.build());
        match client.get_caller_identity().send().await {
            Ok(caller) => Ok(caller.arn().map(str::to_owned)),
            Err(error) => {
                Err(Fault::new(FaultKind::Unavailable, "requesting the identity of the credentials", error))
            }
        }
    }
}
