//! Credentials: found, renewed and applied to requests by the crate `object_store`.

use crate::fault::{Fault, FaultKind};
use async_trait::async_trait;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector as _, SharedHttpConnector},
    orchestrator,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use object_store::{
    ClientOptions, RetryConfig,
    azure::{AzureAuthorizer, AzureCredential, AzureCredentialProvider, MicrosoftAzureBuilder},
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
        HttpService,
    },
};
use std::sync::Arc;

const REMEDY: &str = "set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, the variables of a workload identity, or \
                      AZURE_USE_AZURE_CLI=true after `az login`; see docs/stores/azure.md";

/// Lets `object_store` request tokens with the client that is used for everything.
#[derive(Debug, Clone)]
struct Connector(SharedHttpConnector);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let body = body.as_bytes().cloned().unwrap_or_default();
        let mut sent = orchestrator::HttpRequest::new(SdkBody::from(body));
        apply(&head, &mut sent).map_err(|error| HttpError::new_boxed(HttpErrorKind::Request, error))?;
        let answer = self.0.call(sent).await;
        let mut answer = answer.map_err(|error| HttpError::new(HttpErrorKind::Connect, error))?;
        let mut built = http::Response::builder().status(answer.status().as_u16());
        for (name, value) in answer.headers() {
            built = built.header(name, value);
        }
        let body = ByteStream::new(answer.take_body()).collect().await;
        let body = body.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error))?.into_bytes();
        built.body(body.into()).map_err(|error| HttpError::new(HttpErrorKind::Decode, error))
    }
}

/// Copies the method, the address and the headers of a request.
fn apply(
    head: &http::request::Parts,
    to: &mut orchestrator::HttpRequest,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    to.set_method(head.method.as_str())?;
    to.set_uri(head.uri.to_string())?;
    for (name, value) in &head.headers {
        to.headers_mut().try_insert(name.as_str().to_owned(), value.to_str()?.to_owned())?;
    }
    Ok(())
}

/// The credentials of an account.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    account: String,
    provider: AzureCredentialProvider,
}

impl Credentials {
    /// Finds the source of the credentials.
    pub fn new(
        account: &str,
        connector: SharedHttpConnector,
        more: impl FnOnce(MicrosoftAzureBuilder) -> MicrosoftAzureBuilder,
    ) -> Result<Self, Fault> {
        // Retries are the caller's.
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let builder = MicrosoftAzureBuilder::from_env()
            .with_use_emulator(false)
            .with_account(account)
            .with_container_name("any")
            .with_retry(retry)
            .with_http_connector(Connector(connector));
        let client = more(builder).build().map_err(|_| {
            // The error may contain a part of the key.
            let why = "the key, the SAS or another variable of the credentials can't be used";
            Fault { remedy: Some(REMEDY), ..Fault::new(FaultKind::Denied, "finding the credentials", why) }
        })?;
        Ok(Self { account: account.to_owned(), provider: Arc::clone(client.credentials()) })
    }

    /// Returns the credentials of now.
    async fn get(&self) -> Result<Arc<AzureCredential>, Fault> {
        self.provider.get_credential().await.map_err(|error| {
            let kind = match &error {
                object_store::Error::Generic { .. } => FaultKind::Denied,
                _ => FaultKind::Unsent,
            };
            Fault { remedy: Some(REMEDY), ..Fault::new(kind, "requesting the credentials", error) }
        })
    }

    /// Signs a request, whose headers are all set.
    pub async fn sign(
        &self,
        head: http::request::Parts,
        to: &mut orchestrator::HttpRequest,
    ) -> Result<(), Fault> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            Fault::new(FaultKind::Unexpected, "signing a request", error)
        };
        let credential = self.get().await?;
        let mut request = HttpRequest::from_parts(head, HttpRequestBody::empty());
        let authorizer = AzureAuthorizer::new(&credential, &self.account);
        authorizer.try_authorize(&mut request).map_err(|error| failed(error.into()))?;
        apply(&request.into_parts().0, to).map_err(failed)
    }
}
