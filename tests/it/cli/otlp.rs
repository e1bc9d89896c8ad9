//! The trace that a run sends over OTLP, as a collector receives it.

mod collector;
mod failing;

use crate::support::{
    backends, link,
    proxy::{self, Fate, Proxy},
    sandbox::Sandbox,
    servers,
};
use collector::{Answer, Collector, object};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Variables of a run.
type Variables<'a> = &'a [(&'a str, &'a str)];

/// Runs it with these variables, and shows its output and exit code.
fn run_with(sandbox: &Sandbox, variables: Variables, arguments: &[&str]) -> String {
    let output = sandbox.command(arguments).envs(variables.iter().copied()).output().unwrap();
    sandbox.shown(&output)
}

/// Runs it, and returns what it showed and the spans that arrived: the root, and the others.
fn sent(sandbox: &Sandbox, variables: Variables, arguments: &[&str]) -> (String, Span, Vec<Span>) {
    let collector = Collector::new(Answer::Taken);
    let variables = [variables, &[(ENDPOINT, &collector.url)]].concat();
    let shown = run_with(sandbox, &variables, arguments);
    let (root, others) = collector.run();
    (shown, root, others)
}

fn nanoseconds(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

/// The name and the fields of a line of a trace.
type Line = (String, Map<String, Value>);

/// The lines of a trace. The fields of the one of the totals are taken from them.
fn traced(sandbox: &Sandbox) -> (Vec<Line>, Map<String, Value>) {
    let text = fs::read_to_string(sandbox.path("trace")).unwrap();
    fs::remove_file(sandbox.path("trace")).unwrap();
    let mut lines: Vec<_> = text
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let mut fields = line["fields"].as_object().unwrap().clone();
            fields.insert("run".to_owned(), line["run"].clone());
            (line["message"].as_str().unwrap().to_owned(), fields)
        })
        .collect();
    let (_, total) = lines.pop().unwrap();
    // The others are events.
    lines.retain(|(_, fields)| fields.contains_key("took_ms"));
    (lines, total)
}

/// Takes the duration from the fields of a line. It must be that of the span.
#[expect(clippy::cast_precision_loss, reason = "no span here lasts for 2^53 ns")]
fn without_duration(mut fields: Map<String, Value>, span: &Span) -> Map<String, Value> {
    let took = fields.remove("took_ms").unwrap().as_f64().unwrap();
    let lasted = (span.end_time_unix_nano - span.start_time_unix_nano) as f64 / 1e6;
    assert!((took - lasted).abs() < 0.001, "{took} ms, {lasted} ms: {span:?}");
    fields.remove("run");
    fields
}

/// Runs a command with `--trace-json`, and compares the lines of the file with the spans.
fn is_as_in_the_file(sandbox: &Sandbox, arguments: &[&str]) -> (Span, Vec<Span>) {
    let before = nanoseconds(SystemTime::now());
    let (shown, root, spans) = sent(sandbox, &[], &[arguments, &["--trace-json", "trace"]].concat());
    assert!(shown.starts_with("exit 0"), "{shown}");
    let (lines, mut total) = traced(sandbox);
    assert_eq!(spans.len(), lines.len(), "{spans:?}\n{lines:?}");
    for (span, (name, fields)) in spans.iter().zip(lines) {
        assert_eq!((&span.name, object(&span.attributes)), (&name, without_duration(fields, span)));
        let kind = if name == "commit" { SpanKind::Internal } else { SpanKind::Client };
        assert_eq!(span.kind(), kind);
        assert!(span.start_time_unix_nano >= root.start_time_unix_nano, "{span:?}");
        assert!(span.end_time_unix_nano <= root.end_time_unix_nano, "{span:?}");
    }
    // The wait for the collector is no part of it, and neither is the writing of the file.
    total.remove("took_ms");
    assert_eq!(object(&root.attributes), total);
    assert_eq!((root.name.as_str(), root.kind()), (&*format!("sacker {}", arguments[0]), SpanKind::Internal));
    assert_eq!(root.status.clone().unwrap_or_default().code(), StatusCode::Unset);
    assert!(root.parent_span_id.is_empty());
    let second = 1_000_000_000;
    assert!(root.start_time_unix_nano + second > before, "{root:?}");
    assert!(root.end_time_unix_nano < nanoseconds(SystemTime::now()) + second, "{root:?}");
    let traces: BTreeSet<_> = spans.iter().chain([&root]).map(|span| &span.trace_id).collect();
    let identities: BTreeSet<_> = spans.iter().chain([&root]).map(|span| &span.span_id).collect();
    assert_eq!((traces.len(), identities.len()), (1, spans.len() + 1));
    (root, spans)
}

/// The name of each span and of the span above it.
fn tree(root: &Span, spans: &[Span]) -> Vec<(String, String)> {
    let names: BTreeMap<_, _> =
        spans.iter().chain([root]).map(|span| (span.span_id.clone(), span.name.clone())).collect();
    spans.iter().map(|span| (span.name.clone(), names[&span.parent_span_id].clone())).collect()
}

