//! Everything at once, from seeds: clients that add, tag, promote, roll back, apply plans, protect, label, withdraw and
//! delete, a collector, `fsck --repair`, and in one run of eight other ledgers that take the store over and clients that
//! adopt it again, over a network that loses, delays, repeats and refuses, with crashes at any point; all in tokio's
//! paused time, so that a seed is the same run every time. Runs have one of several [`Shape`]s: a few clients, a crowd of
//! up to 16 on one package, or faults that last for a minute, for all or for some. In some runs, clocks are a year off.
//!
//! After each run everything is compared. `recorder` has seen each transaction that was committed, in order. `history`
//! finds the request that it is of, and `specification` says what that request makes of each attribute of each item:
//! heads, versions, events, tags, blobs, idempotency keys, the directory and the identity. Each item is compared after
//! each commit, and the whole table at the end. A request that was acknowledged must be committed exactly once and must
//! have been answered with what it came to; one that was refused must not be committed; one of unknown outcome may be,
//! once. Each other answer must have been right at some moment between its request and itself.
//!
//! `SACKER_SEEDS=100000` runs that many of each shape (`just simulate`); a seed that fails is printed with the command
//! that replays it.
//!
//! `mutants` takes the protocol's protections away one by one, by wrappers around table, store and collector, and each
//! must be missed. What wrappers can't reach:
//!
//! - Flushing before a rename, and the directory after it: a power cut can't be simulated here. `faults::durability`
//!   holds the program to the order of its own steps; that the system keeps what was flushed is taken on trust.
//! - SQLite's own durability and locking: `conformance::table`, with real processes.
//! - Expressions and tokens as DynamoDB takes them: `conformance::table::only_dynamodb`, against the real server.
//! - Damaged bytes, parts and resumed uploads: `conformance::store`, against scripted and real servers.
//! - The address of a fence, the order of a chain, and other code inside the ledger: its unit tests and
//!   `faults::ambiguity`.
//! - Repairs of damage, and what a former owner of the store removes of its own additions: `operations`.

mod acts;
mod adoption;
mod audit;
mod collector;
mod history;
mod mutants;
mod network;
mod objects;
mod overview;
mod recorder;
mod run;
mod shape;
mod specification;

use audit::Dump;
use history::first_difference;
use mutants::Mutant;
use run::{run, table_after};
use sacker::table::Item;
use serde_json::{Value, json};
use shape::{Blobs, Outcome, Shape};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

/// The number of seeds of each shape, unless `SACKER_SEEDS` sets it.
const SEEDS: [(Shape, u64); 3] = [(Shape::Few, 1_000), (Shape::Crowd, 200), (Shape::Lasting, 200)];
/// The number of seeds that a mutant may survive.
const BITES: u64 = 6_000;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// `SACKER_SEED` alone, or `SACKER_SEEDS` of them from 0.
pub fn seeds(otherwise: u64) -> Range<u64> {
    match setting("SACKER_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("SACKER_SEEDS").unwrap_or(otherwise),
    }
}

