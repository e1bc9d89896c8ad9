//! Servers that accept requests and fail, never answer, or stop in the middle: every command ends by its deadline.

use crate::support::{
    sandbox::Sandbox,
    server::{Fault, Request, Server},
};
use std::{
    io::{Read, Seek},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

const DEADLINE: &str = "--deadline=2s";

/// Far more than the deadline, for a busy machine, and less than the 20 s that a request may stand still without one.
const LONG: Duration = Duration::from_secs(18);

/// A home whose ledger is in a directory and whose store is on a server.
fn home(server: &Server) -> Sandbox {
    home_at(&server.endpoint)
}

/// A home whose ledger is in a directory and whose store is at an address.
pub fn home_at(endpoint: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let ledger = format!("file://{}/ledger", sandbox.home().display());
    sandbox
        .set("AWS_ACCESS_KEY_ID", "key")
        .set("AWS_SECRET_ACCESS_KEY", "secret")
        .set("SACKER_LEDGER", ledger)
        .set("SACKER_STORE", format!("s3://bucket/p?region=eu-west-1&endpoint={endpoint}"))
}

/// Runs a command to its end, and returns its exit code and its duration. One that does not end is killed. A test that
/// fails shows what the command wrote to stderr.
pub fn timed(sandbox: &Sandbox, arguments: &[&str]) -> (Option<i32>, Duration) {
    let begun = Instant::now();
    let mut command = sandbox.command(arguments);
    let mut stderr = tempfile::tempfile().unwrap();
    let mut child = command.stdout(Stdio::null()).stderr(stderr.try_clone().unwrap()).spawn().unwrap();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            let mut text = String::new();
            stderr.rewind().unwrap();
            stderr.read_to_string(&mut text).unwrap();
            eprintln!("{arguments:?}: {status}, {text}");
            return (status.code(), begun.elapsed());
        }
        if begun.elapsed() > Duration::from_mins(5) {
            child.kill().unwrap();
            panic!("{arguments:?} does not end");
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn is_sent(request: &Request) -> bool {
    matches!(request.operation, "PutObject" | "UploadPart") && request.key.contains("sha256/")
}

/// Bytes that are sent again are no progress.
#[test]
fn a_store_that_takes_the_bytes_and_fails_is_given_up() {
    thread::scope(|scope| {
        for size in [1 << 20, 17 << 20] {
            for fault in [
                Fault::Error(500, "InternalError"),
                Fault::Error(503, "SlowDown"),
                Fault::Error(501, "NotImplemented"),
                Fault::HangUp,
            ] {
                scope.spawn(move || {
                    let server = Server::new();
                    let injected = fault.clone();
                    server.faults(move |request| is_sent(request).then(|| injected.clone()));
                    let sandbox = home(&server);
                    sandbox.write("f", vec![7; size]);
                    let (code, took) = timed(&sandbox, &["add", "app", "f", DEADLINE]);
                    let sent = server.seen().into_iter().filter(is_sent).count();
                    assert!(took < LONG, "{fault:?}: {took:?}");
                    // At most two parts are tried at once, and the sleep between tries doubles.
                    assert!(sent <= 100, "{fault:?}: {sent} tries");
                    // A server that lacks an operation may be given up at once.
                    if !matches!(fault, Fault::Error(501, _)) {
                        assert_eq!(code, Some(7), "{fault:?}");
                        assert!(sent > 1, "{fault:?}: it was not tried again");
                    }
                    assert_ne!(code, Some(0));
                });
            }
        }
    });
}

/// Each kind of request, on a server that is silent and on one that stops in the middle of its answer.
#[test]
fn a_request_that_stands_still_ends_at_the_deadline() {
    let cases: [(&str, &[&str], bool); 7] = [
        ("GetObject", &["download", "app", "1"], true),
        ("PutObject", &["add", "app", "g"], false),
        ("UploadPart", &["add", "app", "large"], false),
        ("ListParts", &["add", "app", "large"], true),
        ("HeadObject", &["add", "app", "large"], false),
        ("ListObjectsV2", &["gc"], true),
        ("ListMultipartUploads", &["gc"], true),
    ];
    thread::scope(|scope| {
        for (operation, arguments, half) in cases {
            for fault in [Some(Fault::Silence), half.then_some(Fault::Half)].into_iter().flatten() {
                scope.spawn(move || {
                    let server = Server::new();
                    let sandbox = home(&server);
                    sandbox.write("f", vec![1; 1000]);
                    sandbox.write("g", "another");
                    sandbox.write("large", vec![3; 17 << 20]);
                    sandbox.ok(&["add", "app", "f"]);
                    if operation == "ListParts" {
                        // An upload that was interrupted.
                        server.faults(|request| {
                            (request.operation == "CompleteMultipartUpload")
                                .then_some(Fault::Error(403, "AccessDenied"))
                        });
                        assert_eq!(timed(&sandbox, &["add", "app", "large"]).0, Some(10));
                    }
                    let injected = fault.clone();
                    server.faults(move |request| {
                        let asked = request.operation == operation && !request.key.ends_with("OWNER");
                        asked.then(|| injected.clone())
                    });
                    std::fs::remove_file(sandbox.path("f")).unwrap();
                    let (code, took) = timed(&sandbox, &[arguments, &[DEADLINE]].concat());
                    assert_eq!(code, Some(7), "{operation}, {fault:?}");
                    assert!(took < LONG, "{operation}, {fault:?}: {took:?}");
                });
            }
        }
    });
}

/// A list of the parts that breaks off is requested again, and is no reason to send all parts again.
#[test]
fn an_upload_is_not_restarted_because_an_answer_breaks_off() {
    let server = Server::new();
    let sandbox = home(&server);
    sandbox.write("large", vec![3; 17 << 20]);
    server.faults(|request| {
        (request.operation == "CompleteMultipartUpload").then_some(Fault::Error(403, "AccessDenied"))
    });
    assert_eq!(timed(&sandbox, &["add", "app", "large"]).0, Some(10));
    server.faults(|request| (request.operation == "ListParts").then_some(Fault::Cut));
    assert_eq!(timed(&sandbox, &["add", "app", "large", DEADLINE]).0, Some(7));
    server.faults(|_| None);
    assert_eq!(timed(&sandbox, &["add", "app", "large"]).0, Some(0));
    let count = |operation| server.seen().iter().filter(|request| request.operation == operation).count();
    assert_eq!((count("CreateMultipartUpload"), count("UploadPart")), (1, 3));
}

/// The ledger's table ends at the deadline, too.
#[test]
fn a_table_that_stands_still_ends_at_the_deadline() {
    thread::scope(|scope| {
        for fault in [Fault::Silence, Fault::Half, Fault::HangUp] {
            scope.spawn(move || {
                let server = Server::new();
                let injected = fault.clone();
                server.faults(move |_| Some(injected.clone()));
                let ledger = format!("dynamodb://table?region=eu-west-1&endpoint={}", server.endpoint);
                let sandbox = home(&server).set("SACKER_LEDGER", ledger);
                for arguments in [&["info", "app", "1"][..], &["list"], &["tag", "app", "1", "live"]] {
                    let (code, took) = timed(&sandbox, &[arguments, &[DEADLINE]].concat());
                    assert_eq!(code, Some(7), "{arguments:?}, {fault:?}");
                    assert!(took < LONG, "{arguments:?}, {fault:?}: {took:?}");
                }
                assert!(server.seen().len() < 200);
            });
        }
    });
}
