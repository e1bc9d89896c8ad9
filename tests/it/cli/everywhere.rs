//! Every command, on each ledger with each store: it prints what it prints on the embedded ones.

use crate::{
    cli::help::commands,
    support::{
        places::{self, Make, on_each_pair},
        sandbox::Sandbox,
    },
};
use std::collections::BTreeSet;

/// A command and its exit code. `@NAME` is a URL of a place that [`run`] makes.
struct Step {
    line: &'static str,
    code: i32,
    /// Its output depends on the back ends: only the exit code counts.
    own: bool,
}

const fn step(line: &'static str) -> Step {
    Step { line, code: 0, own: false }
}

const fn failing(line: &'static str, code: i32) -> Step {
    Step { line, code, own: false }
}

const fn own(line: &'static str, code: i32) -> Step {
    Step { line, code, own: true }
}

const STEPS: &[Step] = &[
    own("init", 0),
    own("init --json", 0),
    own("init --ledger @second --store @second-store", 0),
    own("init --ledger @third --store @third-store", 0),
    step("list"),
    failing("info app latest", 4),
    step("add app one --tag live --label commit=1f3 -m first --key build-1"),
    step("add app one --tag live --label commit=1f3 -m first --key build-1"),
    step("add app two --tag canary --label commit=2a7"),
    step("add app three --filename other.bin --expect-latest 2"),
    step("add app three --if-changed"),
    failing("add app one --expect-latest 1", 5),
    step("add zoo four --tag live"),
    step("list -l"),
    step("versions app"),
    step("versions app --json"),
    step("tags app"),
    step("info app live --json"),
    step("info app canary"),
    own("info app canary -v", 0),
    step("download app 1 -o copy"),
    step("download app latest -o -"),
    step("tag app canary live --expect 1 -m promoted --require label:commit=2a7 --key move-1"),
    step("wait app live --version 2 --timeout 5s"),
    failing("tag app 1 live --expect 3", 5),
    step("rollback app live -m worse --json"),
    step("apply plan.json"),
    step("apply plan.json --undo -m back"),
    step("untag app canary"),
    step("tag app 2 canary"),
    step("history app"),
    step("history app live --limit 2 --json"),
    step("status"),
    step("status --json --tag live"),
    step("status --drift canary:live"),
    step("status --at 0s-ago --prefix app --json"),
    step("status --at 2020-01-01T00:00:00Z --plan --prefix zoo --json"),
    step("versions app 2.. --label commit=2a7 --state active"),
    step("changes app 1..latest"),
    step("changes app canary..live --json"),
    failing("changes app live..never", 4),
    step("find --label commit=2a7 --json"),
    step("watch app live --after-rev 1 --once"),
    step("watch app --after-rev t0,r0 --once"),
    step("watch --prefix zoo --cursor cursor --once"),
    failing("watch app --after-rev t99 --once", 4),
    step("protect app live --confirm"),
    failing("tag app 3 live", 6),
    step("unprotect app live"),
    step("protect app live --require tag:canary --require label:tests=passed"),
    failing("check app 3 live", 6),
    failing("tag app 3 live --json", 6),
    step("tags app -l"),
    step("info app 3"),
    step("tag app 3 live --override urgent"),
    step("rollback app live --json"),
    failing("check app 2 live --require was:live", 6),
    step("unprotect app live --json"),
    step("freeze --prefix ap -m incident --until 2099-01-01T00:00:00Z"),
    step("freeze --prefix zoo -m audit --strict --key f --json"),
    step("freeze --list"),
    failing("tag app 3 live", 6),
    failing("add zoo four --tag live --emergency fix", 6),
    step("tag app 3 live --emergency fix"),
    step("rollback app live"),
    step("thaw --prefix ap"),
    step("thaw --prefix zoo --key t"),
    failing("thaw", 4),
    step("freeze --history"),
    step("history app live --limit 2"),
    step("tag app 3 live"),
    step("recall app 3 -n"),
    step("recall app 3 -m broken"),
    step("unyank app 3"),
    step("yank app 3 -m broken"),
    failing("tag app 3 live", 6),
    step("unyank app 3"),
    step("label app 3 tests=passed"),
    failing("delete app 2", 6),
    step("yank app 3"),
    step("delete app 3 -m gone"),
    failing("info app 3", 4),
    own("gc --min-age 0s", 0),
    own("gc --min-age 0s --delete", 0),
    failing("download app 3 -o none", 4),
    failing("undelete app 3", 6),
    step("add app five"),
    step("delete app 4"),
    step("undelete app 4 -m mistake"),
    step("download app 4 -o -"),
    step("add app one --tag live"),
    step("tag app 4 live"),
    step("rollback app live"),
    step("delete app 4"),
    step("prune app --keep 1 --json"),
    step("prune --policy policy.json"),
    step("prune --keep 1 --rollback-depth 0 --min-age 0s --delete -m retention"),
    step("fsck --read-data"),
    step("fsck --repair --json"),
    step("audit"),
    step("audit verify heads"),
    step("export -o export --blobs blobs"),
    step("import export --blobs blobs --ledger @second --store @second-store -n"),
    step("import export --blobs blobs --ledger @second --store @second-store"),
    step("fsck --read-data --ledger @second --store @second-store"),
    step("copy --from-ledger @ledger --from-store @store --ledger @third --store @third-store"),
    step("history app --ledger @third --store @third-store"),
    step("add app two --tag live"),
    step("copy --from-ledger @ledger --from-store @store --ledger @third --store @third-store"),
    step("tags app --ledger @third --store @third-store"),
    own("add app one --ledger @second --store @store", 2),
    own("init --adopt-store --ledger @second --store @store", 0),
    step("add app one --ledger @second --store @store"),
    step("fsck --ledger @second --store @store"),
    own("add app one", 2),
    step("completions bash"),
    step("man-pages pages"),
];

