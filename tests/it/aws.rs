//! Failures between the client and AWS, over real sockets.

mod expiry;
mod regions;
mod sources;

use crate::support::{
    backends,
    wire::{Server, response},
};
use aws_sdk_s3::primitives::ByteStream;
use sacker::{
    aws::{self, Aws},
    fault::{Fault, FaultKind},
    table::{Action, Change, Condition, Item, Key, Table, TransactError, Transaction, dynamodb::DynamoTable},
};
use serde_json::{Value, json};
use std::error::Error;
use tokio::net::TcpListener;

async fn table(url: &str) -> DynamoTable {
    DynamoTable::new(backends::aws().dynamodb(&backends::at(url.to_owned())).await.unwrap(), "table")
}

async fn read(url: &str) -> Fault {
    table(url).await.get(&Key::new("p", "a")).await.unwrap_err()
}

fn reported(fault: &Fault) -> String {
    fault.source().unwrap().to_string()
}

#[tokio::test]
async fn nobody_there() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let fault = read(&format!("http://{free}")).await;
    assert_eq!(fault.kind, FaultKind::Unavailable);
    assert!(reported(&fault).contains("refused"), "{}", reported(&fault));
}

#[tokio::test]
async fn no_answer_to_a_try_is_an_outage() {
    let server = Server::silent().await;
    let fault = read(&server.url).await;
    assert_eq!(fault.kind, FaultKind::Unavailable);
    assert!(reported(&fault).contains("nothing moved for 2 s"), "{}", reported(&fault));
    assert_eq!(server.asked().len(), 1);
}

/// The body of a refusal of a request by its signature.
const SIGNATURE: &str =
    r#"{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"Signature expired"}"#;

/// An answer of a server whose clock is a year ahead.
fn a_year_ahead(status: &str, body: &str) -> String {
    let date = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 365);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date).unwrap();
    response(&format!("{status}\r\ndate: {date}"), body)
}

