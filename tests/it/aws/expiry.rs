//! Credentials that a server takes for expired in the middle of a transfer, or of a commit.

use super::sources::{ALL, key, machine, profile, run, table};
use crate::support::{
    backends,
    proxy::http::Message,
    rewriting::guarding,
    sandbox::Sandbox,
    server::{Fault, Request, Server},
    wire::{self, response},
};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

const MIB: usize = 1 << 20;

/// A container's endpoint that gives credentials with this session token, which should last.
fn gives(token: &str) -> String {
    let body = format!(
        r#"{{"AccessKeyId":"{}","SecretAccessKey":"secret","Token":"{token}","Expiration":"2099-01-01T00:00:00Z"}}"#,
        key()
    );
    response("200 OK", &body)
}

fn busy() -> String {
    response("503 Service Unavailable", "{}")
}

fn refuses() -> String {
    response("403 Forbidden", "{}")
}

/// The behaviour of the source after the first credentials have expired, and the end of the command.
fn ends() -> Vec<(&'static str, Vec<String>, &'static str, &'static str)> {
    let mut late = vec![busy(); 6];
    late.push(gives("two"));
    vec![
        ("gives others", vec![gives("two")], "exit 0", ""),
        ("gives others after a while", late, "exit 0", ""),
        ("stays busy", vec![busy()], "exit 7", "check the source of the credentials"),
        ("refuses", vec![refuses()], "exit 10", "provide credentials that allow this"),
        ("gives the same", vec![gives("one")], "exit 10", "the credentials have expired: get new ones"),
    ]
}

/// The source of the first credentials, and the answers that follow.
async fn source(then: Vec<String>) -> wire::Server {
    wire::Server::new([vec![gives("one")], then].concat()).await
}

/// An S3 that takes the credentials "one" for expired from the request of this number and operation on, and notes what
/// it accepted.
struct Store {
    server: Server,
    accepted: Arc<Mutex<Vec<(&'static str, String)>>>,
}

impl Store {
    fn new() -> Self {
        Self { server: Server::new(), accepted: Arc::default() }
    }

    fn expire_at(&self, operation: &'static str, number: usize) {
        let (expired, count) = (AtomicBool::new(false), AtomicUsize::new(0));
        let accepted = Arc::clone(&self.accepted);
        accepted.lock().unwrap().clear();
        self.server.faults(move |request: &Request| {
            if request.operation == operation && count.fetch_add(1, SeqCst) + 1 == number {
                expired.store(true, SeqCst);
            }
            let first = request.headers.get("x-amz-security-token").is_some_and(|token| token == "one");
            if expired.load(SeqCst) && first {
                return Some(Fault::Error(400, "ExpiredToken"));
            }
            let part = request.query.get("partNumber").or(request.headers.get("range"));
            let part = part.cloned().unwrap_or_default();
            accepted.lock().unwrap().push((request.operation, part));
            None
        });
    }

    /// The number of times that each part of a transfer was accepted.
    fn parts(&self, operation: &str) -> BTreeMap<String, usize> {
        let mut parts = BTreeMap::new();
        for (_, part) in self.accepted.lock().unwrap().iter().filter(|(accepted, _)| *accepted == operation) {
            *parts.entry(part.clone()).or_default() += 1;
        }
        parts
    }

    /// A machine with this store.
    fn machine(&self, table: &str, source: &wire::Server) -> Sandbox {
        let store = format!("s3://bucket/p?region=us-east-1&endpoint={}", self.server.endpoint);
        machine(table)
            .set("SACKER_STORE", store)
            .set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/creds", source.url))
    }
}

/// Short where it is reached.
fn deadline(expected: &str) -> &'static str {
    if expected == "exit 7" { "5s" } else { "30s" }
}

