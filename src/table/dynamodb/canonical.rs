//! Canonical request bodies: the same transaction is always the same bytes.

use crate::table::canonical::canonical;
use aws_sdk_dynamodb::config::{
    ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextMut,
};
use aws_smithy_types::body::SdkBody;

/// Orders the names in a request's body, before it is signed.
///
/// The SDK keeps them in maps that iterate in a different order each time. A transaction sent again under its token
/// must be [the same
/// request](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html), or it is
/// refused; equal bytes are the same request, no matter what a server compares.
#[derive(Debug)]
pub(super) struct CanonicalBody;

impl Intercept for CanonicalBody {
    fn name(&self) -> &'static str {
        "CanonicalBody"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let request = context.request_mut();
        let bytes = request.body().bytes().ok_or("the request to DynamoDB is a stream")?;
        let body = canonical(&serde_json::from_slice(bytes)?);
        request.headers_mut().insert("content-length", body.len().to_string());
        *request.body_mut() = SdkBody::from(body);
        Ok(())
    }
}
