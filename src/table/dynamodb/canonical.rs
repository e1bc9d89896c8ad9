//! The same transaction as the same bytes.

use aws_sdk_dynamodb::config::{
    ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextMut,
};
use aws_smithy_types::body::SdkBody;
use serde_json::Value;
use std::collections::BTreeMap;

/// Orders the names in a request's body, before it is signed.
///
/// The SDK keeps them in maps that iterate in another order each time. A transaction sent again under its token must be
/// [the same request](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html), or
/// it is refused; as the same bytes it is, whatever a server compares.
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
        let bytes = request.body().bytes().ok_or("a request to DynamoDB that is a stream")?;
        let body = canonical(serde_json::from_slice(bytes)?).to_string();
        request.headers_mut().insert("content-length", body.len().to_string());
        *request.body_mut() = SdkBody::from(body);
        Ok(())
    }
}

/// With the names of all objects in order, whatever order the type keeps them in. DynamoDB's numbers are strings, so
/// none can change.
fn canonical(value: Value) -> Value {
    match value {
        Value::Object(names) => {
            let ordered: BTreeMap<_, _> =
                names.into_iter().map(|(name, value)| (name, canonical(value))).collect();
            Value::Object(ordered.into_iter().collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(canonical).collect()),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_at_every_depth() {
        let one = r#"[{"b":{"d":[{"f":"1","e":"2"}],"c":null},"a":"é"}]"#;
        let told = canonical(serde_json::from_str(one).unwrap()).to_string();
        assert_eq!(told, r#"[{"a":"é","b":{"c":null,"d":[{"e":"2","f":"1"}]}}]"#);
    }
}