fn assert_ended(shown: &str, expected: &str, hint: &str, what: &str) {
    assert!(shown.starts_with(&format!("{expected}\n")), "{what}: {shown}");
    assert!(shown.contains(hint), "{what}: {shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_expire_in_the_middle_of_an_upload_are_renewed() {
    let table = table().await;
    for (what, then, expected, hint) in ends() {
        let store = Store::new();
        let source = source(then).await;
        let machine = store.machine(&table, &source);
        let mut bytes = vec![0; 33 * MIB];
        fastrand::fill(&mut bytes);
        machine.write("f", &bytes);
        store.expire_at("UploadPart", 3);
        let package = backends::unique("up");
        let add = ["add", &package, "f", "-j", "2", "--deadline", deadline(expected)];
        let again = store.machine(&table, &self::source(Vec::new()).await);
        assert_ended(&run(machine, &add).await, expected, hint, what);
        if expected != "exit 0" {
            // Another machine, with good credentials; nothing is lost but the parts that only the first one knows of.
            store.server.faults(|_| None);
            again.write("f", &bytes);
            assert_eq!(run(again, &["add", &package, "f"]).await, "exit 0\n1| 1\n", "{what}");
            continue;
        }
        let parts = store.parts("UploadPart");
        assert!(parts.len() >= 4 && parts.values().all(|times| *times == 1), "{what}: {parts:?}");
        assert_eq!(store.parts("CompleteMultipartUpload").len(), 1, "{what}");
        assert_eq!(store.parts("CreateMultipartUpload").len(), 1, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_expire_in_the_middle_of_a_download_are_renewed() {
    let (table, store) = (table().await, Store::new());
    let first = store.machine(&table, &source(Vec::new()).await);
    let mut bytes = vec![0; 33 * MIB];
    fastrand::fill(&mut bytes);
    first.write("f", &bytes);
    assert_eq!(run(first, &["add", "down", "f"]).await, "exit 0\n1| 1\n");
    for (what, then, expected, hint) in ends() {
        let source = source(then).await;
        let machine = store.machine(&table, &source);
        store.expire_at("GetObject", 2);
        let to = tempfile::tempdir().unwrap();
        let path = to.path().join("copy");
        let get = [
            "download",
            "down",
            "1",
            "-o",
            path.to_str().unwrap(),
            "-j",
            "2",
            "--deadline",
            deadline(expected),
        ];
        assert_ended(&run(machine, &get).await, expected, hint, what);
        if expected == "exit 0" {
            let parts = store.parts("GetObject");
            assert!(parts.len() > 1 && parts.values().all(|times| *times == 1), "{what}: {parts:?}");
        } else {
            assert!(!path.exists(), "{what}");
            store.server.faults(|_| None);
            let again = store.machine(&table, &self::source(Vec::new()).await);
            let shown = run(again, &get).await;
            assert!(shown.starts_with("exit 0\n"), "{what}: {shown}");
        }
        assert!(fs::read(&path).unwrap() == bytes, "{what}");
    }
}

/// S3's answer to a `HEAD` has no body that names the error.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_expire_before_a_head_are_renewed() {
    let (table, store) = (table().await, Store::new());
    for (package, expires) in [("head-one", false), ("head-two", true)] {
        let machine = store.machine(&table, &source(vec![gives("two")]).await);
        machine.write("f", "x");
        if expires {
            store.expire_at("HeadObject", 1);
        }
        let shown = run(machine, &["add", package, "f"]).await;
        assert_eq!(shown, "exit 0\n1| 1\n", "{package}");
    }
    assert_eq!(store.parts("HeadObject").len(), 1, "it was asked, and asked again");
    let machine = store.machine(&table, &source(Vec::new()).await);
    let machine = machine.set("AWS_ACCESS_KEY_ID", key()).set("AWS_SECRET_ACCESS_KEY", "secret");
    let machine = machine.set("AWS_SESSION_TOKEN", "one");
    machine.write("f", "x");
    store.expire_at("HeadObject", 1);
    let shown = run(machine, &["add", "head-three", "f"]).await;
    assert_ended(&shown, "exit 10", "hint: the credentials have expired: get new ones", "of the environment");
}

/// Without new credentials, the transferred parts are kept for the next run.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_the_environment_that_expire_leave_an_upload_to_be_resumed() {
    let (table, store) = (table().await, Store::new());
    let machine = store.machine(&table, &source(Vec::new()).await);
    let machine = Arc::new(machine.set("AWS_ACCESS_KEY_ID", key()).set("AWS_SECRET_ACCESS_KEY", "secret"));
    let mut bytes = vec![0; 33 * MIB];
    fastrand::fill(&mut bytes);
    machine.write("f", &bytes);
    store.expire_at("UploadPart", 4);
    let add = async |token: &'static str| {
        let machine = Arc::clone(&machine);
        let run = move || {
            let mut command = machine.command(&["add", "of-environment", "f", "-j", "1"]);
            machine.shown(&command.env("AWS_SESSION_TOKEN", token).output().unwrap())
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    };
    let shown = add("one").await;
    assert_ended(&shown, "exit 10", "hint: the credentials have expired: get new ones", "the first run");
    let shown = add("two").await;
    assert!(shown.starts_with("exit 0\n1| 1\n2| note: resuming an interrupted transfer: "), "{shown}");
    let parts = store.parts("UploadPart");
    assert!(parts.values().all(|times| *times == 1), "{parts:?}");
}

/// A gate that takes the credentials "one" for expired once `TransactWriteItems` is asked for, and counts those that
/// pass. It is called when they expire.
fn expiring(on_expiry: impl Fn() + Send + Sync + 'static) -> (String, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let (expired, count) = (AtomicBool::new(false), Arc::clone(&sent));
    let gate = move |request: &Message| {
        let commits = request.kind() == "TransactWriteItems";
        if commits && !expired.swap(true, SeqCst) {
            on_expiry();
        }
        if expired.load(SeqCst) && request.header("x-amz-security-token")? == "one" {
            let body = r#"{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"The security token included in the request is expired"}"#;
            let kind = "content-type: application/x-amz-json-1.0\r\n";
            return Some(Message::response("400 Bad Request", kind, body));
        }
        count.fetch_add(usize::from(commits), SeqCst);
        None
    };
    (guarding(&backends::dynamodb(), gate, |_, _| ()), sent)
}

/// Adds a file through the gate, once.
async fn adds_once(machine: Sandbox, (gate, sent): (String, Arc<AtomicUsize>), what: &str) {
    let ledger = machine.variable("SACKER_LEDGER").replace(&backends::dynamodb(), &gate);
    let machine = machine.set("SACKER_LEDGER", ledger);
    machine.write("f", "x");
    let package = backends::unique("each");
    let shown = run(machine, &["add", &package, "f"]).await;
    assert_eq!(shown, "exit 0\n1| 1\n", "{what}");
    assert!(sent.load(SeqCst) >= 1, "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_source_is_asked_for_new_ones() {
    let table = table().await;
    for source in ALL {
        let server = wire::Server::new([source.gives_with("one"), source.gives_with("two")].concat()).await;
        adds_once(source.machine(&server.url, &table), expiring(|| ()), &format!("{source:?}")).await;
    }
    // A program, and a file that something else renews.
    let process = machine(&table);
    let json = |token: &str| {
        format!(
            r#"{{"Version":1,"AccessKeyId":"{}","SecretAccessKey":"secret","SessionToken":"{token}","Expiration":"2099-01-01T00:00:00Z"}}"#,
            key()
        )
    };
    let (one, two) = (json("one"), json("two"));
    let script = format!("#!/bin/sh\nif [ -e ran ]; then echo '{two}'; else : > ran; echo '{one}'; fi\n");
    process.write("give", script);
    fs::set_permissions(process.path("give"), fs::Permissions::from_mode(0o755)).unwrap();
    profile(&process, &format!("[default]\ncredential_process = {}\n", process.path("give").display()));
    adds_once(process, expiring(|| ()), "a program").await;
    let file = machine(&table);
    let text = |token: &str| {
        let key = key();
        format!(
            "[default]\naws_access_key_id = {key}\naws_secret_access_key = secret\naws_session_token = {token}\n"
        )
    };
    profile(&file, "[default]\n");
    let (path, renewed) = (file.path(".aws/credentials"), text("two"));
    fs::write(&path, text("one")).unwrap();
    adds_once(file, expiring(move || fs::write(&path, &renewed).unwrap()), "a file").await;
}

/// Between the reads of a change and its commit.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_expire_in_the_middle_of_a_commit_are_renewed() {
    let table = table().await;
    for (what, then, expected, hint) in ends() {
        let (url, sent) = expiring(|| ());
        let source = source(then).await;
        let machine = machine(&table);
        let direct = machine.variable("SACKER_LEDGER").to_owned();
        let store = machine.variable("SACKER_STORE").to_owned();
        let machine = machine
            .set("SACKER_LEDGER", direct.replace(&backends::dynamodb(), &url))
            .set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/creds", source.url));
        machine.write("f", "x");
        let package = backends::unique("commit");
        let add = ["add", &package, "f", "--deadline", deadline(expected)];
        let list = ["versions", &package, "--json", "--ledger", &direct, "--store", &store];
        let reader = self::machine(&table).set("AWS_ACCESS_KEY_ID", key()).set("AWS_SECRET_ACCESS_KEY", "s");
        assert_ended(&run(machine, &add).await, expected, hint, what);
        let done = expected == "exit 0";
        let versions = run(reader, &list).await;
        assert_eq!(versions.matches(r#""version":1"#).count(), usize::from(done), "{what}: {versions}");
        if done {
            // The claim of the store's ledger is one more, by the first; and what a connection loses is sent again.
            assert!((1..=4).contains(&sent.load(SeqCst)), "{what}");
        } else {
            assert_eq!(sent.load(SeqCst), 0, "{what}");
        }
    }
}
