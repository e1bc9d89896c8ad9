//! Behaviour that only the table in a git repository has.

use super::*;
use crate::support::git_http::{Fault as Broken, Server, git, hook};
use sacker::{
    fault::{Fault, FaultKind},
    model::Created,
    retry::{Cancellation, RetryPolicy},
    table::Note,
};
use serde_json::json;
use std::{fs, path::Path, time::Duration};

fn key() -> Key {
    Key::new("p", "a")
}

fn one(n: u64) -> Transaction {
    transaction([put(&key(), json!({"n": n}))])
}

fn local(dir: &Path) -> GitTable {
    GitTable::local(&dir.join("ledger.git"), DEFAULT_REF, Some(&dir.join("cache")))
}

fn fault(done: Result<(), TransactError>) -> Fault {
    match done {
        Err(TransactError::Fault(fault)) => fault,
        other => panic!("no fault: {other:?}"),
    }
}

/// The number of commits after the first.
fn changes(repository: &Path) -> usize {
    git(repository, &["rev-list", "--count", DEFAULT_REF]).parse::<usize>().unwrap() - 1
}

#[tokio::test]
async fn a_repository_is_made_once_and_with_safe_settings() {
    let dir = tempfile::tempdir().unwrap();
    let table = local(dir.path());
    assert_eq!(table.get(&key()).await.unwrap_err().kind, FaultKind::Missing);
    assert_eq!(fault(table.transact(&one(1)).await).kind, FaultKind::Missing);
    assert_eq!(table.create().await.unwrap(), Created::Made);
    assert_eq!(table.create().await.unwrap(), Created::Present);
    assert_eq!(local(dir.path()).create().await.unwrap(), Created::Present);
    let settings = table.settings().await.unwrap();
    assert!(settings.len() == 3 && settings.iter().all(|setting| setting.repair.is_none()), "{settings:?}");
    git(&dir.path().join("ledger.git"), &["config", "receive.denyDeletes", "false"]);
    let settings = table.settings().await.unwrap();
    assert_eq!(settings.iter().filter(|setting| setting.repair.is_some()).count(), 1);
    // Another ref of the same repository is another ledger, and is not there.
    let other = GitTable::local(&dir.path().join("ledger.git"), "refs/heads/other", None);
    assert_eq!(other.get(&key()).await.unwrap_err().kind, FaultKind::Missing);
}

#[tokio::test]
async fn the_history_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let table = local(dir.path());
    table.create().await.unwrap();
    let note = Note {
        summary: "add app 1".to_owned(),
        message: Some("a reason".to_owned()),
        actor: Some("ann@host".to_owned()),
        ..Note::default()
    };
    table.transact(&one(1).with_note(note)).await.unwrap();
    let log = git(&dir.path().join("ledger.git"), &["log", "--format=%an|%s|%b", DEFAULT_REF]);
    assert!(log.starts_with("ann@host|add app 1|a reason\n\nActor: ann@host\nTransaction: "), "{log}");
    assert!(log.ends_with("sacker|create the ledger|"), "{log}");
    assert_eq!(git(&dir.path().join("ledger.git"), &["fsck", "--strict", "--no-dangling"]), "");
}

#[tokio::test]
async fn foreign_branches_and_folders_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let repository = dir.path().join("ledger.git");
    git(dir.path(), &["init", "--quiet", "--bare", "ledger.git"]);
    let tree = git(&repository, &["mktree"]);
    let commit =
        git(&repository, &["-c", "user.name=x", "-c", "user.email=x", "commit-tree", "-m", "theirs", &tree]);
    git(&repository, &["update-ref", DEFAULT_REF, &commit]);
    let table = local(dir.path());
    assert_eq!(table.get(&key()).await.unwrap_err().kind, FaultKind::Misconfigured);
    assert_eq!(table.create().await.unwrap_err().kind, FaultKind::Misconfigured);
    assert_eq!(fault(table.transact(&one(1)).await).kind, FaultKind::Misconfigured);
    assert_eq!(git(&repository, &["rev-parse", DEFAULT_REF]), commit);

    fs::create_dir(dir.path().join("folder")).unwrap();
    fs::write(dir.path().join("folder/file"), "").unwrap();
    let table = GitTable::local(&dir.path().join("folder"), DEFAULT_REF, None);
    assert_eq!(table.create().await.unwrap_err().kind, FaultKind::Misconfigured);
    assert_eq!(fs::read_dir(dir.path().join("folder")).unwrap().count(), 1);
}

