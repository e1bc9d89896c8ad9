//! Every command on a ledger in ZooKeeper: the same output as on the embedded ledger; and many processes at once.

use crate::support::{backends, sandbox::Sandbox, zookeeper};
use std::{collections::BTreeSet, process::Stdio};

/// A line of arguments for each run.
const RUNS: [&str; 44] = [
    "init",
    "init",
    "add app one --tag live --label commit=1f3 -m first",
    "add app two --tag canary --key k",
    "add app two --tag canary --key k",
    "add app two --if-changed",
    "add other one",
    "list",
    "list -l --json",
    "versions app",
    "tags app --json",
    "info app live",
    "tag app canary live --expect 1",
    "tag app 1 live --expect 1",
    "rollback app live",
    "rollback app live",
    "untag app canary",
    "protect --confirm app live",
    "tag app 2 live",
    "tag app 2 live --confirm live",
    "unprotect app live",
    "label app 2 tests=passed",
    "label app 2 tests=failed",
    "apply -n plan",
    "apply plan",
    "apply --undo plan",
    "yank app 1",
    "unyank app 1",
    "untag other live",
    "delete other 1",
    "history app",
    "history app live --json",
    "history app --limit 2",
    "wait app live --version 2 --timeout 1s",
    "download app live -o got",
    "download app 9 -o got",
    "gc",
    "gc --delete",
    "export -q -o export --blobs blobs",
    "import export --blobs blobs",
    "audit --json",
    "audit",
    "fsck --read-data",
    "completions bash",
];

fn prepare(sandbox: &Sandbox) {
    sandbox.write("one", "one\n");
    sandbox.write("two", "second\n");
    sandbox.write("plan", r#"{"moves": [{"package": "app", "tag": "live", "to": 1}, {"package": "app", "tag": "beta", "to": 2}]}"#);
}

/// Runs everything and returns the output, with the ledger's URL and hashes of chains masked.
fn all(sandbox: &Sandbox) -> Vec<String> {
    let ledger = sandbox.variable("SACKER_LEDGER").to_owned();
    let ledger = sandbox.masked(&ledger);
    let mut shown = Vec::new();
    for run in RUNS {
        let said = sandbox.run(&run.split(' ').collect::<Vec<_>>()).replace(&ledger, "[LEDGER]");
        // The chains cover the times.
        let word = |word: &str| if is_hash(word) { "[HASH]".to_owned() } else { word.to_owned() };
        let kept = said.lines().filter(|line| !line.contains("access control list"));
        let masked = kept.map(|line| line.split('"').map(word).collect::<Vec<_>>().join("\""));
        shown.push(format!("{run}: {}", masked.collect::<Vec<_>>().join("\n")));
    }
    shown
}

fn is_hash(word: &str) -> bool {
    word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit())
}

#[test]
fn each_command_says_what_it_says_on_the_embedded_ledger() {
    let here = zookeeper::sandbox();
    let embedded = Sandbox::new();
    let place = |name: &str| format!("file://{}/{name}", embedded.home().display());
    let (ledger, store) = (place("ledger"), place("blobs"));
    let embedded = embedded.set("SACKER_LEDGER", ledger).set("SACKER_STORE", store);
    prepare(&here);
    prepare(&embedded);
    for (found, expected) in all(&here).into_iter().zip(all(&embedded)) {
        assert_eq!(found, expected);
    }
}

#[test]
fn a_ledger_is_copied_adopted_and_examined() {
    let sandbox = zookeeper::sandbox();
    prepare(&sandbox);
    sandbox.ok(&["init"]);
    sandbox.ok(&["add", "app", "one", "--tag", "live"]);
    sandbox.ok(&["add", "app", "two"]);
    let doctor = sandbox.ok(&["doctor", "--probe"]);
    for part in ["access control list", "zookeeper://"] {
        assert!(doctor.contains(part), "{part}: {doctor}");
    }

    // To another root and store, and back to an embedded ledger.
    let other = format!("zookeeper://{}/{}", backends::zookeeper_ensemble(), backends::unique("copy"));
    let local = format!("file://{}/local", sandbox.home().display());
    let (from, store) = (sandbox.variable("SACKER_LEDGER"), sandbox.variable("SACKER_STORE"));
    let mut places = vec![(from.to_owned(), store.to_owned())];
    for (n, to) in [other, local].into_iter().enumerate() {
        let to_store = format!("file://{}/store{n}", sandbox.home().display());
        let (ledger, store) = places.last().unwrap().clone();
        let to_here = ["--ledger", &to, "--store", &to_store];
        sandbox.ok(&[&["init"][..], &to_here].concat());
        let from = ["--from-ledger", &ledger, "--from-store", &store];
        sandbox.ok(&[&["copy", "-q"][..], &from, &to_here].concat());
        assert_eq!(sandbox.ok(&[&["fsck", "--read-data", "-q"][..], &to_here].concat()), "");
        let tags = sandbox.ok(&[&["tags", "app"][..], &to_here].concat());
        assert_eq!(tags, sandbox.ok(&["tags", "app"]));
        places.push((to, to_store));
    }

    // A store that belongs to another ledger is refused, and can be adopted.
    let fresh = format!("zookeeper://{}/{}", backends::zookeeper(), backends::unique("fresh"));
    let here = ["--ledger", &fresh, "--store", store];
    let refused = sandbox.run(&[&["init"][..], &here].concat());
    assert!(refused.starts_with("exit 2\n") || refused.starts_with("exit 6\n"), "{refused}");
    let adopted = sandbox.ok(&[&["init", "--adopt-store"][..], &here].concat());
    assert!(adopted.contains("adopted"), "{adopted}");
    assert_eq!(sandbox.ok(&[&["add", "app", "one"][..], &here].concat()), "1\n");
    assert_eq!(sandbox.ok(&[&["fsck", "-q"][..], &here].concat()), "");
}

#[test]
fn sixteen_processes_add_at_once() {
    const PROCESSES: usize = 16;
    let sandbox = zookeeper::sandbox();
    sandbox.ok(&["init"]);
    let children: Vec<_> = (0..PROCESSES)
        .map(|n| {
            let name = format!("f{n}");
            sandbox.write(&name, format!("content {n}"));
            let mut command = sandbox.command(&["add", "app", &name, "-q", "--tag", "live"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut versions = BTreeSet::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", sandbox.shown(&output));
        versions.insert(String::from_utf8(output.stdout).unwrap().trim().parse::<usize>().unwrap());
    }
    assert_eq!(versions, (1..=PROCESSES).collect());
    assert_eq!(sandbox.ok(&["fsck", "--read-data"]), "");
}
