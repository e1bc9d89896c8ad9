//! Faults of Azure Blob Storage: a service that throttles, refuses, stalls or is away.

use super::stalls::timed;
use crate::support::{
    azure::{ACCOUNT, Container, azurite, key, variables},
    blobs,
    link::{Link, Shape, Stall},
    proxy::http::Message,
    rewriting::{guarding, rewriting},
    sandbox::Sandbox,
};
use sacker::{fault::FaultKind, model::SettingState, store::Store};
use std::{net::TcpListener, time::Duration};

const DEADLINE: &str = "--deadline=2s";

/// Far more than the deadline, for a busy machine, and less than the 20 s that a request may stand still without one.
const LONG: Duration = Duration::from_secs(18);

fn refusal(status: &str, code: &str) -> Message {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>");
    Message::response(status, &format!("content-type: application/xml\r\nx-ms-error-code: {code}\r\n"), &body)
}

/// A sandbox whose store is in a container of its own, reached at an address.
fn sandbox(container: &Container, endpoint: &str) -> Sandbox {
    let sandbox = without_credentials(container, endpoint);
    variables().into_iter().fold(sandbox, |sandbox, (name, value)| sandbox.set(name, value))
}

fn without_credentials(container: &Container, endpoint: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let ledger = format!("file://{}/ledger", sandbox.home().display());
    let store = format!("azure://{ACCOUNT}/{}/blobs?endpoint={endpoint}", container.name);
    sandbox.set("SACKER_LEDGER", ledger).set("SACKER_STORE", store)
}

