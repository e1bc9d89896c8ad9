//! Everything at once, from seeds: clients that add, tag, promote, withdraw and delete, and a collector, over a network
//! that loses, delays, repeats and refuses, with crashes at any point; all in tokio's paused time, so that a seed is
//! the same run every time.
//!
//! `SACKER_SEEDS=100000` runs that many; a seed that fails is printed with the command that replays it.
//!
//! `mutants` takes the protocol's protections away one by one, by wrappers around table, store and collector, and each
//! must be missed. What wrappers can't reach:
//!
//! - Flushing before a rename, and the directory after it: a power cut can't be simulated here. `durability` holds the
//!   program to the order of its own steps; that the system keeps what was flushed is taken on trust.
//! - SQLite's own durability and locking: `sqlite` and the conformance suite of `table`, with real processes.
//! - Expressions and tokens as DynamoDB takes them: `wire` and `dynamodb`, against the real server.
//! - Damaged bytes, parts and resumed uploads: `store`, against scripted and real servers.
//! - The address of a fence, the order of a chain, and other code inside the ledger: its unit tests and `ambiguity`.

mod acts;
mod audit;
mod collector;
mod history;
mod mutants;
mod network;
mod objects;
mod run;
mod specification;

use mutants::Mutant;
use run::{Blobs, Outcome, run};
use std::{
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

/// How many seeds are run where `SACKER_SEEDS` does not say.
const SEEDS: u64 = 2_000;
/// How many seeds a mutant may survive.
const BITES: u64 = 12_000;

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
                    let outcome = run(seed, &blobs, mutant);
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

#[test]
fn whatever_happens_the_promises_hold() {
    let outcomes = over(seeds(SEEDS), None, |outcome| !outcome.breaches.is_empty());
    if let Some((seed, outcome)) = outcomes.iter().find(|(_, outcome)| !outcome.breaches.is_empty()) {
        panic!(
            "{}\n\nreplay it with: SACKER_SEED={seed} cargo test --test it simulation::whatever -- --nocapture",
            outcome.breaches.join("\n")
        );
    }
    let sum = |of: fn(&Outcome) -> usize| outcomes.iter().map(|(_, outcome)| of(outcome)).sum::<usize>();
    println!(
        "{} seeds: {} requests, {} answered, {} unknown and found out, {} crashed, {} fences, {} plans of both \
         packages applied, {} taken back, {} rollbacks, {} objects collected, {} histories searched",
        outcomes.len(),
        sum(|outcome| outcome.requests),
        sum(|outcome| outcome.answered),
        sum(|outcome| outcome.unknown),
        sum(|outcome| outcome.crashed),
        sum(|outcome| outcome.fences),
        sum(|outcome| outcome.applied),
        sum(|outcome| outcome.undone),
        sum(|outcome| outcome.rolled_back),
        sum(|outcome| outcome.deleted),
        sum(|outcome| outcome.searched),
    );
    if outcomes.len() > 100 {
        // A simulation in which nothing happens proves nothing.
        for (what, count) in [
            ("unknown", sum(|outcome| outcome.unknown)),
            ("crashed", sum(|outcome| outcome.crashed)),
            ("fences", sum(|outcome| outcome.fences)),
            ("applied", sum(|outcome| outcome.applied)),
            ("undone", sum(|outcome| outcome.undone)),
            ("rolled back", sum(|outcome| outcome.rolled_back)),
            ("collected", sum(|outcome| outcome.deleted)),
            ("searched", sum(|outcome| outcome.searched)),
        ] {
            assert!(count * 50 > outcomes.len(), "too few {what}: {count}");
        }
    }
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    let blobs = Blobs::new();
    for seed in 0..20 {
        assert_eq!(run(seed, &blobs, None), run(seed, &blobs, None), "seed {seed}");
    }
}

#[test]
fn every_protection_is_missed_when_it_is_taken_away() {
    let mut survived = Vec::new();
    for mutant in Mutant::ALL {
        let bites = |breach: &&String| match mutant {
            // A new `op` breaks the hash chain in passing: that alone does not count.
            Mutant::NewOpOnResend => !breach.starts_with("chain:"),
            // It is for the search for an order to see.
            Mutant::StaleReads => breach.starts_with("no order explains"),
            _ => true,
        };
        let outcomes =
            over(0..BITES, Some(mutant), |outcome| outcome.breaches.iter().any(|breach| bites(&breach)));
        let caught =
            outcomes.iter().find_map(|(seed, outcome)| Some((seed, outcome.breaches.iter().find(bites)?)));
        match caught {
            Some((seed, breach)) => println!("{mutant:?}: seed {seed}: {breach:.160}"),
            None => survived.push(mutant),
        }
    }
    assert!(survived.is_empty(), "not caught within {BITES} seeds: {survived:?}");
}
