//! The HTTP client of all SDK clients: plain for `http://`, with TLS for `https://`, each created when first needed.
//!
//! TLS takes milliseconds to set up, since the system's certificates are read, so a request to a plain endpoint must
//! not pay for it; and credentials may come from a service with TLS (SSO, roles) though the endpoint is plain. So the
//! address of each request decides, and the [proxy](super::proxies) for it.

use super::{
    ahead::{self, ConnectOnly},
    connecting::is_of_connecting,
    proxies::{Proxies, Proxy},
    stall::Stall,
};
use aws_smithy_http_client::{
    pool::{Client, ConnectionPool, Partition, PartitionId},
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::{RuntimeComponents, RuntimeComponentsBuilder},
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream, config_bag::ConfigBag};
use crc_fast::CrcAlgorithm;
use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};
use tracing::{debug, trace};

/// The additional time for a completion, which [may take
/// minutes](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html).
const COMPLETION: Duration = Duration::from_mins(5);

/// The client. Clones share its connections.
#[derive(Clone, Default)]
pub(super) struct Http(Arc<Shared>);

#[derive(Default)]
struct Shared {
    pools: Mutex<HashMap<Route, Arc<OnceLock<Client>>>>,
    /// The request that only connects, by origin, until the first real one; `None` after that.
    ahead: Mutex<HashMap<String, Option<Pin<Box<HttpConnectorFuture>>>>>,
    proxies: OnceLock<Proxies>,
    trusted: OnceLock<TrustStore>,
}

/// The kind of a connection pool.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Route {
    tls: bool,
    proxied: bool,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl Http {
    /// Trusts these certificates instead of the system's. Without effect after TLS is set up.
    pub fn trust(&self, certificates: TrustStore) {
        let _ = self.0.trusted.set(certificates);
    }

    /// Begins to set up TLS on another thread, for requests to this address that will be sent soon. A request that
    /// needs TLS before that is done waits for it.
    pub fn prepare_tls(&self, address: &str) {
        let Ok(proxy) = self.proxies().of(address) else { return };
        let route = Route { tls: true, proxied: proxy.is_some() };
        let mut pools = self.0.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Vacant(place) = pools.entry(route) {
            let (slot, http) = (Arc::clone(place.insert(Arc::default())), self.clone());
            tokio::task::spawn_blocking(move || slot.get_or_init(|| http.build(route)).clone());
        }
    }

    fn proxies(&self) -> &Proxies {
        self.0.proxies.get_or_init(Proxies::new)
    }

    fn client(&self, route: Route) -> Client {
        let slot = {
            let mut pools = self.0.pools.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(pools.entry(route).or_default())
        };
        slot.get_or_init(|| self.build(route)).clone()
    }

    fn build(&self, route: Route) -> Client {
        let proxies = if route.proxied { ProxyConfig::from_env() } else { ProxyConfig::disabled() };
        let whole = PartitionId::from_index(0);
        let partition = Partition::new(whole, ahead::spawner());
        let builder = ConnectionPool::builder().proxy_config(proxies).partitions([partition]);
        let pool = if route.tls {
            let mut context = TlsContext::builder();
            if let Some(trusted) = self.0.trusted.get() {
                context = context.with_trust_store(trusted.clone());
            }
            let context = context.build().expect("a context with only certificates is valid");
            builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build_https()
        } else {
            builder.build_http()
        };
        let pool = pool.expect("no option that could be invalid is set");
        let client = Client::from_partition(&pool, whole).expect("the pool has this partition");
        // Reads the certificates. The request reports an error if the system's certificates are unusable.
        let _ = client.validate_base_client_config(&RuntimeComponentsBuilder::new("tls"), &ConfigBag::base());
        client
    }

    /// Begins to connect to a request's address, unless a request went there before. The request itself is dropped:
    /// the HTTP client uses its connection for the next request.
    fn connect(&self, origin: &str, connector: &SharedHttpConnector, request: HttpRequest) {
        let mut ahead = self.0.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Vacant(place) = ahead.entry(origin.to_owned()) {
            debug!(origin, "connecting ahead");
            place.insert(ahead::begin(connector.call(request)));
        }
    }

    /// Leaves a connection made ahead to the request that is about to be sent.
    fn release(&self, origin: &str) {
        let mut ahead = self.0.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        match ahead.get_mut(origin) {
            Some(asked) => *asked = None,
            None => drop(ahead.insert(origin.to_owned(), None)),
        }
    }
}

// `validate_base_client_config` keeps its default: that of the SDK's own client sets up TLS when any client is built.
impl HttpClient for Http {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let (settings, components) = (settings.clone(), components.clone());
        SharedHttpConnector::new(ByScheme { http: self.clone(), settings, components })
    }
}

