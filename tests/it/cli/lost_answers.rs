//! Changes whose answers are lost: the outcome is found out, at once or by a later run.

use super::servers::run;
use crate::support::{backends, sandbox::signal, servers::sandbox};
use insta::assert_snapshot;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Loses the answers to writes: the first one alone, or from then on everything.
#[derive(Clone, Copy, PartialEq)]
enum Losing {
    OneAnswer,
    AllFromThen,
}

/// Starts a proxy between the program and DynamoDB Local that loses some messages. Returns its address.
fn losing(what: Losing) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = backends::dynamodb().trim_start_matches("http://").to_owned();
    let lost = Arc::new(AtomicBool::new(false));
    thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, lost) = (client.unwrap(), Arc::clone(&lost));
            if what == Losing::AllFromThen && lost.load(Ordering::SeqCst) {
                continue;
            }
            let mut server = TcpStream::connect(&server).unwrap();
            let (mut to_client, mut from_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let doomed = Arc::new(AtomicBool::new(false));
            let (watched, everything) = (Arc::clone(&doomed), Arc::clone(&lost));
            thread::spawn(move || {
                copy(&mut client, &mut server, |bytes| {
                    let write = String::from_utf8_lossy(bytes).contains(".TransactWriteItems");
                    if write && !lost.swap(true, Ordering::SeqCst) {
                        doomed.store(true, Ordering::SeqCst);
                    }
                    true
                });
            });
            thread::spawn(move || {
                copy(&mut from_server, &mut to_client, |_| {
                    let all = what == Losing::AllFromThen && everything.load(Ordering::SeqCst);
                    !all && !watched.load(Ordering::SeqCst)
                });
            });
        }
    });
    address
}

/// Copies bytes until the input ends or `pass` returns `false`.
fn copy(from: &mut TcpStream, to: &mut TcpStream, mut pass: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if !pass(&buffer[..n]) || to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    // Either may be gone.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[test]
fn a_lost_answer_is_found_out() {
    let sandbox = sandbox();
    sandbox.write("f", "x");
    sandbox.ok(&["init"]);
    let ledger = sandbox.variable("SACKER_LEDGER").replace(&backends::dynamodb(), &losing(Losing::OneAnswer));
    assert_snapshot!(run(&sandbox, &["add", "app", "f", "--ledger", &ledger]), @"
    exit 0
    1| 1
    ");
    assert_eq!(sandbox.ok(&["versions", "app", "--json"]).lines().count(), 1);
}

#[test]
fn an_unknown_outcome_comes_with_the_key_to_find_it_out() {
    let sandbox = sandbox();
    sandbox.write("f", "x");
    sandbox.ok(&["init"]);
    let ledger =
        sandbox.variable("SACKER_LEDGER").replace(&backends::dynamodb(), &losing(Losing::AllFromThen));
    let arguments = ["add", "app", "f", "--json", "--deadline", "1s", "--ledger", &ledger];
    let output = sandbox.command(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(9), "{}", sandbox.shown(&output));
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["kind"], "unknown");
    let hint = error["error"]["hint"].as_str().unwrap();
    let key = hint.split_once("--key ").unwrap().1.split_once('`').unwrap().0;
    for _ in 0..2 {
        assert_eq!(sandbox.ok(&["add", "app", "f", "--key", key]), "1\n");
    }
    assert_eq!(sandbox.ok(&["versions", "app", "--json"]).lines().count(), 1);
}

/// The first Ctrl-C starts finding out the outcome of the change, which never ends here; the second stops that, and
/// prints how to continue.
#[test]
fn a_second_interrupt_stops_at_once() {
    let sandbox = sandbox();
    sandbox.write("f", "x");
    sandbox.ok(&["init"]);
    let direct = sandbox.variable("SACKER_LEDGER").to_owned();
    let ledger = direct.replace(&backends::dynamodb(), &losing(Losing::AllFromThen));
    let mut command = sandbox.command(&["add", "app", "f", "-vv", "--ledger", &ledger]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    let mut until = |what: &str| {
        while !said.lines().last().is_some_and(|line| line.contains(what)) {
            assert!(stderr.read_line(&mut said).unwrap() > 0, "{what}: {said}");
        }
    };
    until("retrying: changing app");
    signal(&child, "INT");
    until("retrying: finding out the outcome of a change of app");
    signal(&child, "INT");
    until("hint: ");
    let hint = said.lines().last().unwrap();
    assert!(said.contains("error: adding f to app in ") && said.contains("interrupted again\n"), "{said}");
    let key = hint.split_once("--key ").unwrap().1.split_once('`').unwrap().0.to_owned();
    assert_eq!(child.wait().unwrap().code(), Some(9), "{said}");
    assert_eq!(sandbox.ok(&["add", "app", "f", "--key", &key]), "1\n");
    assert_eq!(sandbox.ok(&["versions", "app", "--json"]).lines().count(), 1);
    assert_eq!(sandbox.ok(&["fsck"]), "");
}
