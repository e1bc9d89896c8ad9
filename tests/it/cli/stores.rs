//! Every command with a store in HDFS or on Azure, and the embedded ledger.

#[cfg(feature = "azure")]
use crate::support::azure::{Container, variables};
use crate::support::sandbox::Sandbox;
use std::fs;

#[cfg(feature = "hdfs")]
pub fn hdfs() -> Sandbox {
    use crate::support::{backends, hdfs::namenode};
    with(&format!("hdfs://{}/{}/store", namenode(), backends::unique("cli")))
}

#[cfg(feature = "azure")]
pub fn azure() -> Sandbox {
    variables()
        .into_iter()
        .fold(with(&Container::unmade().url()), |sandbox, (name, value)| sandbox.set(name, value))
}

/// The embedded ledger with this store.
fn with(store: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let ledger = format!("file://{}", sandbox.data().join("ledger").display());
    sandbox.set("SACKER_LEDGER", ledger).set("SACKER_STORE", store)
}

/// A run has this exit code, and its output has these parts.
fn says(run: &str, code: u8, parts: &[&str]) {
    assert!(run.starts_with(&format!("exit {code}\n")), "{run}");
    for part in parts {
        assert!(run.contains(part), "{part}: {run}");
    }
}

#[cfg(feature = "hdfs")]
#[test]
fn every_command_with_a_store_in_hdfs() {
    let sandbox = hdfs();
    every_command(&sandbox, "folder_replication");
    // What the next ledger must not take over by mistake.
    says(
        &sandbox.run(&["add", "app", "small", "--ledger", &url(&sandbox, "third")]),
        2,
        &["belongs to another ledger", "another folder"],
    );
}

#[cfg(feature = "azure")]
#[test]
fn every_command_with_a_store_on_azure() {
    let sandbox = azure();
    every_command(&sandbox, "container_private");
    says(
        &sandbox.run(&["add", "app", "small", "--ledger", &url(&sandbox, "third")]),
        2,
        &["belongs to another ledger", "another prefix, such as azure://sackertest/"],
    );
}

fn url(sandbox: &Sandbox, name: &str) -> String {
    format!("file://{}", sandbox.path(name).display())
}

fn every_command(sandbox: &Sandbox, finding: &str) {
    says(&sandbox.run(&["init"]), 0, &["(created)\n"]);
    says(&sandbox.run(&["init"]), 0, &["1| store: ", "(exists already)"]);
    sandbox.write("small", "small\n");
    let mut large = vec![0; 20 << 20];
    fastrand::fill(&mut large);
    sandbox.write("large", &large);
    assert_eq!(sandbox.ok(&["add", "app", "small", "--tag", "live"]), "1\n");
    assert_eq!(sandbox.ok(&["add", "app", "large"]), "2\n");
    assert_eq!(sandbox.ok(&["add", "app", "small"]), "3\n");
    sandbox.ok(&["download", "app", "2", "-o", "got"]);
    assert!(fs::read(sandbox.path("got")).unwrap() == large);
    sandbox.ok(&["download", "app", "live", "-o", "got-small"]);
    assert_eq!(sandbox.read("got-small"), "small\n");
    assert_eq!(sandbox.ok(&["fsck", "--read-data"]), "");

    sandbox.ok(&["export", "-q", "-o", "export", "--blobs", "blobs"]);
    let other =
        ["--ledger".to_owned(), url(sandbox, "o/ledger"), "--store".to_owned(), url(sandbox, "o/store")];
    let on_other = |arguments: &[&str]| {
        let arguments = arguments.iter().map(|it| (*it).to_owned()).chain(other.clone());
        sandbox.run(&arguments.collect::<Vec<_>>())
    };
    says(&on_other(&["import", "export", "--blobs", "blobs"]), 0, &["1| app: 3 versions"]);
    says(&on_other(&["fsck", "--read-data"]), 0, &["3 versions and 2 blobs"]);

    sandbox.ok(&["delete", "app", "2"]);
    let garbage = sandbox.ok(&["gc", "--min-age", "0s", "--delete"]);
    assert_eq!(garbage.lines().count(), 1, "{garbage}");
    assert_eq!(sandbox.ok(&["gc", "--min-age", "0s"]), "");
    assert!(sandbox.run(&["download", "app", "2", "-o", "gone"]).starts_with("exit "));
    assert_eq!(sandbox.ok(&["fsck", "--read-data"]), "");

    let doctor = sandbox.run(&["doctor", "--probe"]);
    assert!(doctor.contains(finding), "{doctor}");
    assert!(doctor.contains("server_"), "{doctor}");

    let adopter = ["--ledger", &url(sandbox, "adopter")];
    let run = |arguments: &[&str]| sandbox.run(&[arguments, &adopter].concat());
    says(&run(&["init", "--adopt-store"]), 0, &["adopted: former owner"]);
    says(&run(&["add", "app", "small"]), 0, &["1| 1"]);
    says(&sandbox.run(&["add", "app", "small"]), 2, &["belongs to another ledger"]);
    says(&run(&["fsck", "--read-data"]), 0, &[]);
}
