//! A collector that fails costs a run a bounded time and one warning, and nothing else.

use super::{Answer, Collector, ENDPOINT, Variables, object, run_with};
use crate::support::sandbox::{Sandbox, eventually, signal};
use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Stdio},
};

/// The address of nobody.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Runs commands with these variables: each must print and exit as without them, but for one warning with this text.
fn warns(variables: Variables, expected: &str) {
    let sandbox = Sandbox::with_app();
    for arguments in [&["list"][..], &["info", "app", "9"]] {
        let plain = sandbox.run(arguments);
        let shown = run_with(&sandbox, variables, arguments);
        let (warnings, rest): (Vec<_>, Vec<_>) =
            shown.lines().partition(|line| line.starts_with("2| warning: "));
        assert_eq!(rest.join("\n"), plain.trim_end(), "{variables:?}");
        assert!(warnings.len() == 1 && warnings[0].contains(expected), "{expected:?}: {warnings:?}");
        // With -q there is none, and with --json it is an object.
        let quiet = [arguments, &["-q"]].concat();
        assert_eq!(run_with(&sandbox, variables, &quiet), sandbox.run(&quiet));
    }
    let shown = run_with(&sandbox, variables, &["list", "--json"]);
    assert!(shown.lines().last().unwrap().starts_with("2| {\"warning\":"), "{shown}");
    // A change is made, and printed.
    let changed = run_with(&sandbox, variables, &["tag", "app", "2", "live"]);
    assert!(changed.starts_with("exit 0\n1| live: 1 -> 2\n2| warning: "), "{changed}");
}

#[test]
fn a_collector_that_is_down() {
    let url = nobody();
    let expected = format!("can't send the trace to {url}/v1/traces: Connection refused (os error 111); ");
    warns(&[(ENDPOINT, &url)], &expected);
}

#[test]
fn a_collector_that_answers_with_an_error() {
    for (status, expected) in [
        (
            "500 Internal Server Error",
            "/v1/traces: the answer was 500 Internal Server Error; 2 of 2 spans are lost",
        ),
        ("503 Service Unavailable", "/v1/traces: the answer was 503 Service Unavailable; "),
        ("401 Unauthorized", "/v1/traces: the answer was 401 Unauthorized; "),
        // No other address is asked.
        ("301 Moved\r\nlocation: http://127.0.0.1:1/", "/v1/traces: the answer was 301 Moved Permanently; "),
    ] {
        let collector = Collector::new(Answer::Status(status));
        let shown = run_with(&Sandbox::with_app(), &[(ENDPOINT, &collector.url)], &["info", "app", "1"]);
        assert!(shown.starts_with("exit 0") && shown.contains(expected), "{expected:?}: {shown}");
        assert_eq!(collector.batches().len(), 1, "a batch is sent once");
        if status.starts_with("500") {
            warns(&[(ENDPOINT, &collector.url)], ": the answer was 500 Internal Server Error; ");
        }
    }
}

#[test]
fn a_collector_that_rejects_spans() {
    let collector = Collector::new(Answer::Rejecting("too old"));
    let shown = run_with(&Sandbox::with_app(), &[(ENDPOINT, &collector.url)], &["info", "app", "1"]);
    let spans = collector.spans().len();
    let expected = format!("/v1/traces: the collector rejects spans: too old; 1 of {spans} spans are lost");
    assert!(shown.starts_with("exit 0") && shown.contains(&expected), "{shown}");
}

#[test]
fn a_collector_that_speaks_another_protocol() {
    let collector = Collector::new(Answer::Garbage);
    warns(&[(ENDPOINT, &collector.url)], "can't send the trace to ");
}

#[test]
fn a_collector_that_never_answers_costs_the_time_of_a_request() {
    let collector = Collector::new(Answer::Nothing);
    let variables = [(ENDPOINT, &*collector.url), ("OTEL_EXPORTER_OTLP_TIMEOUT", "50")];
    warns(&variables, "/v1/traces: no answer within [N] ms; ");
    let said = said(start(&Sandbox::with_app(), &variables, &["list"]));
    assert!(said.contains("/v1/traces: no answer within 50 ms; "), "{said}");
}

/// The time of a request is 10 s; the reason shows which of the limits ended the run.
#[test]
fn a_collector_that_never_answers_costs_two_seconds_at_most() {
    let collector = Collector::new(Answer::Nothing);
    let said = said(start(&Sandbox::with_app(), &[(ENDPOINT, &collector.url)], &["list"]));
    assert!(said.contains("/v1/traces: no answer within 2000 ms; "), "{said}");
}

