//! Connections that break at the commit, through a proxy that understands where a commit is.

use crate::support::{
    audit::{Audited, audit},
    postgres::{Cluster, name, shared},
    sandbox::Sandbox,
};
use sacker::location::PostgresTls;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::oneshot,
};

/// The client sends the writes and the commit together.
const COMMIT: &[u8] = b"COMMIT\0";
/// The beginning of a transaction, with its locks and reads.
const BEGIN: &[u8] = b"BEGIN ISOLATION";

/// The fate of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The server never gets it.
    IsLost,
    /// The server gets it; its answer is lost.
    LosesAnswer,
    /// Nobody answers, and nothing breaks.
    IsSilent,
}

/// A proxy: the first messages of a kind meet a fate, the others pass.
struct Proxy {
    port: u16,
    met: Arc<AtomicUsize>,
}

impl Proxy {
    async fn new(cluster: &Cluster, at: &'static [u8], fate: Fate, times: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (met, server) = (Arc::new(AtomicUsize::new(0)), cluster.port());
        let count = Arc::clone(&met);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                tokio::spawn(pass((client, server), at, fate, times, Arc::clone(&count)));
            }
        });
        Self { port, met }
    }
}

async fn pass(
    (client, server): (TcpStream, TcpStream),
    at: &[u8],
    fate: Fate,
    times: usize,
    met: Arc<AtomicUsize>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (stop, stopped) = oneshot::channel();
    let answers = tokio::spawn(async move {
        tokio::select! {
            _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
            _ = stopped => {}
        }
        (from_server, to_client)
    });
    let mut buffer = vec![0; 1 << 20];
    while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
        let is_met = buffer[..read].windows(at.len()).any(|window| window == at)
            && met.fetch_add(1, Ordering::SeqCst) < times;
        if !is_met {
            if to_server.write_all(&buffer[..read]).await.is_err() {
                break;
            }
            continue;
        }
        let _ = stop.send(());
        let (from_server, _to_client) = answers.await.unwrap();
        return meet(fate, &buffer[..read], from_client, (from_server, to_server)).await;
    }
    drop(to_server);
    let _ = answers.await;
}

async fn meet(
    fate: Fate,
    bytes: &[u8],
    mut from_client: OwnedReadHalf,
    (mut from_server, mut to_server): (OwnedReadHalf, OwnedWriteHalf),
) {
    let mut rest = Vec::new();
    match fate {
        Fate::IsLost => {}
        Fate::LosesAnswer => {
            to_server.write_all(bytes).await.unwrap();
            to_server.shutdown().await.unwrap();
            // The server closes after what it has read is done. A connection that ends before is a reset, at which the
            // server can give up the transaction.
            let _ = from_server.read_to_end(&mut rest).await;
        }
        Fate::IsSilent => {
            let _ = from_client.read_to_end(&mut rest).await;
        }
    }
}

struct Scene {
    cluster: Cluster,
    table: String,
    proxy: Proxy,
    sandbox: Sandbox,
}

impl Scene {
    async fn new(fate: Fate, times: usize) -> Self {
        Self::at(COMMIT, fate, times).await
    }

    async fn at(at: &'static [u8], fate: Fate, times: usize) -> Self {
        let (cluster, table) = (shared(), name("lost"));
        let mut place = cluster.place(&table);
        let direct = cluster.sandbox_at(&place);
        direct.ok(&["init"]);
        direct.write("f", "content");
        let add = ["add", "app", "f", "--tag", "live"];
        direct.ok(&add);
        let store = direct.variable("SACKER_STORE").to_owned();
        let proxy = Proxy::new(&cluster, at, fate, times).await;
        "127.0.0.1".clone_into(&mut place.hosts[0].name);
        place.hosts[0].port = proxy.port;
        place.tls = Some(PostgresTls::Disable);
        let sandbox = direct.set("SACKER_LEDGER", place.to_string()).set("SACKER_STORE", store);
        sandbox.write("g", "other");
        Self { cluster, table, proxy, sandbox }
    }

    async fn run(&self, arguments: &[&str]) -> String {
        let mut command = self.sandbox.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        self.sandbox.shown(&output)
    }

    async fn audit(&self) -> (usize, usize, usize) {
        let Audited { versions, moves, fences, .. } = audit(&self.cluster.table(&self.table), "app").await;
        (versions, moves, fences)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_one_s_own_success() {
    let scene = Scene::new(Fate::LosesAnswer, 1).await;
    let said = scene.run(&["add", "app", "g", "--tag", "live"]).await;
    assert!(said.starts_with("exit 0\n1| 2\n"), "{said}");
    assert_eq!(scene.audit().await, (2, 2, 0));
    assert!(scene.proxy.met.load(Ordering::SeqCst) >= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_was_lost_is_made_once() {
    let scene = Scene::new(Fate::IsLost, 1).await;
    let said = scene.run(&["add", "app", "g", "--tag", "live"]).await;
    assert!(said.starts_with("exit 0\n1| 2\n"), "{said}");
    assert_eq!(scene.audit().await, (2, 2, 0));
    assert!(scene.proxy.met.load(Ordering::SeqCst) >= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_is_not_found_out_has_a_key() {
    let scene = Scene::new(Fate::LosesAnswer, usize::MAX).await;
    let said = scene.run(&["tag", "app", "1", "canary", "--deadline", "2s"]).await;
    // The change was made, so the outcome is certain as soon as the slot can be read.
    assert!(said.starts_with("exit 0\n") || said.starts_with("exit 9\n"), "{said}");
    assert_eq!(scene.audit().await, (1, 2, 0));
    let lost = Scene::new(Fate::IsLost, usize::MAX).await;
    let said = lost.run(&["tag", "app", "1", "canary", "--deadline", "2s"]).await;
    assert!(said.starts_with("exit 9\n"), "{said}");
    let key = said.split("--key ").nth(1).unwrap().split('`').next().unwrap();
    let mut place = lost.cluster.place(&lost.table);
    place.tls = None;
    let direct = place.to_string();
    let rerun = ["--ledger", &direct, "tag", "app", "1", "canary", "--key", key];
    assert_eq!(lost.sandbox.ok(&rerun), "canary: none -> 1\n");
    assert_eq!(lost.sandbox.ok(&rerun), "canary: none -> 1\n");
    let (versions, moves, _) = lost.audit().await;
    assert_eq!((versions, moves), (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_nobody_answers_is_given_up() {
    let scene = Scene::new(Fate::IsSilent, 1).await;
    let said = scene.run(&["add", "app", "g", "--tag", "live"]).await;
    assert!(said.starts_with("exit 0\n1| 2\n"), "{said}");
    assert_eq!(scene.audit().await, (2, 2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_before_the_commit_changed_nothing() {
    for fate in [Fate::IsLost, Fate::LosesAnswer] {
        let scene = Scene::at(BEGIN, fate, usize::MAX).await;
        let said = scene.run(&["tag", "app", "1", "canary", "--deadline", "1s"]).await;
        assert!(said.starts_with("exit 7\n") && said.contains("nothing was changed"), "{said}");
        assert_eq!(scene.audit().await, (1, 1, 0));
    }
}
