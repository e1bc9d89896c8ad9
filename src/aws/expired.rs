//! Credentials that a server takes for expired although they should still last, as where this machine's clock is behind or
//! a session was cut short: their source is asked for new ones, once, and the request is sent again.

use super::{credentials::Held, date::Dated};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};

/// Parts of the codes with which [S3](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html) and
/// [DynamoDB](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CommonErrors.html) say so.
const SIGNS: [&str; 2] = ["ExpiredToken", "TokenRefreshRequired"];

/// The header by which an answer says that its request's credentials have expired. No server sends it.
const EXPIRED: &str = "x-sacker-credentials-expired";
/// Its value where the next try has others.
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
        let (held, bodiless) = (self.held.clone(), request.method() == "HEAD");
        let answer = self.inner.call(request);
        let Some(token) = token else { return answer };
        HttpConnectorFuture::new(async move {
            let mut answer = answer.await?;
            if is_refusal_of_expired(&mut answer, bodiless).await? {
                let renewed = held.is_some_and(|held| held.expire(&token));
                answer.headers_mut().insert(EXPIRED, if renewed { RENEWED } else { "for good" });
            }
            Ok(answer)
        })
    }
}

/// Returns true for the answer to a request that was not looked at, since its credentials have expired, where the next
/// try has others.
pub(super) fn is_renewed(answer: &HttpResponse) -> bool {
    answer.headers().get(EXPIRED) == Some(RENEWED)
}

/// Returns true for the answer to a request that was not looked at, since its credentials have expired.
pub(crate) fn is_expired(answer: &HttpResponse) -> bool {
    answer.headers().get(EXPIRED).is_some()
}

/// Returns true if an answer says that the credentials have expired. S3 has no words for it in the answer to a `HEAD`.
async fn is_refusal_of_expired(answer: &mut HttpResponse, bodiless: bool) -> Result<bool, ConnectorError> {
    let status = answer.status().as_u16();
    if !matches!(status, 400 | 401 | 403) {
        return Ok(false);
    }
    if bodiless {
        return Ok(status == 400);
    }
    let body = ByteStream::new(answer.take_body()).collect().await;
    let body = body.map_err(|error| ConnectorError::io(error.into()))?.into_bytes();
    let text = String::from_utf8_lossy(&body);
    let expired = SIGNS.iter().any(|sign| text.contains(sign));
    *answer.body_mut() = SdkBody::from(body);
    Ok(expired)
}
