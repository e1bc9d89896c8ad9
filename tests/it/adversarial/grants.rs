//! The policies of `SECURITY.md`, executed: each role runs its commands through a server that refuses whatever the text
//! of its policies does not grant.

use crate::support::{backends, proxy::http::Message, rewriting::guarding, sandbox::Sandbox, servers};
use serde_json::Value;
use std::sync::Arc;

/// A request in the words of IAM: an action, its resource, and the partitions that it names.
#[derive(Debug)]
struct Ask {
    action: String,
    resource: String,
    keys: Vec<String>,
}

/// The requests that a policy allows. It knows no more of IAM than these policies use, and refuses to guess.
#[derive(Debug, Clone)]
struct Statement {
    actions: Vec<String>,
    resources: Vec<String>,
    keys: Option<Vec<String>>,
}

fn texts(value: &Value) -> Vec<String> {
    let one = std::slice::from_ref(value);
    let all = value.as_array().map_or(one, Vec::as_slice);
    all.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(rest, &text[at..]))
}

impl Statement {
    fn of(value: &Value) -> Self {
        let known = ["Effect", "Action", "Resource", "Condition"];
        assert!(value.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{value}");
        assert_eq!(value["Effect"], "Allow");
        let keys = value.get("Condition").map(|condition| {
            assert_eq!(condition.as_object().unwrap().len(), 1, "{condition}");
            let like = condition["ForAllValues:StringLike"].as_object().unwrap();
            assert_eq!(like.len(), 1, "{condition}");
            texts(&like["dynamodb:LeadingKeys"])
        });
        Self { actions: texts(&value["Action"]), resources: texts(&value["Resource"]), keys }
    }

    fn allows(&self, ask: &Ask) -> bool {
        let any = |patterns: &[String], text: &str| patterns.iter().any(|pattern| matches(pattern, text));
        any(&self.actions, &ask.action)
            && any(&self.resources, &ask.resource)
            // True where there is no key: as the page warns.
            && self.keys.as_ref().is_none_or(|keys| ask.keys.iter().all(|key| any(keys, key)))
    }
}

/// The policy under a heading of the page, for this table and this bucket.
fn policy(role: &str, table: &str, bucket: &str) -> Vec<Statement> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/SECURITY.md")).unwrap();
    let (_, after) =
        page.split_once(&format!("\n#### {role}\n")).unwrap_or_else(|| panic!("no policy of {role}"));
    let text = after.split_once("```json\n").unwrap().1.split_once("```").unwrap().0;
    let text = text.replace("table/sacker", &format!("table/{table}")).replace("acme-blobs", bucket);
    let policy: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{role}: {error}"));
    assert_eq!(policy["Version"], "2012-10-17");
    policy["Statement"].as_array().unwrap().iter().map(Statement::of).collect()
}

fn of_dynamodb(request: &Message, table: &str) -> Vec<Ask> {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let pk = |key: &Value| key["pk"]["S"].as_str().unwrap_or_else(|| panic!("{key}")).to_owned();
    let ask = |action: &str, keys: Vec<String>| Ask {
        action: format!("dynamodb:{action}"),
        resource: format!("arn:aws:dynamodb:eu-west-1:111122223333:table/{table}"),
        keys,
    };
    // Each part of a transaction is authorised by itself.
    let parts =
        || body["TransactItems"].as_array().unwrap().iter().flat_map(|part| part.as_object().unwrap());
    match request.kind().as_str() {
        "GetItem" => vec![ask("GetItem", vec![pk(&body["Key"])])],
        "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().unwrap().values();
            let keys = tables.flat_map(|table| table["Keys"].as_array().unwrap()).map(pk);
            vec![ask("BatchGetItem", keys.collect())]
        }
        "Query" => {
            vec![ask("Query", vec![body["ExpressionAttributeValues"][":pk"]["S"].as_str().unwrap().into()])]
        }
        "TransactGetItems" => parts().map(|(_, part)| ask("GetItem", vec![pk(&part["Key"])])).collect(),
        "TransactWriteItems" => parts()
            .map(|(kind, part)| match kind.as_str() {
                "Put" => ask("PutItem", vec![pk(&part["Item"])]),
                "Update" => ask("UpdateItem", vec![pk(&part["Key"])]),
                "Delete" => ask("DeleteItem", vec![pk(&part["Key"])]),
                "ConditionCheck" => ask("ConditionCheckItem", vec![pk(&part["Key"])]),
                other => panic!("{other}"),
            })
            .collect(),
        other => vec![ask(other, vec![])],
    }
}

