//! Sandboxes on the real servers: DynamoDB Local and MinIO.

use super::backends;
use super::sandbox::Sandbox;
use std::env;

/// Makes a sandbox on a table and a bucket of its own, which are not there yet.
pub fn sandbox() -> Sandbox {
    let table = backends::unique("cli");
    let ledger = format!("dynamodb://{table}?endpoint={}", backends::dynamodb());
    let bucket = backends::unique("cli");
    let bucket = &bucket[..bucket.len().min(63)];
    let store = format!("s3://{bucket}/blobs?endpoint={}", backends::s3());
    let mut sandbox = Sandbox::new().set("SACKER_LEDGER", ledger).set("SACKER_STORE", store);
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
        let value =
            env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests with `scripts/test`"));
        sandbox = sandbox.set(name, value);
    }
    sandbox
}
