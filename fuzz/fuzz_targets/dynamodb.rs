//! Answers of DynamoDB, or of something in its place: their classification, and the items that are read from them.

#![no_main]

use arbitrary::Arbitrary;
use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
};
use libfuzzer_sys::fuzz_target;
use sacker::{
    fault::{Fault, FaultKind},
    table::{
        Action, Change, Condition, Item, Order, Query, Table, TransactError, Transaction,
        dynamodb::DynamoTable,
    },
};
use sacker_fuzz::{
    attributes::{Attribute, Name, keys, plain, wire},
    http::{Loss, Reply, Server, Status, run},
};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

#[derive(Arbitrary, Debug)]
struct Input {
    request: Request,
    /// The answers to both requests that a batch may take.
    answers: [Answer; 2],
}

#[derive(Arbitrary, Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    Transact,
    Get,
    Batch,
    Snapshot,
    Query,
    Scan,
}

#[derive(Arbitrary, Debug, Clone)]
enum Answer {
    Lost(Loss),
    Raw {
        status: Status,
        kind: Option<Code>,
        body: Vec<u8>,
    },
    Error {
        status: Status,
        code: Code,
        space: bool,
        message: Option<String>,
        reasons: Option<Vec<Option<Reason>>>,
    },
    Items {
        items: Vec<Vec<(Name, Attribute)>>,
        unprocessed: bool,
        more: bool,
    },
}

#[derive(Arbitrary, Debug, Clone)]
struct Reason {
    code: Option<Code>,
    message: Option<String>,
    item: Option<Vec<(Name, Attribute)>>,
}

#[derive(Arbitrary, Debug, Clone)]
enum Code {
    Cancelled,
    Failed,
    None,
    Certain(u8),
    Unknown(u8),
    Any(String),
}

/// Codes which say that nothing was changed, whatever the status.
const CERTAIN: [&str; 27] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationHeaderMalformed",
    "ConditionalRequestConflict",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "LimitExceededException",
    "MissingAuthenticationTokenException",
    "NoSuchBucket",
    "OperationAborted",
    "OptInRequired",
    "PermanentRedirect",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "ResourceNotFoundException",
    "SlowDown",
    "TableNotFoundException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionConflict",
    "TransactionConflictException",
    "UnrecognizedClientException",
];

/// Codes which say that the change may have happened, whatever the status.
const UNKNOWN: [&str; 6] = [
    "InternalError",
    "InternalServerError",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "TransactionInProgressException",
];

const CANCELLED: &str = "TransactionCanceledException";
const FAILED: &str = "ConditionalCheckFailed";

impl Code {
    fn text(&self) -> String {
        let of = |codes: &[&str], index: u8| codes[usize::from(index) % codes.len()].to_owned();
        match self {
            Self::Cancelled => CANCELLED.to_owned(),
            Self::Failed => FAILED.to_owned(),
            Self::None => "None".to_owned(),
            Self::Certain(index) => of(&CERTAIN, *index),
            Self::Unknown(index) => of(&UNKNOWN, *index),
            Self::Any(text) => text.clone(),
        }
    }
}

impl Answer {
    fn reply(&self, request: Request) -> Reply {
        let json = |body: Value| body.to_string().into_bytes();
        match self {
            Self::Lost(loss) => Reply::Lost(*loss),
            Self::Raw { status, kind, body } => {
                let headers = kind.iter().map(|code| ("x-amzn-errortype", code.text())).collect();
                Reply::Answer { status: status.code(), headers, body: body.clone() }
            }
            Self::Error { status, code, space, message, reasons } => {
                let namespace = if *space { "com.amazonaws.dynamodb.v20120810#" } else { "" };
                let mut body = json!({"__type": format!("{namespace}{}", code.text())});
                if let Some(message) = message {
                    body["message"] = message.clone().into();
                }
                if let Some(reasons) = reasons {
                    body["CancellationReasons"] = reasons.iter().map(Option::as_ref).map(reason).collect();
                }
                Reply::Answer { status: status.code(), headers: Vec::new(), body: json(body) }
            }
            Self::Items { items, unprocessed, more } => {
                let items: Vec<Value> = items.iter().map(|item| wire(item).into()).collect();
                let mut body = match request {
                    Request::Transact => json!({}),
                    Request::Get => items.first().map_or(json!({}), |item| json!({"Item": item})),
                    Request::Batch => json!({"Responses": {"table": items}}),
                    Request::Snapshot => {
                        json!({"Responses": items.iter().map(|item| json!({"Item": item})).collect::<Vec<_>>()})
                    }
                    Request::Query | Request::Scan => json!({"Items": items}),
                };
                if *unprocessed {
                    let key = json!({"pk": {"S": "P#app"}, "sk": {"S": "H"}});
                    body["UnprocessedKeys"] = json!({"table": {"Keys": [key]}});
                }
                if *more && let Some(last) = items.last() {
                    body["LastEvaluatedKey"] = last.clone();
                }
                Reply::Answer { status: 200, headers: Vec::new(), body: json(body) }
            }
        }
    }

    /// Whatever the body says that can be read: DynamoDB puts no error there.
    fn is_success(&self) -> bool {
        self.status_and_code().0.is_some_and(|status| status < 300)
    }

    /// The status, and the code if there is one that can be read.
    fn status_and_code(&self) -> (Option<u16>, Option<String>) {
        match self {
            Self::Lost(_) => (None, None),
            Self::Raw { status, kind, body } => {
                // Where there is a body that can't be read, the header is not looked at.
                let body = if body.is_empty() { b"{}" } else { body.as_slice() };
                let read: Option<Map<String, Value>> = serde_json::from_slice(body).ok();
                let code = read.and_then(|body| {
                    let code = || Some(body.get("__type")?.as_str()?.to_owned());
                    kind.as_ref().map(Code::text).or_else(code)
                });
                (Some(status.code()), code)
            }
            Self::Error { status, code, .. } => (Some(status.code()), Some(code.text())),
            Self::Items { .. } => (Some(200), None),
        }
    }
}