fn of_s3(request: &Message) -> Ask {
    let head = String::from_utf8_lossy(&request.head).into_owned();
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.trim_matches('/');
    let of_bucket = !path.contains('/');
    let action = match method {
        "GET" if of_bucket && query.contains("uploads") => "ListBucketMultipartUploads",
        "GET" if of_bucket && query.contains("list-type") => "ListBucket",
        "HEAD" if of_bucket => "ListBucket",
        "GET" if query.contains("uploadId") => "ListMultipartUploadParts",
        "GET" | "HEAD" if !of_bucket => "GetObject",
        "PUT" | "POST" if !of_bucket => "PutObject",
        "DELETE" if query.contains("uploadId") => "AbortMultipartUpload",
        "DELETE" if !of_bucket => "DeleteObject",
        _ => panic!("{method} {target} is in no policy"),
    };
    Ask { action: format!("s3:{action}"), resource: format!("arn:aws:s3:::{path}"), keys: vec![] }
}

fn denied(request: &Message, ask: &Ask) -> Message {
    let why = format!("not authorized to perform {} on {} ({:?})", ask.action, ask.resource, ask.keys);
    if request.header("x-amz-target").is_some() {
        let body =
            serde_json::json!({ "__type": "com.amazon.coral.service#AccessDeniedException", "message": why });
        return Message::response(
            "400 Bad Request",
            "content-type: application/x-amz-json-1.0\r\n",
            &body.to_string(),
        );
    }
    if request.kind() == "HeadObject" {
        return Message::response("403 Forbidden", "", "");
    }
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>{why}</Message></Error>");
    Message::response("403 Forbidden", "content-type: application/xml\r\n", &body)
}

/// The flags with which a command sees only what some statements allow.
fn guarded(statements: &[Statement], ledger: &str, store: &str) -> [String; 4] {
    let statements: Arc<[Statement]> = statements.into();
    let allowed = {
        let statements = Arc::clone(&statements);
        move |ask: &Ask| statements.iter().any(|statement| statement.allows(ask))
    };
    let table = name(ledger).to_owned();
    let of_table = allowed.clone();
    let dynamodb = guarding(
        &backends::dynamodb(),
        move |request| {
            of_dynamodb(request, &table).iter().find(|ask| !of_table(ask)).map(|ask| denied(request, ask))
        },
        |_, _| (),
    );
    let of_bucket = allowed.clone();
    let s3 = guarding(
        &backends::s3(),
        move |request| Some(of_s3(request)).filter(|ask| !of_bucket(ask)).map(|ask| denied(request, &ask)),
        move |request, answer| {
            // What is not there looks forbidden to those who may not list.
            let ask = of_s3(request);
            if ask.action == "s3:GetObject" && answer.head.starts_with(b"HTTP/1.1 404") {
                let bucket = ask.resource.split('/').next().unwrap().to_owned();
                let list = Ask { action: "s3:ListBucket".to_owned(), resource: bucket, keys: vec![] };
                if !allowed(&list) {
                    *answer = denied(request, &list);
                }
            }
        },
    );
    let ledger = ledger.replace(&backends::dynamodb(), &dynamodb);
    ["--ledger".to_owned(), ledger, "--store".to_owned(), store.replace(&backends::s3(), &s3)]
}

/// The table or bucket of a URL.
fn name(url: &str) -> &str {
    url.split("://").nth(1).unwrap().split(['?', '/']).next().unwrap()
}

/// The commands of a reader.
const READERS: [&str; 8] = [
    "list -l",
    "versions app",
    "tags app",
    "info app live",
    "history app",
    "wait app live",
    "download app live -o copy -f",
    "download app 1 -o copy -f",
];

/// The commands of a publisher.
const PUBLISHERS: [&str; 8] = [
    "add app new",
    "add app new",
    "add app large",
    "add app new --if-changed",
    "label app 1 tests=passed",
    "yank app 5",
    "unyank app 5",
    "delete app 5",
];

/// The commands of a promoter.
const PROMOTERS: [&str; 9] = [
    "tag app canary live",
    "tag app 2 live",
    "rollback app live",
    "tag app 2 live",
    "apply plan",
    "apply plan --undo",
    "protect app live --confirm",
    "unprotect app live",
    "untag app canary",
];

/// The commands of a collector.
const COLLECTORS: [&str; 2] = ["gc --min-age 0s", "gc --delete --min-age 0s"];

/// The commands of an auditor.
const AUDITORS: [&str; 2] = ["fsck", "fsck --read-data"];

/// Commands that each need the right to write.
const WRITES: [&str; 9] = [
    "add app new",
    "label app 1 a=b",
    "yank app 4",
    "delete app 4",
    "tag app 1 live",
    "untag app live",
    "rollback app live",
    "protect app live --confirm",
    "gc --delete --min-age 0s",
];

const KEY: [&str; 2] = ["--key", "a-key"];

