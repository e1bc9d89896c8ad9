//! The HTTP client that sends batches to the collector.
//!
//! It is used by the one thread that sends them, and blocks it: that thread is no part of the command's runtime. Its
//! requests are no spans of the trace, since only spans of this crate are.

use super::{outcome::Outcome, settings::Settings};
use crate::tls;
use async_trait::async_trait;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response, hyper::HyperClient};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use rustls::RootCertStore;
use std::{
    error::Error,
    fmt,
    sync::{Arc, OnceLock},
};
use tokio::{
    runtime::{Builder, Runtime},
    time::error::Elapsed,
};

/// The most characters of a collector's message that are shown.
const MOST_SHOWN: usize = 200;

/// The client. Its first request sets it up, since reading the system's certificates takes milliseconds.
pub(super) struct Client {
    settings: Settings,
    outcome: Arc<Outcome>,
    inner: OnceLock<Result<Inner, String>>,
}

struct Inner {
    runtime: Runtime,
    client: HyperClient<HttpsConnector<HttpConnector>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    pub fn new(settings: Settings, outcome: Arc<Outcome>) -> Self {
        Self { settings, outcome, inner: OnceLock::new() }
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let inner = self.inner.get_or_init(|| Inner::new(&self.settings)).as_ref().map_err(Clone::clone)?;
        let answer = inner.runtime.block_on(inner.client.send_bytes(request));
        let answer = answer.map_err(|error| match error.downcast_ref::<Elapsed>() {
            Some(_) => format!("no answer within {} ms", self.settings.timeout.as_millis()),
            None => innermost(&*error),
        })?;
        if answer.status().is_success() {
            Ok(answer)
        } else {
            Err(format!("the answer was {}", answer.status()))
        }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.send(request).inspect_err(|why| self.outcome.failed(why.clone()))?;
        if let Some((spans, why)) = rejected(answer.body()) {
            self.outcome.rejected(spans, why);
        }
        Ok(answer)
    }
}

impl Inner {
    fn new(settings: &Settings) -> Result<Self, String> {
        let trusted = match (settings.endpoint.scheme(), settings.certificate.as_deref()) {
            ("http", _) => RootCertStore::empty(),
            (_, None) => tls::roots(None)?,
            (_, Some(path)) => tls::roots(Some(path))
                .map_err(|why| format!("OTEL_EXPORTER_OTLP_CERTIFICATE, {}: {why}", path.display()))?,
        };
        let tls = tls::config(trusted)?;
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        Ok(Self { runtime, client: HyperClient::new(connector, settings.timeout, None) })
    }
}

/// Returns the number of spans that an answer rejects, and the reason.
fn rejected(answer: &[u8]) -> Option<(usize, String)> {
    let rejected = ExportTraceServiceResponse::decode(answer).ok()?.partial_success?;
    let spans = usize::try_from(rejected.rejected_spans).ok().filter(|spans| *spans > 0)?;
    let why: String = rejected.error_message.chars().take(MOST_SHOWN).collect();
    Some((spans, format!("the collector rejects spans: {why}")))
}

/// Returns the first cause of an error, which names what happened.
fn innermost(mut error: &(dyn Error + 'static)) -> String {
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}
