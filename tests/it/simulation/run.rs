//! One run: a world made from a seed, its clients, a phase without faults, and the verdict.

use super::{
    acts::{Act, PACKAGES, Reply, Request, YEAR},
    adoption::{Adopters, Adoption, Ownership, adopt},
    audit::{Dump, audit, dump},
    collector::{Collector, collect},
    history::{End, Record, check},
    mutants::{Before, Mutant, Mutated},
    network::{BASE, LATEST, Lasting, Link, Remote, Time, faults_that_last},
    objects::{RemoteStore, Warehouse},
    recorder::Recorder,
    shape::{Blobs, Outcome, Shape},
};
use futures_util::future::{join, join_all, join3};
use sacker::{
    ledger::{self, TableLedger, Violation},
    model::{IdempotencyKey, Timestamp},
    ops::Client,
    retry::{Cancellation, RetryPolicy},
    store::memory::MemoryStore,
    table::Table,
};
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// The numbers of the clients that adopt.
const ADOPTERS: std::ops::Range<u64> = 70..80;

struct World<'a> {
    seed: u64,
    mutant: Option<Mutant>,
    blobs: &'a Blobs,
    time: Arc<Time>,
    recorder: Arc<Recorder>,
    table: Arc<dyn Table>,
    warehouse: Arc<Warehouse>,
    before: Before,
    /// `true` if some clocks are off by a year.
    wrong_clocks: bool,
    /// A bit for each kind of act that is done more often.
    preferred: u32,
    /// The longest pause of a client between two requests, in milliseconds.
    pause: u64,
    /// The faults that last, of the table and of the store.
    lasting: [Vec<Lasting>; 2],
    /// True if the store is taken over by others, and adopted.
    adopts: bool,
}

/// A client, and how far its clock is off in milliseconds.
struct Participant {
    client: Client,
    off: i64,
}

