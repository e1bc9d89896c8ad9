//! Errors of the operating system around a command: the lock of the ledger, the journal of uploads, the configuration,
//! the cache.

use crate::support::{sandbox::Sandbox, server::Server};
use insta::assert_snapshot;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

// Of Linux, where the tests run.
const EIO: u32 = 5;
const EACCES: u32 = 13;
const EROFS: u32 = 30;
const ENOLCK: u32 = 37;

fn run(sandbox: &Sandbox, failpoints: &str, arguments: &[&str]) -> String {
    sandbox.shown(&sandbox.command(arguments).env("FAILPOINTS", failpoints).output().unwrap())
}

#[test]
fn a_ledger_that_cant_be_locked_says_why() {
    let sandbox = Sandbox::with_app();
    let hint = |shown: &str| shown.lines().last().unwrap().to_owned();
    let mut hints = String::new();
    for (point, numbers) in [("ledger-open", &[EACCES, EROFS, EIO][..]), ("ledger-lock", &[ENOLCK, EIO])] {
        for number in numbers {
            let failpoints = format!("{point}=return({number})");
            let listed = run(&sandbox, &failpoints, &["list"]);
            let moved = run(&sandbox, &failpoints, &["tag", "app", "2", "live"]);
            assert!(listed.starts_with("exit 2\n") && moved.starts_with("exit 2\n"), "{listed}{moved}");
            assert_eq!(hint(&listed), hint(&moved));
            hints.extend([number.to_string(), " ".to_owned(), hint(&listed), "\n".to_owned()]);
        }
    }
    assert_snapshot!(hints, @"
    13 2| hint: check the permissions of file://[HOME]/.local/share/sacker/ledger
    30 2| hint: the file system of file://[HOME]/.local/share/sacker/ledger is read-only: make it writable
    5 2| hint: check the disk that holds file://[HOME]/.local/share/sacker/ledger
    37 2| hint: the file system of file://[HOME]/.local/share/sacker/ledger does not support locks (such as NFS without its lock service): use a local disk
    5 2| hint: check the disk that holds file://[HOME]/.local/share/sacker/ledger
    ");
    // A signal is no failure; and nothing was changed.
    assert_eq!(
        run(&sandbox, "ledger-lock=3*return(4)", &["tags", "app", "--json"]),
        run(&sandbox, "", &["tags", "app", "--json"])
    );
    assert_eq!(sandbox.ok(&["info", "app", "live"]).lines().nth(1), Some("version: 1"));
}

#[test]
fn a_journal_that_cant_be_written_stops_no_upload() {
    let server = Server::new();
    let sandbox = Sandbox::new();
    let ledger = format!("file://{}", sandbox.path("ledger").display());
    let sandbox = sandbox
        .set("SACKER_LEDGER", ledger)
        .set("SACKER_STORE", format!("s3://bucket/p?region=us-east-1&endpoint={}", server.endpoint))
        .set("AWS_ACCESS_KEY_ID", "key")
        .set("AWS_SECRET_ACCESS_KEY", "secret");
    for (point, number) in [
        ("journal-open", EACCES),
        ("journal-open", EROFS),
        ("journal-open", EIO),
        ("journal-lock", ENOLCK),
        ("journal-write", EIO),
        ("journal-write", 28),
    ] {
        let mut bytes = vec![0; 17 << 20];
        fastrand::fill(&mut bytes);
        sandbox.write("f", bytes);
        let package = format!("{point}-{number}");
        let shown = run(&sandbox, &format!("{point}=return({number})"), &["add", &package, "f"]);
        assert!(shown.starts_with("exit 0\n1| 1\n2| warning: "), "{package}: {shown}");
        assert!(shown.contains("the journal of uploads failed"), "{package}: {shown}");
        sandbox.ok(&["download", &package, "1", "-o", "copy", "-f"]);
        assert!(fs::read(sandbox.path("copy")).unwrap() == fs::read(sandbox.path("f")).unwrap());
    }
    assert_eq!(sandbox.ok(&["fsck"]), "");
}

#[test]
fn a_configuration_that_cant_be_read_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write(".sacker.json", "{}");
    let mut shown = String::new();
    for number in [EACCES, EIO] {
        shown += &run(&sandbox, &format!("config=return({number})"), &["list"]);
    }
    fs::remove_file(sandbox.path(".sacker.json")).unwrap();
    fs::create_dir(sandbox.path(".sacker.json")).unwrap();
    shown += &run(&sandbox, "", &["list"]);
    assert_snapshot!(shown, @"
    exit 2
    2| error: can't read the configuration file [HOME]/.sacker.json: Permission denied
    2| hint: check the permissions of [HOME]/.sacker.json, or name another file with --config or SACKER_CONFIG
    exit 2
    2| error: can't read the configuration file [HOME]/.sacker.json: Input/output error
    2| hint: name another file with --config or SACKER_CONFIG
    exit 2
    2| error: can't read the configuration file [HOME]/.sacker.json: Is a directory
    2| hint: name another file with --config or SACKER_CONFIG
    ");
}

/// The cache decides who is recorded with a change, and which files are written to.
#[test]
fn a_cache_that_others_may_write_to_is_not_used() {
    let sandbox = Sandbox::with_app();
    let cache = sandbox.path(".cache/sacker");
    let noticed = || cache.read_dir().unwrap().count();
    let before = noticed();
    assert!(before > 0, "the notice is remembered there");
    fs::remove_dir_all(&cache).unwrap();
    for (mode, used) in [(0o777, false), (0o775, true)] {
        fs::create_dir(&cache).unwrap();
        fs::set_permissions(&cache, fs::Permissions::from_mode(mode)).unwrap();
        sandbox.write("f", format!("{mode}"));
        let shown = sandbox.run(&["add", "app", "f"]);
        assert!(shown.contains("exit 0\n"), "{shown}");
        assert_eq!(noticed() > 0, used, "{mode:o}");
        fs::remove_dir_all(&cache).unwrap();
    }
    // A link in it, and a second name of a file.
    sandbox.write("mine", "precious");
    for is_symbolic in [true, false] {
        fs::create_dir(&cache).unwrap();
        let (mine, mark) = (sandbox.path("mine"), cache.join("embedded-noticed"));
        let linked = if is_symbolic { symlink(mine, mark) } else { fs::hard_link(mine, mark) };
        linked.unwrap();
        sandbox.write("f", "another");
        assert!(sandbox.run(&["add", "app", "f"]).contains("exit 0\n"));
        assert_eq!(sandbox.read("mine"), "precious");
        fs::remove_dir_all(&cache).unwrap();
    }
    // A file in its place.
    fs::write(&cache, "").unwrap();
    assert!(sandbox.run(&["add", "app", "f"]).starts_with("exit 0\n"));
}

#[test]
fn a_stream_is_not_spooled_into_the_last_of_the_memory() {
    let sandbox = Sandbox::new();
    let Ok(memory) = tempfile::tempdir_in("/dev/shm") else {
        return eprintln!("it takes a file system in memory at /dev/shm");
    };
    let tmp = memory.path().to_str().unwrap();
    let stream = |failpoints: &str| {
        let mut command = sandbox.shell("head -c 30000000 /dev/zero | \"$sacker\" add app - -q");
        let output = command.env("TMPDIR", tmp).env("FAILPOINTS", failpoints).output().unwrap();
        let left = memory.path().read_dir().unwrap().count();
        assert_eq!(left, 0, "nothing stays there");
        sandbox.shown(&output).replace(tmp, "[MEMORY]")
    };
    // It is looked at again while it grows.
    assert_snapshot!(stream("memory=2*return(1000000000)->return(5000)"), @"
    exit 2
    2| error: adding standard input to app: can't buffer standard input in [MEMORY]: No space left on device: it is in memory, of which 5000 bytes are left
    2| hint: set TMPDIR to a directory with more space: [MEMORY] may be in memory; or add a file by its path, which needs no copy
    ");
    // A small one needs no look.
    let mut command = sandbox.shell("echo x | \"$sacker\" add small - -q");
    let output = command.env("TMPDIR", tmp).env("FAILPOINTS", "memory=return(5000)").output().unwrap();
    assert_eq!(sandbox.shown(&output), "exit 0\n1| 1\n");
    // A disk is not asked.
    let shown = run(&sandbox, "memory=return(5000)", &["list"]);
    assert_eq!(shown, "exit 0\n1| small\n");
    assert_eq!(stream(""), "exit 0\n1| 1\n");
}

/// A lock ensures that two concurrent adoptions of a store leave it one owner.
#[test]
fn a_store_that_cant_be_locked_is_not_adopted() {
    let sandbox = Sandbox::with_app();
    let other = format!("file://{}", sandbox.path("other").display());
    let store = format!("file://{}", sandbox.data().join("store").display());
    let adopt = ["init", "--adopt-store", "--ledger", &other, "--store", &store];
    let owner = || sandbox.read(".local/share/sacker/store/OWNER");
    let before = owner();
    for (number, hint) in [(ENOLCK, "does not support locks"), (EIO, "check the disk that holds")] {
        let shown = run(&sandbox, &format!("owner-lock=return({number})"), &adopt);
        assert!(shown.starts_with("exit 2\n") && shown.contains(hint), "{shown}");
        assert_eq!(owner(), before);
    }
    let shown = run(&sandbox, "owner-lock=3*return(4)", &adopt);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert_ne!(owner(), before);
}

/// At the very end, when all its bytes are there.
#[test]
fn a_file_that_gets_no_name_is_not_there() {
    let sandbox = Sandbox::with_app();
    fs::create_dir(sandbox.path("to")).unwrap();
    // EIO, ENOSPC, EROFS, ESTALE, EDQUOT.
    for number in [5, 28, 30, 116, 122] {
        let failpoints = format!("name=return({number})");
        let shown = run(&sandbox, &failpoints, &["download", "app", "1", "-o", "to/copy"]);
        assert!(shown.starts_with("exit 2\n2| error: downloading app 1: can't write to/copy: "), "{shown}");
        assert!(shown.contains("2| hint: "), "{shown}");
        assert_eq!(sandbox.files("to"), Vec::<String>::new(), "{number}");
        sandbox.write("f", number.to_string());
        let shown = run(&sandbox, &failpoints, &["add", "other", "f"]);
        assert!(shown.starts_with("exit 2\n"), "{shown}");
        assert!(shown.contains("2| hint: "), "{shown}");
        assert!(sandbox.run(&["info", "other", "1"]).starts_with("exit 4\n"), "{number}");
    }
    sandbox.ok(&["download", "app", "1", "-o", "to/copy"]);
    assert_eq!(sandbox.ok(&["fsck", "--read-data"]), "");
}
