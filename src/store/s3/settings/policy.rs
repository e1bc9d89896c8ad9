//! The policy of the bucket that denies requests without TLS.

use serde_json::{Value, json};

/// Returns the bucket policy that denies requests without TLS.
pub(in crate::store::s3) fn tls_only(region: &str, bucket: &str) -> String {
    let partition = match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    let arn = format!("arn:{partition}:s3:::{bucket}");
    let statement = json!({
        "Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": [arn, format!("{arn}/*")],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    });
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

/// Returns true if a policy denies requests without TLS.
pub(super) fn refuses_plain_http(policy: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let one = std::slice::from_ref(&policy["Statement"]);
    policy["Statement"].as_array().map_or(one, Vec::as_slice).iter().any(|statement| {
        let condition = &statement["Condition"]["Bool"]["aws:SecureTransport"];
        let condition = condition.get(0).unwrap_or(condition);
        statement["Effect"] == "Deny" && (condition == "false" || condition == &json!(false))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_refuses_plain_http_is_seen() {
        assert!(refuses_plain_http(&tls_only("eu-west-1", "acme")));
        assert!(tls_only("cn-north-1", "acme").contains("arn:aws-cn:s3:::acme/*"));
        let one = r#"{"Statement":{"Effect":"Deny","Condition":{"Bool":{"aws:SecureTransport":["false"]}}}}"#;
        assert!(refuses_plain_http(one));
        for policy in
            ["", "{}", r#"{"Statement":[]}"#, &one.replace("Deny", "Allow"), &one.replace("false", "true")]
        {
            assert!(!refuses_plain_http(policy), "{policy}");
        }
    }
}
