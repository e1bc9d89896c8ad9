//! The same commands concurrently with writers, on an embedded ledger and over a slow link: small here, and at full
//! size with `SACKER_LARGE=1` (`just large`), which prints the figures of `docs/capacity.md`.

use super::{Ran, Sizes, commands, embedded, fill, seed, watched};
use crate::support::{
    backends,
    link::{Link, Shape},
    sandbox::Sandbox,
    world::{edit, of},
};
use sacker::{
    location::LedgerUrl,
    table::{Table, dynamodb::DynamoTable, sqlite::SqliteTable},
};
use serde_json::json;
use std::{
    env,
    process::Command,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

fn is_long() -> bool {
    env::var_os("SACKER_LARGE").is_some()
}

/// Sets the flag when it is dropped, also by a panic.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Does something while two others add, tag, label, untag, yank and delete versions of `large`. Each must succeed.
fn among_writers<T>(sandbox: &Sandbox, ledger: &str, work: impl FnOnce() -> T) -> T {
    let (ended, changes) = (AtomicBool::new(false), AtomicU64::new(0));
    let run = |arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        let output = command.env("SACKER_LEDGER", ledger).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", sandbox.shown(&output));
        changes.fetch_add(1, Relaxed);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let write = |writer: usize| {
        let (file, tag) = (format!("content-{writer}"), format!("writer-{writer}"));
        let mut round = 0;
        while !ended.load(Relaxed) {
            round += 1;
            sandbox.write(&file, format!("{writer} {round} {:?}", Instant::now()));
            let version = run(&["add", "large", &file, "--tag", &tag]);
            run(&["label", "large", &version, "tested=yes"]);
            run(&["untag", "large", &tag]);
            run(&["yank", "large", &version]);
            run(&["delete", "large", &version]);
        }
    };
    let done = thread::scope(|scope| {
        let write = &write;
        (0..2).for_each(|writer| drop(scope.spawn(move || write(writer))));
        let _ends = Ends(&ended);
        work()
    });
    println!("  {} changes were made meanwhile", changes.load(Relaxed));
    done
}

/// Runs a command that must find no error, and prints its duration and memory.
fn measured(mut command: Command, what: &str) -> Ran {
    command.env("FAILPOINTS", "progress=return(1)");
    let began = Instant::now();
    let ran = watched(command);
    let (took, peak) = (began.elapsed(), ran.peak / 1024);
    let signs: Vec<_> = ran.stderr.lines().filter(|line| line.starts_with("note: ")).collect();
    println!("{what}: {:.1} s, {peak} MiB, {} lines", took.as_secs_f32(), ran.stdout.lines().count());
    println!("  {} lines of progress, such as: {}", signs.len(), signs.iter().rev().nth(1).unwrap_or(&""));
    // A command that takes a while shows progress.
    let (counts, moment) = (matches!(what, "fsck" | "gc --min-age 0s"), Duration::from_secs(3));
    assert!(!counts || took < moment || signs.len() > 1, "{what}: {}", ran.stderr);
    ran
}

/// Runs each command among writers. Nothing may look wrong, and nothing that was there before may be left out.
fn all_commands(sandbox: &Sandbox, near: &str, sizes: Sizes, orphans: u64) {
    for (arguments, lines) in commands(sizes, orphans) {
        let what = arguments.join(" ");
        let ran = among_writers(sandbox, near, || measured(sandbox.command(arguments), &what));
        assert!(ran.status.success(), "{what}: {}\n{}{}", ran.status, ran.stdout, ran.stderr);
        let printed = ran.stdout.lines().count() as u64;
        assert!(printed >= lines, "{what}: {printed} of {lines} lines");
        assert!(arguments[0] != "fsck" || printed == 0, "{}", ran.stdout);
    }
}

#[test]
fn a_large_embedded_ledger_among_writers() {
    if !is_long() {
        return embedded_among_writers(Sizes { versions: 600, dead_tags: 60, others: 1500, share: 10 });
    }
    // One package, and then a million blobs.
    let one = Sizes { versions: 100_000, dead_tags: 10_000, others: 0, share: 100 };
    embedded_among_writers(one);
    embedded_among_writers(Sizes { others: 900_000, share: 1, ..one });
}

fn embedded_among_writers(sizes: Sizes) {
    println!("{sizes:?}");
    let orphans = sizes.versions / 100;
    let sandbox = embedded(sizes, orphans);
    let ledger = sandbox.variable("SACKER_LEDGER").to_owned();
    all_commands(&sandbox, &ledger, sizes, orphans);
    // And one edit is found, and only that.
    let LedgerUrl::Directory(directory) = of(&ledger) else { panic!("{ledger}") };
    let middle = sizes.versions / 2;
    let (table, key) = (SqliteTable::open(&directory), format!("V#{middle:016}"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(edit(&table, "P#large", &key, json!({ "message": "daily" })));
    let ran = among_writers(&sandbox, &ledger, || measured(sandbox.command(&["fsck"]), "fsck"));
    assert_eq!(ran.status.code(), Some(8), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
    assert!(ran.stdout.starts_with("chain ") && ran.stdout.contains(&key), "{}", ran.stdout);
}

#[test]
fn a_large_ledger_over_a_slow_link_among_writers() {
    let sizes = if is_long() {
        Sizes { versions: 4000, dead_tags: 400, others: 1000, share: 1 }
    } else {
        Sizes { versions: 300, dead_tags: 30, others: 10, share: 10 }
    };
    let orphans = sizes.versions / 100;
    let (table, server) = (backends::unique("large"), backends::dynamodb());
    let near = format!("dynamodb://{table}?region=us-east-1&endpoint={server}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let shape = Shape { rtt: Duration::from_millis(100), rate: Some(250_000), ..Shape::default() };
    let link = runtime.block_on(Link::start(&server, shape));
    let far = format!("dynamodb://{table}?region=us-east-1&endpoint={}", link.url());
    let mut sandbox = Sandbox::new();
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        sandbox = sandbox.set(name, env::var(name).unwrap());
    }
    let store = sandbox.path("store");
    let sandbox =
        sandbox.set("SACKER_STORE", format!("file://{}", store.display())).set("SACKER_LEDGER", far);
    let mut init = sandbox.command(&["init"]);
    let init = init.env("SACKER_LEDGER", &near).output().unwrap();
    assert!(init.status.success(), "{}", sandbox.shown(&init));
    runtime.block_on(async {
        let client = backends::aws().dynamodb(&backends::at(server)).await.unwrap();
        let table: Box<dyn Table> = Box::new(DynamoTable::new(client, table));
        seed(&*table, sizes, 100).await;
    });
    fill(&store, sizes, orphans);
    all_commands(&sandbox, &near, sizes, orphans);
    println!("{:?}", link.counts());
}
