//! One run: a world made from a seed, its clients, the calm after the storm, and the verdict.

use super::{
    acts::{Act, PACKAGES, Request, Told},
    audit::{Breaches, audit, dump},
    collector::{Collector, collect},
    history::{End, Record, check_answers, check_linearizable},
    mutants::{Before, Mutant, Mutated},
    network::{LATEST, Link, Remote, Time},
    objects::{RemoteStore, Warehouse},
};
use bytes::Bytes;
use futures_util::future::{join, join_all};
use sacker::{
    ledger::TableLedger,
    model::{Digest, Key, Timestamp},
    ops::Client,
    retry::{Patience, Stop},
    store::memory::MemoryStore,
    table::{Table, memory::MemoryTable},
};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

/// The files that are added.
pub struct Blobs {
    paths: Vec<PathBuf>,
    contents: Arc<BTreeMap<Digest, Bytes>>,
    _dir: tempfile::TempDir,
}

impl Blobs {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (mut paths, mut contents) = (Vec::new(), BTreeMap::new());
        for number in 0..3 {
            let path = dir.path().join(format!("blob-{number}"));
            let content = format!("content {number}");
            std::fs::write(&path, &content).unwrap();
            let sha256 = Digest::from(<[u8; 32]>::from(Sha256::digest(&content)));
            contents.insert(sha256, Bytes::from(content));
            paths.push(path);
        }
        Self { paths, contents: Arc::new(contents), _dir: dir }
    }
}

/// What a run came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub breaches: Vec<String>,
    pub requests: usize,
    pub answered: usize,
    pub unknown: usize,
    pub crashed: usize,
    pub deleted: usize,
    pub fences: usize,
    /// Plans that moved something in both packages, and plans that were taken back.
    pub applied: usize,
    pub undone: usize,
    pub rolled_back: usize,
    /// How many histories were searched for an order.
    pub searched: usize,
    /// Of the whole of the items, to compare runs by.
    pub digest: String,
}

struct World<'a> {
    seed: u64,
    mutant: Option<Mutant>,
    blobs: &'a Blobs,
    time: Arc<Time>,
    table: Arc<dyn Table>,
    warehouse: Arc<Warehouse>,
    before: Before,
}

impl World<'_> {
    /// Random numbers for some purpose of this run.
    fn random(&self, purpose: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed.wrapping_mul(1_000_003).wrapping_add(purpose))
    }

    /// A client behind a link on which so many requests in a hundred go wrong.
    fn client(&self, number: u64, percent: u32) -> Client {
        self.linked(number, percent, false).0
    }

    fn linked(&self, number: u64, percent: u32, collects: bool) -> (Client, Arc<Link>) {
        let mutant = self.mutant.filter(|mutant| !(collects && mutant.is_of_the_adder()));
        let mut random = self.random(1000 + number);
        let link = Link::new(&self.time, random.u64(..), percent);
        let remote = Remote { link: Arc::clone(&link), inner: Arc::clone(&self.table) };
        let mut table: Arc<dyn Table> = Arc::new(remote);
        let seed = random.u64(..);
        if let Some(mutant) = mutant {
            table = Arc::new(Mutated::new((table, &self.table), mutant, &self.before, &self.time, seed));
        }
        let warehouse = Arc::clone(&self.warehouse);
        // Table and store are asked at once, in an order that must not matter: each has a luck of its own.
        let other = Link::new(&self.time, random.u64(..), percent);
        let store = RemoteStore { link: other, warehouse, mutant, stalls: collects };
        let deadline = Duration::from_secs(random.choice([2, 10, 60]).unwrap());
        let mut patience = || Patience::seeded(deadline, Stop::new(), random.u64(..));
        let (of_ledger, of_client) = (patience(), patience());
        // Every clock is off by something of its own.
        let (time, off) = (Arc::clone(&self.time), random.u64(0..20_000));
        let clock = move || {
            Timestamp::from_millis(1_000_000 + off + u64::try_from(time.elapsed().as_millis()).unwrap())
        };
        let ledger = TableLedger::with_clock(table, of_ledger, Arc::new(clock));
        (Client::new(Arc::new(ledger), Arc::new(store), of_client, std::env::temp_dir()), link)
    }

    /// Collects, and returns how often something was deleted.
    async fn collect(&self, percent: u32, rounds: u32) -> usize {
        let random = self.random(3);
        let (client, link) = self.linked(50, percent, true);
        match self.mutant {
            Some(mutant @ (Mutant::DeletesBeforeCondemning | Mutant::CollectorIgnoresRefs)) => {
                let table = Arc::new(Remote { link: Arc::clone(&link), inner: Arc::clone(&self.table) });
                let warehouse = Arc::clone(&self.warehouse);
                let sent = Arc::clone(&link);
                let store = RemoteStore { link: sent, warehouse, mutant: None, stalls: false };
                Collector { table, store: Arc::new(store), link, random, mutant }.run(rounds).await
            }
            _ => collect(&client, &link, random, rounds).await,
        }
    }

    async fn work(&self, number: u64, steps: u64, packages: usize, percent: u32) -> Vec<Record> {
        let mut random = self.random(2000 + number);
        let mut records = Vec::new();
        let mut life = 0;
        let mut client = self.client(number, percent);
        for step in 0..steps {
            self.time.pass(random.u64(1..60)).await;
            let message = format!("request {number}.{step}");
            let act = match records.last().map(|record: &Record| &record.request.act) {
                // Who has applied a plan often takes it back.
                Some(Act::Apply { moves, undo: false }) if random.bool() => {
                    Act::Apply { moves: moves.clone(), undo: true }
                }
                _ => Act::draw(&mut random, self.blobs.paths.len(), &message),
            };
            let reads = matches!(act, Act::Read(_));
            let key = (!reads && random.u8(0..3) == 0).then(|| format!("key {message}").parse().unwrap());
            let package = PACKAGES[random.usize(0..packages)];
            let mut request = Request { package, act, message, key };
            let began = self.time.tick();
            let mut loose = false;
            let end = loop {
                // With the whole of its process, at any point.
                let crash =
                    Duration::from_millis(random.choice([30, 300, 20_000]).unwrap()).mul_f64(random.f64());
                let crashes = percent > 0 && random.u8(0..8) == 0;
                let run = request.run(&client, &self.blobs.paths);
                let told =
                    if crashes { tokio::time::timeout(crash, run).await.ok() } else { Some(run.await) };
                let again = random.bool();
                match told {
                    None => {
                        life += 1;
                        client = self.client(number + 100 * life, percent);
                        loose |= !matches!(request.key, Some(Key::Resume { .. }));
                        if request.key.is_none() || !again {
                            break request.key.clone().map_or(End::Perhaps, End::Unknown);
                        }
                    }
                    Some(Told::Unknown(key)) => {
                        loose |= !matches!(key, Key::Resume { .. });
                        request.key = Some(key.clone());
                        if !again {
                            break End::Unknown(key);
                        }
                    }
                    Some(Told::Failed) if loose => {
                        break request.key.clone().map_or(End::Perhaps, End::Unknown);
                    }
                    Some(told) => break Record::conclude(told, loose),
                }
            };
            records.push(Record { request, began, ended: self.time.tick(), end });
        }
        records
    }

    /// In the calm every unknown outcome is found out, by a run with its key from elsewhere.
    async fn find_out(&self, records: &mut [Record]) {
        let client = self.client(99, 0);
        for record in records.iter_mut() {
            let End::Unknown(key) = &record.end else { continue };
            let request = Request { key: Some(key.clone()), ..record.request.clone() };
            record.end = match request.run(&client, &self.blobs.paths).await {
                Told::Answered(answer) => End::Answered(answer),
                told => End::Wrong(format!("not even in the calm: {told:?}")),
            };
            record.ended = self.time.tick();
        }
    }
}

