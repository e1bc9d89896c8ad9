//! The command `download`.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

#[test]
fn it_goes_to_its_recorded_name() {
    let sandbox = Sandbox::with_app();
    fs::create_dir(sandbox.path("to")).unwrap();
    fs::remove_file(sandbox.path("one.txt")).unwrap();
    assert_snapshot!(sandbox.run(&["download", "app", "live"]), @"
    exit 0
    1| one.txt
    ");
    assert_eq!(sandbox.read("one.txt"), "one\n");
    assert_snapshot!(sandbox.run(&["download", "app", "latest", "-o", "to"]), @"
    exit 0
    1| to/three.txt
    ");
    assert_snapshot!(sandbox.run(&["download", "app", "2", "-o", "to/other", "--json"]), @r#"
    exit 0
    1| {"package":"app","version":2,"sha256":"480c2336b410f1ad5f8bf1b28944490255804b65350c527787e74ebdd511e3a4","size":7,"path":"to/other","present":false}
    "#);
    assert_snapshot!(sandbox.run(&["download", "app", "2", "-o", "to/other", "--json"]), @r#"
    exit 0
    1| {"package":"app","version":2,"sha256":"480c2336b410f1ad5f8bf1b28944490255804b65350c527787e74ebdd511e3a4","size":7,"path":"to/other","present":true}
    "#);
    assert_snapshot!(sandbox.run(&["download", "app", "2", "-o", "-"]), @"
    exit 0
    1| second
    ");
    assert_eq!(sandbox.files("to"), ["other", "three.txt"]);
}

#[test]
fn permission_bits_are_restored() {
    let sandbox = Sandbox::new();
    sandbox.write("run.sh", "#!/bin/sh\n");
    fs::set_permissions(sandbox.path("run.sh"), fs::Permissions::from_mode(0o750)).unwrap();
    sandbox.ok(&["add", "app", "run.sh"]);
    let mode = |name| fs::metadata(sandbox.path(name)).unwrap().permissions().mode() & 0o7777;
    sandbox.ok_shell("umask 022; exec \"$sacker\" download app 1 -o copy");
    assert_eq!(mode("copy"), 0o750);
    fs::set_permissions(sandbox.path("copy"), fs::Permissions::from_mode(0o600)).unwrap();
    sandbox.ok_shell("umask 022; exec \"$sacker\" download app 1 -o copy");
    assert_eq!(mode("copy"), 0o750);
}

/// Runs a download under a umask, and returns the permission bits of its file `copy`.
fn mode_under(sandbox: &Sandbox, umask: &str, more: &str) -> u32 {
    let script = format!("umask {umask}; exec \"$sacker\" download app 1 -o copy {more}");
    let output = sandbox.shell(&script).output().unwrap();
    assert!(output.status.success(), "{}", sandbox.shown(&output));
    fs::metadata(sandbox.path("copy")).unwrap().permissions().mode() & 0o7777
}

#[test]
fn the_umask_takes_permission_bits_away_unless_they_are_to_be_preserved() {
    let sandbox = Sandbox::new();
    sandbox.write("run.sh", "#!/bin/sh\n");
    fs::set_permissions(sandbox.path("run.sh"), fs::Permissions::from_mode(0o777)).unwrap();
    sandbox.ok(&["add", "app", "run.sh"]);
    for (umask, masked) in [("022", 0o755), ("077", 0o700), ("000", 0o777)] {
        for (more, expected) in [("", masked), ("--preserve-mode", 0o777)] {
            assert_eq!(mode_under(&sandbox, umask, more), expected, "new, umask {umask} {more}");
            for before in [0o777, 0o600] {
                fs::set_permissions(sandbox.path("copy"), fs::Permissions::from_mode(before)).unwrap();
                let mode = mode_under(&sandbox, umask, more);
                assert_eq!(mode, expected, "the same bytes, umask {umask} {more}");
            }
            fs::remove_file(sandbox.path("copy")).unwrap();
        }
    }
}

#[cfg(feature = "failpoints")]
#[test]
fn an_interrupted_file_is_resumed_under_the_umask_of_the_later_run() {
    let sandbox = Sandbox::new();
    sandbox.write("large", vec![7; 20 << 20]);
    fs::set_permissions(sandbox.path("large"), fs::Permissions::from_mode(0o666)).unwrap();
    // With permission bits recorded, and with none.
    for add in ["\"$sacker\" add app large -q", "\"$sacker\" add app - -q < large"] {
        sandbox.ok_shell(add);
        let (sign, copy) = (sandbox.path("sign"), sandbox.path("copy"));
        let script = "umask 0; exec \"$sacker\" download app latest -o copy";
        let failpoints = format!("download-writing=return({})", sign.display());
        let mut child = sandbox.shell(script).env("FAILPOINTS", failpoints).spawn().unwrap();
        crate::support::sandbox::eventually("it writes", || sign.exists());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!copy.exists());
        sandbox.ok_shell("umask 077; exec \"$sacker\" download app latest -o copy");
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o7777, 0o600, "{add}");
        fs::remove_file(copy).unwrap();
        fs::remove_file(sign).unwrap();
    }
}

#[cfg(feature = "failpoints")]
#[test]
fn a_file_system_without_permission_bits_fails_no_download() {
    let sandbox = Sandbox::with_app();
    fs::set_permissions(sandbox.path("one.txt"), fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.ok(&["add", "tool", "one.txt"]);
    // EPERM, EROFS, EOPNOTSUPP, ENOSYS.
    for number in [1, 30, 95, 38] {
        for _ in ["new", "the same bytes"] {
            let output = sandbox
                .shell("umask 022; exec \"$sacker\" download tool 1 -o copy")
                .env("FAILPOINTS", format!("chmod=return({number})"))
                .output()
                .unwrap();
            let warning = "the permission bits of copy can't be set to 0755; it keeps those it has";
            assert_eq!(
                sandbox.shown(&output),
                format!("exit 0\n1| copy\n2| warning: {warning}\n"),
                "{number}"
            );
        }
        fs::remove_file(sandbox.path("copy")).unwrap();
    }
}

#[test]
fn a_different_file_is_replaced_only_with_force() {
    let sandbox = Sandbox::with_app();
    sandbox.write("mine", "precious");
    assert_snapshot!(sandbox.run(&["download", "app", "1", "-o", "mine"]), @"
    exit 6
    2| error: downloading app 1: mine exists and is different
    2| hint: -f replaces it; -o PATH writes to another file
    ");
    assert_eq!(sandbox.read("mine"), "precious");
    assert_snapshot!(sandbox.run(&["download", "app", "1", "-o", "mine", "-f"]), @"
    exit 0
    1| mine
    ");
    assert_eq!(sandbox.read("mine"), "one\n");
    // A link is replaced, never what it leads to.
    sandbox.write("behind", "precious");
    symlink("behind", sandbox.path("link")).unwrap();
    sandbox.ok(&["download", "app", "1", "-o", "link", "-f"]);
    assert_eq!((sandbox.read("link"), sandbox.read("behind")), ("one\n".to_owned(), "precious".to_owned()));
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["download", "app", "1", "-o", "no/such/dir/file"]), @"
    exit 2
    2| error: downloading app 1: can't write no/such/dir/file: No such file or directory
    2| hint: create the directory no/such/dir first
    ");
    assert_snapshot!(sandbox.run(&["download", "app", "1", "-o", "/dev/null", "-f"]), @"
    exit 2
    2| error: downloading app 1: can't write /dev/null: it is not a regular file
    2| hint: -o PATH writes to another file
    ");
    assert_snapshot!(sandbox.run(&["download", "app", "1", "-o", ""]), @"
    exit 2
    2| error: a value is required for '--output <PATH>' but none was supplied
    2|
    2| For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["download", "app", "1", "-o", "-", "--json"]), @r#"
    exit 2
    2| {"error":{"kind":"invalid","message":"--json and `-o -` both write to standard output","hint":"choose one of them","exit_code":2}}
    "#);
}

#[test]
fn what_is_not_there_is_not_found() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["download", "nosuch", "live"]), @"
    exit 4
    2| error: downloading nosuch live in file://[HOME]/.local/share/sacker/ledger: there is no package nosuch
    2| hint: `sacker list --prefix n` lists packages with similar names
    ");
    assert_snapshot!(sandbox.run(&["download", "app", "stable"]), @"
    exit 4
    2| error: downloading app stable in file://[HOME]/.local/share/sacker/ledger: app has no tag stable
    2| hint: `sacker tags app` lists its tags
    ");
    assert_snapshot!(sandbox.run(&["download", "app", "4"]), @"
    exit 4
    2| error: downloading app 4 in file://[HOME]/.local/share/sacker/ledger: app has no version 4; its last is 3
    2| hint: `sacker versions app` lists its versions
    ");
}

fn blob(sandbox: &Sandbox, version: &str) -> std::path::PathBuf {
    let info: serde_json::Value =
        serde_json::from_str(&sandbox.ok(&["info", "app", version, "--json"])).unwrap();
    sandbox.data().join("store/sha256").join(info["sha256"].as_str().unwrap())
}

fn replace(path: &std::path::Path, content: &str) {
    fs::remove_file(path).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn damage_is_found_and_no_file_appears() {
    let sandbox = Sandbox::with_app();
    fs::create_dir(sandbox.path("to")).unwrap();
    replace(&blob(&sandbox, "1"), "eno\n");
    assert_snapshot!(sandbox.run(&["download", "app", "1", "-o", "to/file"]), @"
    exit 8
    2| error: downloading app 1 in file://[HOME]/.local/share/sacker/store: what came from the store is not 2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806: its sha256 is 0408b6cd993ec832ed7ad1fb3c87d23929d457903d3ec1fea0727e65a983f341
    2| hint: check the URL of the store; else add the original file again, or restore an old version of the object
    ");
    replace(&blob(&sandbox, "2"), "short\n");
    assert_snapshot!(sandbox.run(&["download", "app", "2", "-o", "to/file", "--json"]), @r#"
    exit 8
    2| {"error":{"kind":"integrity","message":"downloading app 2 in file://[HOME]/.local/share/sacker/store: reading the blob 480c2336b410f1ad5f8bf1b28944490255804b65350c527787e74ebdd511e3a4 in [HOME]/.local/share/sacker/store: the stored data is damaged: bytes up to 7 were requested, but it has only 6","hint":"file://[HOME]/.local/share/sacker/store is damaged: inspect it, or restore it from a backup","exit_code":8}}
    "#);
    fs::remove_file(blob(&sandbox, "3")).unwrap();
    assert_snapshot!(sandbox.run(&["download", "app", "3", "-o", "to/file"]), @"
    exit 8
    2| error: downloading app 3 in file://[HOME]/.local/share/sacker/store: the blob of app 3 is not in the store (f7aefbdb2c63c7703a61fe46071993ecb2e76128596e894571e821777bfdf156)
    2| hint: check the URL of the store; else add the original file again, or restore an old version of the object
    ");
    assert_eq!(sandbox.files("to"), Vec::<String>::new());
    // A stream has passed on what it has by then, and fails loudly.
    assert_snapshot!(sandbox.run(&["download", "app", "1", "-o", "-"]), @"
    exit 8
    1| eno
    2| error: downloading app 1 in file://[HOME]/.local/share/sacker/store: what came from the store is not 2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806: its sha256 is 0408b6cd993ec832ed7ad1fb3c87d23929d457903d3ec1fea0727e65a983f341
    2| hint: check the URL of the store; else add the original file again, or restore an old version of the object
    ");
}

#[test]
fn adding_the_bytes_again_repairs_them() {
    let sandbox = Sandbox::with_app();
    replace(&blob(&sandbox, "1"), "eno\n");
    assert_snapshot!(sandbox.run(&["add", "app", "one.txt"]), @"
    exit 0
    1| 4
    2| warning: the object 2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806 was damaged in the store; it has been replaced
    ");
    assert_eq!(sandbox.ok(&["download", "app", "1", "-o", "-"]), "one\n");
}

#[test]
fn a_file_that_had_no_name_gets_the_package_s() {
    let sandbox = Sandbox::new();
    sandbox.run_with_stdin(&["add", "web/front", "-"], b"x");
    assert_snapshot!(sandbox.run(&["download", "web/front", "1"]), @"
    exit 0
    1| front
    ");
}
