//! Credentials that a server reports as expired although they should still be valid, for example because this
//! machine's clock is behind or a session was cut short: their source is queried for new ones, at most once a minute,
//! and the request is sent again.

use super::{credentials::Held, date::Dated, permissions::SentRequest};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use bytes::Bytes;

/// Parts of the codes by which [S3](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html) and
/// [DynamoDB](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CommonErrors.html) report expired
/// credentials.
const SIGNS: [&str; 2] = ["ExpiredToken", "TokenRefreshRequired"];

/// The header that marks an answer whose request had expired credentials. A header of this name from a server is
/// removed.
const EXPIRED: &str = "x-sacker-credentials-expired";
/// The header's value if the next attempt has other credentials.
const RENEWED: &str = "renewed";

/// The HTTP client of requests to one server, signed with credentials that can be renewed.
#[derive(Debug, Clone)]
pub(super) struct Renewing {
    pub inner: Dated,
    pub held: Option<Held>,
}

impl HttpClient for Renewing {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Looking { inner, held: self.held.clone() })
    }
}

#[derive(Debug)]
struct Looking {
    inner: SharedHttpConnector,
    held: Option<Held>,
}

impl HttpConnector for Looking {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let token = request.headers().get("x-amz-security-token").map(str::to_owned);
        let scope = || request.headers().get("authorization").unwrap_or_default().to_owned();
        let scope_of_bodiless = (request.method() == "HEAD").then(scope);
        let held = self.held.clone();
        let sent = SentRequest::of(&request);
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let mut answer = answer.await?;
            answer.headers_mut().remove(EXPIRED);
            if let Some(sent) = sent {
                sent.mark(&mut answer);
            }
            let Some(token) = token else { return Ok(answer) };
            let refused = match scope_of_bodiless {
                Some(scope) => is_bad_request(&answer) && !is_elsewhere(&answer, &scope),
                None => is_refusal_of_expired(&mut answer).await?,
            };
            if refused {
                let renewed = held.is_some_and(|held| held.expire(&token));
                answer.headers_mut().insert(EXPIRED, if renewed { RENEWED } else { "for good" });
            }
            Ok(answer)
        })
    }
}

/// Returns true for the answer to a request that was not executed because its credentials have expired, if the next
/// attempt has other credentials.
pub(super) fn is_renewed(answer: &HttpResponse) -> bool {
    answer.headers().get(EXPIRED) == Some(RENEWED)
}

/// Returns true for the answer to a request that was not executed because its credentials have expired.
pub(crate) fn is_expired(answer: &HttpResponse) -> bool {
    answer.headers().get(EXPIRED).is_some()
}

/// Returns true for 400, which is all that S3 answers to a `HEAD` with expired credentials.
fn is_bad_request(answer: &HttpResponse) -> bool {
    answer.status().as_u16() == 400
}

/// Returns true if an answer reports that the bucket is in a region other than the one that its request was signed
/// for, which S3 answers with 400 as well.
fn is_elsewhere(answer: &HttpResponse, scope: &str) -> bool {
    let region = answer.headers().get("x-amz-bucket-region");
    region.is_some_and(|region| !scope.contains(&format!("/{region}/s3/")))
}

/// Returns true if an answer's code reports expired credentials.
async fn is_refusal_of_expired(answer: &mut HttpResponse) -> Result<bool, ConnectorError> {
    let status = answer.status().as_u16();
    if !matches!(status, 400 | 401 | 403) {
        return Ok(false);
    }
    let body = match ByteStream::new(answer.take_body()).collect().await {
        Ok(body) => body.into_bytes(),
        // The status is sufficient.
        Err(_) if status != 400 => Bytes::new(),
        Err(error) => return Err(ConnectorError::io(error.into())),
    };
    let code = code(&body);
    *answer.body_mut() = SdkBody::from(body);
    Ok(code.is_some_and(|code| SIGNS.iter().any(|sign| code.contains(sign))))
}

/// Returns the error code of an answer of S3, in XML, or of DynamoDB, in JSON. The rest of it may contain any user's
/// text.
fn code(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    match text.split_once("<Code>") {
        Some((_, rest)) => rest.split("</Code>").next().map(str::to_owned),
        None => {
            Some(serde_json::from_str::<serde_json::Value>(text).ok()?.get("__type")?.as_str()?.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_code_says_that_credentials_have_expired() {
        let said = |body: &str| code(body.as_bytes());
        assert_eq!(said("<Error><Code>ExpiredToken</Code></Error>").as_deref(), Some("ExpiredToken"));
        assert_eq!(
            said(r#"{"__type":"a#ExpiredTokenException"}"#).as_deref(),
            Some("a#ExpiredTokenException")
        );
        let cancelled = r#"{"__type":"a#TransactionCanceledException","CancellationReasons":[{"Item":{"m":{"S":"ExpiredToken"}}}]}"#;
        assert_eq!(said(cancelled).as_deref(), Some("a#TransactionCanceledException"));
        assert_eq!(said("ExpiredToken"), None);
        assert_eq!(said(r#"{"message":"ExpiredToken"}"#), None);
    }

    #[test]
    fn a_bucket_elsewhere_is_known_by_its_region() {
        let answer = |region: Option<&str>| {
            let mut answer = HttpResponse::new(400.try_into().unwrap(), SdkBody::empty());
            if let Some(region) = region {
                answer.headers_mut().insert("x-amz-bucket-region", region.to_owned());
            }
            answer
        };
        let scope = "AWS4-HMAC-SHA256 Credential=key/20261124/eu-west-1/s3/aws4_request, SignedHeaders=host";
        assert!(is_elsewhere(&answer(Some("eu-west-2")), scope));
        assert!(!is_elsewhere(&answer(Some("eu-west-1")), scope));
        assert!(!is_elsewhere(&answer(None), scope));
    }
}