/// The year that each request was signed in.
fn years(server: &Server) -> Vec<i32> {
    let year = |request: &String| {
        let head = request.to_ascii_lowercase();
        head.split("x-amz-date: ").nth(1).unwrap()[..4].parse().unwrap()
    };
    server.asked().iter().map(year).collect()
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_once() {
    let refused = a_year_ahead("400 Bad Request", SIGNATURE);
    let server = Server::new(vec![refused.clone(), a_year_ahead("200 OK", "{}")]).await;
    let (table, key) = (table(&server.url).await, Key::new("p", "a"));
    let fault = table.get(&key).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unavailable, "{fault:?}");
    assert!(fault.remedy.unwrap().contains("clock"), "{fault:?}");
    assert_eq!(table.get(&key).await.unwrap(), None);
    let years = years(&server);
    assert_eq!(years[1], years[0] + 1);
    // If that is not what is wrong, it is not tried again and again.
    let server = Server::new(vec![refused]).await;
    let table = self::table(&server.url).await;
    let fault = backends::retry_policy().run("x", || table.get(&key)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Denied, "{fault:?}");
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn an_answer_cut_short() {
    let cut =
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 1000\r\n\r\n{\"It";
    let fault = read(&Server::new(vec![cut.to_owned()]).await.url).await;
    assert_eq!(fault.kind, FaultKind::Unavailable, "{fault:?}");
}

/// A request whose answer can't be read may have taken effect.
#[tokio::test]
async fn an_answer_that_cant_be_read() {
    for body in [r#"{"Item":{"pk":{"S":"p"},"#, r#"{"Item":7,"Responses":7,"ConsumedCapacity":7}"#, "\u{1}"] {
        let server = Server::answering("200 OK", body).await;
        assert_eq!(read(&server.url).await.kind, FaultKind::Unavailable, "{body}");
        assert_eq!(faulted(transact(&server).await), FaultKind::Unavailable, "{body}");
    }
}

/// The lost part may have asked for another try.
#[tokio::test]
async fn a_refusal_cut_short() {
    let cut = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 1000\r\n\r\n{\"__ty";
    let fault = read(&Server::new(vec![cut.to_owned()]).await.url).await;
    assert_eq!(fault.kind, FaultKind::Unavailable, "{fault:?}");
}

#[tokio::test]
async fn an_answer_that_was_damaged_on_its_way() {
    let body = r#"{"Item":{"pk":{"S":"p"},"sk":{"S":"a"}}}"#;
    // Of another body.
    let answer = response("200 OK\r\nx-amz-crc32: 1", body);
    let fault = read(&Server::new(vec![answer]).await.url).await;
    assert_eq!(fault.kind, FaultKind::Unavailable, "{fault:?}");
    assert!(reported(&fault).contains("checksum"), "{}", reported(&fault));
}

#[tokio::test]
async fn an_attribute_of_a_type_of_tomorrow() {
    for value in [r#"{"V":[1]}"#, r#"{"M":{"a":{"L":[{"V":[1]}]}}}"#] {
        let body = format!(r#"{{"Item":{{"pk":{{"S":"p"}},"sk":{{"S":"a"}},"x":{value}}}}}"#);
        let fault = read(&Server::answering("200 OK", &body).await.url).await;
        assert_eq!(fault.kind, FaultKind::Corrupt, "{fault:?}");
        assert!(
            reported(&fault).contains("p/a") && reported(&fault).contains("an unknown type"),
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn another_kind_of_server() {
    let fault = read(&Server::answering("405 Method Not Allowed", "<html></html>").await.url).await;
    assert_eq!(fault.kind, FaultKind::Misconfigured, "{fault:?}");
    assert!(reported(&fault).contains("405"), "{}", reported(&fault));
}

#[tokio::test]
async fn an_outage_is_tried_once() {
    let server = Server::answering("500 Internal Server Error", "{}").await;
    let fault = read(&server.url).await;
    assert_eq!(fault.kind, FaultKind::Unavailable, "{fault:?}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn tls_with_a_server_that_has_none() {
    let plain = Server::answering("200 OK", "{}").await.url;
    let fault = read(&plain.replace("http:", "https:")).await;
    assert_eq!(fault.kind, FaultKind::Misconfigured, "{fault:?}");
}

#[tokio::test]
async fn an_address_that_is_none() {
    for url in ["127.0.0.1:8000", "ftp://host", "http://", ""] {
        let at = backends::at(url.to_owned());
        assert_eq!(backends::aws().dynamodb(&at).await.unwrap_err().kind, FaultKind::Misconfigured, "{url}");
        assert_eq!(backends::aws().s3(&at).await.unwrap_err().kind, FaultKind::Misconfigured, "{url}");
    }
}

#[tokio::test]
async fn credentials_that_are_refused() {
    // DynamoDB Local takes any key of letters and digits.
    let aws = Aws::with_credentials("not-a-key", "secret");
    let client = aws.dynamodb(&backends::at(backends::dynamodb())).await.unwrap();
    let fault = DynamoTable::new(client, "table").get(&Key::new("p", "a")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Denied, "{fault:?}");
    assert!(!reported(&fault).contains("secret"));
}

/// Answers of DynamoDB that DynamoDB Local never gives.
async fn dynamodb_says(code: &str, more: Value) -> Server {
    let mut body =
        json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "it says so"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Server::answering("400 Bad Request", &body.to_string()).await
}

async fn transact(server: &Server) -> TransactError {
    let mut transaction = Transaction::new("token".to_owned());
    for sk in ["a", "b", "c"] {
        let change = Change::Put(Item::new());
        transaction.push(Action { key: Key::new("p", sk), condition: Condition::Absent, change });
    }
    table(&server.url).await.transact(&transaction).await.unwrap_err()
}

fn faulted(error: TransactError) -> FaultKind {
    match error {
        TransactError::Fault(fault) => fault.kind,
        refused @ TransactError::Refused(_) => panic!("{refused:?}"),
    }
}

#[tokio::test]
async fn cancelled_transactions() {
    let item = json!({"pk": {"S": "p"}, "sk": {"S": "b"}, "n": {"N": "9007199254740992"}});
    let failed =
        json!({"Code": "ConditionalCheckFailed", "Message": "The conditional request failed", "Item": item});
    let none = json!({"Code": "None"});
    let cancelled = async |reasons: &[&Value]| {
        let server =
            dynamodb_says("TransactionCanceledException", json!({"CancellationReasons": reasons})).await;
        let error = transact(&server).await;
        assert_eq!(server.asked().len(), 1);
        error
    };
    let TransactError::Refused(refused) = cancelled(&[&none, &failed, &none]).await else {
        panic!("a fault")
    };
    let there = Item::from_iter([("n".to_owned(), json!(1_u64 << 53))]);
    assert_eq!(refused, [None, Some(Some(there)), None]);

    let conflict = json!({"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"});
    let throttled = json!({"Code": "ThrottlingError"});
    let malformed = json!({"Code": "ValidationError", "Message": "Item size has exceeded"});
    assert_eq!(faulted(cancelled(&[&none, &conflict, &none]).await), FaultKind::Contended);
    // Whether the first condition holds is not known, so this is no refusal.
    assert_eq!(faulted(cancelled(&[&conflict, &failed, &none]).await), FaultKind::Contended);
    assert_eq!(faulted(cancelled(&[&failed, &throttled, &none]).await), FaultKind::Throttled);
    assert_eq!(faulted(cancelled(&[&malformed, &conflict, &throttled]).await), FaultKind::Unexpected);
    // Not a reason for each action, or none that is a reason: no one was first.
    for reasons in [&[][..], &[&failed], &[&none, &none, &none]] {
        assert_eq!(faulted(cancelled(reasons).await), FaultKind::Unexpected);
    }
}

#[tokio::test]
async fn transactions_that_are_not_judged() {
    for (code, expected) in [
        ("TransactionInProgressException", FaultKind::Unavailable),
        ("ProvisionedThroughputExceededException", FaultKind::Throttled),
        ("ThrottlingException", FaultKind::Throttled),
        ("IdempotentParameterMismatchException", FaultKind::Unexpected),
        ("AccessDeniedException", FaultKind::Denied),
    ] {
        let server = dynamodb_says(code, json!({})).await;
        assert_eq!(faulted(transact(&server).await), expected, "{code}");
        assert_eq!(server.asked().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_snapshot_in_conflict() {
    let reasons = json!({"CancellationReasons": [{"Code": "TransactionConflict"}]});
    let server = dynamodb_says("TransactionCanceledException", reasons).await;
    let fault = table(&server.url).await.get_transact(&[Key::new("p", "a")]).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Contended);
}

#[tokio::test]
async fn what_a_batch_leaves_out_is_asked_for_once_more() {
    let left = json!({"table": {"Keys": [{"pk": {"S": "p"}, "sk": {"S": "b"}}], "ConsistentRead": true}});
    let item = |sk: &str| json!({"table": [{"pk": {"S": "p"}, "sk": {"S": sk}, "was": {"S": sk}}]});
    let part = json!({"Responses": item("a"), "UnprocessedKeys": left}).to_string();
    let rest = json!({"Responses": item("b"), "UnprocessedKeys": {}}).to_string();
    let keys = [Key::new("p", "a"), Key::new("p", "b")];

    let server = Server::new(vec![response("200 OK", &part), response("200 OK", &rest)]).await;
    let items = table(&server.url).await.get_many(&keys).await.unwrap();
    assert_eq!(items.into_iter().map(|item| item.unwrap()["was"].clone()).collect::<Vec<_>>(), ["a", "b"]);
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].contains(r#""ConsistentRead":true"#), "{}", asked[1]);

    let throttled = Server::new(vec![response("200 OK", &part)]).await;
    let fault = table(&throttled.url).await.get_many(&keys).await.unwrap_err();
    assert_eq!((fault.kind, throttled.asked().len()), (FaultKind::Throttled, 2));
}

/// DynamoDB Local is always consistent, so an inconsistent read would pass every other test.
#[tokio::test]
async fn every_read_asks_for_consistency() {
    let server = Server::answering("200 OK", "{}").await;
    let table = table(&server.url).await;
    let keys = [Key::new("p", "a"), Key::new("p", "b")];
    let query = sacker::table::Query {
        pk: "p".to_owned(),
        from: "a".to_owned(),
        to: "b".to_owned(),
        order: sacker::table::Order::Ascending,
        limit: 1,
        after: None,
    };
    table.get(&keys[0]).await.unwrap();
    table.get_many(&keys).await.unwrap();
    table.query(&query).await.unwrap();
    table.scan(None).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked.len(), 4);
    for request in asked {
        assert!(request.contains(r#""ConsistentRead":true"#), "{request}");
    }
}

#[tokio::test]
async fn s3_at_a_custom_endpoint() {
    let client = backends::aws().s3(&backends::at(backends::s3())).await.unwrap();
    let bucket = backends::unique("bucket");
    client.create_bucket().bucket(&bucket).send().await.unwrap();
    let put = client.put_object().bucket(&bucket).key("k").body(ByteStream::from_static(b"bytes"));
    put.send().await.unwrap();
    let got = client.get_object().bucket(&bucket).key("k").send().await.unwrap();
    assert_eq!(&*got.body.collect().await.unwrap().into_bytes(), b"bytes");

    let missing = client.put_object().bucket(backends::unique("missing")).key("k");
    let fault = aws::fault("storing", missing.send().await.unwrap_err());
    assert_eq!(fault.kind, FaultKind::Missing, "{fault:?}");
}

#[tokio::test]
async fn what_s3_is_asked_and_how_often() {
    let conflict = "<Error><Code>ConditionalRequestConflict</Code><Message>again</Message></Error>";
    for (status, body, expected, tries) in [
        ("409 Conflict", conflict, FaultKind::Contended, 1),
        ("503 Slow Down", "<Error><Code>SlowDown</Code></Error>", FaultKind::Throttled, 1),
        ("500 Internal Server Error", "", FaultKind::Unavailable, 1),
        ("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>", FaultKind::Denied, 1),
        ("400 Bad Request", "<Error><Code>KMS.ThrottlingException</Code></Error>", FaultKind::Throttled, 1),
        ("501 Not Implemented", "<Error><Code>NotImplemented</Code></Error>", FaultKind::Misconfigured, 1),
        ("507 Insufficient Storage", "", FaultKind::Full, 1),
    ] {
        let server = Server::answering(status, body).await;
        let client = backends::aws().s3(&backends::at(server.url.clone())).await.unwrap();
        let put = client.put_object().bucket("bucket").key("k").body(ByteStream::from_static(b"bytes"));
        let fault = aws::fault("storing", put.send().await.unwrap_err());
        assert_eq!(fault.kind, expected, "{fault:?}");
        let asked = server.asked();
        assert_eq!(asked.len(), tries, "{status}");
        let request = asked[0].to_ascii_lowercase();
        assert!(request.starts_with("put /bucket/k?"), "{request}");
        assert!(!request.contains("x-amz-checksum") && !request.contains("x-amz-trailer"), "{request}");
    }
}

#[tokio::test]
async fn an_archived_object_is_no_matter_of_credentials() {
    let archived =
        "<Error><Code>InvalidObjectState</Code><Message>The operation is not valid</Message></Error>";
    let server = Server::answering("403 Forbidden", archived).await;
    let client = backends::aws().s3(&backends::at(server.url.clone())).await.unwrap();
    let get = client.get_object().bucket("bucket").key("k").send();
    let fault = aws::fault("reading", get.await.unwrap_err());
    assert_eq!(fault.kind, FaultKind::Misconfigured, "{fault:?}");
    assert!(fault.remedy.unwrap().contains("restore-object"), "{fault:?}");
}