/// Runs what a seed says, in a runtime of its own. With a mutant, breaches are expected.
pub fn run(seed: u64, blobs: &Blobs, mutant: Option<Mutant>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(simulate(seed, blobs, mutant))
}

async fn simulate(seed: u64, blobs: &Blobs, mutant: Option<Mutant>) -> Outcome {
    let table: Arc<dyn Table> = Arc::new(MemoryTable::new());
    let store = MemoryStore::with_clock(|| Timestamp::from_millis(0));
    let warehouse = Warehouse::new(store, &blobs.contents, Arc::clone(&table));
    let time = Arc::new(Time::new());
    let before = Before::default();
    let world = World { seed, mutant, blobs, time, table, warehouse, before };
    let mut random = world.random(1);
    let percent = random.choice([0, 3, 10, 30, 60]).unwrap();
    let (clients, packages) = (random.u64(2..5), random.usize(1..=PACKAGES.len()));
    let steps = random.u64(3..9);
    let work = join_all((0..clients).map(|number| world.work(number, steps, packages, percent)));
    let (records, deleted) = join(work, world.collect(percent, random.u32(2..12))).await;
    let mut records = records.concat();
    let late_first = random.bool();
    if late_first {
        tokio::time::sleep(LATEST).await;
    }
    let unknown = records.iter().filter(|record| matches!(record.end, End::Unknown(_))).count();
    world.find_out(&mut records).await;
    // What arrives only now finds everything decided.
    tokio::time::sleep(LATEST).await;
    let mut outcome = judge(&world, &records).await;
    outcome.unknown = unknown;
    outcome.deleted = deleted;
    outcome
}

async fn judge(world: &World<'_>, records: &[Record]) -> Outcome {
    let items = dump(&*world.table).await;
    let Breaches(breaches) = audit(&items, &world.warehouse.inner, &world.warehouse.contents).await;
    let mut breaches = Breaches(breaches);
    breaches.0.extend(world.warehouse.lost());
    check_answers(&items, records, &mut breaches);
    let searched = check_linearizable(records, &mut breaches);
    let count = |of: &dyn Fn(&Record) -> bool| records.iter().filter(|record| of(record)).count();
    Outcome {
        requests: records.len(),
        answered: count(&|record| matches!(record.end, End::Answered(_))),
        crashed: count(&|record| matches!(record.end, End::Perhaps)),
        fences: items
            .values()
            .flat_map(BTreeMap::values)
            .filter(|item| item.get("kind").is_some_and(|kind| kind == "fence"))
            .count(),
        applied: count(&|record| record.moves(false) > 1),
        undone: count(&|record| record.moves(true) > 0),
        rolled_back: count(&Record::rolls_back),
        searched,
        digest: hex::encode(Sha256::digest(format!("{items:?}{records:?}"))),
        breaches: breaches.0,
        ..Outcome::default()
    }
}
