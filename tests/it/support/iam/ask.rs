//! Requests in the words of IAM: an action, its resource, and the context of its conditions.

use super::{BUCKET, KEY, PREFIX, TABLE};
use crate::support::proxy::http::Message;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A request in the words of IAM.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ask {
    pub action: String,
    pub resource: String,
    /// Somebody else than the role whose policies are judged, such as a provider of identities.
    pub principal: Option<String>,
    pub context: BTreeMap<String, Vec<String>>,
}

/// The table and the bucket that stand for those of the policies, and the circumstances of each request.
#[derive(Debug, Clone)]
pub struct Setting {
    pub table: String,
    pub bucket: String,
    pub prefix: String,
    /// The values of `aws:` keys, such as `aws:PrincipalTag/team`.
    pub context: BTreeMap<String, String>,
    /// True if table and bucket are encrypted with the key `KEY`.
    pub encrypted: bool,
}

impl Ask {
    pub fn new(action: &str, resource: impl Into<String>) -> Self {
        Self {
            action: action.to_owned(),
            resource: resource.into(),
            principal: None,
            context: BTreeMap::new(),
        }
    }

    pub fn with(mut self, key: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        if !values.is_empty() {
            self.context.insert(key.to_owned(), values);
        }
        self
    }

    /// Returns true if the resource may have a policy of its own: it is a bucket, an object or a role.
    pub fn has_resource_policy(&self) -> bool {
        self.action.starts_with("s3:") || self.action.starts_with("sts:")
    }

    pub fn keys(&self) -> &[String] {
        self.context.get("dynamodb:LeadingKeys").map_or(&[], Vec::as_slice)
    }

    pub fn json(&self) -> Value {
        let many = ["dynamodb:LeadingKeys", "dynamodb:Attributes"];
        let value = |(key, values): (&String, &Vec<String>)| {
            let value = if many.contains(&key.as_str()) { json!(values) } else { json!(values[0]) };
            (key.clone(), value)
        };
        let context: Map<_, _> = self.context.iter().map(value).collect();
        let mut ask = json!({ "action": self.action, "resource": self.resource, "context": context });
        if let Some(principal) = &self.principal {
            ask["principal"] = json!(principal);
        }
        ask
    }

    /// The action, and kinds instead of names: what policies that grant packages, blobs and the owner keep apart.
    pub fn shape(&self) -> String {
        let kinds: BTreeSet<_> = self
            .keys()
            .iter()
            .map(|key| if key.starts_with(['B', 'D']) { &key[..2] } else { key.as_str() })
            .collect();
        let resource = match self.resource.split_once("/sha256/") {
            Some((start, _)) => format!("{start}/sha256/"),
            None => self.resource.clone(),
        };
        format!("{} {resource} {kinds:?}", self.action)
    }
}

impl Setting {
    /// Returns everything that a request needs to be allowed.
    pub fn asks(&self, request: &Message) -> Vec<Ask> {
        let of_dynamodb = request.header("x-amz-target").is_some();
        let mut asks = if of_dynamodb { self.of_dynamodb(request) } else { self.of_s3(request) };
        let needs_no_key = ["Describe", "CreateTable", "Bucket", "Configuration", "ListMultipart", "Abort"];
        if self.encrypted && !asks.iter().any(|ask| needs_no_key.iter().any(|part| ask.action.contains(part)))
        {
            let service = if of_dynamodb { "dynamodb" } else { "s3" };
            let mut actions = BTreeSet::from(["kms:Decrypt"]);
            if asks.iter().any(|ask| ask.action == "s3:PutObject") {
                // S3 decrypts the parts of an upload.
                actions = BTreeSet::from(["kms:GenerateDataKey", "kms:Decrypt"]);
            }
            let via = format!("{service}.eu-west-1.amazonaws.com");
            asks.extend(actions.iter().map(|action| Ask::new(action, KEY).with("kms:ViaService", [&via])));
        }
        for ask in &mut asks {
            ask.context.extend(self.context.iter().map(|(key, value)| (key.clone(), vec![value.clone()])));
        }
        asks
    }

    fn of_dynamodb(&self, request: &Message) -> Vec<Ask> {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let ask = |action: &str, table: &Value, keys: Vec<String>, attributes: BTreeSet<String>| {
            let table = table.as_str().unwrap();
            let resource = match table {
                table if table == self.table => TABLE.to_owned(),
                other => TABLE.replace("sacker", other),
            };
            Ask::new(&format!("dynamodb:{action}"), resource)
                .with("dynamodb:LeadingKeys", keys)
                .with("dynamodb:Attributes", attributes)
        };
        match request.kind().as_str() {
            "BatchGetItem" => {
                let tables = body["RequestItems"].as_object().unwrap().iter();
                let keys = |table: &Value| table["Keys"].as_array().unwrap().iter().map(pk).collect();
                tables
                    .map(|(name, table)| ask("BatchGetItem", &json!(name), keys(table), attributes(table)))
                    .collect()
            }
            kind @ ("TransactGetItems" | "TransactWriteItems") => transaction(&body, kind, ask),
            // Keys of a `Scan` are not known: IAM sees none.
            "Scan" => vec![ask("Scan", &body["TableName"], vec![], BTreeSet::new())],
            "Query" => {
                let key = body["ExpressionAttributeValues"][":pk"]["S"].as_str().unwrap();
                vec![ask("Query", &body["TableName"], vec![key.to_owned()], BTreeSet::new())]
            }
            kind => {
                let keys = body.get("Key").or(body.get("Item")).map(pk);
                vec![ask(kind, &body["TableName"], keys.into_iter().collect(), BTreeSet::new())]
            }
        }
    }

