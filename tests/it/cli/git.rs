//! The program on a ledger in a git repository: what goes wrong there, and how it is said.

use crate::support::{
    git_http::{Fault, Server, git, hook},
    git_ssh,
    sandbox::Sandbox,
};
use sacker::location::DEFAULT_REF;
use std::path::PathBuf;

fn sandbox(ledger: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let store = format!("file://{}", sandbox.path("store").display());
    let ledger = ledger.replace("[HOME]", sandbox.home().to_str().unwrap());
    let sandbox = sandbox.set("SACKER_LEDGER", ledger).set("SACKER_STORE", store);
    sandbox.write("f", "content\n");
    sandbox
}

/// A sandbox on a repository of this machine.
fn here() -> (Sandbox, PathBuf) {
    let sandbox = sandbox("git+file://[HOME]/ledger.git");
    sandbox.ok(&["init", "-q"]);
    let repository = sandbox.path("ledger.git");
    (sandbox, repository)
}

/// A sandbox on a repository of a server of its own.
fn there() -> (Sandbox, Server, PathBuf) {
    let server = Server::new();
    let (url, repository) = server.repository();
    let sandbox = sandbox(&format!("git+{url}"));
    sandbox.ok(&["init", "-q"]);
    (sandbox, server, repository)
}

/// A sandbox on a repository of the server over ssh.
fn over_ssh() -> (Sandbox, git_ssh::Repository) {
    let repository = git_ssh::Repository::new();
    let (variable, value) = git_ssh::command();
    let sandbox = sandbox(&repository.url).set(variable, value);
    sandbox.ok(&["init", "-q"]);
    (sandbox, repository)
}

#[test]
fn the_log_of_the_ref_is_a_history_for_people() {
    let (sandbox, repository) = here();
    sandbox.ok(&["add", "app", "f", "--tag", "live", "-m", "first try"]);
    sandbox.write("g", "other\n");
    sandbox.ok(&["add", "app", "g"]);
    sandbox.ok(&["tag", "app", "2", "live", "-m", "it works"]);
    sandbox.ok(&["rollback", "app", "live"]);
    sandbox.ok(&["untag", "app", "live"]);
    sandbox.ok(&["label", "app", "2", "tests=passed"]);
    sandbox.ok(&["yank", "app", "2"]);
    let log = git(&repository, &["log", "--reverse", "--format=%an: %s", DEFAULT_REF]);
    let expected = [
        "sacker: create the ledger",
        "sacker: identify the ledger",
        "tester@host: add app 1, tag app live: none -> 1",
        "tester@host: add app 2",
        "tester@host: tag app live: 1 -> 2",
        "tester@host: rollback app live: 2 -> 1",
        "tester@host: untag app live: 1 -> none",
        "tester@host: label app 2 tests=passed",
        "tester@host: yank app 2",
    ];
    assert_eq!(log.lines().collect::<Vec<_>>(), expected);
    let body = git(&repository, &["log", "--format=%b", "--grep=it works", DEFAULT_REF]);
    assert!(body.starts_with("it works\n\nActor: tester@host\nOperation: "), "{body}");
    assert!(body.contains("\nTransaction: "), "{body}");
}

#[test]
fn sixteen_processes_add_at_once() {
    let by_ssh = over_ssh();
    for (sandbox, repository) in [here(), (by_ssh.0, by_ssh.1.path), {
        let (sandbox, server, repository) = there();
        std::mem::forget(server);
        (sandbox, repository)
    }] {
        sandbox.add_at_once(16, &["--deadline", "4m"]);
        assert_eq!(sandbox.ok(&["fsck", "--read-data"]), "");
        let log = git(&repository, &["log", "--format=%s", DEFAULT_REF]);
        assert_eq!(log.lines().filter(|line| line.starts_with("add app ")).count(), 16);
    }
}

#[test]
fn a_hook_that_refuses_is_quoted() {
    let (sandbox, _server, repository) = there();
    hook(&repository, "pre-receive", "echo 'releases are frozen until Monday' >&2; exit 1");
    let shown = sandbox.run(&["add", "app", "f"]);
    assert!(shown.starts_with("exit 10\n") && shown.contains("releases are frozen until Monday"), "{shown}");
    assert!(shown.contains("a hook, a protected branch"), "{shown}");
    assert_eq!(sandbox.ok(&["list"]), "");
}

#[test]
fn an_addition_whose_answer_is_lost_is_found() {
    let (sandbox, server, repository) = there();
    sandbox.ok(&["add", "app", "f"]);
    let cut = std::sync::atomic::AtomicBool::new(true);
    server.set_faults(move |request| {
        let is_push = request.starts_with("POST") && request.ends_with("git-receive-pack");
        (is_push && cut.swap(false, std::sync::atomic::Ordering::SeqCst)).then_some(Fault::Cut)
    });
    sandbox.write("g", "other\n");
    assert_eq!(sandbox.ok(&["add", "app", "g", "-q"]), "2\n");
    assert_eq!(sandbox.ok(&["fsck"]), "");
    let log = git(&repository, &["log", "--format=%s", DEFAULT_REF]);
    assert_eq!(log.lines().filter(|line| *line == "add app 2").count(), 1, "{log}");
}