/// Runs seeds on every core until `done` with one; returns what they came to.
fn over(
    shape: Shape,
    seeds: Range<u64>,
    mutant: Option<Mutant>,
    done: impl Fn(&Outcome) -> bool + Sync,
) -> Vec<(u64, Outcome)> {
    let (next, outcomes) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    let blobs = Blobs::new();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    let outcome = run(shape, seed, &blobs, mutant);
                    if done(&outcome) {
                        next.store(seeds.end, Ordering::Relaxed);
                    }
                    outcomes.lock().unwrap().push((seed, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap();
    outcomes.sort_by_key(|(seed, _)| *seed);
    outcomes
}

/// Runs seeds of one shape, each of which must end without a breach; returns what they came to.
fn hold(shape: Shape, test: &str) -> Vec<Outcome> {
    let otherwise = SEEDS.iter().find(|(of, _)| *of == shape).unwrap().1;
    let outcomes = over(shape, seeds(otherwise), None, |outcome| !outcome.violations.is_empty());
    if let Some((seed, outcome)) = outcomes.iter().find(|(_, outcome)| !outcome.violations.is_empty()) {
        panic!(
            "{}\n\nreplay it with: SACKER_SEED={seed} cargo test --test it simulation::{test} -- --nocapture",
            outcome.violations.join("\n")
        );
    }
    let outcomes: Vec<_> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    let sum = |of: fn(&Outcome) -> usize| outcomes.iter().map(of).sum::<usize>();
    println!(
        "{shape:?}, {} seeds: {} clients, {} requests, {} answered, {} unknown and found out, {} crashed, {} \
         commits compared, {} fences, {} plans of both packages applied, {} taken back, {} rollbacks, {} objects \
         collected, {} repairs, {} adoptions, {} faults that last, {} runs with clocks a year off",
        outcomes.len(),
        sum(|outcome| outcome.clients),
        sum(|outcome| outcome.requests),
        sum(|outcome| outcome.answered),
        sum(|outcome| outcome.unknown),
        sum(|outcome| outcome.crashed),
        sum(|outcome| outcome.commits),
        sum(|outcome| outcome.fences),
        sum(|outcome| outcome.applied),
        sum(|outcome| outcome.undone),
        sum(|outcome| outcome.rolled_back),
        sum(|outcome| outcome.deleted),
        sum(|outcome| outcome.repairs),
        sum(|outcome| outcome.adopted),
        sum(|outcome| outcome.lasting),
        sum(|outcome| outcome.wrong_clocks),
    );
    outcomes
}

type Counted = (&'static str, fn(&Outcome) -> usize);

/// A simulation without events proves nothing.
fn check_enough(outcomes: &[Outcome], of: &[Counted]) {
    if outcomes.len() > 100 {
        for (what, count) in of {
            let count: usize = outcomes.iter().map(count).sum();
            assert!(count * 50 > outcomes.len(), "too few {what}: {count}");
        }
    }
}

#[test]
fn promises_hold_under_any_schedule_and_faults() {
    let outcomes = hold(Shape::Few, "whatever");
    check_enough(
        &outcomes,
        &[
            ("unknown", |outcome| outcome.unknown),
            ("crashed", |outcome| outcome.crashed),
            ("fences", |outcome| outcome.fences),
            ("applied", |outcome| outcome.applied),
            ("undone", |outcome| outcome.undone),
            ("rolled back", |outcome| outcome.rolled_back),
            ("freezes", |outcome| outcome.freezes),
            ("thaws", |outcome| outcome.thaws),
            ("emergencies", |outcome| outcome.emergencies),
            ("recalls", |outcome| outcome.recalls),
            ("prunes", |outcome| outcome.prunes),
            ("undeletions", |outcome| outcome.undeletions * 5),
            ("collected", |outcome| outcome.deleted),
            ("wrong clocks", |outcome| outcome.wrong_clocks),
            ("repairs", |outcome| outcome.repairs),
            ("adoptions", |outcome| outcome.adopted),
        ],
    );
}

#[test]
fn the_promises_hold_for_a_crowd_on_one_package() {
    let outcomes = hold(Shape::Crowd, "the_promises_hold_for_a_crowd");
    check_enough(
        &outcomes,
        &[
            ("crowds of 16", |outcome| usize::from(outcome.clients == 16)),
            ("commits", |outcome| outcome.commits / 10),
            ("repairs", |outcome| outcome.repairs),
            ("wrong clocks", |outcome| outcome.wrong_clocks),
        ],
    );
}

#[test]
fn the_promises_hold_while_faults_last() {
    let outcomes = hold(Shape::Lasting, "the_promises_hold_while");
    check_enough(
        &outcomes,
        &[
            ("lasting", |outcome| outcome.lasting / 2),
            ("repairs", |outcome| outcome.repairs),
            ("unknown", |outcome| outcome.unknown),
            ("answered", |outcome| outcome.answered / 10),
        ],
    );
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    let blobs = Blobs::new();
    for shape in [Shape::Few, Shape::Crowd, Shape::Lasting] {
        for seed in 0..8 {
            let [one, other] = [(), ()].map(|()| run(shape, seed, &blobs, None));
            assert_eq!(one, other, "{shape:?}, seed {seed}");
        }
    }
}

/// All kinds of items.
const KINDS: [&str; 15] = [
    "A", "B", "D", "E", "E of F", "F", "H of F", "H of P", "H of T", "K of F", "K of P", "K of T", "M", "V",
    "t",
];

fn kind(pk: &str, sk: &str) -> String {
    let (partition, place) = (&pk[..1], sk.split('#').next().unwrap());
    match (partition, place) {
        ("D", _) => partition.to_owned(),
        ("F", "E") => "E of F".to_owned(),
        (_, "H" | "K") => format!("{place} of {partition}"),
        _ => place.to_owned(),
    }
}

/// Another value of the same type.
fn other(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(format!("{text}x")),
        Value::Number(number) => json!(number.as_u64().unwrap() + 1),
        Value::Bool(it) => json!(!it),
        Value::Array(all) => json!([&all[..], &[json!("x")]].concat()),
        Value::Object(map) => {
            let mut map = map.clone();
            let (name, value) =
                map.iter().next_back().map(|(name, value)| (name.clone(), value.clone())).unwrap();
            map.insert(name, other(&value));
            Value::Object(map)
        }
        Value::Null => panic!("no attribute is null"),
    }
}

/// Each edit of one item: another value, none, or one more attribute; or no item at all.
fn edits(item: &Item) -> Vec<(String, Option<Item>)> {
    let mut edits = vec![("item".to_owned(), None)];
    let mut more = item.clone();
    more.insert("strange".to_owned(), json!(1));
    edits.push(("strange".to_owned(), Some(more)));
    for (name, value) in item {
        let mut changed = item.clone();
        changed.insert(name.clone(), other(value));
        let mut lacking = item.clone();
        lacking.remove(name);
        edits.extend([changed, lacking].map(|edited| (name.clone(), Some(edited))));
    }
    edits
}

/// Edits every attribute of every kind of item in tables that are right, a few times each.
#[test]
fn no_attribute_can_be_edited_unnoticed() {
    const EACH: usize = 6;
    let (blobs, mut seen) = (Blobs::new(), BTreeMap::<(String, String), usize>::new());
    for seed in 0..150 {
        let table = table_after(Shape::Few, seed, &blobs);
        assert_eq!(first_difference(&table, &table), None);
        for (pk, items) in &table {
            for (sk, item) in items {
                for (name, edited) in edits(item) {
                    let times = seen.entry((kind(pk, sk), name.clone())).or_default();
                    *times += 1;
                    if *times <= EACH {
                        let mut edited_table: Dump = table.clone();
                        let partition = edited_table.get_mut(pk).unwrap();
                        match edited {
                            Some(edited) => drop(partition.insert(sk.clone(), edited)),
                            None => drop(partition.remove(sk)),
                        }
                        let noticed = first_difference(&table, &edited_table).unwrap_or_default();
                        assert!(
                            noticed.starts_with(&format!("{pk}/{sk}")),
                            "`{name}` of {pk}/{sk}: {noticed}"
                        );
                    }
                }
            }
        }
    }
    let kinds: BTreeSet<_> = seen.keys().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, KINDS.into(), "other kinds of items than known");
    println!("{} attributes of {} kinds: {:?}", seen.len(), kinds.len(), seen.keys());
}

#[test]
fn every_protection_is_missed_when_it_is_taken_away() {
    let mut survived = Vec::new();
    for mutant in Mutant::ALL {
        let bites = |violation: &&String| match mutant {
            // A new `op` breaks the hash chain in passing: that alone does not count.
            Mutant::NewOpOnResend => !violation.starts_with("chain:"),
            // It is for the search for a moment to see.
            Mutant::StaleReads => violation.starts_with("no order explains"),
            _ => true,
        };
        let outcomes = over(Shape::Few, 0..BITES, Some(mutant), |outcome| {
            outcome.violations.iter().any(|violation| bites(&violation))
        });
        let caught =
            outcomes.iter().find_map(|(seed, outcome)| Some((seed, outcome.violations.iter().find(bites)?)));
        match caught {
            Some((seed, violation)) => println!("{mutant:?}: seed {seed}: {violation:.160}"),
            None => survived.push(mutant),
        }
    }
    assert!(survived.is_empty(), "not caught within {BITES} seeds: {survived:?}");
}
