//! Faults of HDFS, on clusters of the tests' own: processes that are killed or stopped, and a `NameNode` that refuses.

use super::stalls::timed;
use crate::support::{
    backends, blobs,
    hdfs::{Cluster, Kind, Pair, namenode},
    link::{Link, Shape, Stall},
    sandbox::Sandbox,
};
use sacker::{
    fault::FaultKind,
    model::{Address, Sha256},
    store::{Content, Put, PutError, Sent, Store, hdfs::HdfsStore},
};
use std::{
    process::Stdio,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

const DEADLINE: &str = "--deadline=2s";

/// Far more than the deadline, for a busy machine, and less than the 20 s that a call may stand still without one.
const LONG: Duration = Duration::from_secs(18);

async fn made(address: &str, path: &str) -> HdfsStore {
    let store = HdfsStore::new(address, path).unwrap();
    store.create().await.unwrap();
    store
}

/// Puts a blob and calls `event` once 8 MiB were sent.
async fn put_with(
    store: &HdfsStore,
    at: &Address,
    content: &Content,
    event: impl FnOnce() + Send,
) -> Result<Put, PutError> {
    let (sent, event) = (AtomicU64::new(0), Mutex::new(Some(event)));
    let count = |reported| {
        if let Sent::Now(bytes) = reported
            && sent.fetch_add(bytes, Relaxed) + bytes >= 8 << 20
            && let Some(event) = event.lock().unwrap().take()
        {
            event();
        }
    };
    let result = store.put(at, content, false, &count).await;
    assert!(event.into_inner().unwrap().is_none(), "nothing happened: {result:?}");
    result
}

async fn holds(store: &HdfsStore, at: &Address, size: u64) -> bool {
    use futures_util::TryStreamExt;
    let body = store.get(at, 0..size, None).await.unwrap().unwrap();
    let mut sha256 = Sha256::new();
    let chunks: Vec<bytes::Bytes> = body.stream.try_collect().await.unwrap();
    for chunk in &chunks {
        sha256.update(chunk);
    }
    sha256.finish() == at.sha256
}

/// Repeats a put until the `NameNode` no longer counts on a `DataNode` that died.
async fn put_in_time(store: &HdfsStore, at: &Address, content: &Content) -> Put {
    for _ in 0..60 {
        match blobs::put(store, at, content).await {
            Ok(put) => return put,
            Err(fault) => assert_eq!(fault.kind, FaultKind::Unavailable, "{fault:?}"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("the NameNode still counts on a DataNode that died");
}

/// The only `DataNode` dies: the put fails, nothing is under the address, and with another one it succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_whose_only_datanode_dies_leaves_nothing() {
    let mut cluster = Cluster::start(Kind::Active, 1, false);
    let dir = tempfile::tempdir().unwrap();
    let (content, at) = blobs::random(&dir, 40 << 20);
    let store = made(&cluster.address, "/store").await;
    match put_with(&store, &at, &content, || cluster.kill_datanode()).await {
        Err(PutError::Fault(fault)) => assert_eq!(fault.kind, FaultKind::Unavailable, "{fault:?}"),
        result => panic!("{result:?}"),
    }
    assert_eq!(store.stat(&at).await.unwrap(), None);
    cluster.add_datanode(false);
    assert_eq!(put_in_time(&store, &at, &content).await, Put::Stored);
    assert!(holds(&store, &at, content.size()).await);
}

/// One of two `DataNode`s of each block dies: the put continues with the other, or fails and can be repeated. A stopped
/// one is a dead one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_survives_one_of_its_datanodes() {
    for stops in [false, true] {
        let mut cluster = Cluster::start(Kind::Active, 3, false);
        let dir = tempfile::tempdir().unwrap();
        let (content, at) = blobs::random(&dir, 200 << 20);
        let store = made(&cluster.address, "/store").await;
        let event = || if stops { cluster.stop_datanode() } else { cluster.kill_datanode() };
        let first = put_with(&store, &at, &content, event).await;
        println!("stopped {stops}: {first:?}");
        match first {
            Ok(put) => assert_eq!(put, Put::Stored),
            Err(PutError::Fault(fault)) => {
                assert_eq!(fault.kind, FaultKind::Unavailable, "{fault:?}");
                assert_eq!(store.stat(&at).await.unwrap(), None);
            }
            Err(error) => panic!("{error:?}"),
        }
        if stops {
            cluster.kill_datanode();
        }
        put_in_time(&store, &at, &content).await;
        assert!(holds(&store, &at, content.size()).await);
    }
}

fn sandbox(address: &str, path: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let ledger = format!("file://{}/ledger", sandbox.home().display());
    sandbox.set("SACKER_LEDGER", ledger).set("SACKER_STORE", format!("hdfs://{address}{path}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namenode_that_refuses_or_is_away_is_explained() {
    let mut cluster = Cluster::start(Kind::Active, 1, false);
    let dir = tempfile::tempdir().unwrap();
    let (content, at) = blobs::random(&dir, 2 << 20);
    let store = made(&cluster.address, "/store").await;
    let home = sandbox(&cluster.address, "/command");
    home.ok(&["init"]);
    home.write("f", vec![7; 1 << 20]);
    let fails = |code: u8, with: &str| {
        let said = home.run(&["add", "app", "f", DEADLINE]);
        assert!(said.starts_with(&format!("exit {code}\n")) && said.contains(with), "{said}");
    };

    cluster.command("safemode enter");
    let fault = blobs::put(&store, &at, &content).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unavailable, "{fault:?}");
    assert!(fault.remedy.unwrap().contains("safe mode"), "{fault:?}");
    fails(7, "hint: the NameNode is in safe mode");
    cluster.command("safemode leave");

    // Less than a block.
    cluster.command("quota /store 9223372036854775807 1048576");
    cluster.command("quota /command 9223372036854775807 1048576");
    let fault = blobs::put(&store, &at, &content).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Full, "{fault:?}");
    let quota = store.settings().await.unwrap().pop().unwrap();
    assert!(quota.found.unwrap().contains("of 1048576 bytes"));
    fails(7, "hint: the quota of the folder is used up");
    assert_eq!(store.uploads(None).await.unwrap().uploads, [], "the temporary file is removed");
    cluster.command("quota /store 9223372036854775807 1073741824");
    cluster.command("quota /command 9223372036854775807 1073741824");
    assert_eq!(blobs::put(&store, &at, &content).await.unwrap(), Put::Stored);
    assert_eq!(home.ok(&["add", "app", "f"]), "1\n");

    cluster.kill_namenode();
    let fault = blobs::put(&store, &at, &content).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unavailable, "{fault:?}");
    let (code, took) = timed(&home, &["download", "app", "1", "-o", "x", DEADLINE]);
    assert_eq!(code, Some(7));
    assert!(took < LONG, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_without_space_says_so() {
    let cluster = Cluster::start(Kind::Active, 1, true);
    let dir = tempfile::tempdir().unwrap();
    let (content, at) = blobs::random(&dir, 2 << 20);
    let store = made(&cluster.address, "/store").await;
    let fault = blobs::put(&store, &at, &content).await.unwrap_err();
    // The client leaves a DataNode out that refused, so the NameNode no longer knows why there is none.
    assert!(matches!(fault.kind, FaultKind::Full | FaultKind::Unavailable), "{fault:?}");
    assert!(fault.remedy.unwrap().contains("space"), "{fault:?}");
    assert_eq!(store.stat(&at).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namenode_that_is_not_active_is_named() {
    let cluster = Cluster::start(Kind::Standby, 0, false);
    let store = HdfsStore::new(&cluster.address, "/store").unwrap();
    let fault = store.create().await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unavailable, "{fault:?}");
    assert!(fault.remedy.unwrap().contains("no NameNode is active"), "{fault:?}");
}

/// While an upload runs, the active one of two dies, and the other one takes its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logical_name_leads_to_the_active_namenode() {
    let mut pair = Pair::start();
    let home =
        sandbox(Pair::NAME, "/store").set("HADOOP_CONF_DIR", pair.configuration().display().to_string());
    home.ok(&["init", "-q"]);
    home.write("f", vec![7; 3 << 20]);
    home.write("g", vec![8; 3 << 20]);
    home.write("h", vec![9; 3 << 20]);
    assert_eq!(home.ok(&["add", "app", "f"]), "1\n");

    pair.kill_active();
    let said = home.run(&["add", "app", "g", DEADLINE]);
    assert!(said.starts_with("exit 7\n") && said.contains("hint: nothing was changed"), "{said}");
    let waiting =
        home.command(&["add", "app", "h", "--deadline", "2m"]).stdout(Stdio::piped()).spawn().unwrap();
    pair.fail_over();
    assert_eq!(String::from_utf8(waiting.wait_with_output().unwrap().stdout).unwrap(), "2\n");

    assert_eq!(home.ok(&["add", "app", "g"]), "3\n");
    for (version, content) in [("1", 7), ("2", 9), ("3", 8)] {
        home.ok(&["download", "app", version, "-o", "x", "-f"]);
        assert!(std::fs::read(home.path("x")).unwrap() == vec![content; 3 << 20], "{version}");
    }
    assert_eq!(home.ok(&["fsck", "--read-data"]), "");
}

/// Each command ends by its deadline while a connection to the `NameNode` stands still from some byte on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namenode_that_stalls_is_given_up() {
    let path = format!("/{}", backends::unique("stalls"));
    let direct = sandbox(&namenode(), &path);
    direct.ok(&["init"]);
    direct.write("f", vec![7; 3 << 20]);
    direct.write("g", vec![8; 3 << 20]);
    assert_eq!(direct.ok(&["add", "app", "f"]), "1\n");
    for after in [0, 500, 1500, 3000] {
        for arguments in
            [["add", "app", "g", DEADLINE].as_slice(), &["download", "app", "1", "-o", "x", DEADLINE]]
        {
            let stall = Some(Stall { after, lasts: None });
            let link = Link::start(&namenode(), Shape { stall, ..Shape::default() }).await;
            let address = link.address.to_string();
            let store = format!("--store=hdfs://{address}{path}");
            let (code, took) = timed(&direct, &[arguments, &[store.as_str()]].concat());
            assert!(took < LONG, "{after} {arguments:?}: {took:?}");
            assert!(matches!(code, Some(0 | 7)), "{after} {arguments:?}: {code:?}");
            assert!(after > 0 || code == Some(7), "{arguments:?}");
            let _ = std::fs::remove_file(direct.path("x"));
        }
    }
}
