//! The policy of the bucket: what it must deny.

use aws_sdk_s3::types::{ServerSideEncryption, ServerSideEncryptionConfiguration};
use serde_json::{Value, json};

const ALGORITHM: &str = "s3:x-amz-server-side-encryption";
const KEY: &str = "s3:x-amz-server-side-encryption-aws-kms-key-id";
/// The oldest version of TLS that is not refused.
const TLS: f64 = 1.2;

/// The encryption of the objects of a bucket that name none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store::s3) struct Encryption {
    algorithm: String,
    /// The KMS key, if it is one of the account's own.
    key: Option<String>,
}

impl Encryption {
    /// Returns the encryption with keys that S3 manages.
    pub fn of_s3() -> Self {
        Self { algorithm: ServerSideEncryption::Aes256.as_str().to_owned(), key: None }
    }

    /// Returns the encryption that a bucket has, if it has one.
    pub fn of_bucket(found: &ServerSideEncryptionConfiguration) -> Option<Self> {
        let found =
            found.rules().iter().find_map(|rule| rule.apply_server_side_encryption_by_default.as_ref())?;
        let algorithm = found.sse_algorithm.as_str().to_owned();
        Some(Self { algorithm, key: found.kms_master_key_id.clone() })
    }

    /// Returns the encryption, for people.
    pub fn shown(&self) -> String {
        match &self.key {
            Some(key) => format!("{} with {key}", self.algorithm),
            None => self.algorithm.clone(),
        }
    }
}

/// Returns the ARN of a bucket.
fn arn(region: &str, bucket: &str) -> String {
    let partition = match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    format!("arn:{partition}:s3:::{bucket}")
}

fn statement_on_tls(arn: &str) -> Value {
    json!({
        "Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": [arn, format!("{arn}/*")],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    })
}

fn statement_on_puts(arn: &str, sid: &str, key: &str, value: &str) -> Value {
    json!({
        "Sid": sid, "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": format!("{arn}/*"),
        "Condition": { "StringNotEqualsIfExists": { key: value }, "Null": { key: "false" } },
    })
}

fn policy(statements: &[Value]) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

/// Returns the bucket policy that denies requests without TLS, and no others.
pub(in crate::store::s3) fn tls_only(region: &str, bucket: &str) -> String {
    policy(&[statement_on_tls(&arn(region, bucket))])
}

/// Returns the bucket policy that denies requests without TLS or with an old one, and objects that name another
/// encryption than the bucket's.
pub(in crate::store::s3) fn whole(region: &str, bucket: &str, encryption: &Encryption) -> String {
    let arn = arn(region, bucket);
    let latest_tls = json!({
        "Sid": "LatestTlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": [arn, format!("{arn}/*")],
        "Condition": { "NumericLessThan": { "s3:TlsVersion": TLS.to_string() } },
    });
    let one_encryption = statement_on_puts(&arn, "NoOtherEncryption", ALGORITHM, &encryption.algorithm);
    let one_key = encryption.key.as_ref().map(|key| statement_on_puts(&arn, "NoOtherKey", KEY, key));
    let statements = [statement_on_tls(&arn), latest_tls, one_encryption];
    policy(&statements.into_iter().chain(one_key).collect::<Vec<_>>())
}

/// Returns true if a statement of a policy denies something under this operator of conditions, for a value of this key
/// that is accepted.
fn denies(policy: &str, operators: &[&str], key: &str, accepts: impl Fn(&str) -> bool) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let one = std::slice::from_ref(&policy["Statement"]);
    policy["Statement"].as_array().map_or(one, Vec::as_slice).iter().any(|statement| {
        let values = operators.iter().map(|operator| &statement["Condition"][operator][key]);
        let mut values = values.map(|value| value.get(0).unwrap_or(value)).filter(|value| !value.is_null());
        let accepted = |value: &Value| match value {
            Value::String(text) => accepts(text),
            other => accepts(&other.to_string()),
        };
        statement["Effect"] == "Deny" && values.any(accepted)
    })
}

/// Returns true if a policy denies requests without TLS.
pub(super) fn refuses_plain_http(policy: &str) -> bool {
    denies(policy, &["Bool"], "aws:SecureTransport", |value| value == "false")
}

/// Returns true if a policy denies requests with a version of TLS that is too old.
pub(super) fn refuses_old_tls(policy: &str) -> bool {
    let refuses = |value: &str| value.parse().is_ok_and(|least: f64| least >= TLS);
    denies(policy, &["NumericLessThan"], "s3:TlsVersion", refuses)
}

/// Returns true if a policy denies objects that name another encryption than this one; than any single one, if it is
/// not known.
pub(super) fn refuses_other_encryption(policy: &str, encryption: Option<&Encryption>) -> bool {
    const OTHER: [&str; 2] = ["StringNotEqualsIfExists", "StringNotEquals"];
    let algorithm = encryption.map(|encryption| encryption.algorithm.as_str());
    let key = encryption.and_then(|encryption| encryption.key.as_deref());
    denies(policy, &OTHER, ALGORITHM, |value| algorithm.is_none_or(|algorithm| value == algorithm))
        && key.is_none_or(|key| denies(policy, &OTHER, KEY, |value| value == key))
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
        assert!(refuses_plain_http(&one.replace("\"false\"", "false")));
        for policy in
            ["", "{}", r#"{"Statement":[]}"#, &one.replace("Deny", "Allow"), &one.replace("false", "true")]
        {
            assert!(!refuses_plain_http(policy), "{policy}");
        }
    }

    #[test]
    fn a_policy_that_refuses_old_tls_is_seen() {
        let policy = whole("eu-west-1", "acme", &Encryption::of_s3());
        assert!(refuses_plain_http(&policy) && refuses_old_tls(&policy));
        assert!(refuses_old_tls(&policy.replace("\"1.2\"", "[1.3]")));
        assert!(!refuses_old_tls(&policy.replace("\"1.2\"", "\"1.1\"")));
        assert!(!refuses_old_tls(&tls_only("eu-west-1", "acme")));
    }

    #[test]
    fn a_policy_that_refuses_another_encryption_is_seen() {
        let of_s3 = Encryption::of_s3();
        let own = Encryption { algorithm: "aws:kms".to_owned(), key: Some("arn:aws:kms:key".to_owned()) };
        let of_account = Encryption { key: None, ..own.clone() };
        for (policy, encryption, expected) in [
            (whole("eu-west-1", "acme", &of_s3), Some(&of_s3), true),
            (whole("eu-west-1", "acme", &of_s3), Some(&own), false),
            (whole("eu-west-1", "acme", &of_s3), None, true),
            (whole("eu-west-1", "acme", &own), Some(&own), true),
            (whole("eu-west-1", "acme", &of_account), Some(&own), false),
            (whole("eu-west-1", "acme", &own), Some(&of_account), true),
            (tls_only("eu-west-1", "acme"), Some(&of_s3), false),
        ] {
            assert_eq!(refuses_other_encryption(&policy, encryption), expected, "{policy}, {encryption:?}");
        }
    }
}
