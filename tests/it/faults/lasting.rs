//! Every operation under every fault that lasts: it ends by its deadline with the right error and a bounded number of
//! requests, or goes on once the fault is over. In paused time.
//!
//! The bound is that of [`RetryPolicy::run`](sacker::retry::RetryPolicy::run): at most 40 tries of a run begin in any minute,
//! and one more at its deadline; and all runs together begin at most 64 retries and 30 more a minute, and one each at the
//! deadline.

use crate::support::world::{of, version};
use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};
use sacker::{
    fault::{Fault, FaultKind},
    ledger::{
        self, AddRequest, ApplyRequest, Author, ChangeRequest, PackageQuery, ProtectRequest, RollbackRequest,
        TableLedger, TagRequest, UntagRequest,
    },
    model::{Address, Created, Labels, Plan, Protection, ReleaseChange, Spec, TagName, Timestamp, Version},
    ops::{Add, AddInput, Client, Download, Error, Fsck, GcOptions, Observer, Silent, Target},
    retry::{Cancellation, Pace, RetryPolicy, pace},
    store::{Body, Content, Listing, Put, PutError, Sending, Stat, Store, memory::MemoryStore},
    table::{Item, Key, Page, Query, Table, TransactError, Transaction, memory::MemoryTable},
};
use std::{
    fmt, io,
    ops::Range,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

/// The most tries of one run until a deadline of a minute, the one at the deadline included.
const TRIES: usize = 41;
const MINUTE: Duration = Duration::from_mins(1);
/// The longest time for finding out an unknown outcome, and for a last try.
const SETTLING: Duration = Duration::from_secs(10);
const SLACK: Duration = Duration::from_secs(5);

/// The fate of each request while the fault lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// It is turned away at once.
    Refused,
    /// It is lost, and after 2 s that is noticed.
    Silent,
    /// It is carried out, and its answer is lost.
    Unanswered,
    Throttled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Table,
    Store,
}

/// A fault that lasts.
#[derive(Debug, Clone, Copy)]
struct Lasting {
    what: What,
    /// Both places, or only one: then this client is cut off from it, and sees the other.
    of: Option<Place>,
    /// From the first change on that is sent, and not from the beginning.
    from_change: bool,
    /// `None`: without end.
    lasts: Option<Duration>,
}

/// The result of an operation under a fault.
#[derive(Debug, Default)]
struct Count {
    began: Option<Instant>,
    requests: usize,
    /// The number of requests that met the fault.
    met: usize,
}

struct FaultSchedule {
    lasting: Option<Lasting>,
    count: Mutex<Count>,
}

impl FaultSchedule {
    fn new(lasting: Option<Lasting>) -> Arc<Self> {
        let began = lasting.filter(|lasting| !lasting.from_change).map(|_| Instant::now());
        Arc::new(Self { lasting, count: Mutex::new(Count { began, ..Count::default() }) })
    }

    /// Returns the fault that a request meets now.
    fn meets(&self, place: Place, changes: bool) -> Option<What> {
        let mut count = self.count.lock().unwrap();
        count.requests += 1;
        let lasting = self.lasting?;
        if changes && count.began.is_none() {
            count.began = Some(Instant::now());
        }
        let began = count.began?;
        let lasts = lasting.lasts.is_none_or(|lasts| began.elapsed() < lasts);
        let meets = lasts && lasting.of.is_none_or(|of| of == place);
        count.met += usize::from(meets);
        meets.then_some(lasting.what)
    }

    async fn send<T, E: From<Fault>>(
        &self,
        place: Place,
        changes: bool,
        arrive: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let fault = |kind| Err(Fault::new(kind, "testing", "a fault that lasts").into());
        let (quickly, timeout) = (Duration::from_millis(5), Duration::from_secs(2));
        match self.meets(place, changes) {
            None => {
                tokio::time::sleep(quickly).await;
                arrive.await
            }
            Some(What::Refused) => {
                tokio::time::sleep(quickly).await;
                fault(FaultKind::Unavailable)
            }
            Some(What::Silent) => {
                tokio::time::sleep(timeout).await;
                fault(FaultKind::Unavailable)
            }
            Some(What::Unanswered) => {
                drop(arrive.await);
                tokio::time::sleep(timeout).await;
                fault(FaultKind::Unavailable)
            }
            Some(What::Throttled) => {
                tokio::time::sleep(quickly).await;
                fault(FaultKind::Throttled)
            }
        }
    }

