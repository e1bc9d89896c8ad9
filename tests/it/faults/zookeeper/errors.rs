//! Each error that a server reports: the exit code and the hint of the contract.

use super::table;
use crate::support::{
    backends,
    sandbox::Sandbox,
    zookeeper::{self, Ensemble},
};
use sacker::{
    fault::FaultKind,
    table::{
        Action, Change, Condition, Item, Key, Table, TransactError, Transaction,
        zookeeper::{Login, ZookeeperTable},
    },
};
use serde_json::json;
use std::net::TcpListener;
use zookeeper_client::{Acls, Client, CreateMode};

fn put(keys: impl IntoIterator<Item = Key>, value: &str) -> Transaction {
    let mut transaction = Transaction::new("token".to_owned());
    for key in keys {
        let item = Item::from_iter([("v".to_owned(), json!(value))]);
        transaction.push(Action { key, condition: Condition::Always, change: Change::Put(item) });
    }
    transaction
}

/// Runs a command that must fail, and returns its code and its output.
fn fails(sandbox: &Sandbox, arguments: &[&str]) -> (String, String) {
    let said = sandbox.run(arguments);
    let (code, rest) = said.split_once('\n').unwrap();
    (code.to_owned(), rest.to_owned())
}

#[test]
fn a_server_that_is_away_is_named() {
    // Nobody listens there once it is dropped.
    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let sandbox = zookeeper::sandbox_at(&away);
    sandbox.write("f", "content");
    for arguments in [&["info", "app", "live"][..], &["add", "app", "f"], &["init"], &["fsck"]] {
        let (code, said) = fails(&sandbox, &[&["--deadline", "1s"], arguments].concat());
        assert_eq!(code, "exit 7", "{arguments:?}: {said}");
        assert!(said.contains(&format!("check that {away} is correct and reachable")), "{said}");
    }
}

#[test]
fn a_missing_root_needs_init() {
    let sandbox = zookeeper::sandbox();
    sandbox.write("f", "content");
    for arguments in [&["info", "app", "live"][..], &["add", "app", "f"], &["list"], &["fsck"]] {
        let (code, said) = fails(&sandbox, arguments);
        assert_eq!(code, "exit 2", "{arguments:?}: {said}");
        assert!(said.contains("run `sacker init` to create it"), "{said}");
    }
    sandbox.ok(&["init"]);
    assert_eq!(sandbox.ok(&["list"]), "");
}

#[tokio::test]
async fn a_node_of_another_program_is_left_alone() {
    let client = Client::connect(&backends::zookeeper()).await.unwrap();
    let node = CreateMode::Persistent.with_acls(Acls::anyone_all());
    let root = format!("/{}", backends::unique("theirs"));
    client.create(&root, b"theirs", &node).await.unwrap();
    let theirs = table(&backends::zookeeper(), &root);
    assert_eq!(theirs.create().await.unwrap_err().kind, FaultKind::Misconfigured);
    let Err(TransactError::Fault(fault)) = theirs.transact(&put([Key::new("p", "a")], "x")).await else {
        panic!("it is written to");
    };
    assert_eq!(fault.kind, FaultKind::Missing);
    assert_eq!(client.get_children(&root).await.unwrap().0, Vec::<String>::new());
    // An empty one is taken: not everybody may make it.
    client.set_data(&root, b"", None).await.unwrap();
    theirs.create().await.unwrap();
    theirs.transact(&put([Key::new("p", "a")], "x")).await.unwrap();
}

#[test]
fn only_the_user_gets_in() {
    let root = backends::unique("private");
    let place = format!("zookeeper://{}/{root}", backends::zookeeper());
    let sandbox = zookeeper::sandbox();
    sandbox.write("right", "correct horse\n");
    sandbox.write("wrong", "incorrect horse\n");
    sandbox.write("f", "content");
    let of = |file: &str| format!("{place}?user=ci&password_file={}", sandbox.path(file).display());
    let (right, wrong) = (of("right"), of("wrong"));
    let run = |ledger: &str, arguments: &[&str]| {
        let output = sandbox.command(arguments).env("SACKER_LEDGER", ledger).output().unwrap();
        sandbox.shown(&output)
    };
    for arguments in [&["init"][..], &["add", "app", "f", "--tag", "live"], &["fsck"], &["list"]] {
        let said = run(&right, arguments);
        assert!(said.starts_with("exit 0\n"), "{said}");
    }
    for ledger in [&place, &wrong] {
        for arguments in [
            &["info", "app", "live"][..],
            &["list"],
            &["tag", "app", "1", "canary"],
            &["add", "app", "f"],
            &["fsck"],
            &["init"],
        ] {
            let said = run(ledger, arguments);
            assert!(said.starts_with("exit 10\n"), "{ledger} {arguments:?}: {said}");
            assert!(!said.contains("horse"), "{said}");
        }
    }
    let said = run(&of("missing"), &["list"]);
    assert!(said.starts_with("exit 10\n") && said.contains("`password_file`"), "{said}");
    // Nothing of it was changed.
    assert!(run(&right, &["tags", "app", "--json"]).contains("live"));
    // A root for everybody is said to be one.
    let open = zookeeper::sandbox();
    open.ok(&["init"]);
    let said = open.run(&["doctor"]);
    assert!(said.contains("world:anyone"), "{said}");
    let said = run(&right, &["doctor"]);
    assert!(!said.contains("world:anyone"), "{said}");
}

