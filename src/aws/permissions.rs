//! The permissions that a request needs, for the message of a refusal.

use crate::fault::Permission;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::Value;

/// The header in which an answer states what its request needed. A header of this name from a server is removed.
const PERMISSIONS: &str = "x-sacker-permissions";

/// The part of a request from which its permissions follow.
#[derive(Debug)]
pub(super) enum SentRequest {
    DynamoDb { operation: String, body: SdkBody },
    S3 { method: String, host: String, path: String, query: String },
}

impl SentRequest {
    pub fn of(request: &HttpRequest) -> Option<Self> {
        if let Some(target) = request.headers().get("x-amz-target") {
            let operation = target.rsplit('.').next()?.to_owned();
            return Some(Self::DynamoDb { operation, body: request.body().try_clone()? });
        }
        let rest = request.uri().split_once("://")?.1;
        let (host, target) = rest.split_once('/').unwrap_or((rest, ""));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let [host, path, query] = [host, path, query].map(str::to_owned);
        Some(Self::S3 { method: request.method().to_owned(), host, path, query })
    }

    /// Writes the permissions into a refusal.
    pub fn mark(&self, answer: &mut HttpResponse) {
        answer.headers_mut().remove(PERMISSIONS);
        if !matches!(answer.status().as_u16(), 400 | 401 | 403) {
            return;
        }
        let words = self.permissions().into_iter().map(|Permission { action, on }| format!("{action} {on}"));
        let words = words.collect::<Vec<_>>().join("\t");
        // Names outside of ASCII can't be in a header: then the message has one fact less.
        let _ = answer.headers_mut().try_insert(PERMISSIONS, words);
    }

    fn permissions(&self) -> Vec<Permission> {
        let mut needed = match self {
            Self::DynamoDb { operation, body } => of_dynamodb(operation, body.bytes().unwrap_or_default()),
            Self::S3 { method, host, path, query } => of_s3(method, host, path, query),
        };
        needed.sort();
        needed.dedup();
        needed
    }
}

/// Returns the permissions that a refused request needed: only those for the action that the message names, if it names
/// one. They are ordered, without duplicates.
pub(super) fn lacking(answer: &HttpResponse, message: Option<&str>) -> Vec<Permission> {
    let words = answer.headers().get(PERMISSIONS).unwrap_or_default();
    let mut needed: Vec<_> = words
        .split('\t')
        .filter_map(|one| one.split_once(' '))
        .map(|(action, on)| permission(action, on))
        .collect();
    if let Some((action, resource)) = message.and_then(named) {
        needed.retain(|needed| needed.action == action);
        if needed.is_empty() {
            needed.push(permission(action, resource));
        }
    }
    needed
}

/// Returns the action and the resource in a message such as "… is not authorized to perform: dynamodb:PutItem on resource:
/// arn:… because …". ([How AWS words
/// it](https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html).)
fn named(message: &str) -> Option<(&str, &str)> {
    let (_, rest) = message.split_once("not authorized to perform: ")?;
    let mut words = rest.split(' ');
    let action = words.next().filter(|action| action.contains(':'))?;
    let resource = rest.split_once("on resource: ").map_or("", |(_, rest)| rest);
    let resource = resource.split(' ').next().unwrap_or_default().trim_matches(['"', ',']);
    Some((action, resource.strip_prefix("arn:aws:s3:::").unwrap_or(resource)))
}

fn permission(action: &str, on: &str) -> Permission {
    Permission { action: action.to_owned(), on: on.to_owned() }
}

fn of_dynamodb(operation: &str, body: &[u8]) -> Vec<Permission> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let table = format!("the table {}", body["TableName"].as_str().unwrap_or_default());
    let of = |action: &str, key: &Value| {
        permission(&format!("dynamodb:{action}"), key["pk"]["S"].as_str().unwrap_or(&table))
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match operation {
        "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            tables.flat_map(|(_, table)| list(&table["Keys"])).map(|key| of(operation, &key)).collect()
        }
        "TransactGetItems" | "TransactWriteItems" => {
            let parts = list(&body["TransactItems"]);
            let parts = parts.iter().filter_map(Value::as_object).flatten();
            let part = |(kind, part): (&String, &Value)| {
                let action = match kind.as_str() {
                    "ConditionCheck" => "ConditionCheckItem".to_owned(),
                    kind => format!("{kind}Item"),
                };
                of(&action, part.get("Key").unwrap_or(&part["Item"]))
            };
            parts.map(part).collect()
        }
        "Query" => {
            let pk = body["ExpressionAttributeValues"][":pk"]["S"].as_str().unwrap_or(&table);
            vec![permission("dynamodb:Query", pk)]
        }
        operation => vec![of(operation, &body["Key"])],
    }
}