/// A connector that selects the client by the address of each request.
#[derive(Debug)]
struct ByScheme {
    http: Http,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl ByScheme {
    fn connector(&self, route: Route) -> SharedHttpConnector {
        // The SDK's own read timeout would include the time for sending, regardless of the amount to send.
        let mut settings = HttpConnectorSettings::builder();
        settings.set_connect_timeout(self.settings.connect_timeout());
        self.http.client(route).http_connector(&settings.build(), &self.components)
    }
}

impl HttpConnector for ByScheme {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let proxy = match self.http.proxies().of(request.uri()) {
            Ok(proxy) => proxy,
            Err(refused) => return HttpConnectorFuture::ready(Err(ConnectorError::user(refused.into()))),
        };
        let tls = !request.uri().starts_with("http://") || proxy.as_ref().is_some_and(|proxy| proxy.tls);
        let connector = self.connector(Route { tls, proxied: proxy.is_some() });
        let origin = origin(request.uri()).to_owned();
        if request.extension::<ConnectOnly>().is_some() {
            self.http.connect(&origin, &connector, request);
            return HttpConnectorFuture::ready(Err(ConnectorError::user("only connecting".into())));
        }
        let attempt = attempt(&request);
        let thinking = thinking(&request);
        let sent_bytes = request.body().content_length().unwrap_or(0);
        let stall = Stall::of(self.settings.read_timeout(), &mut request, thinking);
        let http = self.http.clone();
        HttpConnectorFuture::new(async move {
            let began = Instant::now();
            http.release(&origin);
            let answer = match stall.bound(send(&connector, request)).await {
                Ok(Ok(answer)) => intact(stall.guard(answer)).await,
                Ok(Err(error)) => Err(error),
                Err(stalled) => Err(ConnectorError::timeout(stalled.into())),
            };
            let answer = match proxy {
                Some(proxy) => named(&proxy, answer),
                None => answer,
            };
            let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
            if answer.is_ok() {
                trace!(sent_bytes, "sent");
            }
            debug!(attempt, status, elapsed = ?began.elapsed(), "answered");
            answer
        })
    }
}

/// Adds the proxy's name to the errors of a request that went through it.
fn named(
    proxy: &Proxy,
    answer: Result<HttpResponse, ConnectorError>,
) -> Result<HttpResponse, ConnectorError> {
    match answer {
        Ok(answer) => match proxy.refusal(answer.status().as_u16()) {
            Some(refusal) => Err(refusal),
            None => Ok(answer),
        },
        Err(error) => Err(proxy.name(&error, is_of_connecting(&error))),
    }
}

/// Returns the scheme, host and port of an address.
fn origin(address: &str) -> &str {
    let host = address.find("://").map_or(0, |at| at + 3);
    let end = address[host..].find(['/', '?']).map_or(address.len(), |at| host + at);
    &address[..end]
}

/// Compares an answer with the checksum that DynamoDB sends, which the SDK for Rust does not: without TLS, a bit that
/// flipped on the way would go unnoticed. DynamoDB's answers are small enough to be held in memory.
async fn intact(mut answer: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let reported = answer.headers().get("x-amz-crc32").and_then(|reported| reported.parse::<u64>().ok());
    let Some(reported) = reported else { return Ok(answer) };
    let body = ByteStream::new(answer.take_body()).collect().await;
    let body = body.map_err(|error| ConnectorError::io(error.into()))?.into_bytes();
    if crc_fast::checksum(CrcAlgorithm::Crc32IsoHdlc, &body) != reported {
        return Err(ConnectorError::io(
            "the answer was damaged in transit: its checksum does not match".into(),
        ));
    }
    *answer.body_mut() = SdkBody::from(body);
    Ok(answer)
}

/// Returns the number of the SDK's attempt, from its header `amz-sdk-request: attempt=1; max=3`.
fn attempt(request: &HttpRequest) -> u32 {
    let reported =
        request.headers().get("amz-sdk-request").and_then(|reported| reported.strip_prefix("attempt="));
    reported.and_then(|reported| reported.split(';').next()?.parse().ok()).unwrap_or(1)
}

/// Sends a request. A request that only reads is sent again at once if the connection failed: the server may have
/// closed it after the previous request, as it does when it answers without reading a body to its end.
async fn send(connector: &SharedHttpConnector, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let reads = matches!(request.method(), "GET" | "HEAD");
    let again = if reads { request.try_clone() } else { None };
    match (connector.call(request).await, again) {
        (Err(error), Some(again)) if error.is_io() => connector.call(again).await,
        (answer, _) => answer,
    }
}

/// Returns the time that a server may work on a request, in addition to the time for an answer.
fn thinking(request: &HttpRequest) -> Duration {
    let completes = request.method() == "POST" && request.uri().contains("uploadId=");
    if completes { COMPLETION } else { Duration::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, uri: &str, body: SdkBody) -> HttpRequest {
        let mut request = HttpRequest::new(body);
        request.set_method(method).unwrap();
        request.set_uri(uri).unwrap();
        request
    }

    #[test]
    fn completions_get_more_time() {
        let get = request("GET", "https://b.s3.amazonaws.com/k", SdkBody::empty());
        assert_eq!(thinking(&get), Duration::ZERO);
        let complete = request("POST", "https://b.s3.amazonaws.com/k?uploadId=u", SdkBody::empty());
        assert_eq!(thinking(&complete), COMPLETION);
    }

    #[test]
    fn origins() {
        for (address, expected) in [
            ("https://b.s3.amazonaws.com/k/e?y", "https://b.s3.amazonaws.com"),
            ("http://127.0.0.1:9000?list-type=2", "http://127.0.0.1:9000"),
            ("http://[::1]:9000", "http://[::1]:9000"),
        ] {
            assert_eq!(origin(address), expected);
        }
    }

    #[tokio::test]
    async fn tls_is_set_up_only_by_a_request_that_needs_it() {
        let http = Http::default();
        let tls = |http: &Http| http.0.pools.lock().unwrap().keys().any(|route| route.tls);
        // Port 0 has no listener: connecting fails at once.
        for scheme in ["http", "https"] {
            assert!(!tls(&http));
            let config = aws_sdk_s3::Config::builder()
                .behavior_version(aws_config::BehaviorVersion::latest())
                .region(aws_config::Region::new("eu-west-1"))
                .credentials_provider(aws_credential_types::Credentials::new("a", "b", None, None, "test"))
                .endpoint_url(format!("{scheme}://127.0.0.1:0"))
                .retry_config(aws_config::retry::RetryConfig::disabled())
                .http_client(http.clone());
            aws_sdk_s3::Client::from_conf(config.build()).list_buckets().send().await.unwrap_err();
        }
        assert!(tls(&http));
    }
}
