//! Who the credentials belong to.

use super::{Aws, CONNECT, Endpoint, effective_url, is_aws};
use crate::fault::{Fault, FaultKind};
use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::ProvideCredentials;
use std::time::Duration;

/// One try, and there is only one.
const ATTEMPT: Duration = Duration::from_secs(3);

impl Aws {
    /// The access key id of the credentials that clients use: it names them, and is no secret. `None` before the first
    /// client was built. Asks nobody but where the credentials come from.
    pub async fn access_key_id(&self) -> Option<String> {
        let credentials = self.credentials.get()?.provider().provide_credentials().await.ok()?;
        Some(credentials.access_key_id().to_owned())
    }

    /// The ARN that the credentials belong to, by
    /// [`GetCallerIdentity`](https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html), which no
    /// policy can deny. `None` where the ledger is not on AWS: then these need not be credentials of AWS, unless the
    /// standard configuration gives STS an address of its own.
    ///
    /// # Errors
    /// As [`dynamodb`](Self::dynamodb); [`FaultKind::Unavailable`] if there is no answer at once.
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
                Err(Fault::new(FaultKind::Unavailable, "asking who the credentials belong to", error))
            }
        }
    }
}
