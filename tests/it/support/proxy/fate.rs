//! Network faults that a request can meet.

use super::http::Message;
use serde_json::{Value, json};

/// The fate of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Passes,
    /// It never arrives.
    IsLost,
    /// It arrives, its answer doesn't.
    LosesReply,
    /// It takes a little longer.
    IsDelayed,
    /// The client hears nothing, and it arrives later, perhaps after what the client did next.
    ArrivesLate,
    /// It arrives twice; the second answer is passed on.
    IsDoubled,
    /// Half of the answer comes.
    LosesHalfTheReply,
    /// A bit of the answer's body is turned round.
    FlipsReply,
    /// A bit of its own body is turned round.
    FlipsRequest,
    /// It is answered as by a server whose clock is this number of days ahead.
    IsDatedAhead(i64),
    /// It never arrives, and this is answered.
    IsAnswered(Answer),
    /// It is done, and then this is answered.
    IsDoneAndAnswered(Answer),
}

/// Answers of a server that the servers at hand never give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Throttling,
    ProvisionedThroughputExceeded,
    InternalServerError,
    TransactionInProgress,
    /// Every item in conflict.
    TransactionConflict,
    /// `TransactionCanceledException` with a failed condition, a conflict and throttling, and nothing for the rest.
    MixedReasons,
    SlowDown,
    InternalError,
    ConditionalRequestConflict,
    PreconditionFailed,
    /// 200, and an error in the body.
    ErrorInside,
    InvalidSignature,
    AccessDenied,
}

use Answer::*;
use Fate::*;

/// Every fate that a request of this kind can meet.
pub fn fates(kind: &str) -> Vec<Fate> {
    let mut fates =
        vec![IsLost, LosesReply, IsDelayed, ArrivesLate, IsDoubled, LosesHalfTheReply, FlipsReply];
    if kind.starts_with("TransactWrite") {
        fates.extend([TransactionInProgress, TransactionConflict, MixedReasons].map(IsAnswered));
        fates.push(IsDoneAndAnswered(TransactionInProgress));
    }
    if kind.starts_with("TransactGet") {
        fates.push(IsAnswered(TransactionConflict));
    }
    if is_dynamodb(kind) {
        fates.extend([Throttling, ProvisionedThroughputExceeded, InternalServerError].map(IsAnswered));
        fates.push(IsDoneAndAnswered(InternalServerError));
        // DynamoDB Local does not look at signatures, so that a turned bit would be believed there, as it would not
        // be by DynamoDB: what AWS does is shown by `a_turned_bit_in_a_request_to_dynamodb`.
    } else {
        fates.extend([IsAnswered(SlowDown), IsAnswered(InternalError), IsDoneAndAnswered(InternalError)]);
        fates.push(FlipsRequest);
    }
    if matches!(kind, "PutObject" | "CompleteMultipartUpload") {
        fates.extend([ConditionalRequestConflict, PreconditionFailed].map(IsAnswered));
        fates.push(IsDoneAndAnswered(ConditionalRequestConflict));
    }
    if kind == "CompleteMultipartUpload" {
        fates.extend([IsAnswered(ErrorInside), IsDoneAndAnswered(ErrorInside)]);
    }
    fates
}

pub fn is_dynamodb(kind: &str) -> bool {
    ["TransactWriteItems", "TransactGetItems", "GetItem", "BatchGetItem", "Query", "Scan"].contains(&kind)
}

impl Answer {
    pub fn to(self, request: &Message) -> Message {
        match self {
            Throttling => dynamodb("400 Bad Request", "ThrottlingException", &json!({})),
            ProvisionedThroughputExceeded => {
                dynamodb("400 Bad Request", "ProvisionedThroughputExceededException", &json!({}))
            }
            InternalServerError => dynamodb("500 Internal Server Error", "InternalServerError", &json!({})),
            TransactionInProgress => {
                dynamodb("400 Bad Request", "TransactionInProgressException", &json!({}))
            }
            InvalidSignature => dynamodb("400 Bad Request", "InvalidSignatureException", &json!({})),
            AccessDenied => dynamodb("400 Bad Request", "AccessDeniedException", &json!({})),
            TransactionConflict => cancelled(request, &["TransactionConflict"; 200]),
            MixedReasons => {
                cancelled(request, &["ConditionalCheckFailed", "TransactionConflict", "ThrottlingError"])
            }
            SlowDown => s3(request, "503 Slow Down", "SlowDown"),
            InternalError => s3(request, "500 Internal Server Error", "InternalError"),
            ConditionalRequestConflict => s3(request, "409 Conflict", "ConditionalRequestConflict"),
            PreconditionFailed => s3(request, "412 Precondition Failed", "PreconditionFailed"),
            ErrorInside => s3(request, "200 OK", "InternalError"),
        }
    }
}

fn dynamodb(status: &str, code: &str, more: &Value) -> Message {
    let mut body =
        json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "the proxy says so"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Message::response(status, "content-type: application/x-amz-json-1.0\r\n", &body.to_string())
}

/// The reasons of the first items; the rest have none.
fn cancelled(request: &Message, codes: &[&str]) -> Message {
    let asked: Value = serde_json::from_slice(&request.body).unwrap();
    let items = asked["TransactItems"].as_array().unwrap().len();
    let reasons: Vec<_> =
        (0..items).map(|at| json!({"Code": codes.get(at).copied().unwrap_or("None")})).collect();
    dynamodb("400 Bad Request", "TransactionCanceledException", &json!({"CancellationReasons": reasons}))
}

fn s3(request: &Message, status: &str, code: &str) -> Message {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>the proxy says \
         so</Message></Error>"
    );
    // An answer to HEAD has no body.
    let body = if request.kind() == "HeadObject" { "" } else { &body };
    Message::response(status, "content-type: application/xml\r\n", body)
}
