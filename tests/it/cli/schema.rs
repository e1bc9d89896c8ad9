//! The output of `--json`, checked against its description in `schema/`.

use super::help::commands;
use crate::support::sandbox::Sandbox;
use jsonschema::{Draft, Validator};
use sacker::model::RetentionPolicy;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The schemas, by the names of their files.
struct Schemas(BTreeMap<String, Validator>);

impl Schemas {
    fn read() -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
        let schema = |entry: fs::DirEntry| {
            let name = entry.path().file_stem().unwrap().to_str().unwrap().to_owned();
            let schema: Value = serde_json::from_str(&fs::read_to_string(entry.path()).unwrap()).unwrap();
            let draft = "https://json-schema.org/draft/2020-12/schema";
            assert_eq!(schema["$schema"], draft, "{name}");
            assert!(jsonschema::meta::is_valid(&schema), "{name}");
            let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
            (name, options.build(&schema).unwrap())
        };
        Self(fs::read_dir(dir).unwrap().map(|entry| schema(entry.unwrap())).collect())
    }

    /// The lines of an output that are not as the schema says.
    fn wrong(&self, schema: &str, lines: &[Value]) -> Vec<String> {
        let errors = |line: &Value| {
            let errors = self.0[schema].iter_errors(line).map(|error| format!("{schema}: {error}: {line}"));
            errors.collect::<Vec<_>>()
        };
        lines.iter().flat_map(errors).collect()
    }
}