    async fn read<T>(
        &self,
        place: Place,
        arrive: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        self.send(place, false, arrive).await
    }
}

/// A table or a store in this weather.
struct Under<T: ?Sized> {
    fault_schedule: Arc<FaultSchedule>,
    inner: Arc<T>,
}

impl<T: ?Sized> fmt::Debug for Under<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Under")
    }
}

#[async_trait]
impl Table for Under<dyn Table> {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.fault_schedule.send(Place::Table, true, self.inner.create()).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.fault_schedule.read(Place::Table, self.inner.get_many(keys)).await
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.fault_schedule.read(Place::Table, self.inner.get_transact(keys)).await
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        self.fault_schedule.read(Place::Table, self.inner.query(query)).await
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.fault_schedule.read(Place::Table, self.inner.scan(after)).await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        self.fault_schedule.send(Place::Table, true, self.inner.transact(transaction)).await
    }
}

#[async_trait]
impl Store for Under<dyn Store> {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.fault_schedule.send(Place::Store, true, self.inner.create()).await
    }

    async fn owner(&self) -> Result<Option<String>, Fault> {
        self.fault_schedule.read(Place::Store, self.inner.owner()).await
    }

    async fn claim(&self, ledger: &str) -> Result<String, Fault> {
        self.fault_schedule.send(Place::Store, true, self.inner.claim(ledger)).await
    }

    async fn replace_owner(&self, from: &str, to: &str) -> Result<String, Fault> {
        self.fault_schedule.send(Place::Store, true, self.inner.replace_owner(from, to)).await
    }

    async fn stat(&self, at: &Address) -> Result<Option<Stat>, Fault> {
        self.fault_schedule.read(Place::Store, self.inner.stat(at)).await
    }

    async fn put(
        &self,
        at: &Address,
        content: &Content,
        expected: bool,
        sent: Sending<'_>,
    ) -> Result<Put, PutError> {
        self.fault_schedule.send(Place::Store, true, self.inner.put(at, content, expected, sent)).await
    }

    async fn get(&self, at: &Address, range: Range<u64>, etag: Option<&str>) -> Result<Option<Body>, Fault> {
        self.fault_schedule.read(Place::Store, self.inner.get(at, range, etag)).await
    }

    async fn delete(&self, at: &Address) -> Result<(), Fault> {
        self.fault_schedule.send(Place::Store, true, self.inner.delete(at)).await
    }

    async fn list(&self, after: Option<&str>) -> Result<Listing, Fault> {
        self.fault_schedule.read(Place::Store, self.inner.list(after)).await
    }
}

/// Every operation, and how many runs of tries it makes at the same time.
const OPERATIONS: [(&str, usize); 29] = [
    ("add", 2),
    ("add --tag", 2),
    ("add --if-changed", 2),
    ("tag", 1),
    ("tag latest", 1),
    ("tag live~1", 1),
    ("tag live@", 1),
    ("tag --require", 1),
    ("untag", 1),
    ("rollback", 1),
    ("rollback --to", 2),
    ("apply", 1),
    ("apply --undo", 1),
    ("protect", 1),
    ("unprotect", 1),
    ("yank", 1),
    ("unyank", 1),
    ("delete", 2),
    ("label", 1),
    ("info", 2),
    ("versions", 2),
    ("tags", 2),
    ("list", 4),
    ("list -l", 4),
    ("history", 3),
    ("download", 1),
    ("gc", 2),
    ("fsck", 2),
    ("init", 1),
];

fn author() -> Author {
    Author { actor: of("someone@host"), message: None, key: None }
}

