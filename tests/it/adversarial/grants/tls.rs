//! The policies of buckets, as `init` and Terraform make them, executed: requests without TLS are denied.

use super::{column::Place, document};
use crate::support::{
    backends,
    iam::{Ask, BUCKET, Policies, ask::Setting, guard::name},
    link::{Certificate, Link, Shape},
    servers, terraform,
};
use serde_json::Value;
use tokio::runtime::Runtime;

/// The policy that `init` gives a bucket over TLS, about the bucket of the policies.
fn of_init(runtime: &Runtime) -> Value {
    let direct = servers::sandbox();
    let bucket = name(direct.variable("SACKER_STORE")).to_owned();
    let certificate = Certificate::new();
    direct.write("certificate.pem", certificate.pem());
    let link = runtime.block_on(Link::start_tls(&backends::s3(), Shape::default(), &certificate)).url();
    let store = direct.variable("SACKER_STORE").replace(&backends::s3(), &link);
    let trusted = direct.path("certificate.pem").to_str().unwrap().to_owned();
    direct.set("SACKER_STORE", store).set("SSL_CERT_FILE", trusted).ok(&["init"]);
    let policy = runtime.block_on(async {
        let client = backends::s3_client(&backends::s3()).await;
        client.get_bucket_policy().bucket(&bucket).send().await.unwrap().policy.unwrap()
    });
    serde_json::from_str(&policy.replace(&format!("arn:aws:s3:::{bucket}"), BUCKET)).unwrap()
}

/// `init` makes the same policy, except on MinIO, which lacks these conditions.
#[test]
fn a_bucket_of_the_module_denies_old_tls_and_other_encryptions() {
    let policies = Policies {
        resource: Some(terraform::bucket_policy(BUCKET)),
        ..Policies::of(&document("plain", "publisher"))
    };
    let object = format!("{BUCKET}/{}/sha256/00", crate::support::iam::PREFIX);
    for (action, key, value, expected) in [
        ("s3:GetObject", "s3:TlsVersion", "1.2", true),
        ("s3:GetObject", "s3:TlsVersion", "1.3", true),
        ("s3:GetObject", "s3:TlsVersion", "1.1", false),
        ("s3:PutObject", "s3:TlsVersion", "1.2", true),
        ("s3:PutObject", "s3:x-amz-server-side-encryption", "AES256", true),
        ("s3:PutObject", "s3:x-amz-server-side-encryption", "aws:kms", false),
    ] {
        let ask = Ask::new(action, &object).with("aws:SecureTransport", ["true"]).with(key, [value]);
        assert_eq!(policies.allow(&[ask]), [expected], "{action} with {key} {value}");
    }
}

#[test]
fn a_bucket_of_tls_only_denies_plain_http() {
    let place = Place::new();
    let runtime = Runtime::new().unwrap();
    for (origin, policy) in [("init", of_init(&runtime)), ("infra", terraform::bucket_policy(BUCKET))] {
        for role in ["reader", "administrator"] {
            let policies =
                Policies { resource: Some(policy.clone()), ..Policies::of(&document("plain", role)) };
            for (tls, expected) in [("true", 0), ("false", 10)] {
                place.guard.setting(|Setting { context, .. }| {
                    context.insert("aws:SecureTransport".to_owned(), tls.to_owned());
                });
                place.guard.set(Some(&policies));
                let output = place.run(&format!("download app live -o {origin}-{role}-{tls}"));
                let said = place.sandbox.shown(&output);
                assert_eq!(output.status.code(), Some(expected), "{origin}, {role}, {tls}: {said}");
                if expected == 10 {
                    let hint = "hint: a policy denies s3:GetObject on ";
                    assert!(said.contains(hint) && said.contains(" explicitly"), "{said}");
                }
            }
        }
    }
}
