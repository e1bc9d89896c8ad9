//! `download -o -` to a slow reader: the use of memory, and a server that closes the connection.

use crate::support::{
    sandbox::Sandbox,
    server::{Fault, Server},
};
use std::{
    fs,
    io::Read,
    os::unix::fs::{FileExt, MetadataExt},
    process::{Child, Stdio},
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    thread,
    time::Duration,
};

const MIB: usize = 1 << 20;

/// A ledger on the disk, and a store there or on a server.
fn sandbox(server: Option<&Server>) -> Sandbox {
    let sandbox = Sandbox::new();
    let at = |name| format!("file://{}", sandbox.path(name).display());
    let store = server.map_or_else(
        || at("store"),
        |server| format!("s3://bucket/p?region=us-east-1&endpoint={}", server.endpoint),
    );
    let ledger = at("ledger");
    sandbox
        .set("SACKER_LEDGER", ledger)
        .set("SACKER_STORE", store)
        .set("AWS_ACCESS_KEY_ID", "key")
        .set("AWS_SECRET_ACCESS_KEY", "secret")
}

/// The most memory that a process has had, in MiB.
fn peak(child: &Child) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

/// Waits until a process takes no more memory.
fn settled(child: &Child) -> usize {
    let (mut last, mut equal) = (0, 0);
    for _ in 0..100 {
        thread::sleep(Duration::from_millis(200));
        let now = peak(child);
        equal = if now == last { equal + 1 } else { 0 };
        if equal == 5 {
            return now;
        }
        last = now;
    }
    panic!("it takes more and more memory: {last} MiB");
}

fn reading(sandbox: &Sandbox, deadline: &str) -> Child {
    let mut command = sandbox.command(&["download", "app", "1", "-o", "-", "--deadline", deadline]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn unread_output_is_not_kept_in_memory() {
    const SIZE: usize = 160 * MIB;
    let server = Server::new();
    for server in [None, Some(&server)] {
        let sandbox = sandbox(server);
        fs::File::create(sandbox.path("f")).unwrap().set_len(SIZE as u64).unwrap();
        sandbox.ok(&["add", "app", "f", "-q"]);
        let mut child = reading(&sandbox, "30s");
        let mut stdout = child.stdout.take().unwrap();
        let mut some = [0; 1];
        stdout.read_exact(&mut some).unwrap();
        let taken = settled(&child);
        println!("{} MiB of {}", taken, SIZE / MIB);
        assert!(taken < 110, "{taken} MiB");
        let rest = std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
        assert_eq!(rest + 1, SIZE as u64);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", sandbox.shown(&output));
    }
}

/// A server closes a connection on which nobody reads for long: each piece is resumed where it was.
#[test]
fn a_server_that_hangs_up_on_a_slow_reader_is_asked_for_the_rest() {
    let server = Server::new();
    let sandbox = sandbox(Some(&server));
    let mut bytes = vec![0; 60 * MIB];
    fastrand::fill(&mut bytes);
    sandbox.write("f", &bytes);
    sandbox.ok(&["add", "app", "f", "-q"]);
    let asked = AtomicUsize::new(0);
    server.faults(move |request| {
        let cut = request.operation == "GetObject" && asked.fetch_add(1, SeqCst).is_multiple_of(2);
        cut.then_some(Fault::Cut)
    });
    let before = server.seen().len();
    let mut child = reading(&sandbox, "4s");
    let mut stdout = child.stdout.take().unwrap();
    // For longer than the deadline.
    thread::sleep(Duration::from_secs(6));
    let mut got = Vec::new();
    stdout.read_to_end(&mut got).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", sandbox.shown(&output));
    assert!(got == bytes);
    // What had arrived is not asked for again: no two ranges begin at one byte.
    let ranges: Vec<_> =
        server.seen()[before..].iter().filter_map(|request| request.headers.get("range").cloned()).collect();
    let mut begins: Vec<_> = ranges.iter().map(|range| range.split('-').next().unwrap()).collect();
    begins.sort_unstable();
    let count = begins.len();
    begins.dedup();
    assert_eq!(begins.len(), count, "{ranges:?}");
    assert!(count > 30, "{ranges:?}");
}

#[test]
fn a_sparse_file_is_added_and_fetched_with_its_holes() {
    let server = Server::new();
    for server in [None, Some(&server)] {
        let sandbox = sandbox(server);
        let file = fs::File::create(sandbox.path("f")).unwrap();
        file.set_len(64 * MIB as u64 + 5).unwrap();
        file.write_all_at(b"in the middle", 33 * MIB as u64).unwrap();
        sandbox.ok(&["add", "app", "f", "-q"]);
        sandbox.ok(&["download", "app", "1", "-o", "copy", "-q"]);
        assert!(fs::read(sandbox.path("copy")).unwrap() == fs::read(sandbox.path("f")).unwrap());
        let taken = fs::metadata(sandbox.path("copy")).unwrap().blocks() * 512;
        assert!(taken < 2 * MIB as u64, "{taken} bytes on the disk");
        if !cfg!(feature = "failpoints") {
            continue;
        }
        // The room is asked for as if it had no holes, since the ledger knows of none.
        let mut command = sandbox.command(&["download", "app", "1", "-o", "other"]);
        let output = command.env("FAILPOINTS", "free=return(5000)").output().unwrap();
        let shown = sandbox.shown(&output);
        assert!(shown.starts_with("exit 2\n"), "{shown}");
        assert!(shown.contains("67108869 bytes are needed, and 5000 are free"), "{shown}");
    }
}