fn objects(output: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(output).lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// Commands in an order in which each has output, with the schema of that output.
const COMMANDS: [(&str, &[&str]); 86] = [
    ("init", &["init"]),
    ("init", &["init"]),
    ("version", &["add", "app", "one", "--label", "commit=1f3", "-m", "first", "--key", "k"]),
    ("version", &["add", "app", "one", "--label", "commit=1f3", "-m", "again", "--key", "k"]),
    ("version", &["add", "app", "two", "--tag", "canary"]),
    ("version", &["add", "app", "three", "--if-changed"]),
    ("version", &["add", "web", "two"]),
    ("package", &["list"]),
    ("package", &["list", "--prefix", "no-such"]),
    ("summary", &["list", "-l"]),
    ("version", &["versions", "app"]),
    ("tag", &["tag", "app", "canary", "live", "-m", "go"]),
    ("tag", &["tag", "app", "canary", "live"]),
    ("tag", &["tag", "app", "3", "live", "--expect", "2", "--require", "age:0s"]),
    ("tag", &["tags", "app"]),
    ("tag", &["rollback", "app", "live"]),
    ("tag", &["rollback", "app", "live", "--to", "3"]),
    ("version", &["info", "app", "live"]),
    ("version", &["info", "app", "live~1"]),
    ("version", &["info", "app", "latest"]),
    ("version", &["wait", "app", "live", "--newer-than", "1"]),
    ("version", &["wait", "app", "live", "--after-rev", "0"]),
    ("tag", &["untag", "app", "canary"]),
    ("tag", &["untag", "app", "canary"]),
    ("tag", &["protect", "app", "live", "--confirm"]),
    ("tag", &["protect", "app", "v1", "--write-once"]),
    ("tag", &["tag", "app", "1", "v1"]),
    ("tag", &["tags", "app"]),
    ("tag", &["unprotect", "app", "live"]),
    (
        "tag",
        &["protect", "app", "gated", "--require", "tag:canary", "--require", "was:live", "--no-override"],
    ),
    ("tag", &["protect", "app", "next", "--require", "soak:live=1h"]),
    ("tag", &["tag", "app", "3", "next", "--override", "now"]),
    ("tag", &["tags", "app", "-l"]),
    ("version", &["info", "app", "3"]),
    ("check", &["check", "app", "3", "next", "--require", "age:0s", "--require", "tag:live"]),
    ("tag", &["apply", "plan", "-n"]),
    ("tag", &["apply", "plan"]),
    ("tag", &["apply", "plan", "--undo"]),
    ("download", &["download", "app", "live"]),
    ("download", &["download", "app", "live"]),
    ("freeze", &["freeze", "-m", "incident", "--until", "2h"]),
    ("freeze", &["freeze", "--prefix", "web", "-m", "incident", "--strict"]),
    ("freeze", &["freeze", "--list"]),
    ("status", &["status", "--tag", "live"]),
    ("freeze", &["freeze", "--history"]),
    ("freeze", &["thaw", "--prefix", "web"]),
    ("tag", &["tag", "app", "3", "canary", "--emergency", "the fix"]),
    ("freeze", &["thaw", "-m", "over"]),
    ("version", &["label", "app", "2", "tests=failed"]),
    ("version", &["yank", "app", "2", "-m", "it leaks"]),
    ("version", &["unyank", "app", "2"]),
    ("version", &["yank", "app", "2"]),
    ("version", &["delete", "app", "2"]),
    ("version", &["undelete", "app", "2"]),
    ("version", &["delete", "app", "2", "--force"]),
    ("summary", &["list", "-l"]),
    ("pruned", &["prune", "app", "--keep", "1"]),
    ("pruned", &["prune", "--policy", "policy", "--delete", "-m", "retention"]),
    ("pruned", &["prune", "--prefix", "none", "--min-age", "1h"]),
    ("event", &["history", "app"]),
    ("event", &["history", "app", "live", "--limit", "1"]),
    ("status", &["status"]),
    ("status", &["status", "--tag", "live", "--at", "0s ago"]),
    ("status", &["status", "--drift", "live:v1"]),
    ("status", &["status", "--drift", "live:never"]),
    ("plan", &["status", "--prefix", "app", "--tag", "live", "--at", "2020-01-01T00:00:00Z", "--plan"]),
    ("plan", &["status", "--at", "2020-01-01T00:00:00Z", "--plan", "--tag", "live", "--confirm", "live"]),
    ("version", &["versions", "app", "1..2", "--state", "active"]),
    ("version", &["changes", "app", "1..latest"]),
    ("version", &["changes", "app", "latest..1"]),
    ("version", &["find", "--label", "commit=1f3"]),
    ("watch", &["watch", "app", "--after-rev", "t0,r0", "--once"]),
    ("watch", &["watch", "app", "live", "--after-rev", "0", "--once"]),
    ("recall", &["recall", "app", "3", "-n", "--untag"]),
    ("recall", &["recall", "app", "3", "--untag"]),
    ("head", &["audit"]),
    ("head", &["audit", "verify", "heads"]),
    ("export", &["export", "--blobs", "blobs"]),
    ("export", &["export", "-o", "export"]),
    ("copied", &["import", "export", "-n"]),
    ("copied", &["import", "export"]),
    ("copied", &["import", "--from", "files", ".", "--pattern", "app-{version}", "--package", "new", "-n"]),
    ("breach", &["fsck", "--read-data"]),
    ("finding", &["doctor", "--probe"]),
    ("garbage", &["gc"]),
    ("garbage", &["gc", "--min-age", "0s", "--delete"]),
];

/// Commands that fail, with the exit code.
const FAILURES: [(i32, &[&str]); 13] = [
    (2, &["tag", "app", "0", "live"]),
    (2, &["nonsense"]),
    (2, &["apply", "nosuch"]),
    (3, &["wait", "app", "never", "--timeout", "0s"]),
    (4, &["info", "nosuch", "latest"]),
    (4, &["info", "app", "live~100", "-v"]),
    (6, &["tag", "app", "2", "live"]),
    (5, &["tag", "app", "1", "live", "--expect", "1", "-v"]),
    (5, &["apply", "plan", "--undo"]),
    (6, &["tag", "app", "3", "v1"]),
    (6, &["delete", "app", "1"]),
    (6, &["tag", "app", "1", "gated"]),
    (6, &["tag", "app", "1", "live", "--require", "tag:canary", "--require", "age:2h"]),
];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    for name in ["one", "two", "three"] {
        sandbox.write(name, name);
    }
    sandbox.write("app-1.0", "one");
    let rules = json!({"rules": [{"prefix": "app", "keep": 3}, {"prefix": "x", "keep": "all"}]});
    sandbox.write("policy", rules.to_string());
    // What is deleted is to be left over, so its bytes are no other version's.
    sandbox.write("two", "only app 2 and web 1 have this");
    sandbox.write(
        "plan",
        json!({"moves": [
            {"package": "app", "tag": "live", "to": 1, "expect": 3},
            {"package": "web", "tag": "live", "to": "latest"},
            {"package": "app", "tag": "stable", "to": "live"},
        ]})
        .to_string(),
    );
    sandbox
}