/// Puts a commit with another entry at the place of the item `p`, `a`.
fn plant(repository: &Path, mode: &str, content: &str) {
    fs::write(repository.join("content"), content).unwrap();
    let path = git(repository, &["ls-tree", "-r", "--name-only", DEFAULT_REF]);
    let path = path.lines().find(|path| path.starts_with("items/")).unwrap();
    let input = format!(
        "commit {DEFAULT_REF}\ncommitter x <x> 1 +0000\ndata 1\nx\nfrom {DEFAULT_REF}^0\nM {mode} inline {path}\n\
         data {}\n{content}\n",
        content.len()
    );
    fs::write(repository.join("input"), input).unwrap();
    let script = "git fast-import --quiet <input";
    let done =
        std::process::Command::new("sh").args(["-c", script]).current_dir(repository).status().unwrap();
    assert!(done.success());
}

#[tokio::test]
async fn hostile_content_is_damage() {
    for (mode, content) in [("120000", "/etc/passwd"), ("100644", "{"), ("100644", "[1]")] {
        let dir = tempfile::tempdir().unwrap();
        let table = local(dir.path());
        table.create().await.unwrap();
        table.transact(&one(1)).await.unwrap();
        plant(&dir.path().join("ledger.git"), mode, content);
        assert_eq!(table.get(&key()).await.unwrap_err().kind, FaultKind::Corrupt, "{mode} {content}");
        assert_eq!(table.scan(None).await.unwrap_err().kind, FaultKind::Corrupt, "{mode} {content}");
        assert_eq!(fault(table.transact(&one(2)).await).kind, FaultKind::Corrupt, "{mode} {content}");
    }
}

/// Neither hooks nor programs that a repository names are run, and objects are not replaced.
#[tokio::test]
async fn a_repository_starts_no_programs() {
    let dir = tempfile::tempdir().unwrap();
    let table = local(dir.path());
    table.create().await.unwrap();
    let repository = dir.path().join("ledger.git");
    let sign = dir.path().join("sign");
    let evil = format!("touch {}", sign.display());
    for name in ["reference-transaction", "update", "pre-receive", "post-receive", "pre-auto-gc"] {
        hook(&repository, name, &evil);
    }
    fs::write(dir.path().join("evil"), format!("#!/bin/sh\n{evil}\n")).unwrap();
    git(&repository, &["config", "core.fsmonitor", &evil]);
    git(&repository, &["config", "core.sshCommand", &evil]);
    git(&repository, &["config", "core.alternateRefsCommand", &evil]);
    git(&repository, &["config", "remote.x.url", &format!("ext::sh -c {evil}")]);
    git(&repository, &["config", "remote.x.promisor", "true"]);
    git(&repository, &["config", "core.repositoryFormatVersion", "1"]);
    git(&repository, &["config", "extensions.partialClone", "x"]);
    let _ = fs::remove_file(&sign);
    for n in 0..40 {
        table.transact(&one(n)).await.unwrap();
    }
    assert_eq!(get(&table, &key()).await, Some(item(json!({"n": 39}))));
    // An object that is missing is not fetched from where the repository says.
    let objects = repository.join("objects/pack");
    for entry in fs::read_dir(&objects).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    local(dir.path()).get(&key()).await.unwrap_err();
    assert!(!sign.exists());
}

