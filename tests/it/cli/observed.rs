//! Logs for programs, the file of the trace, the totals and the metrics.

use crate::support::{
    backends,
    proxy::{Answer, Fate, Proxy},
    sandbox::Sandbox,
    servers,
};
use insta::assert_snapshot;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

/// The lines of a log, each of which is an object.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn stderr(sandbox: &Sandbox, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let output = sandbox.command(arguments).output().unwrap();
    (output.status.code(), lines(&String::from_utf8(output.stderr).unwrap()))
}

/// The samples of a file, as the parser of Prometheus's own client library reads them.
fn samples(file: &Path) -> BTreeMap<String, String> {
    const PARSER: &str = "import sys
from prometheus_client.parser import text_string_to_metric_families as families
for family in families(sys.stdin.read()):
    assert family.documentation and family.type == 'gauge', family
    for sample in family.samples:
        labels = ' '.join(sample.labels[name] for name in sorted(sample.labels) if name != 'command')
        print(sample.name, labels, repr(float(sample.value)), sep='\\t')";
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = Command::new(root.join("scripts/python-tools"))
        .args([
            "prometheus",
            "scripts/prometheus/requirements.txt",
            "--only-binary",
            ":all:",
            "--require-hashes",
        ])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(tools.status.success(), "scripts/python-tools can't install prometheus-client");
    let parser = Command::new("python3")
        .args(["-c", PARSER])
        .env("PYTHONPATH", String::from_utf8(tools.stdout).unwrap().trim())
        .stdin(fs::File::open(file).unwrap())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(parser.status.success(), "{}", fs::read_to_string(file).unwrap());
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once('\t').unwrap();
        (name.replace('\t', " ").trim().to_owned(), value.to_owned())
    };
    String::from_utf8(parser.stdout).unwrap().lines().map(sample).collect()
}

#[test]
fn each_line_of_a_log_has_its_time_level_and_run() {
    let sandbox = Sandbox::with_app();
    let mut runs = Vec::new();
    for (code, level, arguments) in [
        (0, "debug", &["tag", "app", "2", "live", "-v"][..]),
        (4, "error", &["info", "app", "9"]),
        (2, "error", &["info", "app", "9", "--no-such-option"]),
        (2, "error", &["--log-format=json", "info"]),
    ] {
        let (found, lines) = stderr(&sandbox, &[arguments, &["--log-format", "json"]].concat());
        assert_eq!(found, Some(code), "{arguments:?}: {lines:?}");
        assert_eq!(lines.last().unwrap()["level"], level, "{lines:?}");
        let run = lines[0]["run"].as_str().unwrap().to_owned();
        assert!(lines.iter().all(|line| line["run"] == run.as_str()), "{lines:?}");
        assert!(lines.iter().all(|line| line["time"].as_str().unwrap().ends_with('Z')), "{lines:?}");
        runs.push(run);
    }
    runs.sort();
    runs.dedup();
    assert_eq!(runs.len(), 4, "each run has its own");
    let (_, lines) = stderr(&sandbox, &["info", "app", "9", "--log-format", "json", "-v"]);
    let last = lines.last().unwrap();
    assert!(last["message"].as_str().unwrap().ends_with(": app has no version 9; its last is 3"), "{last}");
    assert_snapshot!(last["fields"].to_string(), @r#"{"causes":[],"exit_code":4,"hint":"`sacker versions app` lists its versions","kind":"not_found"}"#);
    // A call is a line with its fields.
    let call = lines.iter().find(|line| line["message"] == "sqlite").unwrap();
    assert!(call["fields"]["took_ms"].is_f64() && call["fields"]["attempt"] == 1, "{call}");
    assert!(call["fields"]["doing"].as_str().unwrap().starts_with("reading"), "{call}");
    // What is printed on stdout is not concerned.
    let plain = sandbox.ok(&["info", "app", "1"]);
    assert_eq!(sandbox.ok(&["info", "app", "1", "--log-format", "json"]), plain);
    // Warnings and notes are silent as elsewhere.
    let new = Sandbox::new();
    new.write("one", "first");
    let noted = stderr(&new, &["add", "app", "one", "--log-format", "json"]).1;
    assert!(noted.iter().any(|line| line["level"] == "info"), "{noted:?}");
    assert_eq!(stderr(&Sandbox::new(), &["list", "-q", "--log-format", "json"]), (Some(0), Vec::new()));
}

#[test]
fn the_totals_are_requests_units_and_bytes() {
    let sandbox = servers::sandbox();
    sandbox.write("one", "first");
    sandbox.write("two", "second file");
    sandbox.ok(&["init"]);
    sandbox.ok(&["add", "app", "one", "--tag", "live"]);
    sandbox.ok(&["add", "app", "two"]);
    let (trace, metrics) = (sandbox.path("trace"), sandbox.path("metrics.prom"));
    let files = ["--trace-json", trace.to_str().unwrap(), "--metrics", metrics.to_str().unwrap()];
    let totals = |arguments: &[&str]| {
        sandbox.ok(&[arguments, &files].concat());
        let mut all = lines(&fs::read_to_string(&trace).unwrap());
        all.pop().unwrap()
    };
    let moved = totals(&["tag", "app", "2", "live"]);
    assert_eq!((&moved["message"], &moved["level"]), (&"in total".into(), &"info".into()));
    let field = |line: &Value, name: &str| line["fields"][name].as_f64().unwrap();
    assert_eq!(moved["fields"]["command"], "tag");
    let whole = ["exit_code", "requests", "retries"].map(|name| moved["fields"][name].as_u64());
    assert_eq!(whole, [Some(0), Some(2), Some(0)]);
    assert!(field(&moved, "read_units") >= 1.0 && field(&moved, "write_units") >= 1.0, "{moved}");
    assert!(field(&moved, "sent_bytes") > 100.0 && field(&moved, "received_bytes") > 100.0, "{moved}");
    let read = samples(&metrics);
    assert_eq!(read["sacker_exit_code"], "0.0");
    assert_eq!(read["sacker_requests dynamodb BatchGetItem"], "1.0", "{read:?}");
    assert_eq!(read["sacker_requests dynamodb TransactWriteItems"], "1.0", "{read:?}");
    for name in ["read_units", "write_units", "sent_bytes", "received_bytes", "retries"] {
        assert_eq!(read[&format!("sacker_{name}")], format!("{:?}", field(&moved, name)), "{name}");
    }
    let number = |name: &str| read[name].parse::<f64>().unwrap();
    assert!(number("sacker_duration_seconds") > 0.0 && number("sacker_end_time_seconds") > 1.7e9, "{read:?}");
    // Another user's exporter reads it.
    assert_eq!(fs::metadata(&metrics).unwrap().permissions().mode() & 0o444, 0o444);
    // The bytes of a file are counted; the lines of the next run follow those of the first.
    let before = fs::read_to_string(&trace).unwrap().lines().count();
    sandbox.write("large", "0123456789".repeat(100_000));
    let added = totals(&["add", "app", "large"]);
    assert!((1e6..1.1e6).contains(&field(&added, "sent_bytes")), "{added}");
    let got = totals(&["download", "app", "3", "-o", "copy"]);
    assert!((1e6..1.1e6).contains(&field(&got, "received_bytes")), "{got}");
    let all = lines(&fs::read_to_string(&trace).unwrap());
    assert!(all.len() > before + 2);
    // A failure has totals, too.
    assert!(sandbox.run(&[&["info", "app", "9"][..], &files].concat()).starts_with("exit 4"));
    assert_eq!(samples(&metrics)["sacker_exit_code"], "4.0");
    let shown = sandbox.run(&["tag", "app", "1", "live", "-vv"]);
    let last = shown.lines().last().unwrap();
    let expected = "2| trace: in total: 2 requests (1 dynamodb.BatchGetItem, 1 dynamodb.TransactWriteItems), 0 retries, ";
    assert!(last.starts_with(expected), "{shown}");
}

#[test]
fn a_file_that_can_not_be_written_fails_no_command() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["tag", "app", "2", "live", "--metrics", "no/such", "--trace-json", "no/trace"]), @"
    exit 0
    1| live: 1 -> 2
    2| warning: can't write the trace to no/trace: No such file or directory
    2| warning: can't write the metrics to no/such: No such file or directory
    ");
    // A device that is full.
    let full = sandbox.run(&["tag", "app", "3", "live", "--trace-json", "/dev/full"]);
    assert_eq!(
        full.matches("can't write the trace to /dev/full: No space left on device").count(),
        1,
        "{full}"
    );
    assert!(full.starts_with("exit 0"), "{full}");
}