fn of_s3(method: &str, host: &str, path: &str, query: &str) -> Vec<Permission> {
    // A bucket is the first part of the path, or of the host.
    let of_host = host.split_once(".s3").map(|(bucket, _)| bucket);
    let (bucket, key) = match of_host {
        Some(bucket) => (bucket, path),
        None => path.split_once('/').unwrap_or((path, "")),
    };
    let find = || permission("s3:ListBucket", bucket);
    let action = match (method, key.is_empty()) {
        ("GET", true) if query.starts_with("uploads") => {
            return vec![permission("s3:ListBucketMultipartUploads", bucket)];
        }
        ("GET", true) if query.contains("list-type") => return vec![find()],
        ("HEAD", true) => return vec![find()],
        // The name of the operation is not always that of its permission.
        (_, true) => return Vec::new(),
        // Its answer has no message, and an object that does not exist looks forbidden to those who may not list.
        ("HEAD", false) => return vec![permission("s3:GetObject", key), find()],
        ("GET", _) if query.contains("uploadId") => "s3:ListMultipartUploadParts",
        ("GET", _) => "s3:GetObject",
        ("DELETE", _) if query.contains("uploadId") => "s3:AbortMultipartUpload",
        ("DELETE", _) => "s3:DeleteObject",
        _ => "s3:PutObject",
    };
    vec![permission(action, key)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(needed: Vec<Permission>) -> String {
        let one = |Permission { action, on }: Permission| format!("{action} on {on}");
        needed.into_iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn of(request: &str, body: &'static str, message: Option<&str>) -> String {
        let mut answer = HttpResponse::new(400.try_into().unwrap(), SdkBody::empty());
        answer.headers_mut().insert(PERMISSIONS, "s3:DeleteObject everything");
        let sent = match request.split_once(' ') {
            None => SentRequest::DynamoDb { operation: request.to_owned(), body: SdkBody::from(body) },
            Some((method, url)) => {
                let mut request = HttpRequest::empty();
                request.set_method(method).unwrap();
                request.set_uri(url).unwrap();
                SentRequest::of(&request).unwrap()
            }
        };
        sent.mark(&mut answer);
        shown(lacking(&answer, message))
    }

    const WRITE: &str = r#"{"TransactItems":[
        {"Put":{"Item":{"pk":{"S":"P#app"}}}}, {"Put":{"Item":{"pk":{"S":"P#app"}}}}, {"Put":{"Item":{"pk":{"S":"D#1"}}}},
        {"Update":{"Key":{"pk":{"S":"B#00"}}}}, {"ConditionCheck":{"Key":{"pk":{"S":"T#app"}}}}]}"#;

    #[test]
    fn a_refusal_of_dynamodb_names_partitions() {
        assert_eq!(
            of("TransactWriteItems", WRITE, None),
            "dynamodb:ConditionCheckItem on T#app, dynamodb:PutItem on D#1, dynamodb:PutItem on P#app, \
             dynamodb:UpdateItem on B#00"
        );
        let message = "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: dynamodb:PutItem on resource: \
                    arn:aws:dynamodb:eu-west-1:111122223333:table/sacker because no identity-based policy allows the \
                    dynamodb:PutItem action";
        assert_eq!(
            of("TransactWriteItems", WRITE, Some(message)),
            "dynamodb:PutItem on D#1, dynamodb:PutItem on P#app"
        );
        let read = r#"{"RequestItems":{"t":{"Keys":[{"pk":{"S":"M"}},{"pk":{"S":"B#00"}}]}}}"#;
        assert_eq!(
            of("BatchGetItem", read, None),
            "dynamodb:BatchGetItem on B#00, dynamodb:BatchGetItem on M"
        );
        let query = r#"{"TableName":"t","ExpressionAttributeValues":{":pk":{"S":"P#app"}}}"#;
        assert_eq!(of("Query", query, None), "dynamodb:Query on P#app");
        assert_eq!(of("Scan", r#"{"TableName":"t"}"#, None), "dynamodb:Scan on the table t");
        assert_eq!(of("Scan", "", None), "dynamodb:Scan on the table ");
    }

    #[test]
    fn a_refusal_of_s3_names_the_object() {
        for (request, needed) in [
            ("GET https://b.s3.eu-west-1.amazonaws.com/p/OWNER?x-id=GetObject", "s3:GetObject on p/OWNER"),
            ("GET http://127.0.0.1:9000/b/p/OWNER", "s3:GetObject on p/OWNER"),
            ("HEAD http://127.0.0.1:9000/b/p/x", "s3:GetObject on p/x, s3:ListBucket on b"),
            ("HEAD https://b.s3.eu-west-1.amazonaws.com/", "s3:ListBucket on b"),
            ("GET https://b.s3.eu-west-1.amazonaws.com/?uploads", "s3:ListBucketMultipartUploads on b"),
            ("GET http://127.0.0.1:9000/b?list-type=2", "s3:ListBucket on b"),
            ("PUT http://127.0.0.1:9000/b/x?partNumber=1&uploadId=u", "s3:PutObject on x"),
            ("POST http://127.0.0.1:9000/b/x?uploads", "s3:PutObject on x"),
            ("GET http://127.0.0.1:9000/b/x?uploadId=u", "s3:ListMultipartUploadParts on x"),
            ("DELETE http://127.0.0.1:9000/b/x?uploadId=u", "s3:AbortMultipartUpload on x"),
            ("DELETE http://127.0.0.1:9000/b/x", "s3:DeleteObject on x"),
            ("PUT http://127.0.0.1:9000/b?policy", ""),
        ] {
            assert_eq!(of(request, "", None), needed, "{request}");
        }
    }

    #[test]
    fn a_message_may_name_another_action() {
        let get = "GET http://127.0.0.1:9000/b/p/x";
        let find = "User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: s3:ListBucket on resource: \
                    \"arn:aws:s3:::b\" because no identity-based policy allows the s3:ListBucket action";
        assert_eq!(of(get, "", Some(find)), "s3:ListBucket on b");
        let key =
            "User: u is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:r:1:key/k because …";
        assert_eq!(of(get, "", Some(key)), "kms:Decrypt on arn:aws:kms:r:1:key/k");
        assert_eq!(of(get, "", Some("Access Denied")), "s3:GetObject on p/x");
    }

    #[test]
    fn an_answer_that_is_no_refusal_is_not_marked() {
        let mut answer = HttpResponse::new(404.try_into().unwrap(), SdkBody::empty());
        answer.headers_mut().insert(PERMISSIONS, "s3:DeleteObject everything");
        let sent = SentRequest::DynamoDb { operation: "Scan".to_owned(), body: SdkBody::empty() };
        sent.mark(&mut answer);
        assert_eq!(lacking(&answer, None), []);
    }
}
