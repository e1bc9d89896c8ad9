//! Credentials, found once and shared by all clients.

use super::{http::Http, refusal::Refusal, watched::Watched};
use aws_config::{
    BehaviorVersion, Region, default_provider::credentials::DefaultCredentialsChain,
    environment::EnvironmentVariableCredentialsProvider, imds, provider_config::ProviderConfig,
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use futures_util::future::{BoxFuture, FutureExt, Shared};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// The time before the expiry at which a renewal begins, concurrently with requests that still use the credentials.
const RENEWED: Duration = Duration::from_secs(30);
/// The time after an early expiry during which another early expiry causes no renewal.
const LATELY: Duration = Duration::from_mins(1);
/// The remaining validity below which requests wait for the renewal.
const LAST: Duration = Duration::from_secs(5);
/// The pause after a failed renewal, while the credentials are still valid.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest time to connect to the instance metadata service, which is close or does not exist.
const IMDS_CONNECT: Duration = Duration::from_secs(1);
/// The longest time for an answer of the instance metadata service, which is slow when busy.
const IMDS_ANSWER: Duration = Duration::from_secs(5);

/// The settings of the providers of regions and credentials.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub http: Http,
    pub use_fips: Option<bool>,
    pub use_dual_stack: Option<bool>,
}

impl Settings {
    /// Returns a provider configuration whose requests are recorded.
    pub fn providers(&self) -> (ProviderConfig, Watched) {
        let watched = Watched::new(self.http.clone());
        let providers = ProviderConfig::without_region()
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_http_client(watched.clone())
            .with_use_fips(self.use_fips)
            .with_use_dual_stack(self.use_dual_stack);
        (providers, watched)
    }
}

/// Returns a client of the instance metadata service that makes one attempt: callers that need the answer retry.
pub(super) fn imds(providers: &ProviderConfig) -> imds::Client {
    imds::Client::builder()
        .configure(providers)
        .max_attempts(1)
        .connect_timeout(IMDS_CONNECT)
        .read_timeout(IMDS_ANSWER)
        .build()
}

/// Finds credentials by AWS's [standard
/// chain](https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html).
///
/// # Errors
/// The error contains a [`Refusal`], which states if a retry may help.
pub(super) async fn standard(settings: &Settings, region: &Region) -> Result<Found, CredentialsError> {
    // The chain begins with these variables, and costs more to build than everything else before the first request.
    if let Ok(keys) = EnvironmentVariableCredentialsProvider::new().provide_credentials().await {
        return Ok(Found::Fixed(keys));
    }
    let (settings, region) = (settings.clone(), region.clone());
    let held = Held::new(move || ask(settings.clone(), region.clone()).boxed());
    held.provide_credentials().await?;
    Ok(Found::Held(held))
}

/// The credentials that were found.
#[derive(Debug, Clone)]
pub(super) enum Found {
    /// Fixed credentials, which can't be renewed.
    Fixed(Credentials),
    /// Credentials that their source renews.
    Held(Held),
}

impl Found {
    pub fn provider(&self) -> SharedCredentialsProvider {
        match self {
            Self::Fixed(keys) => SharedCredentialsProvider::new(keys.clone()),
            Self::Held(held) => SharedCredentialsProvider::new(held.clone()),
        }
    }

    pub fn held(&self) -> Option<&Held> {
        match self {
            Self::Fixed(_) => None,
            Self::Held(held) => Some(held),
        }
    }
}

/// Queries the chain. It is rebuilt for each query: after a failure its providers remember the failure.
async fn ask(settings: Settings, region: Region) -> Result<Credentials, Refusal> {
    let (providers, watched) = settings.providers();
    let imds = imds(&providers);
    let chain = DefaultCredentialsChain::builder().configure(providers).region(region).imds_client(imds);
    let found = chain.build().await.provide_credentials().await;
    found.map_err(|error| Refusal::new(&error, &watched))
}