/// Every node, also those that were made for later items, is the user's alone.
#[tokio::test]
async fn each_node_has_the_list_of_the_user() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, "secret").unwrap();
    let root = format!("/{}/below/it", backends::unique("acl"));
    let table = ZookeeperTable::new(backends::zookeeper(), &root, Some(Login::new("ci", &file)));
    table.create().await.unwrap();
    let keys = ["a", "V#0000000000000001"].map(|sk| Key::new("P#app", sk));
    table.transact(&put(keys, "x")).await.unwrap();
    let client =
        Client::connector().with_auth("digest", b"ci:secret").connect(&backends::zookeeper()).await.unwrap();
    let (mut nodes, mut seen) = (vec![root.split('/').take(2).collect::<Vec<_>>().join("/")], 0);
    while let Some(path) = nodes.pop() {
        let (acls, _) = client.get_acl(&path).await.unwrap();
        assert!(
            acls.iter().all(|acl| acl.scheme() == "digest" && acl.id().starts_with("ci:")),
            "{path}: {acls:?}"
        );
        seen += 1;
        let (children, _) = client.get_children(&path).await.unwrap();
        nodes.extend(children.into_iter().map(|child| format!("{path}/{child}")));
    }
    // The root and the two above it, the stripes, one partition, three folders and two items.
    assert_eq!(seen, 3 + 1024 + 1 + 3 + 2);
}

#[tokio::test]
async fn a_quota_that_is_reached_is_full() {
    let root = format!("/{}", backends::unique("quota"));
    let table = table(&backends::zookeeper(), &root);
    table.create().await.unwrap();
    let client = Client::connect(&backends::zookeeper()).await.unwrap();
    let node = CreateMode::Persistent.with_acls(Acls::anyone_all());
    let path = format!("/zookeeper/quota{root}");
    client.mkdir(&path, &node).await.unwrap();
    let limits = format!("{path}/zookeeper_limits");
    client.create(&limits, b"count=-1,bytes=-1=;byteHardLimit=2000;countHardLimit=-1", &node).await.unwrap();
    client.create(&format!("{path}/zookeeper_stats"), b"count=1025,bytes=29", &node).await.unwrap();
    table.transact(&put([Key::new("p", "a")], "small")).await.unwrap();
    let large = put([Key::new("p", "b")], &"x".repeat(3000));
    let Err(TransactError::Fault(fault)) = table.transact(&large).await else { panic!("it is written") };
    assert_eq!(fault.kind, FaultKind::Full, "{fault:?}");
    assert!(fault.remedy.unwrap().contains("quota"));
    assert_eq!(table.get(&Key::new("p", "b")).await.unwrap(), None);
}

#[tokio::test]
async fn a_transaction_that_is_too_large_is_not_sent() {
    let table = table(&backends::zookeeper(), &format!("/{}", backends::unique("large")));
    table.create().await.unwrap();
    let keys = |n: u64| (0..n).map(|n| Key::new("p", format!("{n:03}")));
    let value = "x".repeat(10_500);
    let Err(TransactError::Fault(fault)) = table.transact(&put(keys(100), &value)).await else {
        panic!("it is sent");
    };
    assert_eq!(fault.kind, FaultKind::Misconfigured, "{fault:?}");
    assert!(fault.source.to_string().contains("bytes"), "{fault:?}");
    // What is just below the limit is sent, and the server takes it.
    let mut least = None;
    for n in (90..100).rev() {
        if table.transact(&put(keys(n), &value)).await.is_ok() {
            least = Some(n);
            break;
        }
    }
    let found = table.get_many(&keys(100).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(found.iter().flatten().count() as u64, least.unwrap());
}

/// Servers that know nothing of a session end it: the next request has a new one.
#[test]
fn an_expired_session_is_replaced() {
    let mut server = Ensemble::start(1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let key = Key::new("p", "a");
    let (servers, root) = (server.servers(), "/sacker");
    runtime.block_on(async {
        table(&servers, root).create().await.unwrap();
        table(&servers, root).transact(&put([key.clone()], "x")).await.unwrap();
    });
    let files = server.save(0);
    let table = table(&servers, root);
    runtime.block_on(table.get(&key)).unwrap().unwrap();
    server.kill(0);
    server.restore(0, &files);
    server.launch(0);
    server.serves(0);
    // One request may still find that the connection is gone.
    let found = (0..20).find_map(|_| runtime.block_on(table.get(&key)).ok());
    assert_eq!(found.unwrap().unwrap()["v"], json!("x"));
}

#[tokio::test]
async fn the_home_of_a_copy_differs() {
    let root = format!("/{}", backends::unique("home"));
    let one = table(&backends::zookeeper(), &root);
    assert_eq!(one.home().await.unwrap(), None);
    one.create().await.unwrap();
    let home = one.home().await.unwrap().unwrap();
    assert!(home.starts_with(&format!("zookeeper:{root}@")), "{home}");
    one.transact(&put([Key::new("p", "a")], "x")).await.unwrap();
    assert_eq!(table(&backends::zookeeper(), &root).home().await.unwrap().unwrap(), home);
    let other = table(&backends::zookeeper_ensemble(), &root);
    other.create().await.unwrap();
    assert_ne!(other.home().await.unwrap().unwrap(), home);
}
