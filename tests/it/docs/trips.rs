//! Round trips of whole commands on a cold start, over a link that makes each of them half a second.
//!
//! A command can't end before the round trips that depend on each other, so its duration divided by the round-trip time
//! is never less than their number. It is more only on a machine that is busy for half a second. So the
//! least of several runs is exact.

use crate::support::{
    backends,
    link::{Certificate, Link, Shape},
    sandbox::Sandbox,
    servers,
};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const RTT: Duration = Duration::from_millis(500);
const RUNS: usize = 5;

/// A sandbox whose servers are at the end of a link, with or without TLS.
fn sandbox(runtime: &Runtime, tls: bool) -> Sandbox {
    let direct = servers::sandbox();
    direct.write("small", "first");
    direct.ok(&["init", "-q"]);
    direct.ok(&["add", "app", "small", "--tag", "live"]);
    direct.write("small", "second");
    direct.ok(&["add", "app", "small"]);
    let certificate = Certificate::new();
    let shape = Shape { rtt: RTT, ..Shape::default() };
    let [dynamodb, s3] = [backends::dynamodb(), backends::s3()].map(|server| {
        let link = async {
            if tls {
                Link::start_tls(&server, shape, &certificate).await
            } else {
                Link::start(&server, shape).await
            }
        };
        runtime.block_on(link).url()
    });
    let ledger = direct.variable("SACKER_LEDGER").replace(&backends::dynamodb(), &dynamodb);
    let store = direct.variable("SACKER_STORE").replace(&backends::s3(), &s3);
    direct.write("certificate.pem", certificate.pem());
    let trusted = direct.path("certificate.pem").to_str().unwrap().to_owned();
    direct.set("SACKER_LEDGER", ledger).set("SACKER_STORE", store).set("SSL_CERT_FILE", trusted)
}

/// The round trips that a command makes one after another. It gets the number of the run, since a change that was made
/// already is not made again.
fn trips(sandbox: &Sandbox, expected: u128, arguments: impl Fn(usize) -> Vec<String>) -> u128 {
    let run = |number| {
        sandbox.write("new", format!("{number} {:?}", Instant::now()));
        let began = Instant::now();
        sandbox.ok(&arguments(number));
        began.elapsed().as_millis() / RTT.as_millis()
    };
    let mut least = u128::MAX;
    for number in 0..RUNS {
        least = least.min(run(number));
        if least <= expected {
            break;
        }
    }
    least
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[track_caller]
fn assert_trips(tls: bool, [download, tag, add, info]: [u128; 4]) {
    let runtime = Runtime::new().unwrap();
    let sandbox = sandbox(&runtime, tls);
    let found = [
        trips(&sandbox, download, |run| words(&format!("download app live -o got-{run}"))),
        trips(&sandbox, tag, |run| words(&format!("tag app {} live", 2 - run % 2))),
        trips(&sandbox, add, |_| words("add app new")),
        trips(&sandbox, info, |_| words("info app 1")),
    ];
    assert_eq!(found, [download, tag, add, info], "of download, tag, add and info");
}

/// A `download` connects to the store while the ledger is asked: then one round trip brings the file.
#[test]
fn of_a_cold_start() {
    assert_trips(false, [3, 3, 4, 2]);
}

/// One more for the handshake with the ledger; that with the store is made meanwhile.
#[test]
fn of_a_cold_start_over_tls() {
    assert_trips(true, [4, 4, 5, 3]);
}