#[test]
fn an_addition_whose_connection_breaks_after_the_push_is_found() {
    let (sandbox, repository) = over_ssh();
    sandbox.ok(&["add", "app", "f"]);
    repository.cut_next_push();
    sandbox.write("g", "other\n");
    assert_eq!(sandbox.ok(&["add", "app", "g", "-q"]), "2\n");
    assert!(repository.was_cut());
    assert_eq!(sandbox.ok(&["fsck"]), "");
    let log = git(&repository.path, &["log", "--format=%s", DEFAULT_REF]);
    assert_eq!(log.lines().filter(|line| *line == "add app 2").count(), 1, "{log}");
}

#[test]
fn what_ssh_refuses_is_explained() {
    let (sandbox, _) = over_ssh();
    for ((variable, value), said, hint) in [
        (git_ssh::command_without_key(), "Permission denied (publickey)", "hint: check git's credentials"),
        (git_ssh::command_of_a_stranger(), "Host key verification failed", "add it to `~/.ssh/known_hosts`"),
    ] {
        let output = sandbox.command(&["list"]).env(variable, value).output().unwrap();
        let shown = sandbox.shown(&output);
        assert!(shown.starts_with("exit 10\n") && shown.contains(said) && shown.contains(hint), "{shown}");
    }
    let missing = sandbox.run(&["list", "--ledger", &format!("{}x", git_ssh::Repository::new().url)]);
    assert!(missing.starts_with("exit 2\n") && missing.contains("it does not exist"), "{missing}");
}

#[test]
fn a_remote_that_is_away_is_reported_by_the_deadline() {
    let (sandbox, server, _) = there();
    sandbox.ok(&["add", "app", "f"]);
    server.set_faults(|_| Some(Fault::Silence));
    let shown = sandbox.run(&["info", "app", "latest", "--deadline", "2s"]);
    assert!(shown.starts_with("exit 7\n"), "{shown}");
    server.set_faults(|_| Some(Fault::HangUp));
    let shown = sandbox.run(&["add", "app", "f", "--deadline", "1s"]);
    assert!(shown.starts_with("exit 7\n"), "{shown}");
}

#[test]
fn a_rewritten_history_is_noticed_by_every_command() {
    let (sandbox, repository) = here();
    sandbox.ok(&["add", "app", "f"]);
    sandbox.write("g", "other\n");
    sandbox.ok(&["add", "app", "g"]);
    git(&repository, &["update-ref", DEFAULT_REF, &format!("{DEFAULT_REF}~1")]);
    for arguments in [&["fsck"][..], &["info", "app", "latest"], &["add", "app", "f"]] {
        let shown = sandbox.run(arguments);
        assert!(shown.starts_with("exit 8\n") && shown.contains("its history was rewritten"), "{shown}");
        assert!(shown.contains("hint: find out who rewrote it"), "{shown}");
    }
    // A restored ledger, on purpose.
    std::fs::remove_dir_all(sandbox.path(".cache/sacker/git")).unwrap();
    assert_eq!(sandbox.ok(&["fsck"]), "");
}

#[test]
fn what_is_missing_is_named() {
    let sandbox = sandbox("git+file://[HOME]/ledger.git");
    let shown = sandbox.run(&["list"]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("sacker init"), "{shown}");
    sandbox.ok(&["init", "-q"]);
    let other = format!("git+file://{}#refs/heads/x", sandbox.path("ledger.git").display());
    let shown = sandbox.run(&["list", "--ledger", &other]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("has no `refs/heads/x`"), "{shown}");
    let output = sandbox.command(&["list"]).env("PATH", "/nowhere").output().unwrap();
    let shown = sandbox.shown(&output);
    assert!(shown.starts_with("exit 2\n") && shown.contains("install git"), "{shown}");
}

#[test]
fn a_copy_is_recognised() {
    let (sandbox, _) = here();
    sandbox.ok(&["add", "app", "f"]);
    git(sandbox.home(), &["clone", "--quiet", "--mirror", "ledger.git", "copy.git"]);
    let copy = format!("git+file://{}", sandbox.path("copy.git").display());
    sandbox.write("g", "other\n");
    let shown = sandbox.run(&["add", "app", "g", "--ledger", &copy]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("copy"), "{shown}");
    assert_eq!(sandbox.ok(&["versions", "app", "--ledger", &copy]), sandbox.ok(&["versions", "app"]));
}

#[test]
fn doctor_examines_the_repository() {
    let (sandbox, repository) = here();
    let shown = sandbox.run(&["doctor"]);
    assert!(shown.starts_with("exit 0\n") && shown.contains("git+file://"), "{shown}");
    git(&repository, &["config", "receive.denyNonFastForwards", "false"]);
    let shown = sandbox.run(&["doctor"]);
    assert!(shown.contains("config receive.denyNonFastForwards true"), "{shown}");
}