#[test]
fn a_run_is_a_trace_with_a_span_for_each_call() {
    let sandbox = Sandbox::with_app();
    let (root, spans) = is_as_in_the_file(&sandbox, &["tag", "app", "2", "live"]);
    let tree = tree(&root, &spans);
    let of = |name: &str, above: &str| (name.to_owned(), above.to_owned());
    assert!(tree.contains(&of("commit", "sacker tag")), "{tree:?}");
    assert!(tree.contains(&of("sqlite", "commit")), "{tree:?}");
    assert!(tree.iter().all(|(_, above)| ["sacker tag", "commit"].contains(&above.as_str())), "{tree:?}");
    let (root, spans) = is_as_in_the_file(&sandbox, &["info", "app", "1"]);
    assert!(self::tree(&root, &spans).contains(&of("sqlite", "sacker info")));
}

#[test]
fn the_calls_of_servers_have_the_fields_of_the_file_and_no_secret() {
    let sandbox = servers::sandbox();
    sandbox.write("f", "first");
    sandbox.ok(&["init"]);
    let (_, added) = is_as_in_the_file(&sandbox, &["add", "app", "f", "--tag", "live"]);
    let (_, read) = is_as_in_the_file(&sandbox, &["download", "app", "live", "-o", "copy"]);
    let names: BTreeSet<_> = added.iter().chain(&read).map(|span| span.name.as_str()).collect();
    for name in ["dynamodb.TransactWriteItems", "s3.PutObject", "s3.GetObject"] {
        assert!(names.contains(name), "{names:?}");
    }
    let secret = sandbox.variable("AWS_SECRET_ACCESS_KEY");
    let said = format!("{added:?}{read:?}");
    assert!(!said.contains(secret) && !said.contains("AWS4-HMAC-SHA256"), "{said}");
}

#[test]
fn a_failure_is_the_status_of_the_root() {
    let sandbox = Sandbox::with_app();
    let arguments = ["info", "app", "9"];
    let (shown, root, _) = sent(&sandbox, &[], &arguments);
    assert_eq!(shown, sandbox.run(&arguments));
    let status = root.status.clone().unwrap();
    assert_eq!((status.code(), status.message.as_str()), (StatusCode::Error, "exit code 4"));
    assert_eq!(object(&root.attributes)["exit_code"], 4);
}

/// Each attempt is a span, and the change above them has one.
#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_is_a_span() {
    let sandbox = servers::sandbox();
    sandbox.write("f", "x");
    sandbox.ok(&["init", "-q"]);
    sandbox.ok(&["add", "app", "f"]);
    let asked = AtomicUsize::new(0);
    let fate = move |_: &_| match asked.fetch_add(1, Ordering::Relaxed) {
        0..3 => Fate::IsAnswered(proxy::Answer::Throttling),
        _ => Fate::Passes,
    };
    let proxy = Proxy::new(&backends::dynamodb(), fate).await;
    let ledger = sandbox.variable("SACKER_LEDGER").replace(&backends::dynamodb(), &proxy.url);
    let sandbox = sandbox.set("SACKER_LEDGER", ledger);
    let (_, root, spans) = sent(&sandbox, &[], &["tag", "app", "1", "live"]);
    let reads = spans.iter().filter(|span| span.name == "dynamodb.BatchGetItem");
    let attempts: Vec<_> = reads.map(|span| object(&span.attributes)["attempt"].clone()).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
    let tree = tree(&root, &spans);
    assert!(tree.iter().filter(|(name, _)| name != "commit").all(|(_, above)| above == "commit"), "{tree:?}");
    assert_eq!(object(&root.attributes)["retries"], 3);
}

#[test]
fn the_resource_is_the_program_or_what_the_environment_names() {
    let sandbox = Sandbox::with_app();
    let resource = |variables: Variables| {
        let collector = Collector::new(Answer::Taken);
        run_with(&sandbox, &[variables, &[(ENDPOINT, &collector.url)]].concat(), &["list"]);
        let [batch] = &collector.batches()[..] else { panic!("not one batch") };
        assert_eq!(
            (batch.path.as_str(), &*batch.headers["content-type"]),
            ("/v1/traces", "application/x-protobuf")
        );
        let [spans] = &batch.request.resource_spans[..] else { panic!("not one resource") };
        let [scope] = &spans.scope_spans[..] else { panic!("not one scope") };
        let scope = scope.scope.clone().unwrap();
        assert_eq!((scope.name.as_str(), scope.version.as_str()), ("sacker", env!("CARGO_PKG_VERSION")));
        object(&spans.resource.as_ref().unwrap().attributes)
    };
    let own = resource(&[]);
    assert_eq!(
        (&own["service.name"], &own["service.version"]),
        (&"sacker".into(), &env!("CARGO_PKG_VERSION").into())
    );
    let attributes = "service.name=releases,deployment.environment.name=ci";
    let named = resource(&[("OTEL_RESOURCE_ATTRIBUTES", attributes)]);
    assert_eq!(
        (&named["service.name"], &named["deployment.environment.name"]),
        (&"releases".into(), &"ci".into())
    );
    let named = resource(&[("OTEL_RESOURCE_ATTRIBUTES", attributes), ("OTEL_SERVICE_NAME", "nightly")]);
    assert_eq!(
        (&named["service.name"], &named["deployment.environment.name"]),
        (&"nightly".into(), &"ci".into())
    );
}