type Question = dyn Fn() -> BoxFuture<'static, Result<Credentials, Refusal>> + Send + Sync;
type Renewal = Shared<BoxFuture<'static, Result<Credentials, Refusal>>>;

/// Credentials that are cached until they expire. The SDK has a cache too, but one for each client, and it loses a
/// sign-in that takes longer than the attempt of the request that began it; here the sign-in runs to its end, and a
/// later attempt uses its result. All requests that need new credentials wait for one renewal.
#[derive(Clone)]
pub(super) struct Held {
    ask: Arc<Question>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    current: Option<Credentials>,
    renewal: Option<Renewal>,
    failed: Option<Instant>,
    /// The session token that a server reported as expired before its time, and the time of that report.
    expired: Option<(String, Instant)>,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

impl Held {
    fn new(
        ask: impl Fn() -> BoxFuture<'static, Result<Credentials, Refusal>> + Send + Sync + 'static,
    ) -> Self {
        Self { ask: Arc::new(ask), state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a server reports the credentials with this session token as expired, so that they are not used
    /// again. Returns true if the same request may succeed with others: false if their source returned the same ones
    /// again, or if the server reported the previous ones as expired a short time ago, so that it may refuse any.
    pub fn expire(&self, token: &str) -> bool {
        let mut state = self.state();
        let is_it = |current: &Credentials| current.session_token() == Some(token);
        if state.current.as_ref().is_some_and(is_it) {
            if state.expired.as_ref().is_some_and(|(last, at)| last == token || at.elapsed() < LATELY) {
                return false;
            }
            (state.current, state.expired) = (None, Some((token.to_owned(), Instant::now())));
        }
        true
    }

    fn begin_renewal(&self, state: &mut State) -> Renewal {
        if let Some(renewal) = &state.renewal {
            return renewal.clone();
        }
        let held = self.clone();
        let asked = tokio::spawn(async move {
            let renewed = (held.ask)().await;
            let mut state = held.state();
            state.renewal = None;
            match &renewed {
                Ok(renewed) => (state.current, state.failed) = (Some(renewed.clone()), None),
                Err(_) => state.failed = Some(Instant::now()),
            }
            renewed
        });
        let ended = |error: tokio::task::JoinError| Refusal {
            text: error.to_string(),
            transient: true,
            remedy: None,
        };
        let renewal = async move { asked.await.map_err(ended)? }.boxed().shared();
        state.renewal = Some(renewal.clone());
        renewal
    }
}

impl ProvideCredentials for Held {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let mut state = self.state();
        let current = state.current.clone();
        let left = current.as_ref().map_or(Duration::ZERO, left);
        let lately = state.failed.is_some_and(|at| at.elapsed() < PAUSE);
        let renewal = (left <= RENEWED && !(lately && left > LAST)).then(|| self.begin_renewal(&mut state));
        drop(state);
        match (current, renewal) {
            (Some(current), _) if left > LAST => future::ProvideCredentials::ready(Ok(current)),
            (current, Some(renewal)) => future::ProvideCredentials::new(async move {
                match (renewal.await, current) {
                    (Ok(renewed), _) => Ok(renewed),
                    (Err(_), Some(current)) if left_now(&current) => Ok(current),
                    (Err(refusal), _) => Err(CredentialsError::provider_error(refusal)),
                }
            }),
            (_, None) => future::ProvideCredentials::ready(Err(CredentialsError::not_loaded(
                "no credentials are cached",
            ))),
        }
    }
}

/// Returns the remaining validity of credentials.
fn left(credentials: &Credentials) -> Duration {
    credentials.expiry().map_or(Duration::MAX, |at| at.duration_since(SystemTime::now()).unwrap_or_default())
}

fn left_now(credentials: &Credentials) -> bool {
    !left(credentials).is_zero()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Credentials that take 3 s to get, fail at some queries, and last for a time; and the number of queries.
    fn held(lasts: Option<Duration>, fails: fn(usize) -> bool) -> (Arc<AtomicUsize>, Held) {
        let asked = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&asked);
        let held = Held::new(move || {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(Duration::from_secs(3)).await;
                if fails(number) {
                    return Err(Refusal { text: "busy".to_owned(), transient: true, remedy: None });
                }
                let expiry = lasts.map(|lasts| SystemTime::now() + lasts);
                Ok(Credentials::new(format!("id{number}"), "secret", None, expiry, "slow"))
            }
            .boxed()
        });
        (asked, held)
    }

