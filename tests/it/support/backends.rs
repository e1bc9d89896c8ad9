//! The addresses of the real back ends, and clients of them.

use async_trait::async_trait;
use sacker::{
    aws::{Aws, Endpoint},
    fault::Fault,
    model::Created,
    retry::{Cancellation, RetryHint, RetryPolicy, Retryable},
    table::{Item, Key, Page, Query, Table, TransactError, Transaction},
};
use std::{
    env, fmt,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// The address of DynamoDB Local.
pub fn dynamodb() -> String {
    address("SACKER_TEST_DYNAMODB", "DynamoDB Local")
}

/// The address of MinIO.
pub fn s3() -> String {
    address("SACKER_TEST_S3", "MinIO")
}

/// The address of moto's server: an S3 that lists unfinished uploads by prefix, all begun on one day in 2010.
pub fn moto() -> String {
    address("SACKER_TEST_MOTO", "moto")
}

/// The address of the evaluator of IAM policies.
pub fn iam() -> String {
    address("SACKER_TEST_IAM", "evaluator of IAM policies")
}

/// The address of the one ZooKeeper server.
#[cfg(feature = "zookeeper")]
pub fn zookeeper() -> String {
    address("SACKER_TEST_ZOOKEEPER", "ZooKeeper")
}

/// The addresses of the members of the ZooKeeper ensemble.
#[cfg(feature = "zookeeper")]
pub fn zookeeper_ensemble() -> String {
    address("SACKER_TEST_ZOOKEEPER_ENSEMBLE", "ZooKeeper ensemble")
}

/// A client of an S3 server on this machine.
pub async fn s3_client(endpoint: &str) -> aws_sdk_s3::Client {
    aws().s3(&at(endpoint.to_owned())).await.unwrap()
}

pub fn address(variable: &str, server: &str) -> String {
    env::var(variable).unwrap_or_else(|_| {
        panic!("no {server}: run the tests with `scripts/test`, which installs and starts it")
    })
}

/// Clients with the test servers' credentials.
pub fn aws() -> Aws {
    let variable = |name, otherwise: &str| env::var(name).unwrap_or_else(|_| otherwise.to_owned());
    Aws::with_credentials(
        &variable("AWS_ACCESS_KEY_ID", "sackertest"),
        &variable("AWS_SECRET_ACCESS_KEY", "sackertestsecret"),
    )
}

/// A server at `url`, in no region that matters.
pub fn at(url: String) -> Endpoint {
    Endpoint { region: Some("us-east-1".to_owned()), url: Some(url) }
}

/// A name that no other test has, in this run or another.
pub fn unique(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{what}-{}-{}-{number}", std::process::id(), started.as_nanos())
}

/// A retry policy for a busy machine.
pub fn retry_policy() -> RetryPolicy {
    RetryPolicy::new(Duration::from_mins(1), Cancellation::new())
}

/// A table that retries the transient faults of a busy machine. A retry sends the same request under the same token: if
/// the first copy took effect after all, the server reports that.
#[derive(Debug)]
pub struct RetryingTable<T>(pub T);

#[async_trait]
impl<T: Table> Table for RetryingTable<T> {
    fn describe(&self) -> String {
        self.0.describe()
    }

    async fn create(&self) -> Result<Created, Fault> {
        retry_policy().run("creating", || self.0.create()).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        retry_policy().run("reading", || self.0.get_many(keys)).await
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        retry_policy().run("reading", || self.0.get_transact(keys)).await
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        retry_policy().run("reading", || self.0.query(query)).await
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        retry_policy().run("reading", || self.0.scan(after)).await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        let tried = retry_policy()
            .run("writing", || async { self.0.transact(transaction).await.map_err(Tried) })
            .await;
        tried.map_err(|Tried(error)| error)
    }
}

struct Tried(TransactError);

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Retryable for Tried {
    fn retry_hint(&self) -> RetryHint {
        match &self.0 {
            TransactError::Refused(_) => RetryHint::Never,
            TransactError::Fault(fault) => fault.retry_hint(),
        }
    }
}
