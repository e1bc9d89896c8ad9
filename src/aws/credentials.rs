//! Credentials, found once and shared by all clients.

use aws_config::{
    Region, default_provider::credentials::DefaultCredentialsChain,
    environment::EnvironmentVariableCredentialsProvider, imds, provider_config::ProviderConfig,
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::Mutex;

/// How long before they expire credentials are renewed; more than the SDK's own cache takes.
const RENEWED: Duration = Duration::from_secs(30);

/// AWS's [standard chain](https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html), which has
/// found credentials.
pub(super) async fn standard(
    providers: &ProviderConfig,
    region: &Region,
    imds: imds::Client,
) -> Result<SharedCredentialsProvider, CredentialsError> {
    // The chain begins with them, and costs more to build than all else that is done before the first request.
    if let Ok(keys) = EnvironmentVariableCredentialsProvider::new().provide_credentials().await {
        return Ok(SharedCredentialsProvider::new(keys));
    }
    let chain = DefaultCredentialsChain::builder()
        .configure(providers.clone())
        .region(region.clone())
        .imds_client(imds)
        .build()
        .await;
    let held = Held { chain: Arc::new(chain), current: Arc::default() };
    held.provide_credentials().await?;
    Ok(SharedCredentialsProvider::new(held))
}

/// Credentials that are kept until they expire. The SDK keeps some too, but for each client, and loses a sign-in that
/// outlasts the try of the request that began it; here it goes on, and a later try finds it done.
#[derive(Debug)]
struct Held {
    chain: Arc<dyn ProvideCredentials>,
    current: Arc<Mutex<Option<Credentials>>>,
}

impl ProvideCredentials for Held {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let held = self.current.try_lock().ok().and_then(|current| fresh(current.as_ref()));
        if let Some(held) = held {
            return future::ProvideCredentials::ready(Ok(held));
        }
        let (chain, current) = (Arc::clone(&self.chain), Arc::clone(&self.current));
        let renewal = tokio::spawn(async move {
            let mut current = current.lock().await;
            if let Some(held) = fresh(current.as_ref()) {
                return Ok(held);
            }
            let renewed = chain.provide_credentials().await?;
            *current = Some(renewed.clone());
            Ok(renewed)
        });
        future::ProvideCredentials::new(async move { renewal.await.map_err(CredentialsError::unhandled)? })
    }
}

/// These credentials, if they last for a while.
fn fresh(held: Option<&Credentials>) -> Option<Credentials> {
    let soon = SystemTime::now() + RENEWED;
    held.filter(|held| held.expiry().is_none_or(|at| at > soon)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Debug, Default)]
    struct Slow {
        asked: AtomicUsize,
        expiry: Option<SystemTime>,
    }

    impl ProvideCredentials for Slow {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.asked.fetch_add(1, Ordering::SeqCst);
            future::ProvideCredentials::new(async {
                tokio::time::sleep(Duration::from_secs(3)).await;
                Ok(Credentials::new("id", "secret", None, self.expiry, "slow"))
            })
        }
    }

    fn held(expiry: Option<SystemTime>) -> (Arc<Slow>, Held) {
        let slow = Arc::new(Slow { expiry, ..Slow::default() });
        (Arc::clone(&slow), Held { chain: slow, current: Arc::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn a_sign_in_outlives_the_try_that_began_it() {
        let (slow, held) = held(None);
        tokio::time::timeout(Duration::from_secs(2), held.provide_credentials()).await.unwrap_err();
        tokio::time::timeout(Duration::from_secs(2), held.provide_credentials()).await.unwrap().unwrap();
        assert_eq!(slow.asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn expired_credentials_are_renewed() {
        let (slow, held) = held(Some(SystemTime::now()));
        held.provide_credentials().await.unwrap();
        held.provide_credentials().await.unwrap();
        assert_eq!(slow.asked.load(Ordering::SeqCst), 2);
    }
}