fn tagging(spec: &str, tag: &str) -> TagRequest {
    let (package, spec, tag, author) = (of("app"), of(spec), of(tag), author());
    TagRequest { package, spec, tag, expect: None, require: Vec::new(), confirm: false, author }
}

fn change(number: u64, change: ReleaseChange) -> ChangeRequest {
    ChangeRequest { package: of("app"), version: version(number), change, author: author() }
}

fn plan() -> Plan {
    of(
        r#"{"moves":[{"package":"app","tag":"live","to":"latest"},{"package":"app","tag":"canary","to":"latest"}]}"#,
    )
}

fn protection(tag: &str, protection: Option<Protection>) -> ProtectRequest {
    ProtectRequest { package: of("app"), tag: of(tag), protection, author: author() }
}

async fn add(client: &Client, file: &Path, tags: Vec<TagName>, if_changed: bool) -> Result<(), Error> {
    let (package, author, labels) = (of("app"), author(), Labels::default());
    let (expect_latest, confirm) = (None, Vec::new());
    let request = AddRequest { package, author, labels, tags, if_changed, expect_latest, confirm };
    let add = Add { request, input: AddInput::File(file.to_owned()), filename: None };
    client.add(add, &observer()).await.map(drop)
}

fn observer() -> Arc<dyn Observer> {
    Arc::new(Silent)
}

async fn rollback(client: &Client, to: Option<Version>) -> Result<(), Error> {
    let (package, tag, author) = (of("app"), of("live"), author());
    client
        .rollback(&RollbackRequest { package, tag, to, expect: None, confirm: false, author })
        .await
        .map(drop)
}

async fn apply(client: &Client, undo: bool) -> Result<(), Error> {
    client.apply(&ApplyRequest { plan: plan(), undo, author: author() }).await.map(drop)
}

/// Does an operation to the scene that [`prepare`] has made.
async fn perform(name: &str, client: &Client, dir: &Path) -> Result<(), Error> {
    let (app, all) = (of("app"), PackageQuery::default());
    match name {
        "add" => add(client, &dir.join("new"), Vec::new(), false).await,
        "add --tag" => add(client, &dir.join("new"), vec![of("live")], false).await,
        "add --if-changed" => add(client, &dir.join("3"), vec![of("next")], true).await,
        "tag" => client.tag(&tagging("2", "live")).await.map(drop),
        "tag latest" => client.tag(&tagging("latest", "next")).await.map(drop),
        "tag live~1" => client.tag(&tagging("live~1", "next")).await.map(drop),
        "tag live@" => client.tag(&tagging("live@{2100-01-01T00:00:00Z}", "next")).await.map(drop),
        "tag --require" => {
            let require = ["label:tests=passed", "tag:live", "age:1ms"].map(of).to_vec();
            client.tag(&TagRequest { require, ..tagging("live", "next") }).await.map(drop)
        }
        "untag" => {
            let (package, tag, author) = (of("app"), of("canary"), author());
            client.untag(&UntagRequest { package, tag, expect: None, confirm: false, author }).await.map(drop)
        }
        "rollback" => rollback(client, None).await,
        "rollback --to" => rollback(client, Some(version(1))).await,
        "apply" => {
            let plan =
                r#"{"moves":[{"package":"app","tag":"live","to":1},{"package":"lib","tag":"live","to":1}]}"#;
            let request = ApplyRequest { plan: of(plan), undo: false, author: author() };
            client.apply(&request).await.map(drop)
        }
        "apply --undo" => apply(client, true).await,
        "protect" => client.protect(&protection("live", Some(Protection::Confirm))).await.map(drop),
        "unprotect" => client.protect(&protection("pinned", None)).await.map(drop),
        "yank" => client.change(&change(2, ReleaseChange::Yank)).await.map(drop),
        "unyank" => client.change(&change(4, ReleaseChange::Unyank)).await.map(drop),
        "delete" => client.change(&change(4, ReleaseChange::Delete)).await.map(drop),
        "label" => {
            let labels = Labels::parse(["scan=passed"]).unwrap();
            client.change(&change(1, ReleaseChange::Label(labels))).await.map(drop)
        }
        "info" => client.info(&app, &of::<Spec>("live")).await.map(drop),
        "versions" => client.versions(&app, None).try_collect::<Vec<_>>().await.map(drop),
        "tags" => client.tags(&app).await.map(drop),
        "list" => client.list(&all).try_collect::<Vec<_>>().await.map(drop),
        "list -l" => client.list_long(&all, 100).try_collect::<Vec<_>>().await.map(drop),
        "history" => client.history(&app, None).try_collect::<Vec<_>>().await.map(drop),
        "download" => {
            let target = Target::Stream(Box::new(io::sink()));
            let (package, spec, force) = (app, of("live"), false);
            let download = Download { package, spec, target, force, preserve_mode: false };
            client.download(download, &observer()).await.map(drop)
        }
        "gc" => {
            let collect = GcOptions { delete: true, min_age: Duration::ZERO, now: Timestamp::now() };
            client.gc(collect).collect::<Vec<_>>().await.into_iter().try_for_each(|found| found.map(drop))
        }
        "fsck" => client
            .fsck(Fsck::default(), &observer(), &mut |violation| panic!("{violation:?}"))
            .await
            .map(drop),
        "init" => client.init().await.map(drop),
        other => panic!("there is no {other}"),
    }
}