/// Two packages with versions, tags, and a deleted version, on the real servers; and files to add.
fn scene() -> Sandbox {
    let sandbox = servers::sandbox();
    sandbox.ok(&["init"]);
    for (file, content) in
        [("one", "first"), ("two", "second"), ("new", "third"), ("orphan", "fourth"), ("spare", "fifth")]
    {
        sandbox.write(file, content);
    }
    sandbox.write("large", vec![7; 17 << 20]);
    sandbox.ok(&["add", "app", "one", "--tag", "canary", "--tag", "live"]);
    sandbox.ok(&["add", "app", "two", "--tag", "live"]);
    sandbox.ok(&["add", "app", "orphan"]);
    sandbox.ok(&["delete", "app", "3"]);
    sandbox.ok(&["add", "app", "spare"]);
    sandbox.ok(&["add", "other", "spare"]);
    sandbox
}

#[test]
fn each_role_may_run_its_commands_and_no_others() {
    let sandbox = scene();
    let (ledger, store) = (sandbox.variable("SACKER_LEDGER"), sandbox.variable("SACKER_STORE"));
    // The prefix of the tests is `blobs`.
    let store_prefix = |statements: Vec<Statement>| -> Vec<Statement> {
        let bucket = name(store);
        let resource = |text: String| text.replace(&format!("{bucket}/sacker/"), &format!("{bucket}/blobs/"));
        let changed = |one: Statement| Statement {
            resources: one.resources.into_iter().map(resource).collect(),
            ..one
        };
        statements.into_iter().map(changed).collect()
    };
    let role = |names: &[&str]| {
        let statements = names.iter().flat_map(|role| policy(role, name(ledger), name(store)));
        guarded(&store_prefix(statements.collect()), ledger, store)
    };
    sandbox.write("plan", r#"{"moves":[{"package":"app","tag":"live","to":1}]}"#);

    let run = |line: &str, flags: &[String; 4]| {
        let words = line.split(' ').map(str::to_owned).chain(flags.iter().cloned()).collect::<Vec<_>>();
        sandbox.run(&words)
    };
    let may = |role: &str, flags: &[String; 4], lines: &[&str]| {
        for line in lines {
            let said = run(line, flags);
            assert!(said.starts_with("exit 0"), "{role}: {line}: {said}");
        }
    };
    let may_not = |role: &str, flags: &[String; 4], lines: &[&str]| {
        for line in lines {
            let said = run(line, flags);
            assert!(said.starts_with("exit 10"), "{role}: {line}: {said}");
        }
    };

    let reader = role(&["reader"]);
    may("reader", &reader, &READERS);
    may_not("reader", &reader, &WRITES);
    may_not("reader", &reader, &["fsck"]);

    let publisher = role(&["reader", "publisher"]);
    may("publisher", &publisher, &PUBLISHERS);
    may("publisher", &publisher, &READERS);
    let keyed = ["add app two", &KEY.join(" ")].join(" ");
    may("publisher", &publisher, &[&keyed, &keyed]);
    may_not("publisher", &publisher, &WRITES[4..]);
    may_not("publisher", &publisher, &["add other new", "add app new --tag live", "delete other 1"]);
    let tagging = role(&["reader", "publisher", "publisher with `--tag`"]);
    may("publisher with --tag", &tagging, &["add app new --tag staging"]);

    let promoter = role(&["reader", "promoter"]);
    may("promoter", &promoter, &PROMOTERS);
    may_not("promoter", &promoter, &WRITES[..4]);
    may_not("promoter", &promoter, &["gc --delete --min-age 0s", "tag other 1 live"]);

    let collector = role(&["collector"]);
    may("collector", &collector, &COLLECTORS);
    may_not("collector", &collector, &WRITES[..8]);

    let auditor = role(&["reader", "auditor"]);
    may("auditor", &auditor, &AUDITORS);
    may_not("auditor", &auditor, &WRITES);
    assert_eq!(sandbox.ok(&["fsck"]), "");
}

#[test]
fn a_policy_is_read_as_iam_reads_it() {
    assert!(
        matches("P#app", "P#app") && matches("B#*", "B#00") && matches("a*c*", "abcd") && matches("*", "")
    );
    assert!(!matches("P#app", "P#app2") && !matches("B#*", "P#") && !matches("a*c", "abcd"));
    let statement = Statement::of(&serde_json::json!({
        "Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "arn:aws:dynamodb:*:*:table/t",
        "Condition": { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["P#app", "B#*"] } },
    }));
    let ask = |action: &str, keys: &[&str]| Ask {
        action: format!("dynamodb:{action}"),
        resource: "arn:aws:dynamodb:eu-west-1:1:table/t".to_owned(),
        keys: keys.iter().map(|&key| key.to_owned()).collect(),
    };
    assert!(statement.allows(&ask("PutItem", &["P#app", "B#1"])) && statement.allows(&ask("PutItem", &[])));
    assert!(
        !statement.allows(&ask("PutItem", &["P#app", "T#app"]))
            && !statement.allows(&ask("GetItem", &["P#app"]))
    );
}