/// Runs all commands, and gives the lines of each schema; the notices and errors too.
fn printed() -> (BTreeMap<&'static str, Vec<Value>>, BTreeSet<String>) {
    let sandbox = sandbox();
    let (mut lines, mut run): (BTreeMap<_, Vec<Value>>, BTreeSet<_>) = Default::default();
    let mut keep = |schema, arguments: &[&str], wanted: Option<i32>| {
        let output = sandbox.command(&[arguments, &["--json"]].concat()).output().unwrap();
        let code = output.status.code();
        assert!(code == wanted, "{arguments:?}: {}", sandbox.shown(&output));
        let found = objects(&output.stdout);
        assert!(!found.is_empty() || code != Some(0), "{arguments:?} printed nothing");
        // The last line of these, and of no other, is their totals.
        let totals = found.iter().filter(|line| line.get("summary").is_some()).count();
        let has_totals = ["list", "prune", "gc", "fsck", "audit", "import", "copy"].contains(&arguments[0])
            || arguments.contains(&"-o") && arguments[0] == "export";
        assert_eq!(totals, usize::from(has_totals), "{arguments:?}");
        assert!(!has_totals || found.last().unwrap()["summary"]["command"] == arguments[0], "{arguments:?}");
        for line in found {
            let schema = if line.get("summary").is_some() { "totals" } else { schema };
            lines.entry(schema).or_default().push(line);
        }
        for line in objects(&output.stderr) {
            let schema = if line.get("error").is_some() { "error" } else { "notice" };
            lines.entry(schema).or_default().push(line);
        }
        run.insert(arguments[0].to_owned());
    };
    for (schema, arguments) in COMMANDS {
        if arguments.contains(&"heads") {
            sandbox.write("heads", sandbox.ok(&["audit", "-q"]));
        }
        if arguments[0] == "gc" {
            keep("version", &["delete", "web", "1"], Some(0));
        }
        keep(schema, arguments, Some(0));
    }
    for (code, arguments) in FAILURES {
        keep("error", arguments, Some(code));
    }
    fs::remove_dir_all(sandbox.data().join("store/sha256")).unwrap();
    keep("breach", &["fsck"], Some(8));
    sandbox.write("heads", sandbox.read("heads").replace("\"chain\":\"", "\"chain\":\"0"));
    keep("difference", &["audit", "verify", "heads"], Some(8));
    let (ledger, store) = (sandbox.path("other"), sandbox.data().join("store"));
    let (ledger, store) = (format!("file://{}", ledger.display()), format!("file://{}", store.display()));
    let adopt = ["init", "--adopt-store", "--ledger", &ledger, "--store", &store];
    keep("init", &adopt, Some(0));
    keep("init", &adopt, Some(0));
    let (ledger, store) = (sandbox.data().join("ledger"), sandbox.path("blobs"));
    let (ledger, store) = (format!("file://{}", ledger.display()), format!("file://{}", store.display()));
    let (to, at) = (sandbox.path("copy"), sandbox.path("copied"));
    let (to, at) = (format!("file://{}", to.display()), format!("file://{}", at.display()));
    let copy = ["copy", "--from-ledger", &ledger, "--from-store", &store, "--ledger", &to, "--store", &at];
    keep("copied", &copy, Some(0));
    for logged in [&["tag", "app", "1", "live", "-vv"][..], &["info", "app", "99", "-v"]] {
        let output = sandbox.command(&[logged, &["--log-format", "json"]].concat()).output().unwrap();
        lines.entry("log").or_default().extend(objects(&output.stderr));
    }
    (lines, run)
}