    fn of_s3(&self, request: &Message) -> Vec<Ask> {
        let head = String::from_utf8_lossy(&request.head).into_owned();
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (bucket, key) = path.trim_matches('/').split_once('/').unwrap_or((path.trim_matches('/'), ""));
        let action = if key.is_empty() { of_bucket(method, query) } else { of_object(method, query) };
        let arn = if bucket == self.bucket { BUCKET.to_owned() } else { format!("arn:aws:s3:::{bucket}") };
        let key = key
            .strip_prefix(&format!("{}/", self.prefix))
            .map_or(key.to_owned(), |key| format!("{PREFIX}/{key}"));
        let resource = [arn.as_str(), &key].join("/");
        vec![Ask::new(&format!("s3:{action}"), resource.trim_end_matches('/'))]
    }

    /// Returns what S3 asks before it says that an object does not exist.
    pub fn listing(&self) -> Ask {
        let mut ask = Ask::new("s3:ListBucket", BUCKET);
        ask.context.extend(self.context.iter().map(|(key, value)| (key.clone(), vec![value.clone()])));
        ask
    }
}

fn of_bucket(method: &str, query: &str) -> String {
    // By the permission's name where it is not that of the operation.
    const SETTINGS: [(&str, &str); 7] = [
        ("versioning", "BucketVersioning"),
        ("publicAccessBlock", "BucketPublicAccessBlock"),
        ("ownershipControls", "BucketOwnershipControls"),
        ("encryption", "EncryptionConfiguration"),
        ("lifecycle", "LifecycleConfiguration"),
        ("policy", "BucketPolicy"),
        ("replication", "ReplicationConfiguration"),
    ];
    let name = query.split(['=', '&']).next().unwrap_or_default();
    match (method, name) {
        ("GET", "uploads") => "ListBucketMultipartUploads".to_owned(),
        ("HEAD", _) => "ListBucket".to_owned(),
        ("GET", _) if query.contains("list-type") => "ListBucket".to_owned(),
        ("PUT", "" | "x-id") => "CreateBucket".to_owned(),
        ("GET" | "PUT", name) => {
            let setting = SETTINGS.iter().find(|(query, _)| *query == name);
            let (_, setting) = setting.unwrap_or_else(|| panic!("{method} {query} is in no policy"));
            format!("{}{setting}", if method == "GET" { "Get" } else { "Put" })
        }
        _ => panic!("{method} {query} is in no policy"),
    }
}

fn of_object(method: &str, query: &str) -> String {
    let action = match method {
        "GET" if query.contains("uploadId") => "ListMultipartUploadParts",
        "GET" | "HEAD" => "GetObject",
        "PUT" | "POST" => "PutObject",
        "DELETE" if query.contains("uploadId") => "AbortMultipartUpload",
        "DELETE" => "DeleteObject",
        _ => panic!("{method} {query} is in no policy"),
    };
    action.to_owned()
}

fn pk(key: &Value) -> String {
    key["pk"]["S"].as_str().unwrap_or_else(|| panic!("{key}")).to_owned()
}

/// The attributes that a part names.
fn attributes(part: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::from(["pk".to_owned(), "sk".to_owned()]);
    let of = |field: &str| part.get(field).and_then(Value::as_object).into_iter().flatten();
    names.extend(of("Item").map(|(name, _)| name.clone()));
    names.extend(of("ExpressionAttributeNames").filter_map(|(_, name)| name.as_str().map(str::to_owned)));
    names
}

/// DynamoDB's documentation leaves open whether the keys of a part, or those of all parts with its action, are judged: both
/// must be allowed.
fn transaction(
    body: &Value,
    kind: &str,
    ask: impl Fn(&str, &Value, Vec<String>, BTreeSet<String>) -> Ask,
) -> Vec<Ask> {
    let parts = body["TransactItems"].as_array().unwrap().iter().flat_map(|part| part.as_object().unwrap());
    let mut asks = Vec::new();
    let mut by_action: BTreeMap<String, (Vec<String>, BTreeSet<String>, Value)> = BTreeMap::new();
    let enclosed = |mut ask: Ask| {
        // The evaluator's data know the key for all of these but one.
        if ask.action != "dynamodb:ConditionCheckItem" {
            ask = ask.with("dynamodb:EnclosingOperation", [kind]);
        }
        ask
    };
    for (part, content) in parts {
        let action = match part.as_str() {
            "Get" => "GetItem",
            "Put" => "PutItem",
            "Update" => "UpdateItem",
            "Delete" => "DeleteItem",
            "ConditionCheck" => "ConditionCheckItem",
            other => panic!("{other}"),
        };
        let key = pk(content.get("Key").unwrap_or(&content["Item"]));
        asks.push(enclosed(ask(action, &content["TableName"], vec![key.clone()], attributes(content))));
        let (keys, names, table) = by_action.entry(action.to_owned()).or_default();
        *table = content["TableName"].clone();
        if !keys.contains(&key) {
            keys.push(key);
        }
        names.extend(attributes(content));
    }
    for (action, (keys, names, table)) in by_action {
        asks.push(enclosed(ask(&action, &table, keys, names)));
    }
    asks
}