fn reason(reason: Option<&Reason>) -> Value {
    let Some(reason) = reason else { return Value::Null };
    let mut json = json!({});
    if let Some(code) = &reason.code {
        json["Code"] = code.text().into();
    }
    if let Some(message) = &reason.message {
        json["Message"] = message.clone().into();
    }
    if let Some(item) = &reason.item {
        json["Item"] = wire(item).into();
    }
    json
}

static SERVER: LazyLock<Server> = LazyLock::new(Server::default);
static TABLE: LazyLock<DynamoTable> = LazyLock::new(|| {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::new("a", "b", None, None, "fuzz"))
        .region(Region::new("eu-west-1"))
        .retry_config(RetryConfig::disabled())
        .http_client(SERVER.client());
    DynamoTable::new(Client::from_conf(config.build()), "table")
});

fuzz_target!(|input: Input| {
    let Input { request, answers } = input;
    let mut replies: Vec<_> = answers.iter().rev().map(|answer| answer.reply(request)).collect();
    SERVER.answer(move |_| replies.pop().unwrap_or(Reply::Lost(Loss::Io)));
    let fault = match request {
        Request::Transact => transact(&answers[0]),
        Request::Get => run(TABLE.get(&keys()[0])).map(|item| got(&answers[0], &[item])).err(),
        Request::Batch => run(TABLE.get_many(&keys())).map(|items| assert_eq!(items.len(), 2)).err(),
        Request::Snapshot => run(TABLE.get_transact(&keys())).map(|items| got(&answers[0], &items)).err(),
        Request::Query => {
            let (from, to) = ("V#".to_owned(), "V#~".to_owned());
            let query =
                Query { pk: "P#app".to_owned(), from, to, order: Order::Ascending, limit: 9, after: None };
            run(TABLE.query(&query)).map(|page| listed(&answers[0], page.items)).err()
        }
        Request::Scan => run(TABLE.scan(None)).map(|page| listed(&answers[0], page.items)).err(),
    };
    if let Some(fault) = fault {
        let (status, code) = answers[0].status_and_code();
        let shown = format!("{fault}: {}", fault.source);
        // Stored values, and the reasons of a cancelled transaction, are reported as they are.
        if fault.kind != FaultKind::Corrupt && !code.as_deref().unwrap_or_default().contains(CANCELLED) {
            assert!(!shown.contains('\n'), "no line for people: {shown:?}");
        }
        if request != Request::Batch && status.is_none() {
            assert_eq!(fault.kind, FaultKind::Unavailable, "{shown}");
        }
        if fault.kind == FaultKind::Missing {
            assert!(status.is_some() && code.is_some(), "no answer said that it is not there: {shown}");
        }
    }
});

/// Writes, and holds what is made of the answer against what DynamoDB's documentation says.
fn transact(answer: &Answer) -> Option<Fault> {
    let mut transaction = Transaction::new("token".to_owned());
    for key in keys() {
        let condition = Condition::Absent;
        transaction.push(Action { key, condition, change: Change::Put(Item::new()) });
    }
    let (status, code) = answer.status_and_code();
    let plain_code = code.as_deref().map(|code| {
        let code = code.split(':').next().unwrap_or_default();
        code.split_once('#').map_or(code, |(_, code)| code).to_owned()
    });
    let is = |codes: &[&str]| plain_code.as_deref().is_some_and(|code| codes.contains(&code));
    match run(TABLE.transact(&transaction)) {
        Ok(()) => {
            assert!(answer.is_success(), "done, says {answer:?}");
            None
        }
        Err(TransactError::Refused(found)) => {
            assert!(is(&[CANCELLED]), "refused, says {answer:?}");
            assert_eq!(found.len(), transaction.actions().len(), "{answer:?}");
            assert!(found.iter().any(Option::is_some), "refused for no reason by {answer:?}");
            if let Answer::Error { reasons: Some(reasons), .. } = answer {
                for reason in reasons.iter().flatten() {
                    assert!(
                        matches!(reason.code, None | Some(Code::None | Code::Failed | Code::Any(_))),
                        "{answer:?}"
                    );
                }
            }
            None
        }
        Err(TransactError::Fault(fault)) => {
            let refusal = status.is_some_and(|status| (300..500).contains(&status) && status != 408);
            if is(&UNKNOWN) {
                assert!(fault.kind.is_ambiguous(), "{:?} for {answer:?}", fault.kind);
            }
            if !fault.kind.is_ambiguous() {
                assert!(refusal || is(&CERTAIN) || is(&[CANCELLED]), "{:?} for {answer:?}", fault.kind);
            }
            Some(fault)
        }
    }
}

/// Checks the items that were read from an answer.
fn got(answer: &Answer, found: &[Option<Item>]) {
    assert!(answer.is_success(), "{found:?} out of {answer:?}");
    let Answer::Items { items, .. } = answer else { return };
    for (item, found) in items.iter().zip(found) {
        if let (Some(plain), Some(found)) = (plain(item), found) {
            assert_eq!(plain, *found);
        }
    }
}

fn listed<K>(answer: &Answer, found: Vec<(K, Item)>) {
    let found: Vec<_> = found.into_iter().map(|(_, item)| Some(item)).collect();
    got(answer, &found);
    if let Answer::Items { items, .. } = answer {
        assert_eq!(items.len(), found.len(), "{answer:?}");
    }
}