/// 1, 2 and 3 are active, 4 is yanked, and 5 is deleted; `live` went from 1 to 2 and by a plan to 3, as did `canary`.
async fn prepare(client: &Client, dir: &Path) {
    for number in 1..=5 {
        add(client, &dir.join(number.to_string()), Vec::new(), false).await.unwrap();
    }
    let labels = ReleaseChange::Label(Labels::parse(["tests=passed"]).unwrap());
    for (number, to) in [(3, labels), (4, ReleaseChange::Yank), (5, ReleaseChange::Delete)] {
        client.change(&change(number, to)).await.unwrap();
    }
    for (spec, tag) in [("1", "live"), ("2", "live"), ("1", "canary"), ("1", "pinned")] {
        client.tag(&tagging(spec, tag)).await.unwrap();
    }
    client.protect(&protection("pinned", Some(Protection::WriteOnce))).await.unwrap();
    let lib = AddRequest {
        package: of("lib"),
        author: author(),
        labels: Labels::default(),
        tags: Vec::new(),
        if_changed: false,
        expect_latest: None,
        confirm: Vec::new(),
    };
    let add = Add { request: lib, input: AddInput::File(dir.join("1")), filename: None };
    client.add(add, &observer()).await.unwrap();
    apply(client, false).await.unwrap();
}

/// One operation under one fault.
async fn run(
    name: &str,
    lasting: Option<Lasting>,
    deadline: Duration,
    dir: &Path,
    pace: Pace,
) -> (Result<(), Error>, Duration, Count) {
    let table: Arc<dyn Table> = Arc::new(MemoryTable::new());
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let client = |table, store: Arc<dyn Store>, seed| {
        let retry_policy = RetryPolicy::seeded(deadline, Cancellation::new(), seed).with_pace(pace);
        let ledger = TableLedger::new(table, retry_policy.clone());
        Client::new(Arc::new(ledger), store, retry_policy, std::env::temp_dir())
    };
    prepare(&client(Arc::clone(&table), Arc::clone(&store), 1), dir).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let fault_schedule = FaultSchedule::new(lasting);
    let table = Arc::new(Under { fault_schedule: Arc::clone(&fault_schedule), inner: table });
    let store = Arc::new(Under { fault_schedule: Arc::clone(&fault_schedule), inner: store });
    let began = Instant::now();
    let result = perform(name, &client(table, store, 2), dir).await;
    let count = std::mem::take(&mut *fault_schedule.count.lock().unwrap());
    (result, began.elapsed(), count)
}