const PLAN: &str = r#"{"moves": [{"package": "app", "to": "3", "tag": "live"},
    {"package": "zoo", "to": "1", "tag": "canary"}], "message": "together"}"#;

/// Runs all steps, and returns the output of each.
fn run(ledger: Make, store: Make) -> Vec<String> {
    let sandbox = Sandbox::new();
    let names = ["ledger", "store", "second", "second-store", "third", "third-store"];
    let places = names.map(|name| {
        let make = if name.ends_with("store") { store } else { ledger };
        (format!("@{name}"), make(&sandbox, name))
    });
    let variables = places.iter().flat_map(|(_, place)| place.variables.clone()).collect::<Vec<_>>();
    let mut sandbox = sandbox;
    for (name, value) in variables {
        sandbox = sandbox.set(name, value);
    }
    let [(_, first), (_, first_store), ..] = &places;
    sandbox = sandbox.set("SACKER_LEDGER", &first.url).set("SACKER_STORE", &first_store.url);
    for (name, content) in [
        ("one", "one\n"),
        ("two", "second\n"),
        ("three", "the third\n"),
        ("four", "4\n"),
        ("five", "the fifth, and no other\n"),
        ("plan.json", PLAN),
        ("policy.json", r#"{"rules": [{"prefix": "zoo", "keep": "all"}, {"prefix": "app", "keep": 2}]}"#),
    ] {
        sandbox.write(name, content);
    }
    STEPS.iter().map(|step| output(&sandbox, &places, step)).collect()
}

fn output(sandbox: &Sandbox, places: &[(String, places::Place)], step: &Step) -> String {
    let arguments: Vec<_> = step
        .line
        .split(' ')
        // A moment has a space in it.
        .map(|word| if word == "0s-ago" { "0s ago" } else { word })
        .map(|word| places.iter().find(|(name, _)| name == word).map_or(word, |(_, place)| &place.url))
        .collect();
    let output = sandbox.command(&arguments).output().unwrap();
    if step.line == "audit" {
        sandbox.write("heads", &output.stdout);
    }
    let mut shown = sandbox.shown(&output);
    assert_eq!(output.status.code(), Some(step.code), "{}: {shown}", step.line);
    // Each back end reports its calls.
    assert_eq!(step.line.ends_with(" -v"), shown.contains("2| trace: "), "{}: {shown}", step.line);
    // Longer names first: one is the beginning of another.
    for (name, place) in places.iter().rev() {
        for url in [sandbox.masked(&place.url), place.url.clone()] {
            shown = shown.replace(&url, name);
        }
    }
    if step.own { format!("exit {}\n", step.code) } else { shown }
}

fn compare(ledger: Make, store: Make) {
    let embedded = run(places::directory, places::directory);
    for ((step, here), there) in STEPS.iter().zip(run(ledger, store)).zip(embedded) {
        assert_eq!(comparable(&here), comparable(&there), "{}", step.line);
    }
}

/// The lines in one order, since packages are copied concurrently, and without the values of chains, which depend on
/// the times.
fn comparable(text: &str) -> String {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    let word = |word: &str| {
        let chain = word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
        if chain { "[HASH]".to_owned() } else { word.to_owned() }
    };
    lines.join("\n").split('"').map(word).collect::<Vec<_>>().join("\"")
}

on_each_pair!(compare);

#[test]
fn no_command_is_left_out() {
    let commands = commands(&Sandbox::new());
    let all: BTreeSet<_> = commands.iter().map(String::as_str).collect();
    let run: BTreeSet<_> = STEPS.iter().filter_map(|step| step.line.split(' ').next()).collect();
    // `doctor` examines one set-up, and has tests of its own.
    let missing: Vec<_> = all.difference(&run).filter(|name| **name != "doctor").collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(all.len() > 20, "{all:?}");
}