/// A proxy that inspects TLS can answer in the place of Azure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_never_taken_for_success() {
    let container = Container::new().await;
    let dir = tempfile::tempdir().unwrap();
    let page = |request: &Message| {
        let page = Message::response("200 OK", "content-type: text/html\r\netag: \"1\"\r\n", "Sign in");
        request.head.starts_with(b"PUT").then_some(page)
    };
    let store = container.store_at(&guarding(&azurite(), page, |_, _| {}), &key()).await;
    for size in [1000, 17 << 20] {
        let (content, at) = blobs::random(&dir, size);
        let fault = blobs::put(&store, &at, &content).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Unavailable, "{size}: {fault:?}");
        assert_eq!(store.stat(&at).await.unwrap(), None);
    }
    assert_eq!(store.claim("a ledger").await.unwrap_err().kind, FaultKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_the_service_have_their_kinds() {
    let container = Container::new().await;
    let dir = tempfile::tempdir().unwrap();
    for (status, code, kind) in [
        ("503 Server Busy", "ServerBusy", FaultKind::Throttled),
        ("500 Internal Server Error", "InternalError", FaultKind::Unavailable),
        ("403 Forbidden", "AuthorizationPermissionMismatch", FaultKind::Denied),
        ("412 Precondition Failed", "LeaseIdMissing", FaultKind::Denied),
    ] {
        let gate = move |request: &Message| request.head.starts_with(b"PUT").then(|| refusal(status, code));
        let url = guarding(&azurite(), gate, |_, _| {});
        let store = container.store_at(&url, &key()).await;
        for size in [1000, 17 << 20] {
            let (content, at) = blobs::random(&dir, size);
            let fault = blobs::put(&store, &at, &content).await.unwrap_err();
            assert_eq!(fault.kind, kind, "{code}: {fault:?}");
            assert_eq!(store.stat(&at).await.unwrap(), None);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_is_denied_and_not_shown() {
    let container = Container::new().await;
    let wrong = "d3JvbmdzZWNyZXQ=";
    let fault = container.store_at(&azurite(), wrong).await.owner().await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Denied, "{fault:?}");
    let broken = "no-base64!secret";
    for key in [wrong, broken] {
        let sandbox = sandbox(&container, &azurite()).set("AZURE_STORAGE_ACCOUNT_KEY", key);
        sandbox.write("f", "f");
        let said = sandbox.run(&["add", "app", "f", "-vvv"]);
        assert!(said.starts_with("exit 10\n"), "{said}");
        assert!(said.contains("AZURE_STORAGE_ACCOUNT_KEY") && !said.contains(key), "{said}");
    }
}

/// A SAS grants what it says, is sent with each request, and is shown nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sas_is_shown_nowhere() {
    let container = Container::new().await;
    let sandbox = without_credentials(&container, &azurite()).set(
        "AZURE_STORAGE_SAS_TOKEN",
        "sv=2023-11-03&sr=c&sp=r&se=2036-01-01T00:00:00Z&sig=c2VjcmV0c2lnbmF0dXJl",
    );
    sandbox.write("f", "f");
    let said = sandbox.run(&["add", "app", "f", "-vvv"]);
    assert!(said.starts_with("exit 10\n"), "{said}");
    assert!(!said.contains("c2VjcmV0c2lnbmF0dXJl"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_away_missing_or_busy_ends_with_its_code() {
    let container = Container::new().await;
    let missing = sandbox(&Container::unmade(), &azurite());
    missing.write("f", "f");
    let said = missing.run(&["add", "app", "f"]);
    assert!(said.starts_with("exit 2\n") && said.contains("hint: run `sacker init`"), "{said}");

    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = sandbox(&container, &format!("http://{free}"));
    away.write("f", "f");
    let (code, took) = timed(&away, &["add", "app", "f", DEADLINE]);
    assert_eq!(code, Some(7));
    assert!(took < LONG, "{took:?}");

    let busy = guarding(&azurite(), |_| Some(refusal("503 Server Busy", "ServerBusy")), |_, _| {});
    let busy = sandbox(&container, &busy);
    busy.write("f", "f");
    let (code, took) = timed(&busy, &["add", "app", "f", DEADLINE]);
    assert_eq!(code, Some(7));
    assert!(took < LONG, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_stalls_is_given_up() {
    let container = Container::new().await;
    let direct = sandbox(&container, &azurite());
    direct.write("f", vec![7; 3 << 20]);
    direct.write("g", vec![8; 18 << 20]);
    direct.ok(&["init"]);
    assert_eq!(direct.ok(&["add", "app", "f"]), "1\n");
    for (after, arguments) in [
        (0, ["add", "app", "g", DEADLINE].as_slice()),
        (1 << 20, &["add", "app", "g", DEADLINE]),
        (9 << 20, &["add", "app", "g", DEADLINE]),
        (1 << 20, &["download", "app", "1", "-o", "x", DEADLINE]),
    ] {
        let stall = Some(Stall { after, lasts: None });
        let link = Link::start(&azurite(), Shape { stall, ..Shape::default() }).await;
        let store = format!("--store=azure://{ACCOUNT}/{}/blobs?endpoint={}", container.name, link.url());
        let (code, took) = timed(&direct, &[arguments, &[store.as_str()]].concat());
        assert_eq!(code, Some(7), "{after} {arguments:?}");
        assert!(took < LONG, "{after} {arguments:?}: {took:?}");
    }
    assert_eq!(direct.ok(&["add", "app", "g"]), "2\n");
    assert_eq!(direct.ok(&["fsck", "--read-data"]), "");
}

/// A way in which a server differs from Azure.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Lacks {
    IfNoneMatch,
    IfMatch,
    Checksum,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lacks_something_is_refused_by_its_name() {
    for (lacks, name) in [
        (Lacks::IfNoneMatch, "ignores `If-None-Match`"),
        (Lacks::IfMatch, "ignores `If-Match`"),
        (Lacks::Checksum, "`x-ms-content-crc64`"),
    ] {
        let container = Container::new().await;
        let direct = container.store().await;
        direct.claim("ledger").await.unwrap();
        let url = rewriting(&azurite(), move |request, answer| {
            let refused = !answer.head.starts_with(b"HTTP/1.1 2");
            let hides = match lacks {
                Lacks::IfNoneMatch => request.header("if-none-match").is_some(),
                Lacks::IfMatch => request.header("if-match").is_some_and(|etag| etag == "\"0x0\""),
                Lacks::Checksum => {
                    String::from_utf8_lossy(&answer.head).contains("Crc64Mismatch")
                        || request.header("if-match").is_some_and(|etag| etag != "\"0x0\"")
                }
            };
            if refused && hides && request.head.starts_with(b"PUT") {
                *answer = Message::response("201 Created", "etag: \"same\"\r\nx-ms-request-id: 1\r\n", "");
            }
        });
        let fault = container.store_at(&url, &key()).await.probe("ledger").await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Misconfigured, "{lacks:?}: {fault:?}");
        assert!(fault.source.to_string().contains(name), "{lacks:?}: {fault:?}");
        let found = direct.probe("ledger").await.unwrap();
        assert!(found.iter().all(|found| found.state == SettingState::On));
    }
}