/// Each attempt after the first counts, whatever the reason for it.
#[tokio::test(flavor = "multi_thread")]
async fn retries_are_attempts_after_the_first() {
    let sandbox = servers::sandbox();
    sandbox.write("f", "x");
    sandbox.ok(&["init", "-q"]);
    sandbox.ok(&["add", "app", "f"]);
    let sent = AtomicUsize::new(0);
    let fate = move |_: &_| match sent.fetch_add(1, Ordering::Relaxed) {
        0..3 => Fate::IsAnswered(Answer::Throttling),
        _ => Fate::Passes,
    };
    let proxy = Proxy::new(&backends::dynamodb(), fate).await;
    let ledger = sandbox.variable("SACKER_LEDGER").replace(&backends::dynamodb(), &proxy.url);
    let sandbox = sandbox.set("SACKER_LEDGER", ledger);
    let shown = sandbox.run(&["tag", "app", "1", "live", "-vv"]);
    let last = shown.lines().last().unwrap();
    assert!(last.starts_with("2| trace: in total: 5 requests (4 dynamodb.BatchGetItem, "), "{shown}");
    assert!(last.contains(", 3 retries, "), "{shown}");
    assert_eq!(shown.matches("2| trace: retrying: ").count(), 3, "{shown}");
}

#[test]
fn sixteen_processes_share_the_files() {
    let sandbox = Sandbox::new();
    let (trace, metrics) = (sandbox.path("trace"), sandbox.path("metrics.prom"));
    sandbox.add_at_once(
        16,
        &["--trace-json", trace.to_str().unwrap(), "--metrics", metrics.to_str().unwrap(), "-q"],
    );
    let lines = lines(&fs::read_to_string(&trace).unwrap());
    let runs: BTreeSet<_> = lines.iter().map(|line| line["run"].as_str().unwrap()).collect();
    let totals: Vec<_> = lines.iter().filter(|line| line["message"] == "in total").collect();
    assert_eq!((runs.len(), totals.len()), (16, 16), "a run's lines are whole");
    assert!(totals.iter().all(|line| line["fields"]["exit_code"] == 0), "{totals:?}");
    // One of them was the last.
    let read = samples(&metrics);
    assert_eq!(read["sacker_exit_code"], "0.0", "{read:?}");
    assert!(
        fs::read_dir(sandbox.home())
            .unwrap()
            .all(|entry| { !entry.unwrap().file_name().to_string_lossy().starts_with(".sacker-") })
    );
}
