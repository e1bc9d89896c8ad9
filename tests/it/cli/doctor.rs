//! `doctor`: what it says of a sound set-up, and of one with a single defect.

mod clouds;
mod module;
mod settings;

use crate::support::{
    backends,
    proxy::http::Message,
    rewriting::{guarding, rewriting},
    sandbox::Sandbox,
    servers,
};
use insta::assert_snapshot;
use serde_json::Value;
use std::net::TcpListener;

/// The exit code, and the lines of `--json`.
fn examine(sandbox: &Sandbox, arguments: &[&str]) -> (i32, Vec<Value>) {
    let output = sandbox.command(&[&["doctor", "--json"], arguments].concat()).output().unwrap();
    let lines = String::from_utf8_lossy(&output.stdout);
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code().unwrap(), lines)
}

/// The statuses and names of the findings that are not in order. A busy machine makes a round trip slow.
fn defects(lines: &[Value]) -> Vec<String> {
    let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    let slow = |line: &Value| line["name"].as_str().is_some_and(|name| name.ends_with("_round_trip"));
    let defect = |line: &Value| matches!(line["status"].as_str(), Some("warn" | "fail")) && !slow(line);
    let shown = |line: &Value| format!("{} {}", text(line, "status"), text(line, "name"));
    lines.iter().filter(|line| defect(line)).map(shown).collect()
}

/// The finding with this name.
fn find<'a>(lines: &'a [Value], name: &str) -> &'a Value {
    lines.iter().find(|line| line["name"] == name).unwrap_or_else(|| panic!("no {name}: {lines:?}"))
}

#[test]
fn the_embedded_default_is_examined() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["doctor", "--probe"]), @"
    exit 0
    1| ok       configured_ledger  file://[HOME]/.local/share/sacker/ledger, from the default
    1| ok       configured_store  file://[HOME]/.local/share/sacker/store, from the default
    1| ok       identity  no credentials are needed: the ledger and the store are files
    1| ok       ledger  file://[HOME]/.local/share/sacker/ledger can be read; its id is [ID]
    1| ok       schema  the schema of the ledger is 1
    1| ok       ledger_home  the ledger is where it was created
    1| ok       ledger_round_trip  a read takes [N] ms
    1| ok       store  file://[HOME]/.local/share/sacker/store can be read
    1| ok       store_round_trip  a read takes [N] ms
    1| ok       store_owner  the store belongs to this ledger: [ID]
    1| ok       server  this store needs no properties of a server
    ");
    let empty = Sandbox::new();
    let (code, lines) = examine(&empty, &[]);
    assert_eq!((code, defects(&lines)), (0, vec!["warn ledger".to_owned(), "warn store_owner".to_owned()]));
    assert_eq!(find(&lines, "ledger")["repair"], "sacker init");
    assert!(!empty.data().exists(), "it changes nothing");
}

