//! File systems and hosts that can do less than a local disk, by injected errors.

use crate::support::sandbox::{Sandbox, eventually};
use insta::assert_snapshot;
use std::fs;

/// Runs a command under failpoints and shows what it printed.
fn run(sandbox: &Sandbox, failpoints: &str, arguments: &[&str]) -> String {
    sandbox.shown(&sandbox.command(arguments).env("FAILPOINTS", failpoints).output().unwrap())
}

#[test]
fn a_file_system_that_flushes_nothing_fails_nothing() {
    // EINVAL, EOPNOTSUPP, ENOSYS; and EINTR, a few times.
    for number in ["return(22)", "return(95)", "return(38)", "3*return(4)"] {
        let sandbox = Sandbox::with_app();
        let failpoints = format!("fsync={number};fsync-directory={number}");
        sandbox.write("f", number);
        assert_eq!(run(&sandbox, &failpoints, &["add", "other", "f"]), "exit 0\n1| 1\n", "{number}");
        let download = ["download", "other", "1", "-o", "copy"];
        assert_eq!(run(&sandbox, &failpoints, &download), "exit 0\n1| copy\n", "{number}");
        assert_eq!(sandbox.read("copy"), number);
    }
    // A disk that fails is another matter.
    let sandbox = Sandbox::with_app();
    assert_snapshot!(run(&sandbox, "fsync=return(5)", &["download", "app", "1", "-o", "copy"]), @"
    exit 2
    2| error: downloading app 1: can't write copy: Input/output error
    2| hint: -o PATH writes to another file
    ");
    assert!(!sandbox.path("copy").exists());
}

#[test]
fn a_signal_interrupts_no_reading() {
    let sandbox = Sandbox::with_app();
    sandbox.write("f", vec![1; 3 << 20]);
    assert_eq!(run(&sandbox, "read=3*return(4)", &["add", "app", "f"]), "exit 0\n1| 4\n");
    let download = ["download", "app", "4", "-o", "f"];
    assert_eq!(run(&sandbox, "read=3*return(4)", &download), "exit 0\n1| f\n");
}

/// A package `large` of three parts, and a download of it to `copy` that was killed when all had landed.
fn interrupted(failpoints: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("large", vec![7; 20 << 20]);
    sandbox.ok(&["add", "large", "large"]);
    let sign = sandbox.path("sign");
    let failpoints = format!("download-complete=return({});{failpoints}", sign.display());
    let mut command = sandbox.command(&["download", "large", "1", "-o", "copy"]);
    let mut child = command.env("FAILPOINTS", failpoints).spawn().unwrap();
    eventually("it is complete", || sign.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    sandbox
}

fn partial(sandbox: &Sandbox) -> Option<String> {
    sandbox.files(".").into_iter().find(|name| name.starts_with(".sacker-"))
}

#[test]
fn a_download_is_resumed_where_users_are_mapped() {
    // Files of this process have another owner than its user.
    let mapped = "uid=return(54321)";
    let sandbox = interrupted(mapped);
    assert!(partial(&sandbox).is_some());
    assert_snapshot!(run(&sandbox, mapped, &["download", "large", "1", "-o", "copy"]), @"
    exit 0
    1| copy
    2| note: resuming an interrupted transfer: 20.0 MiB were transferred before
    ");
    assert_eq!(partial(&sandbox), None);
}

#[test]
fn a_download_needs_no_locks_and_leaves_nothing_without() {
    let sandbox = Sandbox::new();
    sandbox.write("large", vec![7; 20 << 20]);
    sandbox.ok(&["add", "large", "large"]);
    // ENOLCK, EBADF, EOPNOTSUPP.
    for number in [37, 9, 95] {
        let failpoints = format!("flock=return({number})");
        let download = ["download", "large", "1", "-o", "copy"];
        assert_eq!(run(&sandbox, &failpoints, &download), "exit 0\n1| copy\n", "{number}");
        assert_eq!(partial(&sandbox), None);
        fs::remove_file(sandbox.path("copy")).unwrap();
    }
}

#[test]
fn a_full_disk_is_found_before_the_first_byte() {
    let sandbox = Sandbox::new();
    sandbox.write("large", vec![7; 20 << 20]);
    assert_snapshot!(run(&sandbox, "free=return(5000)", &["add", "large", "large"]), @"
    exit 2
    2| note: nothing is configured; using the embedded ledger and store under [HOME]/.local/share/sacker
    2| error: adding large to large in file://[HOME]/.local/share/sacker/store: storing the blob 92bfec7ec8cf2f28a714e46dcce73e643a632e5613aea37245cf56c9689f9ff9 in [HOME]/.local/share/sacker/store: the local disk failed: No space left on device: 20971520 bytes are needed, and 5000 are free
    2| hint: free space at file://[HOME]/.local/share/sacker/store
    ");
    sandbox.ok(&["add", "large", "large"]);
    assert_snapshot!(run(&sandbox, "free=return(5000)", &["download", "large", "1", "-o", "copy"]), @"
    exit 2
    2| error: downloading large 1: can't write copy: No space left on device: 20971520 bytes are needed, and 5000 are free
    2| hint: free space at .
    ");
    assert!(!sandbox.path("copy").exists());
    assert_eq!(partial(&sandbox), None);
    // What has landed needs no more room, and stays.
    let sandbox = interrupted("uid=off");
    assert_eq!(
        run(&sandbox, "free=return(5000)", &["download", "large", "1", "-o", "copy", "-q"]),
        "exit 0\n1| copy\n"
    );
}

#[test]
fn a_stream_that_finds_no_room_names_the_variable_that_gives_it_some() {
    let sandbox = Sandbox::new();
    sandbox.write("f", "x");
    // ENOSPC.
    let output = sandbox
        .shell("exec \"$sacker\" add app - < f")
        .env("FAILPOINTS", "spool=return(28)")
        .output()
        .unwrap();
    assert_snapshot!(sandbox.shown(&output), @"
    exit 2
    2| note: nothing is configured; using the embedded ledger and store under [HOME]/.local/share/sacker
    2| error: adding standard input to app: can't buffer standard input in [HOME]/tmp: No space left on device
    2| hint: set TMPDIR to a directory with more space: [HOME]/tmp may be in memory; or add a file by its path, which needs no copy
    ");
}

#[test]
fn there_is_a_sign_of_life_off_a_terminal() {
    let sandbox = Sandbox::new();
    sandbox.write("large", vec![7; 20 << 20]);
    // At each step, in place of every 10 seconds.
    let shown = run(&sandbox, "progress=return(0)", &["add", "app", "large"]);
    assert!(shown.contains("2| note: reading: 2.0 MiB of 20.0 MiB\n"), "{shown}");
    assert!(shown.contains("2| note: uploading: 20.0 MiB of 20.0 MiB\n"), "{shown}");
    let shown = run(&sandbox, "progress=return(0)", &["download", "app", "1", "-o", "copy"]);
    assert!(shown.contains("2| note: downloading: 20.0 MiB of 20.0 MiB\n"), "{shown}");
    let shown = run(&sandbox, "progress=return(0)", &["fsck", "--read-data", "--json"]);
    assert!(shown.contains(r#"{"note":{"message":"downloading: 20.0 MiB of 20.0 MiB"}}"#), "{shown}");
    for counted in ["examining the ledger: 5 items", "listing the store: 1 object"] {
        assert!(shown.contains(&format!(r#"{{"note":{{"message":"{counted}"}}}}"#)), "{shown}");
    }
    let shown = run(&sandbox, "progress=return(0)", &["gc"]);
    assert!(shown.contains("2| note: listing the store: 1 object\n"), "{shown}");
    assert_eq!(run(&sandbox, "progress=return(0)", &["add", "app", "large", "-q"]), "exit 0\n1| 2\n");
    assert_eq!(run(&sandbox, "progress=return(3600)", &["add", "app", "large"]), "exit 0\n1| 3\n");
}

#[test]
fn what_is_configured_needs_no_home() {
    let sandbox = Sandbox::new();
    let at = |name| format!("file://{}/{name}", sandbox.home().display());
    sandbox.write("f", "x");
    // Where nothing can be made, and none at all.
    for home in [Some("/proc/nowhere"), None] {
        let shown = |arguments: &[&str]| {
            let mut command = sandbox.command(arguments);
            command.env("SACKER_LEDGER", at("ledger")).env("SACKER_STORE", at("store"));
            match home {
                Some(home) => command.env("HOME", home),
                None => command.env_remove("HOME"),
            };
            sandbox.shown(&command.output().unwrap())
        };
        let added = shown(&["add", "app", "f"]);
        assert!(added.starts_with("exit 0\n1| ") && !added.contains("2|"), "{home:?}: {added}");
        assert_eq!(shown(&["tag", "app", "1", "live", "-q"]).lines().next(), Some("exit 0"), "{home:?}");
        assert_eq!(shown(&["download", "app", "live", "-o", "copy"]), "exit 0\n1| copy\n", "{home:?}");
    }
}

#[test]
fn a_slow_reader_of_a_stream_gets_all_of_it() {
    let sandbox = Sandbox::new();
    sandbox.write("large", vec![7; 40 << 20]);
    sandbox.ok(&["add", "app", "large"]);
    // It reads nothing for longer than the deadline, and then all.
    let script = "\"$sacker\" download app 1 -o - --deadline 1s | { sleep 3; cat >copy; }; cmp large copy";
    sandbox.ok_shell(script);
}