impl World<'_> {
    /// Random numbers for some purpose of this run.
    fn random(&self, purpose: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed.wrapping_mul(1_000_003).wrapping_add(purpose))
    }

    /// Makes a client behind a link on which the given percentage of requests go wrong.
    fn client(&self, number: u64, percent: u32) -> Participant {
        self.linked(number, percent, false).0
    }

    fn linked(&self, number: u64, percent: u32, collects: bool) -> (Participant, Arc<Link>) {
        let adds = !collects && !ADOPTERS.contains(&(number % 100));
        let mutant = self.mutant.filter(|mutant| adds || !mutant.is_of_the_adder());
        let mut random = self.random(1000 + number);
        let lasting = self.lasting.each_ref().map(|all| {
            let of_client = |it: &&Lasting| it.clients.is_empty() || it.clients.contains(&(number % 100));
            all.iter().filter(of_client).cloned().collect::<Vec<_>>()
        });
        let [of_table, of_store] = lasting;
        let link = Link::new(&self.time, random.u64(..), percent, of_table);
        let remote = Remote { link: Arc::clone(&link), inner: Arc::clone(&self.table) };
        let mut table: Arc<dyn Table> = Arc::new(remote);
        let seed = random.u64(..);
        if let Some(mutant) = mutant {
            table = Arc::new(Mutated::new((table, &self.table), mutant, &self.before, &self.time, seed));
        }
        let warehouse = Arc::clone(&self.warehouse);
        // Table and store are asked at once, in an order that must not matter: each has a luck of its own.
        let other = Link::new(&self.time, random.u64(..), percent, of_store);
        let store = RemoteStore { link: other, warehouse, mutant, stalls: collects };
        let deadline = Duration::from_secs(random.choice([2, 10, 60]).unwrap());
        let mut retry_policy = || RetryPolicy::seeded(deadline, Cancellation::new(), random.u64(..));
        let (of_ledger, of_client) = (retry_policy(), retry_policy());
        // Every clock is off by something of its own.
        let (time, mut off) = (Arc::clone(&self.time), random.i64(0..20_000));
        if self.wrong_clocks {
            let year = i64::try_from(YEAR.as_millis()).unwrap();
            off += random.choice([-year, 0, 0, year]).unwrap();
        }
        let clock = move || {
            let right = BASE + u64::try_from(time.elapsed().as_millis()).unwrap();
            Timestamp::from_millis(right.checked_add_signed(off).unwrap())
        };
        let ledger = TableLedger::with_clock(table, of_ledger, Arc::new(clock));
        let client = Client::new(Arc::new(ledger), Arc::new(store), of_client, std::env::temp_dir());
        (Participant { client, off }, link)
    }

    /// Collects, and returns the number of deletions.
    async fn collect(&self, percent: u32, rounds: u32) -> usize {
        let random = self.random(3);
        let (Participant { client, .. }, link) = self.linked(50, percent, true);
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

    /// Runs `fsck --repair` concurrently with all others. Nothing is damaged, so it must find nothing, and change
    /// nothing: a change that no request explains is a breach, too. Returns what it found, and how often it came to the
    /// end.
    async fn repair(&self, percent: u32, rounds: u32) -> (Vec<String>, usize) {
        let (mut violations, mut finished, mut random) = (Vec::new(), 0, self.random(4));
        for round in 0..rounds {
            self.time.pass(random.u64(1..600)).await;
            let Participant { client, .. } = self.client(60 + 100 * u64::from(round), percent);
            let mut record = |found: Violation| {
                let unfinished = found.what.starts_with("the last freeze or thaw is not complete");
                violations.extend((!unfinished).then(|| format!("fsck --repair: {found:?}")));
            };
            match client.ledger().audit(true, &mut record).await {
                Ok(_) => finished += 1,
                Err(ledger::Error::Fault(fault)) if fault.kind.is_transient() => {}
                Err(error) => violations.push(format!("fsck --repair: {error:?}")),
            }
        }
        (violations, finished)
    }

    /// Lets others take the store over, and adopts it, if the run is such.
    async fn adopt(&self, percent: u32) -> Vec<Adoption> {
        if !self.adopts {
            return Vec::new();
        }
        let (time, warehouse, random, pause) = (&self.time, &self.warehouse, self.random(5), self.pause);
        let adopters = Adopters { time, warehouse, random, pause };
        adopters.run(|number| self.client(number, percent).client).await
    }

    async fn work(&self, number: u64, steps: u64, packages: usize, percent: u32) -> Vec<Record> {
        let mut random = self.random(2000 + number);
        let mut records = Vec::new();
        let mut life = 0;
        let mut participant = self.client(number, percent);
        for step in 0..steps {
            self.time.pass(random.u64(1..self.pause)).await;
            let id = format!("{number}.{step}");
            let act = match records.last().map(|record: &Record| &record.request.act) {
                // A client that has applied a plan often takes it back.
                Some(Act::Apply { moves, undo: false, .. }) if random.bool() => {
                    Act::Apply { moves: moves.clone(), undo: true, emergency: false }
                }
                _ => self.draw(&mut random, step, &id),
            };
            let keyed = !act.only_reads() && random.u8(0..3) == 0;
            let key = keyed.then(|| format!("key {id}").parse().unwrap());
            let message = (random.u8(0..3) > 0).then(|| format!("why {id}"));
            let package = PACKAGES[random.usize(0..packages)];
            let mut request = Request { package, act, id, message, key };
            let began = self.time.moment();
            let (mut asked, mut loose, mut clocks);
            (loose, clocks) = (false, BTreeSet::new());
            let end = loop {
                asked = self.time.moment();
                clocks.insert(participant.off);
                // Its process crashes as a whole, at any point.
                let crash =
                    Duration::from_millis(random.choice([30, 300, 20_000]).unwrap()).mul_f64(random.f64());
                let crashes = percent > 0 && random.u8(0..8) == 0;
                let run = request.run(&participant.client, &self.blobs.paths);
                let reported =
                    if crashes { tokio::time::timeout(crash, run).await.ok() } else { Some(run.await) };
                let again = random.bool();
                match reported {
                    None => {
                        life += 1;
                        participant = self.client(number + 100 * life, percent);
                        loose |= !matches!(request.key, Some(IdempotencyKey::Resume { .. }));
                        if request.key.is_none() || !again {
                            break request.key.clone().map_or(End::Perhaps, End::Unknown);
                        }
                    }
                    Some(Reply::Unknown(key)) => {
                        loose |= !matches!(key, IdempotencyKey::Resume { .. });
                        request.key = Some(key.clone());
                        if !again {
                            break End::Unknown(key);
                        }
                    }
                    // That says nothing of an earlier run.
                    Some(Reply::NotOwner) if self.adopts => {
                        let resumes = matches!(request.key, Some(IdempotencyKey::Resume { .. }));
                        break match &request.key {
                            Some(key) if loose || resumes => End::Unknown(key.clone()),
                            _ if loose => End::Perhaps,
                            _ => End::Nothing,
                        };
                    }
                    Some(Reply::Failed) if loose => {
                        break request.key.clone().map_or(End::Perhaps, End::Unknown);
                    }
                    Some(reported) => break Record::conclude(reported, loose),
                }
            };
            records.push(Record { request, began, asked, ended: self.time.moment(), clocks, end });
        }
        records
    }

    /// An act of one of the kinds that this run prefers, mostly. The first is of any, so that there are versions.
    fn draw(&self, random: &mut fastrand::Rng, step: u64, id: &str) -> Act {
        let mut act = Act::draw(random, self.blobs.paths.len(), id);
        for _ in 0..12 {
            if step == 0 || self.preferred & (1 << act.kind()) > 0 {
                break;
            }
            act = Act::draw(random, self.blobs.paths.len(), id);
        }
        act
    }

    /// In the phase without faults every unknown outcome is found out, by a run with its key from elsewhere.
    async fn find_out(&self, records: &mut [Record]) {
        let participant = self.client(99, 0);
        for record in records.iter_mut() {
            let End::Unknown(key) = &record.end else { continue };
            record.request.key = Some(key.clone());
            record.asked = self.time.moment();
            record.clocks.insert(participant.off);
            record.end = match record.request.run(&participant.client, &self.blobs.paths).await {
                Reply::Answered(answer) => End::Answered(answer),
                reported => End::Wrong(format!("not even in the calm: {reported:?}")),
            };
            record.ended = self.time.moment();
        }
    }
}

