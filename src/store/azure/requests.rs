//! Requests to the service.

use super::{
    answers::{Answer, Refusal},
    credentials::Credentials,
};
use crate::{
    aws::Aws,
    clock::ServerTime,
    fault::{Fault, FaultKind},
    retry::Limit,
    store::body,
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use aws_smithy_types::body::SdkBody;
use object_store::azure::MicrosoftAzureBuilder;
use std::{fmt, time::Duration};
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, debug_span};

/// The version of the service whose answers are expected.
const VERSION: &str = "2023-11-03";

/// The longest time for finding credentials; less if the deadline is near.
const CREDENTIALS: Duration = Duration::from_secs(20);

/// The blob service of an account.
#[derive(Clone)]
pub(super) struct Service {
    connector: SharedHttpConnector,
    credentials: Credentials,
    /// The address, without a `/` at its end: with the account in its path if it is not Azure's own.
    address: String,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A request that is being made.
pub(super) struct Request<'a> {
    service: &'a Service,
    name: &'static str,
    path: String,
    builder: http::request::Builder,
    body: SdkBody,
}

impl Service {
    pub async fn new(
        aws: &Aws,
        account: &str,
        endpoint: Option<&str>,
        time: ServerTime,
        more: impl FnOnce(MicrosoftAzureBuilder) -> MicrosoftAzureBuilder,
    ) -> Result<Self, Fault> {
        let address = match endpoint {
            Some(url) => format!("{}/{account}", url.trim_end_matches('/')),
            None => format!("https://{account}.blob.core.windows.net"),
        };
        let connector = aws.connector(&address, time).await?;
        let credentials = Credentials::new(account, connector.clone(), more)?;
        Ok(Self { connector, credentials, address })
    }

    /// Begins a request for a path in the account. `query` needs no escapes.
    pub(super) fn request(
        &self,
        name: &'static str,
        method: &'static str,
        path: &str,
        query: &str,
    ) -> Request<'_> {
        let mark = if query.is_empty() { "" } else { "?" };
        let uri = format!("{}/{path}{mark}{query}", self.address);
        let builder = http::Request::builder().method(method).uri(uri).header("x-ms-version", VERSION);
        Request { service: self, name, path: path.to_owned(), builder, body: SdkBody::empty() }
    }
}

impl Request<'_> {
    pub fn header(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        self.builder = self.builder.header(name, value.as_ref());
        self
    }

    /// Sets a header if there is a value for it.
    pub fn maybe(self, name: &'static str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    /// Sets the body and its checksum.
    pub fn body(self, body: SdkBody, length: u64, crc: u64) -> Self {
        // Azure refuses an upload without the length, also of nothing.
        let sized = self.header("content-length", length.to_string());
        Self { body, ..sized.header("x-ms-content-crc64", encoded(crc)) }
    }

    /// Sends the request. Returns its answer, whatever its status: see [`Answer::ok`].
    pub async fn send(self, doing: impl Fn() -> String) -> Result<Answer, Fault> {
        let Self { service, name, path, builder, body } = self;
        let unexpected = |error: http::Error| Fault::new(FaultKind::Unexpected, doing(), error);
        let (head, ()) = builder.body(()).map_err(unexpected)?.into_parts();
        let mut request = HttpRequest::new(body);
        let limit = Limit::here();
        let quiet = limit.as_ref().map_or(CREDENTIALS, |limit| limit.quiet(CREDENTIALS));
        let signing = service.credentials.sign(head, &mut request);
        let Ok(signed) = timeout_at(Instant::now() + quiet, signing).await else {
            let why = "the source of the credentials did not answer";
            return Err(Fault::new(FaultKind::Unsent, doing(), why));
        };
        signed.map_err(|fault| Fault { doing: doing(), ..fault })?;
        let span = debug_span!("azure", name, path);
        match service.connector.call(request).instrument(span).await {
            Ok(answer) => Ok(Answer::new(answer)),
            Err(error) if error.is_user() && !body::did_not_match(&error) => {
                Err(Fault::new(FaultKind::Misconfigured, doing(), error))
            }
            Err(error) => Err(Fault::new(FaultKind::Unavailable, doing(), error)),
        }
    }

    /// Sends the request, and returns its answer if it is a success. A proxy can answer in the place of the service, with
    /// a page: each answer of the service
    /// [has an id](https://learn.microsoft.com/en-us/rest/api/storageservices/common-rest-api-response-headers).
    pub async fn ok(self, doing: impl Fn() -> String) -> Result<Result<Answer, Refusal>, Fault> {
        let answer = self.send(&doing).await?.ok().await?;
        if answer.as_ref().is_ok_and(|answer| answer.header("x-ms-request-id").is_none()) {
            let why = "the answer has no x-ms-request-id, so it is not an answer of Azure";
            return Err(Fault::new(FaultKind::Unavailable, doing(), why));
        }
        Ok(answer)
    }
}

/// Returns a checksum as Azure writes it.
pub(super) fn encoded(crc: u64) -> String {
    aws_smithy_types::base64::encode(crc.to_le_bytes())
}
