//! Members of the ensemble that are killed and started again, while others write.

use super::{is_unavailable_or_unknown, ledger, table};
use crate::support::{
    audit::audit,
    world::{adding_with_key, author, tagging, try_add},
    zookeeper::Ensemble,
};
use sacker::{ledger::Ledger, table::Table};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

const WRITERS: usize = 4;
const KILLS: usize = 6;

/// The work of one writer: the keys of its changes, with the answer of each that had one.
#[derive(Default)]
struct Done {
    added: Vec<(String, Option<u64>)>,
    moved: Vec<(String, bool)>,
}

async fn write(
    servers: &str,
    root: &str,
    writer: usize,
    stop: &AtomicBool,
    acknowledged: &AtomicUsize,
) -> Done {
    // An election takes a second or two.
    let ledger = ledger(servers, root, Duration::from_secs(8));
    let mut done = Done::default();
    for number in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let key = format!("{writer}-{number}");
        let added = match try_add(&ledger, &adding_with_key("app", &key), &key).await {
            Ok((release, new)) => {
                assert!(new, "{key}");
                acknowledged.fetch_add(1, Ordering::SeqCst);
                Some(release.version.get())
            }
            Err(error) => {
                assert!(is_unavailable_or_unknown(&error), "{key}: {error:?}");
                None
            }
        };
        done.added.push((key.clone(), added));
        if let Some(version) = added {
            let move_key = format!("t-{key}");
            let request = tagging("app", &version.to_string(), "live").author(author(Some(&move_key)));
            let moved = ledger.tag(&request).await;
            if let Err(error) = &moved {
                assert!(is_unavailable_or_unknown(error), "{move_key}: {error:?}");
            }
            done.moved.push((move_key, moved.is_ok()));
        }
    }
    done
}

/// Four writers add and tag, while the leader is killed again and again: nothing is lost or made twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_is_killed_again_and_again() {
    let mut ensemble = tokio::task::spawn_blocking(|| Ensemble::start(3)).await.unwrap();
    let (servers, root) = (ensemble.servers(), "/sacker");
    table(&servers, root).create().await.unwrap();
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (servers, stop, acknowledged) = (servers.clone(), stop.clone(), acknowledged.clone());
            tokio::spawn(async move { write(&servers, root, writer, &stop, &acknowledged).await })
        })
        .collect();
    let seen = acknowledged.clone();
    let killing = tokio::task::spawn_blocking(move || {
        for _ in 0..KILLS {
            let before = seen.load(Ordering::SeqCst);
            crate::support::sandbox::eventually("some are added", || {
                seen.load(Ordering::SeqCst) > before + 20
            });
            let leader = ensemble.leader();
            ensemble.kill(leader);
            ensemble.leader();
            ensemble.launch(leader);
            ensemble.serves(leader);
        }
        ensemble
    });
    let ensemble = killing.await.unwrap();
    stop.store(true, Ordering::SeqCst);
    let mut done = Vec::new();
    for writer in writers {
        done.push(writer.await.unwrap());
    }

    // What was acknowledged is there; what was not is there at most once, and is found by its key.
    let ledger = ledger(&servers, root, Duration::from_mins(1));
    let (mut adds, mut moves, mut open) = (0, 0, 0);
    for (key, version) in done.iter().flat_map(|done| &done.added) {
        let (release, new) = try_add(&ledger, &adding_with_key("app", key), key).await.unwrap();
        match version {
            Some(version) => assert_eq!((release.version.get(), new), (*version, true), "{key}"),
            None => open += 1,
        }
        adds += 1;
    }
    for (key, acknowledged) in done.iter().flat_map(|done| &done.moved) {
        moves += usize::from(*acknowledged);
        open += usize::from(!acknowledged);
        assert!(!key.is_empty());
    }
    let audited = audit(&table(&servers, root), "app").await;
    assert_eq!(audited.versions, adds);
    let unanswered = done.iter().flat_map(|done| &done.moved).filter(|(_, ok)| !ok).count();
    assert!((moves..=moves + unanswered).contains(&audited.moves), "{} of {moves}", audited.moves);
    println!("{KILLS} kills: {adds} additions, {} moves, {open} without an answer", audited.moves);
    drop(ensemble);
}

/// Without a quorum nothing is written or read, and it is reported as such; with one again, all is as it was.
#[test]
fn a_lost_quorum_is_reported_and_ends() {
    let mut ensemble = Ensemble::start(3);
    let sandbox = crate::support::zookeeper::sandbox_at(&ensemble.servers());
    sandbox.ok(&["init"]);
    sandbox.write("f", "content");
    sandbox.ok(&["add", "app", "f", "--tag", "live"]);
    ensemble.kill(0);
    ensemble.kill(1);
    for arguments in [&["info", "app", "live"][..], &["add", "app", "f", "--tag", "canary"]] {
        let said = sandbox.run(&[&["--deadline", "3s"], arguments].concat());
        assert!(said.starts_with("exit 7\n"), "{said}");
        assert!(said.contains("nothing was changed"), "{said}");
    }
    ensemble.launch(0);
    ensemble.leader();
    assert_eq!(sandbox.ok(&["add", "app", "f", "--if-changed", "--tag", "canary"]), "1\n");
    assert_eq!(sandbox.ok(&["fsck", "--read-data"]), "");
}
