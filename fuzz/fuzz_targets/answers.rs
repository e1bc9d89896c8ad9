//! A server that answers anything: every answer becomes an item, bytes, or a fault that says what to do about it.
//!
//! The input is a status (two bytes, big-endian), the number of bytes of the headers, the headers, a line each, and
//! the body.
#![no_main]

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
    },
    http::StatusCode,
};
use aws_smithy_types::{body::SdkBody, retry::RetryConfig};
use futures_util::TryStreamExt;
use libfuzzer_sys::fuzz_target;
use sacker::{
    model::Address,
    store::{Store, s3::S3Store},
    table::{Action, Change, Condition, Item, Key, Order, Query, Table, Transaction, dynamodb::DynamoTable},
};

#[derive(Debug, Clone)]
struct Answering {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl HttpConnector for Answering {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let status = StatusCode::try_from(self.status).unwrap_or(StatusCode::try_from(500).unwrap());
        let mut answer = HttpResponse::new(status, SdkBody::from(self.body.clone()));
        for (name, value) in &self.headers {
            let _ = answer.headers_mut().try_append(name.clone(), value.clone());
        }
        HttpConnectorFuture::ready(Ok(answer))
    }
}

fn read(input: &[u8]) -> Option<Answering> {
    let (&[high, low, length], rest) = input.split_first_chunk()?;
    let (headers, body) = rest.split_at_checked(length.into())?;
    let headers = String::from_utf8_lossy(headers);
    let headers = headers.lines().filter_map(|line| line.split_once(':'));
    Some(Answering {
        status: u16::from_be_bytes([high, low]),
        headers: headers.map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned())).collect(),
        body: body.to_owned(),
    })
}

async fn dynamodb(answering: Answering) {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version_latest()
        .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "fuzz"))
        .retry_config(RetryConfig::disabled())
        .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(answering.clone())))
        .build();
    let table = DynamoTable::new(aws_sdk_dynamodb::Client::from_conf(config), "table");
    let keys = [Key::new("p", "a"), Key::new("p", "b")];
    let _ = table.get(&keys[0]).await;
    let _ = table.get_transact(&keys).await;
    let query = Query {
        pk: "p".to_owned(),
        from: "a".to_owned(),
        to: "b".to_owned(),
        order: Order::Ascending,
        limit: 1,
        after: None,
    };
    let _ = table.query(&query).await;
    let mut transaction = Transaction::new("t".to_owned());
    for key in keys {
        transaction.push(Action { key, condition: Condition::Absent, change: Change::Put(Item::new()) });
    }
    let _ = table.transact(&transaction).await;
}

async fn s3(answering: Answering) {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version_latest()
        .region(aws_sdk_s3::config::Region::new("us-east-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "fuzz"))
        .retry_config(RetryConfig::disabled())
        .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(answering.clone())))
        .build();
    let store = S3Store::new(aws_sdk_s3::Client::from_conf(config), "bucket", "prefix", None);
    let at: Address = "0".repeat(64).parse().unwrap();
    let _ = store.owner().await;
    let _ = store.stat(&at).await;
    let _ = store.list(None).await;
    if let Ok(Some(body)) = store.get(&at, 0..5, None).await {
        let bytes: Result<Vec<_>, _> = body.stream.try_collect().await;
        if let Ok(bytes) = bytes {
            // Exactly the range, or an error.
            assert_eq!(bytes.iter().map(|chunk| chunk.len()).sum::<usize>(), 5);
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some(answering) = read(input) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        dynamodb(answering.clone()).await;
        s3(answering).await;
    });
});