    async fn id(held: &Held) -> String {
        held.provide_credentials().await.unwrap().access_key_id().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn a_sign_in_outlives_the_try_that_began_it() {
        let (asked, held) = held(None, |_| false);
        tokio::time::timeout(Duration::from_secs(2), held.provide_credentials()).await.unwrap_err();
        tokio::time::timeout(Duration::from_secs(2), held.provide_credentials()).await.unwrap().unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn expired_credentials_are_renewed() {
        let (asked, held) = held(Some(Duration::ZERO), |_| false);
        held.provide_credentials().await.unwrap();
        held.provide_credentials().await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn all_wait_for_one_renewal_also_if_it_fails() {
        let (asked, held) = held(None, |number| number == 0);
        let all = futures_util::future::join_all((0..16).map(|_| held.provide_credentials())).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert_eq!(id(&held).await, "id1");
    }

    #[tokio::test(start_paused = true)]
    async fn valid_credentials_are_used_while_their_renewal_fails() {
        let (asked, held) = held(Some(Duration::from_secs(20)), |number| number > 0);
        assert_eq!(id(&held).await, "id0");
        for _ in 0..10 {
            let began = Instant::now();
            assert_eq!(id(&held).await, "id0");
            assert_eq!(began.elapsed(), Duration::ZERO, "no request waits for it");
        }
        tokio::time::sleep(Duration::from_millis(3100)).await;
        assert_eq!(id(&held).await, "id0");
        assert_eq!(asked.load(Ordering::SeqCst), 2, "and it is not asked for without a pause");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(id(&held).await, "id0");
        tokio::task::yield_now().await;
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn credentials_that_a_server_takes_for_expired_are_renewed_once() {
        let with = |token: &str| Credentials::new("id", "secret", Some(token.to_owned()), None, "test");
        let (asked, tokens) = (Arc::<AtomicUsize>::default(), ["one", "two", "two"]);
        let counted = Arc::clone(&asked);
        let held = Held::new(move || {
            let given = with(tokens[counted.fetch_add(1, Ordering::SeqCst)]);
            async move { Ok(given) }.boxed()
        });
        assert_eq!(held.provide_credentials().await.unwrap().session_token(), Some("one"));
        // All requests in progress have the same token; it is renewed once.
        assert!(held.expire("one") && held.expire("one"));
        assert_eq!(held.provide_credentials().await.unwrap().session_token(), Some("two"));
        assert!(held.expire("one"));
        assert_eq!(held.provide_credentials().await.unwrap().session_token(), Some("two"));
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        // The same token again: the source has no other.
        tokio::time::advance(LATELY).await;
        assert!(held.expire("two"));
        held.provide_credentials().await.unwrap();
        assert!(!held.expire("two"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_refuses_new_credentials_too_is_believed() {
        let with = |token: &str| Credentials::new("key", "secret", Some(token.to_owned()), None, "a test");
        let held = Held::new(|| async { unreachable!("no test queries it") }.boxed());
        held.state().current = Some(with("one"));
        assert!(held.expire("one"));
        // A request that was in progress with them.
        assert!(held.expire("one"));
        held.state().current = Some(with("two"));
        assert!(!held.expire("two"));
        tokio::time::advance(LATELY).await;
        assert!(held.expire("two"));
        held.state().current = Some(with("two"));
        assert!(!held.expire("two"));
    }
}
