//! A server that crashes and comes back, and one that is replaced by its standby, under the load of four writers:
//! nothing is lost or doubled, and what fails says that it does not know, or that nothing was changed.

use super::order::History;
use crate::support::{
    audit::audit,
    postgres::{Cluster, name},
    world::{adding, sha256, tagging, try_add},
};
use sacker::{
    fault::Fault,
    ledger::{Conflict, Error, Ledger, TableLedger},
    location::PostgresPlace,
    model::Digest,
    retry::{Cancellation, RetryPolicy},
    table::{Table, postgres::PostgresTable},
};
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;

const WRITERS: usize = 4;
const READERS: usize = 2;

fn script(arguments: &[&str]) -> Command {
    let mut command =
        Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/servers/postgres/cluster"));
    let home = env::var("SACKER_TEST_POSTGRES_HOME").expect("run the tests with `scripts/test`");
    let (what, rest) = arguments.split_first().unwrap();
    command.arg(what);
    if *what != "synchronous" {
        command.arg(home);
    }
    command.args(rest).stdin(Stdio::null());
    command
}

fn done(arguments: &[&str]) {
    assert!(script(arguments).status().unwrap().success(), "{arguments:?}");
}

/// A server of this test's own.
struct Server {
    cluster: Cluster,
    child: Option<Child>,
}

impl Server {
    fn text(&self) -> &str {
        self.cluster.dir.to_str().unwrap()
    }

    fn make(dir: PathBuf) -> Self {
        let server = Self { cluster: Cluster { dir }, child: None };
        done(&["make", server.text()]);
        server
    }

    fn standby(dir: PathBuf, of: &Self) -> Self {
        let server = Self { cluster: Cluster { dir }, child: None };
        done(&["standby", server.text(), of.text()]);
        server
    }

