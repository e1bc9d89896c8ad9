//! The HTTP client of all SDK clients: plain for `http://`, with TLS for `https://`, each made when first needed.
//!
//! TLS costs milliseconds to set up, as the system's certificates are read, so a request to a plain endpoint must not
//! pay for it; and credentials may come from a service with TLS (SSO, roles) though the endpoint is plain. So the
//! request itself decides. Proxies apply to TLS as everywhere else (`HTTPS_PROXY`, `NO_PROXY`).

use super::stall::Stall;
use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use crc_fast::CrcAlgorithm;
use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};
use tracing::debug;

/// [May take minutes](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html).
const COMPLETION: Duration = Duration::from_mins(5);

/// The client. Cloning shares its connections.
#[derive(Clone, Default)]
pub(super) struct Http(Arc<Mutex<HashMap<Pool, Arc<OnceLock<SharedHttpConnector>>>>>);

/// Connections that may serve the same requests.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Pool {
    tls: bool,
    connect: Option<Duration>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl Http {
    fn connector(&self, pool: Pool) -> SharedHttpConnector {
        self.slot(pool).get_or_init(|| pool.build()).clone()
    }

    fn slot(&self, pool: Pool) -> Arc<OnceLock<SharedHttpConnector>> {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(pools.entry(pool).or_default())
    }

    /// Begins to set up TLS on another thread, for requests with this timeout that are about to be sent. Whoever needs
    /// it before it is done waits for it.
    pub fn prepare_tls(&self, connect: Duration) {
        let pool = Pool { tls: true, connect: Some(connect) };
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Vacant(place) = pools.entry(pool) {
            let slot = Arc::clone(place.insert(Arc::default()));
            tokio::task::spawn_blocking(move || slot.get_or_init(|| pool.build()).clone());
        }
    }
}

impl Pool {
    fn build(self) -> SharedHttpConnector {
        let mut settings = HttpConnectorSettings::builder();
        settings.set_connect_timeout(self.connect);
        let builder = Connector::builder().connector_settings(settings.build());
        SharedHttpConnector::new(if self.tls {
            builder
                .proxy_config(ProxyConfig::from_env())
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .build()
        } else {
            builder.build_http()
        })
    }
}

// `validate_base_client_config` is left alone: that of the SDK's own client sets up TLS when any client is built.
impl HttpClient for Http {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(ByScheme { http: self.clone(), settings: settings.clone() })
    }
}

/// Sends each request as its address says.
#[derive(Debug)]
struct ByScheme {
    http: Http,
    settings: HttpConnectorSettings,
}

impl HttpConnector for ByScheme {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let tls = !request.uri().starts_with("http://");
        let pool = Pool { tls, connect: self.settings.connect_timeout() };
        let attempt = attempt(&request);
        // The SDK's own read timeout would count the sending too, whatever there is to send.
        let thinking = thinking(&request);
        let stall = Stall::of(self.settings.read_timeout(), &mut request, thinking);
        let connector = self.http.connector(pool);
        HttpConnectorFuture::new(async move {
            let began = Instant::now();
            let answer = match stall.bound(send(&connector, request)).await {
                Ok(Ok(answer)) => intact(stall.guard(answer)).await,
                Ok(Err(error)) => Err(error),
                Err(stalled) => Err(ConnectorError::timeout(stalled.into())),
            };
            let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
            debug!(attempt, status, elapsed = ?began.elapsed(), "answered");
            answer
        })
    }
}

/// Compares an answer with the checksum that DynamoDB sends along, as the SDK for Rust does not: without TLS a bit that
/// was turned round on the way would be believed. Its answers are small enough to be held.
async fn intact(mut answer: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let told = answer.headers().get("x-amz-crc32").and_then(|told| told.parse::<u64>().ok());
    let Some(told) = told else { return Ok(answer) };
    let body = ByteStream::new(answer.take_body()).collect().await;
    let body = body.map_err(|error| ConnectorError::io(error.into()))?.into_bytes();
    if crc_fast::checksum(CrcAlgorithm::Crc32IsoHdlc, &body) != told {
        return Err(ConnectorError::io("the answer was damaged on its way: its checksum is another".into()));
    }
    *answer.body_mut() = SdkBody::from(body);
    Ok(answer)
}

/// Which try of the SDK this is, from its header `amz-sdk-request: attempt=1; max=3`.
fn attempt(request: &HttpRequest) -> u32 {
    let told = request.headers().get("amz-sdk-request").and_then(|told| told.strip_prefix("attempt="));
    told.and_then(|told| told.split(';').next()?.parse().ok()).unwrap_or(1)
}

/// Sends a request, and one that only reads a second time at once if the connection failed: the server may have closed
/// it since the request before, as it does when it answers without reading a body to its end.
async fn send(connector: &SharedHttpConnector, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let reads = matches!(request.method(), "GET" | "HEAD");
    let again = if reads { request.try_clone() } else { None };
    match (connector.call(request).await, again) {
        (Err(error), Some(again)) if error.is_io() => connector.call(again).await,
        (answer, _) => answer,
    }
}

/// How long a server may work on a request on top of the time for an answer.
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

    #[tokio::test]
    async fn tls_is_set_up_only_by_a_request_that_needs_it() {
        let http = Http::default();
        let tls = |http: &Http| http.0.lock().unwrap().keys().any(|pool| pool.tls);
        let settings = HttpConnectorSettings::builder().build();
        let connector = ByScheme { http: http.clone(), settings };
        // Port 0 is nobody's: it fails at once.
        connector.call(request("GET", "http://127.0.0.1:0/", SdkBody::empty())).await.unwrap_err();
        assert!(!tls(&http));
        connector.call(request("GET", "https://127.0.0.1:0/", SdkBody::empty())).await.unwrap_err();
        assert!(tls(&http));
    }
}
