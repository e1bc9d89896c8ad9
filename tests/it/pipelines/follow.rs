//! `infra/systemd/follow`: the file of a tag is kept on a host, through moves, outages and kills.

use super::{embedded, kill_group, path, project};
use crate::support::{
    backends,
    proxy::{Fate, Proxy},
    sandbox::{Sandbox, eventually},
    servers,
};
use std::{
    fs,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

/// A follower, which is killed with its processes when the test ends.
struct Follower(Child);

impl Follower {
    fn start(sandbox: &Sandbox, path: &str, variables: &[(&str, &str)]) -> Self {
        fs::create_dir_all(sandbox.path("state")).unwrap();
        let log = fs::OpenOptions::new().create(true).append(true).open(sandbox.path("log")).unwrap();
        let mut command = command(sandbox, path);
        command.envs(variables.iter().copied()).stdout(log.try_clone().unwrap()).stderr(log);
        Self(command.process_group(0).spawn().unwrap())
    }
}

fn command(sandbox: &Sandbox, path: &str) -> Command {
    let mut command = sandbox.shell("exec sh \"$script\"");
    command.env("script", project("infra/systemd/follow")).env("PATH", path);
    command.env("SACKER_FOLLOW_PACKAGE", "app").env("STATE_DIRECTORY", sandbox.path("state"));
    command.stdin(Stdio::null());
    command
}

impl Drop for Follower {
    fn drop(&mut self) {
        kill_group(&mut self.0);
    }
}

/// Waits until the file has these bytes, and `ready` names this version.
fn stands(sandbox: &Sandbox, version: u32, content: &str) {
    eventually(&format!("version {version} is there"), || {
        let ready = fs::read_to_string(sandbox.path("state/ready")).unwrap_or_default();
        ready.starts_with(&format!("{version} "))
    });
    assert_eq!(sandbox.read("state/current"), content);
    let sum = sandbox.shell("sha256sum <state/current | cut -d ' ' -f 1").output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    assert_eq!(sandbox.read("state/ready"), format!("{version} {sum}"));
    assert_eq!(sandbox.files("state"), ["current", "ready"]);
}

/// Adds two versions, with `live` on the first.
fn two(sandbox: &Sandbox) {
    sandbox.write("one", "one");
    sandbox.write("two", "the second");
    sandbox.ok(&["init", "-q"]);
    sandbox.ok(&[
        "add",
        "app",
        "one",
        "--tag",
        "live",
        "--label",
        "rev=99",
        "--label",
        "sha256=0",
        "-m",
        "\"rev\":99",
    ]);
    sandbox.ok(&["add", "app", "two"]);
}

#[test]
fn the_file_follows_the_tag_there_and_back() {
    let sandbox = embedded();
    two(&sandbox);
    let path = path(&sandbox, &[]);
    let follower = Follower::start(&sandbox, &path, &[]);
    stands(&sandbox, 1, "one");
    sandbox.ok(&["tag", "app", "2", "live"]);
    stands(&sandbox, 2, "the second");
    // A rollback lowers the number.
    sandbox.ok(&["rollback", "app", "live"]);
    stands(&sandbox, 1, "one");
    // Taken off its version: the file stays until the tag is on a version again.
    sandbox.ok(&["untag", "app", "live"]);
    eventually("it is noticed", || sandbox.read("log").contains("exit code 4; the file stays as it is"));
    assert_eq!(sandbox.read("state/current"), "one");
    sandbox.ok(&["tag", "app", "1", "live"]);
    sandbox.ok(&["tag", "app", "2", "live"]);
    stands(&sandbox, 2, "the second");
    sandbox.ok(&["tag", "app", "1", "live"]);
    stands(&sandbox, 1, "one");
    // Moved while it is not running; a kill at any moment leaves nothing that the next start does not repair.
    drop(follower);
    sandbox.ok(&["tag", "app", "2", "live"]);
    sandbox.write("state/ready.new", "half");
    let _follower = Follower::start(&sandbox, &path, &[]);
    stands(&sandbox, 2, "the second");
    let log = sandbox.read("log");
    assert!(
        log.ends_with(&format!("app: live is on 2, sha256 {}", &sandbox.read("state/ready")[2..])),
        "{log}"
    );
}

#[test]
fn a_file_that_was_changed_by_hand_is_repaired() {
    let sandbox = embedded();
    two(&sandbox);
    let _follower = Follower::start(&sandbox, &path(&sandbox, &[]), &[("SACKER_FOLLOW_RECHECK", "1s")]);
    stands(&sandbox, 1, "one");
    sandbox.write("state/current", "damaged");
    eventually("it is repaired", || sandbox.read("state/current") == "one");
}

#[test]
fn latest_is_followed_by_its_number() {
    let sandbox = embedded();
    two(&sandbox);
    let _follower = Follower::start(&sandbox, &path(&sandbox, &[]), &[("SACKER_FOLLOW_TAG", "latest")]);
    stands(&sandbox, 2, "the second");
    sandbox.ok(&["add", "app", "one"]);
    stands(&sandbox, 3, "one");
}

/// Failures of any kind are waited for, with longer and longer pauses, except a wrong configuration.
#[test]
fn failures_are_waited_for() {
    let sandbox = embedded();
    two(&sandbox);
    // Each `info` takes a line of `codes`, and fails with it.
    let failing = format!(
        r#"code=$(head -n 1 "$HOME/codes"); [ "$1" = info ] && [ -n "$code" ] && {{ sed -i 1d "$HOME/codes"; exit "$code"; }}
exec {} "$@""#,
        env!("CARGO_BIN_EXE_sacker")
    );
    let path = path(&sandbox, &[("sacker", &failing), ("sleep", r#"echo "$1" >>"$HOME/pauses""#)]);
    let codes = ["7", "10", "4", "1", "9", "8", "5", "7", "137"];
    sandbox.write("codes", codes.join("\n") + "\n");
    let follower = Follower::start(&sandbox, &path, &[]);
    stands(&sandbox, 1, "one");
    assert_eq!(sandbox.read("pauses"), "1\n2\n4\n8\n16\n32\n60\n60\n60\n");
    // After a success, the pauses are short again.
    sandbox.write("codes", "7\n");
    sandbox.ok(&["tag", "app", "2", "live"]);
    stands(&sandbox, 2, "the second");
    assert!(sandbox.read("pauses").ends_with("60\n1\n"));
    drop(follower);
    sandbox.write("codes", "2\n");
    let wrong = [
        ("SACKER_FOLLOW_TAG", "live"),
        ("SACKER_FOLLOW_PACKAGE", ""),
        ("STATE_DIRECTORY", ""),
        ("SACKER_FOLLOW_FILE", "../x"),
        ("SACKER_FOLLOW_FILE", "ready"),
    ];
    for (name, value) in wrong {
        let mut follower = Follower::start(&sandbox, &path, &[(name, value)]);
        eventually("it ends", || follower.0.try_wait().unwrap().is_some());
        assert_eq!(follower.0.wait().unwrap().code(), Some(2), "{name}={value}");
    }
}

/// The ledger on DynamoDB is out of reach, first at the start, and then while the follower waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_outage_leaves_the_file_and_ends() {
    let sandbox = servers::sandbox();
    two(&sandbox);
    let down = sandbox.path("down");
    let proxy =
        Proxy::new(&backends::dynamodb(), move |_| if down.exists() { Fate::IsLost } else { Fate::Passes })
            .await;
    let ledger = sandbox.variable("SACKER_LEDGER").replace(&backends::dynamodb(), &proxy.url);
    tokio::task::spawn_blocking(move || {
        let sacker = format!("exec {} --deadline 1s \"$@\"", env!("CARGO_BIN_EXE_sacker"));
        let path = path(&sandbox, &[("sacker", &sacker)]);
        sandbox.write("down", "");
        let follower = Follower::start(&sandbox, &path, &[("SACKER_LEDGER", &ledger)]);
        let noted =
            || fs::read_to_string(sandbox.path("log")).unwrap_or_default().matches("exit code 7; ").count();
        eventually("the outage is noticed", || noted() > 0);
        fs::remove_file(sandbox.path("down")).unwrap();
        stands(&sandbox, 1, "one");
        sandbox.write("down", "");
        sandbox.ok(&["tag", "app", "2", "live"]);
        assert_eq!(sandbox.read("state/current"), "one");
        fs::remove_file(sandbox.path("down")).unwrap();
        stands(&sandbox, 2, "the second");
        drop(follower);
    })
    .await
    .unwrap();
}