fn lastings(lasts: Option<Duration>) -> Vec<Lasting> {
    let mut all = Vec::new();
    for what in [What::Refused, What::Silent, What::Unanswered, What::Throttled] {
        for of in [None, Some(Place::Table), Some(Place::Store)] {
            for from_change in [false, true] {
                all.push(Lasting { what, of, from_change, lasts });
            }
        }
    }
    all
}

fn files() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["1", "2", "3", "4", "5", "new"] {
        std::fs::write(dir.path().join(name), name).unwrap();
    }
    dir
}

/// The most requests of an operation that makes this many where nothing fails: those, the tries of each run that goes on
/// at the same time, and those of one more run, which finds out what became of a change.
fn bound(sound: usize, runs: usize, lasting: Lasting) -> usize {
    let all = 64 + 30 + 2 * runs;
    sound + all.min(TRIES * runs) + if lasting.from_change { TRIES } else { 0 }
}

/// Returns `true` if a fault without end may end an operation with this error.
fn is_right(error: &Error, lasting: Lasting) -> bool {
    let throttled = lasting.what == What::Throttled;
    match error {
        Error::Ledger(ledger::Error::Fault(fault)) | Error::Store(fault) => {
            fault.kind == if throttled { FaultKind::Throttled } else { FaultKind::Unavailable }
        }
        // Only of what was sent and not answered.
        Error::Ledger(ledger::Error::Unknown { .. }) => lasting.from_change && !throttled,
        _ => false,
    }
}

#[tokio::test(start_paused = true)]
async fn every_operation_ends_by_its_deadline_with_few_requests() {
    let (dir, mut wrong, mut cells) = (files(), Vec::new(), 0);
    for (name, runs) in OPERATIONS {
        let (result, _, sound) = run(name, None, MINUTE, dir.path(), pace).await;
        result.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let mut most = 0;
        for lasting in lastings(None) {
            let (result, took, count) = run(name, Some(lasting), MINUTE, dir.path(), pace).await;
            let of = format!("{name} under {lasting:?}: {result:?} after {took:?} and {count:?}");
            let ends_well = match &result {
                Ok(()) => count.met == 0,
                Err(error) => {
                    let in_time = took >= MINUTE && took <= MINUTE + SETTLING + SLACK;
                    cells += 1;
                    is_right(error, lasting) && count.met > 0 && in_time
                }
            };
            if !ends_well || count.requests > bound(sound.requests, runs, lasting) {
                wrong.push(of);
            }
            most = most.max(count.requests);
        }
        println!("{name}: {} requests where nothing fails, at most {most} where that lasts", sound.requests);
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cells > OPERATIONS.len() * 8, "only {cells} met their fault");
}

#[tokio::test(start_paused = true)]
async fn every_operation_resumes_after_a_fault_of_a_minute() {
    let (dir, deadline, mut wrong) = (files(), MINUTE + MINUTE / 2, Vec::new());
    for (name, runs) in OPERATIONS {
        let (_, _, sound) = run(name, None, MINUTE, dir.path(), pace).await;
        for lasting in lastings(Some(MINUTE)) {
            let (result, took, count) = run(name, Some(lasting), deadline, dir.path(), pace).await;
            let of = format!("{name} under {lasting:?}: {result:?} after {took:?} and {count:?}");
            // The longest sleep between two tries is 4 s.
            let in_time = took <= MINUTE + SLACK * 2;
            if result.is_err() || !in_time || count.requests > bound(2 * sound.requests, runs, lasting) {
                wrong.push(of);
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// A client that tries again every second breaks the bound.
#[tokio::test(start_paused = true)]
async fn a_hasty_client_makes_too_many_requests() {
    let (dir, hasty): (_, Pace) = (files(), |_, _| Duration::from_secs(1));
    let lasting = Lasting { what: What::Throttled, of: None, from_change: false, lasts: None };
    let (_, _, sound) = run("tag", None, MINUTE, dir.path(), hasty).await;
    let (_, _, count) = run("tag", Some(lasting), MINUTE, dir.path(), hasty).await;
    assert!(count.requests > bound(sound.requests, 1, lasting), "{count:?}");
}
