//! Commands on large ledgers: their results are right, their memory hardly grows, and they show progress.

mod long;
mod seed;

use crate::support::{sandbox::Sandbox, world::of};
use sacker::{location::LedgerUrl, table::sqlite::SqliteTable};
use seed::{Sizes, fill, seed};
use std::{
    fs,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

/// The result of a command.
struct Ran {
    status: ExitStatus,
    stdout: String,
    stderr: String,
    /// The most memory that it had at once, in KiB.
    peak: u64,
}

/// Runs a command, and watches its memory.
///
/// The system keeps the peak, which grows only. So only what it grows between the last look and the end is missed.
fn watched(mut command: Command) -> Ran {
    let file = || tempfile::tempfile().unwrap();
    let (stdout, stderr) = (file(), file());
    let child = command
        // One heap for all threads, so that the peak is what is held.
        .env("MALLOC_ARENA_MAX", "1")
        .stdout(Stdio::from(stdout.try_clone().unwrap()))
        .stderr(Stdio::from(stderr.try_clone().unwrap()))
        .spawn()
        .unwrap();
    let (status, peak) = watch(child);
    let text = |mut file: fs::File| {
        use std::io::{Read, Seek};
        file.rewind().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        text
    };
    Ran { status, stdout: text(stdout), stderr: text(stderr), peak }
}

fn watch(mut child: Child) -> (ExitStatus, u64) {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let read = fs::read_to_string(&status).unwrap_or_default();
        let line = read.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let seen = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(seen.unwrap_or(0));
        if let Some(ended) = child.try_wait().unwrap() {
            return (ended, peak);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// An embedded ledger of these sizes.
fn embedded(sizes: Sizes, orphans: u64) -> Sandbox {
    let sandbox = Sandbox::new();
    let url = format!("file://{}", sandbox.path("data").display());
    let sandbox = sandbox.set("SACKER_LEDGER", &url).set("SACKER_STORE", &url);
    sandbox.ok(&["init"]);
    let LedgerUrl::Directory(directory) = of(&url) else { panic!("{url}") };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(seed(&SqliteTable::open(&directory), sizes, 1000));
    fill(&directory, sizes, orphans);
    sandbox
}

/// The commands whose memory is bounded, and the number of lines that each prints.
fn commands(sizes: Sizes, orphans: u64) -> [(&'static [&'static str], u64); 4] {
    let Sizes { versions, dead_tags, .. } = sizes;
    let events = versions + versions * 3 / 10 + 2 * dead_tags + 1;
    let heading = 1;
    [
        (&["fsck"], 0),
        (&["gc", "--min-age", "0s"], orphans + sizes.unneeded()),
        (&["versions", "large"], versions + heading),
        (&["history", "large"], events + heading),
    ]
}

/// Runs each command and checks its result. Returns the peaks of memory in KiB.
#[cfg(target_os = "linux")]
fn peaks(sandbox: &Sandbox, sizes: Sizes, orphans: u64) -> Vec<(&'static str, u64)> {
    let commands = commands(sizes, orphans);
    let ran = commands.map(|(arguments, lines)| {
        let mut command = sandbox.command(arguments);
        command.env("FAILPOINTS", "progress=return(0)");
        let Ran { status, stdout, stderr, peak } = watched(command);
        assert!(status.success(), "{arguments:?}: {status}\n{stdout}{stderr}");
        assert_eq!(stdout.lines().count() as u64, lines, "{arguments:?}: {stderr}");
        // Each page is a sign of life: the package's versions are counted, too. The others print as they read.
        let counts = |what: &str| {
            let last =
                stderr.lines().filter_map(|line| line.strip_prefix("note: ")?.strip_prefix(what)).next_back();
            last.and_then(|count| count.split(' ').next()?.parse().ok()).unwrap_or(0_u64)
        };
        match arguments[0] {
            "fsck" => assert!(counts("examining the ledger: ") > 2 * sizes.versions, "{stderr}"),
            "gc" => assert!(counts("listing the store: ") > orphans, "{stderr}"),
            _ => {}
        }
        (arguments[0], peak)
    });
    ran.into()
}

/// The memory of each command on three times as many versions, tags and blobs.
#[cfg(target_os = "linux")]
#[test]
fn memory_hardly_grows_with_the_ledger() {
    const MOST: [(&str, u64); 4] = [("fsck", 1200), ("gc", 800), ("versions", 800), ("history", 800)];
    let sizes =
        [4000, 12_000].map(|versions| Sizes { versions, dead_tags: versions / 10, others: 0, share: 20 });
    let [small, large] = sizes.map(|sizes| {
        let orphans = sizes.versions / 100;
        peaks(&embedded(sizes, orphans), sizes, orphans)
    });
    let more = sizes[1].versions - sizes[0].versions;
    for (((command, small), (_, large)), (_, most)) in small.into_iter().zip(large).zip(MOST) {
        let each = large.saturating_sub(small) * 1024 / more;
        println!("{command}: {small} KiB and {large} KiB, {each} bytes for each version");
        assert!(each <= most, "{command}: {each} bytes for each version; {small} KiB and {large} KiB");
    }
}