/// Runs a seed in a runtime of its own. With a mutant, breaches are expected.
pub fn run(shape: Shape, seed: u64, blobs: &Blobs, mutant: Option<Mutant>) -> Outcome {
    simulate(shape, seed, blobs, mutant).0
}

/// The table after a run without a breach.
pub fn table_after(shape: Shape, seed: u64, blobs: &Blobs) -> Dump {
    let (outcome, found) = simulate(shape, seed, blobs, None);
    assert!(outcome.violations.is_empty(), "{:?}", outcome.violations);
    found
}

fn simulate(shape: Shape, seed: u64, blobs: &Blobs, mutant: Option<Mutant>) -> (Outcome, Dump) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(live(shape, seed, blobs, mutant))
}

async fn live(shape: Shape, seed: u64, blobs: &Blobs, mutant: Option<Mutant>) -> (Outcome, Dump) {
    let time = Arc::new(Time::new());
    let recorder = Arc::new(Recorder::new(&time));
    let table: Arc<dyn Table> = recorder.clone();
    let store = MemoryStore::with_clock(|| Timestamp::from_millis(0));
    let warehouse = Warehouse::new(store, &blobs.contents, Arc::clone(&table), &time);
    let before = Before::default();
    let (wrong_clocks, pause, lasting) = (false, 60, [Vec::new(), Vec::new()]);
    let preferred = u32::MAX;
    let mut world = World {
        seed,
        mutant,
        blobs,
        time,
        recorder,
        table,
        warehouse,
        before,
        wrong_clocks,
        preferred,
        pause,
        lasting,
        adopts: false,
    };
    let mut random = world.random(1);
    let (percents, clients, packages, steps) = match shape {
        Shape::Few => {
            (&[0, 3, 10, 30, 60][..], random.u64(2..5), random.usize(1..=PACKAGES.len()), random.u64(3..9))
        }
        Shape::Crowd => (&[0, 0, 3, 10][..], random.u64(2..17), 1, random.u64(2..6)),
        Shape::Lasting => (&[0, 0, 3][..], random.u64(2..7), 1, random.u64(3..9)),
    };
    let percent = *random.choice(percents).unwrap();
    world.wrong_clocks = random.u8(0..4) == 0;
    if random.bool() {
        // A few kinds alone meet each other more often.
        world.preferred = (0..3).fold(1, |kinds, _| kinds | 1 << random.u32(0..Act::KINDS));
    }
    if shape == Shape::Lasting {
        (world.lasting, world.pause) = (faults_that_last(&mut random, clients), 10_000);
    }
    world.adopts = match mutant {
        None => world.random(6).u8(0..8) == 0,
        Some(mutant) => mutant.is_of_adoption(),
    };
    let work = join_all((0..clients).map(|number| world.work(number, steps, packages, percent)));
    let collect = world.collect(percent, random.u32(2..12));
    // It would hide what a mutant damages.
    let rounds = if mutant.is_none() && random.bool() { random.u32(1..4) } else { 0 };
    let work = join3(work, collect, world.repair(percent, rounds));
    let ((records, deleted, (reported, repairs)), mut adoptions) = join(work, world.adopt(percent)).await;
    let mut records = records.concat();
    let late_first = random.bool();
    if late_first {
        tokio::time::sleep(LATEST).await;
    }
    // No fault lasts so long.
    tokio::time::sleep(Duration::from_mins(4)).await;
    let unknown = records.iter().filter(|record| matches!(record.end, End::Unknown(_))).count();
    if world.adopts {
        adoptions.push(adopt(&world.client(ADOPTERS.end - 1, 0).client, &world.time, None).await);
    }
    world.find_out(&mut records).await;
    // What arrives only now finds everything decided.
    tokio::time::sleep(LATEST).await;
    let (mut outcome, found) = judge(&world, &records, &adoptions).await;
    (outcome.unknown, outcome.deleted, outcome.repairs) = (unknown, deleted, repairs);
    outcome.violations.extend(reported);
    outcome.clients = usize::try_from(clients).unwrap();
    outcome.lasting = world.lasting.iter().map(Vec::len).sum();
    outcome.wrong_clocks = usize::from(world.wrong_clocks);
    (outcome, found)
}