#[test]
fn settings_that_can_not_be_used() {
    for address in ["localhost:4318", "grpc://127.0.0.1:4317", "http://"] {
        warns(
            &[(ENDPOINT, address)],
            "no trace is sent: OTEL_EXPORTER_OTLP_ENDPOINT is not the address of a collector, such as http://localhost:4318",
        );
    }
    let collector = Collector::new(Answer::Taken);
    let expected =
        "no trace is sent: OTEL_EXPORTER_OTLP_PROTOCOL is grpc, and only http/protobuf is supported";
    warns(&[(ENDPOINT, &collector.url), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], expected);
    assert_eq!(collector.connections(), 0);
}

fn start(sandbox: &Sandbox, variables: Variables, arguments: &[&str]) -> Child {
    let mut command = sandbox.command(arguments);
    command.envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for its end, and returns its stderr as it is.
fn said(child: Child) -> String {
    String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()
}

#[test]
fn spans_are_sent_while_a_run_lasts() {
    let sandbox = Sandbox::with_app();
    let collector = Collector::new(Answer::Taken);
    let variables = [(ENDPOINT, &*collector.url), ("OTEL_BSP_SCHEDULE_DELAY", "10")];
    let child = start(&sandbox, &variables, &["watch", "app", "--limit", "1"]);
    eventually("batches arrive", || collector.batches().len() > 1);
    assert!(collector.spans().iter().all(|span| span.name == "sqlite"), "{:?}", collector.spans());
    sandbox.ok(&["tag", "app", "3", "live"]);
    assert_eq!(said(child), "");
    let (root, calls) = collector.run();
    assert_eq!(root.name, "sacker watch");
    assert_eq!(object(&root.attributes)["requests"], calls.len());
    // Its own requests are no spans.
    assert!(calls.iter().all(|span| span.name == "sqlite" && span.trace_id == root.trace_id));
}

/// The queue holds one span. While the collector holds back its first answer, all that follow are dropped but one.
#[test]
fn spans_that_a_slow_collector_does_not_take_are_dropped_and_counted() {
    let sandbox = Sandbox::with_app();
    let collector = Collector::held();
    let variables = [
        (ENDPOINT, &*collector.url),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "1"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1"),
    ];
    let mut child = start(&sandbox, &variables, &["watch", "app", "--limit", "1"]);
    eventually("the first span has arrived", || collector.spans().len() == 1);
    sandbox.ok(&["tag", "app", "3", "live"]);
    let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(printed.next().unwrap().unwrap().contains("\"live\""));
    collector.release();
    let shown = sandbox.shown(&child.wait_with_output().unwrap());
    let arrived = collector.spans().len();
    let numbers =
        shown.split_once(": the collector takes spans too slowly; ").unwrap_or_else(|| panic!("{shown}")).1;
    let numbers: Vec<usize> = numbers.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [lost, all] = numbers[..] else { panic!("{shown}") };
    assert!(shown.starts_with("exit 0") && lost > 0 && lost + arrived == all, "{arrived} arrived: {shown}");
}

#[test]
fn an_interruption_does_not_wait_for_the_collector() {
    let sandbox = Sandbox::with_app();
    let collector = Collector::new(Answer::Nothing);
    let variables = [(ENDPOINT, collector.url.as_str())];
    // All spans arrive at the end of the run, which then waits for the answer.
    let child = start(&sandbox, &variables, &["list"]);
    eventually("the run waits", || !collector.spans().is_empty());
    signal(&child, "INT");
    let shown = sandbox.shown(&child.wait_with_output().unwrap());
    assert!(shown.starts_with("exit 0\n1| app"), "{shown}");
    assert!(shown.contains("/v1/traces: interrupted; "), "{shown}");
    // A run that was interrupted itself waits less.
    let mut child = start(&sandbox, &variables, &["add", "app", "-"]);
    let stdin = child.stdin.take().unwrap();
    eventually("it reads what is to be added", || !sandbox.files("tmp").is_empty());
    signal(&child, "INT");
    let said = said(child);
    drop(stdin);
    assert!(said.starts_with("error: interrupted before anything was committed\n"), "{said}");
    assert!(said.contains("/v1/traces: no answer within 300 ms; "), "{said}");
}