#[test]
fn headers_and_an_address_of_traces_alone_are_used() {
    let sandbox = Sandbox::with_app();
    let (collector, other) = (Collector::new(Answer::Taken), Collector::new(Answer::Taken));
    let variables = [
        (ENDPOINT, other.url.as_str()),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &format!("{}/own", collector.url)),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc,x-team=releases"),
    ];
    let plain = sandbox.run(&["list"]);
    assert_eq!(run_with(&sandbox, &variables, &["list"]), plain);
    let [batch] = &collector.batches()[..] else { panic!("not one batch") };
    assert_eq!((batch.path.as_str(), other.connections()), ("/own", 0));
    let header = |name: &str| batch.headers[name].as_str();
    assert_eq!((header("authorization"), header("x-team")), ("Bearer abc", "releases"));
}

#[test]
fn a_collector_over_tls_is_trusted_by_its_authority() {
    let sandbox = Sandbox::with_app();
    let certificate = link::Certificate::new();
    let collector = Collector::secure(certificate.acceptor().config().clone());
    sandbox.write("authority.pem", certificate.pem());
    let trusting = [(ENDPOINT, &*collector.url), ("OTEL_EXPORTER_OTLP_CERTIFICATE", "authority.pem")];
    assert_eq!(run_with(&sandbox, &trusting, &["list"]), sandbox.run(&["list"]));
    assert_eq!(collector.run().0.name, "sacker list");
    // Another one is not.
    sandbox.write("authority.pem", link::Certificate::new().pem());
    let shown = run_with(&sandbox, &trusting, &["list"]);
    assert!(shown.contains("invalid peer certificate"), "{shown}");
    let no_file = [(ENDPOINT, &*collector.url), ("OTEL_EXPORTER_OTLP_CERTIFICATE", "no/such")];
    let shown = run_with(&sandbox, &no_file, &["list"]);
    assert!(shown.contains("OTEL_EXPORTER_OTLP_CERTIFICATE, no/such: "), "{shown}");
    assert_eq!(collector.batches().len(), 1);
}

#[test]
fn a_run_is_a_part_of_the_trace_of_a_ci_job() {
    let sandbox = Sandbox::with_app();
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let state = ("TRACESTATE", "ci=42");
    let whole = format!("00-{trace}-{parent}-01");
    let (_, root, spans) = sent(&sandbox, &[("TRACEPARENT", &whole), state], &["info", "app", "1"]);
    assert_eq!(
        (hex::encode(&root.trace_id), hex::encode(&root.parent_span_id)),
        (trace.into(), parent.into())
    );
    assert_eq!(root.trace_state, "ci=42");
    assert!(!spans.is_empty());
    assert!(
        spans.iter().all(|span| (&span.trace_id, &span.parent_span_id) == (&root.trace_id, &root.span_id))
    );
    // One that is not valid is ignored.
    for wrong in [format!("00-{trace}-{parent}"), format!("00-{trace}-{}-01", "0".repeat(16)), "x".to_owned()]
    {
        let (shown, root, _) = sent(&sandbox, &[("TRACEPARENT", &wrong), state], &["info", "app", "1"]);
        assert_ne!(hex::encode(&root.trace_id), trace);
        assert_eq!((root.parent_span_id.len(), root.trace_state.as_str()), (0, ""));
        assert_eq!(shown, sandbox.run(&["info", "app", "1"]));
    }
    // The trace of the job is not kept: nobody is asked.
    let collector = Collector::new(Answer::Taken);
    let unsampled = [(ENDPOINT, &*collector.url), ("TRACEPARENT", &whole.replace("-01", "-00"))];
    assert_eq!(run_with(&sandbox, &unsampled, &["list"]), sandbox.run(&["list"]));
    assert_eq!(collector.connections(), 0);
}

#[test]
fn nothing_is_sent_unless_it_is_requested() {
    let sandbox = Sandbox::with_app();
    let collector = Collector::new(Answer::Taken);
    let endpoint = (ENDPOINT, collector.url.as_str());
    let plain = sandbox.run(&["list"]);
    for variables in [
        &[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", collector.url.as_str())][..],
        &[endpoint, ("OTEL_SDK_DISABLED", "true")],
        &[endpoint, ("OTEL_TRACES_EXPORTER", "none")],
        &[endpoint, ("OTEL_TRACES_SAMPLER", "always_off")],
        &[(ENDPOINT, "")],
    ] {
        assert_eq!(run_with(&sandbox, variables, &["list"]), plain, "{variables:?}");
    }
    // Arguments that are wrong are no run.
    assert!(run_with(&sandbox, &[endpoint], &["nosuch"]).starts_with("exit 2"));
    assert_eq!(collector.connections(), 0);
    // Without these variables, it is sent.
    assert_eq!(run_with(&sandbox, &[endpoint], &["list"]), plain);
    assert_eq!(collector.connections(), 1);
}