async fn judge(world: &World<'_>, records: &[Record], adoptions: &[Adoption]) -> (Outcome, Dump) {
    let items = dump(&*world.table).await;
    let mut violations = audit(&items, &world.warehouse.inner, &world.warehouse.contents).await;
    violations.0.extend(world.warehouse.lost());
    let landed = world.recorder.landed();
    let ownership = Ownership::new(world.warehouse.owners(), adoptions);
    let adopted = ownership.adopted();
    check(&world.blobs.files, &landed, records, &items, ownership, &mut violations);
    let count = |of: &dyn Fn(&Record) -> bool| records.iter().filter(|record| of(record)).count();
    let entries = || items.values().flat_map(BTreeMap::values);
    let kinds = |kind: &str| entries().filter(|item| item.get("kind").is_some_and(|it| it == kind)).count();
    let outcome = Outcome {
        requests: records.len(),
        answered: count(&|record| matches!(record.end, End::Answered(_))),
        crashed: count(&|record| matches!(record.end, End::Perhaps)),
        fences: kinds("fence"),
        applied: count(&|record| record.moves(false) > 1),
        undone: count(&|record| record.moves(true) > 0),
        rolled_back: count(&Record::rolls_back),
        freezes: kinds("freeze"),
        thaws: kinds("thaw"),
        recalls: entries()
            .filter(|item| item.get("kind").is_some_and(|kind| kind == "yank") && item.contains_key("moves"))
            .count(),
        prunes: count(&Record::prunes),
        undeletions: kinds("undelete"),
        emergencies: entries().filter(|item| item.contains_key("emergency")).count(),
        adopted,
        commits: landed.len(),
        digest: hex::encode(Sha256::digest(format!("{items:?}{records:?}"))),
        violations: violations.0,
        ..Outcome::default()
    };
    (outcome, items)
}