#[test]
fn what_is_printed_is_as_described() {
    let schemas = Schemas::read();
    let (lines, run) = printed();
    let wrong: Vec<_> = lines.iter().flat_map(|(schema, lines)| schemas.wrong(schema, lines)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // No command prints a policy: see the next test.
    let described: Vec<_> = schemas.0.keys().map(String::as_str).filter(|name| *name != "policy").collect();
    assert_eq!(lines.keys().copied().collect::<Vec<_>>(), described, "each is used");
    let mut all: BTreeSet<_> = commands(&Sandbox::new()).into_iter().collect();
    assert!(all.remove("completions"), "it prints a script, whatever is asked");
    assert!(all.remove("man-pages"), "it prints nothing");
    let without: Vec<_> = all.difference(&run).collect();
    assert!(without.is_empty(), "without a schema: {without:?}");
}

#[test]
fn a_policy_is_described_as_it_is_read() {
    let schemas = Schemas::read();
    let rule = |more: &str| format!(r#"{{"rules": [{{"prefix": "a/"{more}}}]}}"#);
    for (policy, expected) in [
        (rule(r#", "keep": 3"#), true),
        (rule(r#", "keep": "all", "min_age": "30d", "rollback_depth": 0, "label_keep": "audit""#), true),
        (rule(r#", "min_age": "1h 30m""#), true),
        (rule(""), false),
        (rule(r#", "keep": -1"#), false),
        (rule(r#", "keep": "some""#), false),
        (rule(r#", "keep": null"#), false),
        (rule(r#", "keep": 3, "min_age": 3"#), false),
        (rule(r#", "keep": 3, "rollback_depth": -1"#), false),
        (rule(r#", "keep": 3, "rollback_depth": 65536"#), false),
        (rule(r#", "keep": 3, "label_keep": "a b""#), false),
        (rule(r#", "keep": 3, "more": 1"#), false),
        (r#"{"rules": [{"keep": 3}]}"#.to_owned(), false),
        (r#"{"rules": []}"#.to_owned(), false),
        (r#"{"rules": [{"prefix": "a b", "keep": 3}]}"#.to_owned(), false),
        (r#"{"rules": [], "more": 1}"#.to_owned(), false),
        ("[]".to_owned(), false),
    ] {
        let value: Value = serde_json::from_str(&policy).unwrap();
        assert_eq!(schemas.wrong("policy", &[value]).is_empty(), expected, "the schema: {policy}");
        assert_eq!(policy.parse::<RetentionPolicy>().is_ok(), expected, "the program: {policy}");
    }
}

/// The schemas are strict: otherwise the test above would find nothing.
#[test]
fn the_descriptions_are_strict() {
    const OPTIONAL: [(&str, &str); 22] = [
        ("copied", "numbering"),
        ("version", "rev"),
        ("version", "new"),
        ("version", "gates"),
        ("tag", "protection"),
        ("tag", "gates"),
        ("tag", "no_override"),
        ("tag", "override"),
        ("event", "gates"),
        ("event", "no_override"),
        ("event", "override"),
        ("event", "emergency"),
        ("watch", "gates"),
        ("watch", "no_override"),
        ("watch", "override"),
        ("watch", "emergency"),
        ("status", "frozen"),
        ("status", "now"),
        ("plan", "message"),
        ("init", "adopted"),
        ("init", "former_owner"),
        ("init", "generation"),
    ];
    let schemas = Schemas::read();
    for (schema, lines) in printed().0 {
        let wrong = |line: Value| !schemas.wrong(schema, &[line]).is_empty();
        for line in lines {
            let fields = line.as_object().unwrap();
            for (name, value) in fields {
                let mut less = fields.clone();
                less.remove(name);
                assert!(wrong(less.into()) || OPTIONAL.contains(&(schema, name)), "{schema} without {name}");
                let mut other = fields.clone();
                other.insert(name.clone(), if value.is_array() { json!({}) } else { json!([value]) });
                assert!(wrong(other.into()), "{schema} with another kind of {name}");
            }
            let mut more = fields.clone();
            more.insert("more".to_owned(), Value::Null);
            assert!(wrong(more.into()), "{schema} with another field");
        }
    }
}