#[tokio::test]
async fn packs_do_not_pile_up() {
    let dir = tempfile::tempdir().unwrap();
    let table = local(dir.path());
    table.create().await.unwrap();
    for n in 0..100 {
        table.transact(&one(n)).await.unwrap();
    }
    let objects = dir.path().join("ledger.git/objects");
    let packs = fs::read_dir(objects.join("pack")).unwrap().flatten();
    let packs = packs.filter(|entry| entry.path().extension().is_some_and(|end| end == "pack")).count();
    let loose =
        fs::read_dir(&objects).unwrap().flatten().filter(|entry| entry.file_name().len() == 2).count();
    assert!(packs <= 33 && loose == 0, "{packs} packs, {loose} folders of loose objects");
    assert_eq!(get(&table, &key()).await, Some(item(json!({"n": 99}))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_with_handles_of_their_own_add_up() {
    let dir = tempfile::tempdir().unwrap();
    local(dir.path()).create().await.unwrap();
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let path = dir.path().to_owned();
            tokio::spawn(async move {
                let table = local(&path);
                for _ in 0..10 {
                    done(&table, [update(&key(), json!({}), &[("n", 1)])]).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(get(&local(dir.path()), &key()).await, Some(item(json!({"n": 40}))));
    assert_eq!(changes(&dir.path().join("ledger.git")), 40);
}

/// Two machines: a clone each.
#[tokio::test]
async fn a_clone_sees_what_another_pushed_and_judges_again() {
    let (one_dir, other_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::new();
    let (url, repository) = server.repository();
    let one_table = GitTable::remote(&url, DEFAULT_REF, Some(one_dir.path())).unwrap();
    let other = GitTable::remote(&url, DEFAULT_REF, Some(other_dir.path())).unwrap();
    assert_eq!(one_table.get(&key()).await.unwrap_err().kind, FaultKind::Missing);
    assert_eq!(one_table.create().await.unwrap(), Created::Made);
    assert_eq!(other.create().await.unwrap(), Created::Present);
    // Each is one commit behind the other, each time.
    for n in 1..4 {
        done(&one_table, [update(&key(), json!({}), &[("n", 1)])]).await;
        done(&other, [update(&key(), json!({}), &[("n", 1)])]).await;
        assert_eq!(get(&one_table, &key()).await, Some(item(json!({"n": 2 * n}))));
    }
    let stale = [action(&key(), Condition::equals("n", 5), Change::Delete)];
    done(&other, [update(&key(), json!({}), &[("n", 1)])]).await;
    assert_eq!(refused(&one_table, stale).await, [Some(Some(item(json!({"n": 7}))))]);
    assert_eq!(changes(&repository), 7);
}

#[tokio::test]
async fn a_history_that_was_rewritten_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new();
    let (url, remote) = server.repository();
    let here = dir.path().join("ledger.git");
    for (table, repository) in [
        (local(dir.path()), here.clone()),
        (GitTable::remote(&url, DEFAULT_REF, Some(dir.path())).unwrap(), remote),
    ] {
        table.create().await.unwrap();
        table.transact(&one(1)).await.unwrap();
        table.transact(&one(2)).await.unwrap();
        assert_eq!(get(&table, &key()).await, Some(item(json!({"n": 2}))));
        let tip = git(&repository, &["rev-parse", DEFAULT_REF]);
        let older = git(&repository, &["rev-parse", &format!("{DEFAULT_REF}~1")]);
        git(&repository, &["update-ref", DEFAULT_REF, &older]);
        let fault = table.get(&key()).await.unwrap_err();
        assert!(
            fault.kind == FaultKind::Corrupt && fault.source.to_string().contains("rewritten"),
            "{fault:?}"
        );
        table.transact(&one(3)).await.unwrap_err();
        assert_eq!(git(&repository, &["rev-parse", DEFAULT_REF]), older);
        git(&repository, &["update-ref", "-d", DEFAULT_REF]);
        assert_eq!(table.get(&key()).await.unwrap_err().kind, FaultKind::Corrupt);
        git(&repository, &["update-ref", DEFAULT_REF, &tip]);
        assert_eq!(get(&table, &key()).await, Some(item(json!({"n": 2}))));
    }
    // Another process of this machine notices it as well.
    let older = git(&here, &["rev-parse", &format!("{DEFAULT_REF}~1")]);
    git(&here, &["update-ref", DEFAULT_REF, &older]);
    assert_eq!(local(dir.path()).get(&key()).await.unwrap_err().kind, FaultKind::Corrupt);
}

#[tokio::test]
async fn a_hook_that_refuses_is_denied_with_its_text() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new();
    let (url, repository) = server.repository();
    let table = GitTable::remote(&url, DEFAULT_REF, Some(dir.path())).unwrap();
    table.create().await.unwrap();
    hook(&repository, "pre-receive", "echo 'only on Tuesdays' >&2; exit 1");
    let fault = fault(table.transact(&one(1)).await);
    assert!(
        fault.kind == FaultKind::Denied && fault.source.to_string().contains("only on Tuesdays"),
        "{fault:?}"
    );
    fs::remove_file(repository.join("hooks/pre-receive")).unwrap();
    table.transact(&one(1)).await.unwrap();
    assert_eq!(changes(&repository), 1);
}

#[tokio::test]
async fn a_lost_answer_is_ambiguous_and_a_refused_connection_is_not_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new();
    let (url, repository) = server.repository();
    let table = GitTable::remote(&url, DEFAULT_REF, Some(dir.path())).unwrap();
    table.create().await.unwrap();
    for (n, (broken, kind, happened)) in [
        (Broken::Cut, FaultKind::Unavailable, true),
        (Broken::HangUp, FaultKind::Unavailable, false),
        (Broken::Status(403), FaultKind::Denied, false),
        (Broken::Status(429), FaultKind::Throttled, false),
        (Broken::Status(500), FaultKind::Unavailable, false),
    ]
    .into_iter()
    .enumerate()
    {
        let before = changes(&repository);
        server.set_faults(move |request| {
            request.starts_with("POST").then_some(broken).filter(|_| request.ends_with("git-receive-pack"))
        });
        assert_eq!(fault(table.transact(&one(n as u64)).await).kind, kind, "{broken:?}");
        server.set_faults(|_| None);
        assert_eq!(changes(&repository) > before, happened, "{broken:?}");
        let seen = get(&table, &key()).await.is_some_and(|item| item["n"] == json!(n));
        assert_eq!(seen, happened, "{broken:?}");
    }
    server.set_faults(|_| Some(Broken::Status(401)));
    assert_eq!(table.get(&key()).await.unwrap_err().kind, FaultKind::Denied);
}

#[tokio::test]
async fn a_remote_that_says_nothing_is_given_up_at_the_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new();
    let (url, _) = server.repository();
    let table = GitTable::remote(&url, DEFAULT_REF, Some(dir.path())).unwrap();
    table.create().await.unwrap();
    server.set_faults(|_| Some(Broken::Silence));
    let policy = RetryPolicy::new(Duration::from_secs(2), Cancellation::new());
    let key = key();
    let read = policy.run("reading", || table.get(&key)).await;
    assert_eq!(read.unwrap_err().kind, FaultKind::Unavailable);
}

#[tokio::test]
async fn a_remote_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new();
    let gone = format!("http://{}/none.git", server.address);
    let table = GitTable::remote(&gone, DEFAULT_REF, Some(dir.path())).unwrap();
    assert_eq!(table.get(&key()).await.unwrap_err().kind, FaultKind::Missing);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let table = GitTable::remote(&format!("http://{closed}/r.git"), DEFAULT_REF, Some(dir.path())).unwrap();
    assert_eq!(table.get(&key()).await.unwrap_err().kind, FaultKind::Unavailable);
}
