//! `export`, `import`, `copy` and `audit` as a user sees them.

use crate::support::sandbox::Sandbox;
use std::fs;

/// A run has this exit code, and its output has these parts.
fn says(run: &str, code: u8, parts: &[&str]) {
    assert!(run.starts_with(&format!("exit {code}\n")), "{run}");
    for part in parts {
        assert!(run.contains(part), "{part}: {run}");
    }
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_app();
    sandbox.ok(&["export", "-q", "-o", "export", "--blobs", "blobs"]);
    sandbox
}

/// The arguments of a command on another ledger and store.
fn elsewhere(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let url = |name: &str| format!("file://{}", sandbox.path(name).display());
    let mut all: Vec<_> = arguments.iter().map(|it| (*it).to_owned()).collect();
    all.extend(["--ledger".to_owned(), url("other/ledger"), "--store".to_owned(), url("other/store")]);
    all
}

#[test]
fn an_export_is_imported() {
    let sandbox = sandbox();
    let run = |arguments: &[&str]| sandbox.run(&elsewhere(&sandbox, arguments));
    says(
        &run(&["import", "export", "-n"]),
        0,
        &["1| app: 3 versions, 2 events\n", "3 versions; nothing was changed"],
    );
    assert!(!sandbox.path("other").exists());
    // The store lacks the blobs: nothing is lost, and the import is to be finished.
    says(
        &run(&["import", "export"]),
        8,
        &["the blob of app", "is not in file://[HOME]/other/store", "run it again"],
    );
    says(&run(&["add", "app", "one.txt"]), 6, &["an import of this ledger is not finished"]);
    let imported = ["import", "export", "--blobs", "blobs"];
    says(&run(&imported), 0, &["1| app: 3 versions, 2 events\n", "1 of 1 package got 3 versions; copied "]);
    says(&run(&imported), 0, &["0 of 1 package got 0 versions; copied 0 blobs, 0 B"]);
    says(&run(&["fsck", "--read-data"]), 0, &["3 versions and 3 blobs"]);
    assert_eq!(sandbox.ok(&elsewhere(&sandbox, &["tags", "app"])), sandbox.ok(&["tags", "app"]));
    let export = fs::read(sandbox.path("export")).unwrap();
    let piped = sandbox.run_with_stdin(&elsewhere(&sandbox, &["import", "-"]), &export);
    assert!(piped.starts_with("exit 0"), "{piped}");
}

/// The shell lines of `docs/migration.md`.
#[test]
fn blobs_travel_in_a_tar() {
    let sandbox = sandbox();
    sandbox.ok_shell("tar -cf export.tar export blobs && rm -r export blobs && tar -xf export.tar");
    says(
        &sandbox.run(&elsewhere(&sandbox, &["import", "export", "--blobs", "blobs"])),
        0,
        &["copied 3 blobs"],
    );
    assert_eq!(sandbox.ok(&elsewhere(&sandbox, &["fsck", "--read-data", "-q"])), "");
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/migration.md")).unwrap();
    for line in ["tar -cf export.tar export blobs", "tar -xf export.tar"] {
        assert!(page.contains(line), "{line}");
    }
}

#[test]
fn an_export_that_is_not_whole_changes_nothing() {
    let sandbox = sandbox();
    let whole = sandbox.read("export");
    let run = |text: &str| {
        sandbox.write("broken", text);
        sandbox.run(&elsewhere(&sandbox, &["import", "broken", "--blobs", "blobs"]))
    };
    // At each end of a line, and within some.
    let ends: Vec<_> = whole.match_indices('\n').map(|(at, _)| at + 1).collect();
    for end in ends.iter().rev().skip(1).chain(&[0, 10, ends[2] + 10, whole.len() - 1]) {
        let refused = run(&whole[..*end]);
        assert!(refused.starts_with("exit 8"), "{end}: {refused}");
    }
    for (from, to) in [
        ("\"filename\":\"two.txt\"", "\"filename\":\"too.txt\""),
        ("\"items\":", "\"items\":1"),
        ("\"tag\":\"live\"", "\"tag\":\"life\""),
        ("first", "fi\\u0072st"),
    ] {
        assert!(whole.contains(from), "{from}");
        let refused = run(&whole.replacen(from, to, 1));
        assert!(refused.starts_with("exit 8"), "{from}: {refused}");
    }
    says(&run(&format!("{whole}{{}}\n")), 8, &["something follows the last line"]);
    let newer = run(&whole.replacen("\"sacker_export\":1", "\"sacker_export\":2", 1));
    says(&newer, 2, &["the export has format 2", "install the latest release"]);
    says(&run("nonsense\n"), 8, &["line 1 of the export: it is not the first line of an export"]);
    assert!(!sandbox.path("other").exists());
}