#[test]
fn the_origin_of_each_setting_is_named() {
    let sandbox = Sandbox::new();
    let url = |name: &str| format!("file://{}", sandbox.path(name).display());
    sandbox.write(".sacker.json", format!(r#"{{"ledger": "{}", "store": "{}"}}"#, url("a"), url("b")));
    let detail = |sandbox: &Sandbox, arguments: &[&str], name: &str| {
        let (_, lines) = examine(sandbox, arguments);
        sandbox.masked(find(&lines, name)["detail"].as_str().unwrap())
    };
    let of_file = detail(&sandbox, &[], "configured_ledger");
    assert_eq!(of_file, "file://[HOME]/a, from `ledger` in [HOME]/.sacker.json");
    let of_flag = detail(&sandbox, &["--store", &url("c")], "configured_store");
    assert_eq!(of_flag, "file://[HOME]/c, from --store");
    let ledger = url("d");
    let sandbox = sandbox.set("SACKER_LEDGER", ledger);
    assert_eq!(detail(&sandbox, &[], "configured_ledger"), "file://[HOME]/d, from SACKER_LEDGER");
}

#[test]
fn the_server_is_tested_with_probe_alone() {
    let sandbox = servers::sandbox();
    sandbox.ok(&["init", "-q"]);
    let (code, lines) = examine(&sandbox, &[]);
    assert_eq!((code, find(&lines, "server")["status"].as_str()), (0, Some("unknown")));
    for action in ["s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"] {
        let name = format!("grant:{action}:blobs/sha256/*");
        assert_eq!(find(&lines, &name)["repair"], "sacker doctor --probe");
        assert_eq!(find(&lines, &name)["status"], "unknown");
    }
    let shown = sandbox.run(&["doctor"]);
    let unknown: Vec<_> = shown.lines().filter(|line| line.starts_with("1| unknown")).collect();
    assert!(unknown.len() >= 5 && unknown.iter().all(|line| !line.contains("to repair")), "{shown}");
    assert!(shown.contains("it is tried only with --probe; to find out: sacker doctor --probe"), "{shown}");
    let (code, lines) = examine(&sandbox, &["--probe", "--package", "app"]);
    assert_eq!(code, 0, "{lines:?}");
    for name in ["server_if_none_match", "server_checksum_sha256", "server_complete_if_none_match"] {
        assert_eq!(find(&lines, name)["status"], "ok");
    }
    for (action, on) in [
        ("dynamodb:PutItem", "P#app"),
        ("dynamodb:UpdateItem", "P#app"),
        ("dynamodb:ConditionCheckItem", "T#app"),
    ] {
        let grant = find(&lines, &format!("grant:{action}:{on}"));
        assert!(grant["detail"].as_str().unwrap().ends_with("is allowed"), "{grant}");
    }
    for action in ["s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"] {
        let grant = find(&lines, &format!("grant:{action}:blobs/sha256/*"));
        assert!(grant["detail"].as_str().unwrap().ends_with("is allowed"), "{grant}");
    }
    // Nothing was left behind.
    assert_eq!(sandbox.ok(&["list"]), "");
    assert_eq!(sandbox.ok(&["fsck"]), "");
    assert_eq!(sandbox.ok(&["gc", "--min-age", "0s"]), "");
}

/// The sandbox on servers with proxies before them: for the ledger, and for the store.
fn behind(sandbox: Sandbox, ledger: &str, store: &str) -> Sandbox {
    let ledger = sandbox.variable("SACKER_LEDGER").replace(&backends::dynamodb(), ledger);
    let store = sandbox.variable("SACKER_STORE").replace(&backends::s3(), store);
    sandbox.set("SACKER_LEDGER", ledger).set("SACKER_STORE", store)
}

fn denied(request: &Message) -> Message {
    if request.header("x-amz-target").is_some() {
        let body =
            r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"not authorized"}"#;
        return Message::response("400 Bad Request", "content-type: application/x-amz-json-1.0\r\n", body);
    }
    let body = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    Message::response("403 Forbidden", "content-type: application/xml\r\n", body)
}

#[test]
fn what_is_not_allowed_is_named_and_fails_only_if_nothing_can_be_read() {
    let sandbox = servers::sandbox();
    sandbox.ok(&["init", "-q"]);
    let kinds = ["Scan", "DescribeTable", "TransactWriteItems"];
    let ledger = guarding(
        &backends::dynamodb(),
        move |request| kinds.contains(&request.kind().as_str()).then(|| denied(request)),
        |_, _| (),
    );
    let (ledger_url, store_url) =
        (sandbox.variable("SACKER_LEDGER").to_owned(), sandbox.variable("SACKER_STORE").to_owned());
    let sandbox = behind(sandbox, &ledger, &backends::s3());
    let (code, lines) = examine(&sandbox, &["--probe", "--package", "app"]);
    assert_eq!(code, 0, "{lines:?}");
    assert_eq!(find(&lines, "table_settings")["status"], "unknown");
    for (name, end) in [
        ("grant:dynamodb:Scan:the whole table", "(for: auditor) is not allowed"),
        ("grant:dynamodb:Query:D#0", "is allowed"),
        (
            "grant:dynamodb:PutItem:T#app",
            "(for: promoter, publisher (with publisher_may_tag)) is not allowed",
        ),
    ] {
        let detail = find(&lines, name)["detail"].as_str().unwrap();
        assert!(detail.ends_with(end), "{detail}");
    }
    let sandbox = sandbox.set("SACKER_LEDGER", ledger_url).set("SACKER_STORE", store_url);
    let nothing = guarding(&backends::dynamodb(), |request| Some(denied(request)), |_, _| ());
    let sandbox = behind(sandbox, &nothing, &backends::s3());
    let (code, lines) = examine(&sandbox, &[]);
    assert_eq!((code, find(&lines, "ledger")["status"].as_str()), (10, Some("fail")));
    assert_eq!(find(&lines, "store")["status"], "ok", "the other side is examined all the same");
}

#[test]
fn a_server_without_an_answer_ends_it_by_the_deadline() {
    let sandbox = servers::sandbox();
    sandbox.ok(&["init", "-q"]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_url = format!("http://{}", silent.local_addr().unwrap());
    for (ledger, store, name) in [
        (silent_url.as_str(), backends::s3().as_str(), "ledger"),
        (backends::dynamodb().as_str(), silent_url.as_str(), "store"),
        ("http://127.0.0.1:1", backends::s3().as_str(), "ledger"),
    ] {
        let arguments = [
            ("--ledger", sandbox.variable("SACKER_LEDGER").replace(&backends::dynamodb(), ledger)),
            ("--store", sandbox.variable("SACKER_STORE").replace(&backends::s3(), store)),
        ];
        let arguments: Vec<_> = arguments
            .iter()
            .flat_map(|(flag, url)| [*flag, url.as_str()])
            .chain(["--deadline", "1s"])
            .collect();
        let (code, lines) = examine(&sandbox, &arguments);
        assert_eq!((code, find(&lines, name)["status"].as_str()), (7, Some("fail")), "{lines:?}");
        let other = if name == "ledger" { "store" } else { "ledger" };
        assert_eq!(find(&lines, other)["status"], "ok", "{lines:?}");
    }
}

#[test]
fn a_clock_that_differs_from_a_server_s_is_named() {
    let sandbox = servers::sandbox();
    sandbox.ok(&["init", "-q"]);
    let ahead = |server: &str| rewriting(server, |_, answer| answer.set_date(1));
    let sandbox = behind(sandbox, &ahead(&backends::dynamodb()), &ahead(&backends::s3()));
    let (code, lines) = examine(&sandbox, &[]);
    assert_eq!(code, 8, "{lines:?}");
    for name in ["ledger_clock", "store_clock"] {
        let finding = find(&lines, name);
        assert_eq!(finding["status"], "fail", "{finding}");
        let detail = finding["detail"].as_str().unwrap();
        assert!(
            detail.starts_with("this machine's clock is 86") && detail.ends_with(" s behind the server's"),
            "{detail}"
        );
    }
}