    fn start(&mut self) {
        let log =
            fs::OpenOptions::new().create(true).append(true).open(self.cluster.dir.join("log")).unwrap();
        self.child =
            Some(script(&["run", self.text()]).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    }

    /// Ends it as a crash would: no checkpoint, no farewell.
    fn crash(&mut self) {
        let pid = fs::read_to_string(self.cluster.dir.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        assert!(Command::new("kill").args(["-QUIT", &pid]).status().unwrap().success());
        self.child.take().unwrap().wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
            let _ = child.wait();
        }
    }
}

/// The answers that the writers got.
#[derive(Default)]
struct Outcomes {
    /// The versions that were added, each with the content.
    added: BTreeMap<u64, Digest>,
    /// The contents of additions with an unknown outcome.
    unknown: Vec<Digest>,
    /// The version that the tag of each writer was last moved to; `None` after a move with an unknown outcome.
    tags: BTreeMap<usize, Option<u64>>,
    moved: usize,
    maybe_moved: usize,
    failed: usize,
    wrong: Vec<String>,
}

struct Load {
    outcomes: Arc<Mutex<Outcomes>>,
    history: Arc<History>,
    acknowledged: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    writers: Vec<tokio::task::JoinHandle<()>>,
}

fn ledger(place: &PostgresPlace, cluster: &Cluster) -> TableLedger {
    let table = PostgresTable::new(place.clone(), cluster.standard());
    TableLedger::new(Arc::new(table), RetryPolicy::new(Duration::from_secs(20), Cancellation::new()))
}

impl Load {
    fn new(place: &PostgresPlace, cluster: &Cluster) -> Self {
        let (outcomes, acknowledged) = (Arc::<Mutex<Outcomes>>::default(), Arc::<AtomicUsize>::default());
        let (history, stop) = (Arc::<History>::default(), Arc::<AtomicBool>::default());
        let writers = (0..WRITERS).map(|writer| {
            let ledger = ledger(place, cluster);
            let (outcomes, acknowledged, stop) = (outcomes.clone(), acknowledged.clone(), stop.clone());
            let history = history.clone();
            tokio::spawn(async move {
                for number in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    if write(&ledger, writer, number, &outcomes, &history).await {
                        acknowledged.fetch_add(1, Ordering::SeqCst);
                    }
                }
            })
        });
        let mut writers: Vec<_> = writers.collect();
        writers.extend((0..READERS).map(|_| {
            let (ledger, history, stop) = (ledger(place, cluster), history.clone(), stop.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    read(&ledger, &history).await;
                }
            })
        }));
        Self { outcomes, history, acknowledged, stop, writers }
    }

    /// Waits until some more changes were acknowledged.
    async fn more(&self, changes: usize) {
        let from = self.acknowledged.load(Ordering::SeqCst);
        for _ in 0..12_000 {
            if self.acknowledged.load(Ordering::SeqCst) >= from + changes {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the writers do not continue: {:?}", self.outcomes.lock().unwrap().wrong);
    }

    async fn end(self) -> Outcomes {
        self.stop.store(true, Ordering::SeqCst);
        for writer in self.writers {
            writer.await.unwrap();
        }
        let seen = self.history.check().unwrap_or_else(|why| panic!("not linearizable: {why}"));
        println!("{seen} answers have an order");
        Arc::into_inner(self.outcomes).unwrap().into_inner().unwrap()
    }
}

/// Adds a version, or moves a tag of the writer; returns true if that was acknowledged.
async fn write(
    ledger: &dyn Ledger,
    writer: usize,
    number: u64,
    outcomes: &Mutex<Outcomes>,
    history: &History,
) -> bool {
    let content = format!("{writer} {number}");
    let adds = number.is_multiple_of(2);
    let began = history.now();
    let result = if adds {
        let added = try_add(ledger, &adding("app"), &content).await;
        added.map(|(release, _)| release.version.get()).inspect(|version| {
            history.add("latest", began, *version, *version, true);
        })
    } else {
        let tag = format!("w{writer}");
        let moved = ledger.tag(&tagging("app", "latest", &tag)).await;
        moved.map(|moved| (moved.version.unwrap().get(), moved.rev)).map(|(version, rev)| {
            // A tag that is there already is not moved: that is a read.
            history.add(&tag, began, rev, version, false);
            version
        })
    };
    let mut outcomes = outcomes.lock().unwrap();
    let before = outcomes.failed + outcomes.wrong.len() + outcomes.maybe_moved + outcomes.unknown.len();
    match result {
        Ok(version) if adds => drop(outcomes.added.insert(version, sha256(&content))),
        Ok(version) => {
            outcomes.tags.insert(writer, Some(version));
            outcomes.moved += 1;
        }
        Err(Error::Unknown { .. }) if adds => outcomes.unknown.push(sha256(&content)),
        Err(Error::Unknown { .. }) => {
            outcomes.tags.insert(writer, None);
            outcomes.maybe_moved += 1;
        }
        Err(Error::Fault(Fault { kind, .. })) if kind.is_transient() => outcomes.failed += 1,
        Err(Error::Conflict(Conflict::Contention(_))) => outcomes.failed += 1,
        Err(error) => outcomes.wrong.push(error.to_string()),
    }
    outcomes.failed + outcomes.wrong.len() + outcomes.maybe_moved + outcomes.unknown.len() == before
}

/// Reads all registers at some moments; a failure sees nothing.
async fn read(ledger: &dyn Ledger, history: &History) {
    let began = history.now();
    let Ok(tagged) = ledger.tags(&"app".parse().unwrap()).await else { return };
    if let Some(latest) = tagged.latest {
        history.add("latest", began, latest.get(), latest.get(), false);
    }
    for moved in &tagged.tags {
        history.add(moved.tag.as_str(), began, moved.rev, moved.version.unwrap().get(), false);
    }
}

/// Compares what is there with the answers that the writers got.
async fn judge(outcomes: Outcomes, ledger: &dyn Ledger, table: &dyn Table) {
    assert_eq!(outcomes.wrong, Vec::<String>::new());
    let audited = audit(table, "app").await;
    let mut found = BTreeMap::new();
    for number in 1..=u64::try_from(audited.versions).unwrap() {
        let release =
            ledger.release(&"app".parse().unwrap(), &number.to_string().parse().unwrap()).await.unwrap();
        found.insert(number, release.blob.address.sha256);
    }
    for (version, content) in &outcomes.added {
        assert_eq!(found.remove(version).as_ref(), Some(content), "{version} was acknowledged");
    }
    // What is there besides was added by those that do not know.
    for (version, content) in &found {
        assert!(outcomes.unknown.contains(content), "nobody may have added {version}");
    }
    for (writer, version) in &outcomes.tags {
        let Some(version) = version else { continue };
        let tag = format!("w{writer}").parse().unwrap();
        let found = ledger.release(&"app".parse().unwrap(), &tag).await.unwrap().version.get();
        assert_eq!(found, *version, "the last move of w{writer} was acknowledged");
    }
    let mut contents: Vec<_> = found.values().collect();
    contents.sort();
    contents.dedup();
    assert_eq!(contents.len(), found.len(), "something was added twice");
    println!(
        "{} added, {} moves reported ({} found), {} unknown, {} failed, {} fences",
        outcomes.added.len(),
        outcomes.moved,
        audited.moves,
        outcomes.unknown.len() + outcomes.maybe_moved,
        outcomes.failed,
        audited.fences
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_again_and_again_loses_nothing() {
    let dir = home_of_servers();
    let mut server = Server::make(dir.path().join("a"));
    server.start();
    let table = name("crashes");
    let place = server.cluster.place(&table);
    let first = ledger(&place, &server.cluster);
    first.create().await.unwrap();
    let load = Load::new(&place, &server.cluster);
    for _ in 0..4 {
        load.more(40).await;
        server.crash();
        server.start();
    }
    load.more(40).await;
    let outcomes = load.end().await;
    judge(outcomes, &first, &server.cluster.table(&table)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_to_the_synchronous_standby_loses_nothing() {
    let dir = home_of_servers();
    let mut primary = Server::make(dir.path().join("a"));
    let mut standby = Server::standby(dir.path().join("b"), &primary);
    done(&["synchronous", primary.text(), "on"]);
    primary.start();
    standby.start();
    let table = name("failover");
    let mut place = primary.cluster.place(&table);
    place.hosts.extend(standby.cluster.place(&table).hosts);
    let first = ledger(&place, &primary.cluster);
    first.create().await.unwrap();
    // A standby alone is no ledger.
    let alone = standby.cluster.sandbox_at(&standby.cluster.place(&table));
    let said = alone.run(&["list", "--deadline", "1s"]);
    assert!(said.starts_with("exit 7\n") && said.contains("the server is a standby"), "{said}");
    let load = Load::new(&place, &primary.cluster);
    load.more(60).await;
    primary.crash();
    assert_eq!(standby.cluster.value("SELECT pg_promote()").await, "t");
    load.more(60).await;
    let outcomes = load.end().await;
    judge(outcomes, &ledger(&place, &standby.cluster), &standby.cluster.table(&table)).await;
    // The ledger is at home there, too.
    assert_eq!(first.identity().await.unwrap().unwrap().copy_of, None);
}

/// A directory that the user nobody can enter, as which the servers run if the tests run as root.
fn home_of_servers() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
    dir
}