#[test]
fn an_export_replaces_no_file_and_appears_whole() {
    let sandbox = sandbox();
    says(&sandbox.run(&["export", "-o", "export"]), 6, &["export exists", "-f replaces it"]);
    says(&sandbox.run(&["export", "-o", "export", "-f"]), 0, &["exported 1 package with"]);
    says(&sandbox.run(&["export", "-o", "no/such"]), 2, &["can't write no/such"]);
    assert_eq!(sandbox.ok(&["export", "-q"]), sandbox.read("export"));
    // The disk is full: the old file stays.
    let before = sandbox.read("export");
    let full = sandbox.shell("ulimit -f 1; trap '' XFSZ; \"$sacker\" export -o export -f").output().unwrap();
    assert_eq!(full.status.code(), Some(2), "{}", sandbox.shown(&full));
    assert_eq!(sandbox.read("export"), before);
    assert!(sandbox.files(".").iter().all(|name| !name.starts_with(".sacker-")));
}

#[test]
fn a_full_disk_interrupts_an_import_and_nothing_is_lost() {
    let sandbox = Sandbox::new();
    sandbox.write("f", vec![7; 100_000]);
    sandbox.ok(&["add", "app", "f"]);
    sandbox.ok(&["export", "-q", "-o", "export", "--blobs", "blobs"]);
    let import = elsewhere(&sandbox, &["import", "export", "--blobs", "blobs"]);
    let script = format!("ulimit -f 60; trap '' XFSZ; \"$sacker\" {}", import.join(" "));
    let full = sandbox.shell(&script).output().unwrap();
    assert_ne!(full.status.code(), Some(0), "{}", sandbox.shown(&full));
    sandbox.ok(&import);
    assert_eq!(sandbox.ok(&elsewhere(&sandbox, &["fsck", "--read-data", "-q"])), "");
}

#[test]
fn a_ledger_is_copied_and_mirrored() {
    let sandbox = sandbox();
    let at = |name: &str| format!("file://{}", sandbox.data().join(name).display());
    let copy = |more: &[&str]| {
        let from = ["copy", "--from-ledger", &at("ledger"), "--from-store", &at("store")];
        sandbox.run(&elsewhere(&sandbox, &[&from, more].concat()))
    };
    says(&copy(&["-n"]), 0, &["1| app: 3 versions, 2 events\n", "nothing was changed"]);
    assert!(!sandbox.path("other").exists());
    says(&copy(&[]), 0, &["1| app: 3 versions, 2 events\n", "copied 3 blobs"]);
    sandbox.ok(&["yank", "app", "3"]);
    sandbox.ok(&["add", "app", "one.txt"]);
    says(&copy(&[]), 0, &["1| app: 1 version, 1 event\n", "copied 0 blobs"]);
    says(&copy(&[]), 0, &["0 of 1 package got 0 versions"]);
    sandbox.ok(&elsewhere(&sandbox, &["add", "app", "two.txt"]));
    says(
        &copy(&[]),
        6,
        &["the log of releases of app: it ends at rev 6, past rev 5 of the source", "nothing was changed"],
    );
    let same = ["copy", "--from-ledger", &at("ledger"), "--from-store", &at("store")];
    says(&sandbox.run(&same), 2, &["the source and the destination are the same ledger"]);
}

#[test]
fn saved_heads_are_verified() {
    let sandbox = sandbox();
    sandbox.write("heads", sandbox.ok(&["audit", "-q"]));
    sandbox.write("with-totals", sandbox.ok(&["audit", "--json"]));
    assert_eq!(sandbox.ok(&["audit", "-q", "--since", "2100-01-01T00:00:00Z"]), "");
    assert_eq!(sandbox.ok(&["audit", "-q", "--since", "2000-01-01T00:00:00Z"]), sandbox.read("heads"));
    sandbox.ok(&["add", "app", "one.txt"]);
    says(&sandbox.run(&["audit", "verify", "heads"]), 0, &["verified 2 heads"]);
    assert!(sandbox.run(&["audit", "verify", "with-totals"]).starts_with("exit 0"));
    // A ledger that was put back to an earlier state.
    let earlier = elsewhere(&sandbox, &["import", "export", "--blobs", "blobs", "-q"]);
    sandbox.ok(&earlier);
    sandbox.write("heads", sandbox.ok(&["audit", "-q"]));
    let verified = sandbox.run(&elsewhere(&sandbox, &["audit", "verify", "heads"]));
    says(
        &verified,
        8,
        &["app releases rev 4: the log ends at rev 3: later entries were removed", "1 of 2 heads differ"],
    );
    for (text, code) in [("", "exit 2"), ("nonsense", "exit 2")] {
        sandbox.write("heads", text);
        assert!(sandbox.run(&["audit", "verify", "heads"]).starts_with(code));
    }
}
