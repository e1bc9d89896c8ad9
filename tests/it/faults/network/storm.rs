//! Many clients while a quarter of all requests meets a fault.

use super::bench::{Bench, LARGE, add, download, tag};
use crate::{
    conformance::ledger::plans::{applying, moving},
    simulation::seeds,
    support::{
        backends,
        proxy::{
            Proxy,
            fate::{Fate, fates, is_dynamodb},
            http::Message,
        },
        world,
    },
};
use futures_util::future::join_all;
use sacker::{model::Expectation, ops::Client};
use std::{collections::BTreeMap, fs, path::PathBuf, sync::Mutex};

const WRITERS: usize = 4;
/// The number of additions of each of them, one of which is large.
const ADDS: usize = 6;
const PERCENT: u32 = 25;
/// The number of storms, unless `SACKER_SEEDS` sets it; `SACKER_SEED` runs one alone.
const SEEDS: u64 = 2;

/// Draws fates from a seed. Bits are flipped only where a checksum detects that: elsewhere TLS protects them, and
/// `single` tests the result.
pub fn fault_schedule(seed: u64) -> impl Fn(&Message) -> Fate + Send + Sync + 'static {
    let random = Mutex::new(fastrand::Rng::with_seed(seed));
    move |request| {
        let kind = request.kind();
        let mut fates = fates(&kind);
        fates.retain(|fate| match fate {
            Fate::FlipsReply => is_dynamodb(&kind),
            Fate::FlipsRequest => matches!(kind.as_str(), "PutObject" | "UploadPart"),
            _ => true,
        });
        let mut random = random.lock().unwrap();
        let fair = random.u32(..100) >= PERCENT;
        let at = random.usize(..fates.len());
        if fair { Fate::Passes } else { fates[at] }
    }
}

/// The other packages of the plans.
const MORE: [&str; 2] = ["one", "two"];

/// Moves the tags of a writer in three packages together: to its new version, and between the two that there are.
async fn apply(client: &Client, name: &str, version: u64, number: usize) {
    let planned = format!("planned-{name}");
    let (to, expect) = ((number % 2 + 1).to_string(), ["1", "2"][(number + 1) % 2]);
    let before =
        if number == 0 { r#", "expect": "none""#.to_owned() } else { format!(r#", "expect": {expect}"#) };
    let version = version.to_string();
    let [one, two] = MORE;
    let plan =
        moving(&[(two, name, &to, &before), ("app", &planned, &version, ""), (one, name, &to, &before)]);
    let moved = client.apply(&applying(&plan)).await.unwrap();
    assert!(moved.iter().all(|it| it.previous != it.version), "{moved:?}");
}

/// Adds, promotes with an expectation and by a plan, and downloads: all clients the same package, each with its own
/// tag.
async fn write(bench: &Bench, writer: usize, dynamodb: &str, s3: &str) -> Vec<(u64, PathBuf)> {
    let client = bench.client(dynamodb, s3).await;
    let name = format!("w{writer}");
    let mut added = Vec::new();
    let mut on = Expectation::None;
    for number in 0..ADDS {
        let file = bench.file(if number == 2 { LARGE } else { 50 + number });
        let version = add(&client, "app", &file, None, None).await.unwrap();
        tag(&client, "app", version, &name, on, None).await.unwrap();
        apply(&client, &name, version, number).await;
        on = Expectation::Version(version.try_into().unwrap());
        let to = bench.path("download");
        assert_eq!(download(&client, "app", &name, &to).await.unwrap(), version);
        assert!(fs::read(&to).unwrap() == fs::read(&file).unwrap());
        fs::remove_file(to).unwrap();
        added.push((version, file));
    }
    added
}

async fn storm(seed: u64) {
    println!("seed {seed}");
    let bench = Bench::new().await;
    for package in MORE {
        for number in ["1", "2"] {
            world::add(bench.clean().await.ledger(), package, number).await;
        }
    }
    let dynamodb = Proxy::new(&backends::dynamodb(), fault_schedule(seed)).await;
    let s3 = Proxy::new(&backends::s3(), fault_schedule(seed ^ 1 << 32)).await;
    let writers = (0..WRITERS).map(|writer| write(&bench, writer, &dynamodb.url, &s3.url));
    let mut added = join_all(writers).await.concat();
    added.sort();

    let versions: Vec<_> = added.iter().map(|(version, _)| *version).collect();
    let all = WRITERS * ADDS;
    assert_eq!(versions, (1..=all as u64).collect::<Vec<_>>(), "one was lost, or given twice");
    let audited = bench.audit("app").await;
    assert_eq!((audited.versions, audited.moves), (all, 2 * all));
    for package in MORE {
        assert_eq!(bench.audit(package).await.moves, all, "{package}");
    }
    for (version, file) in &added {
        assert!(bench.holds("app", *version, file).await);
    }
    let log = [dynamodb.log(), s3.log()].concat();
    let mut fates = BTreeMap::<String, usize>::new();
    for (_, fate) in &log {
        *fates.entry(format!("{fate:?}")).or_default() += 1;
    }
    println!("{} requests, {} fences: {fates:#?}", log.len(), audited.fences);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_failed_in_a_storm() {
    for seed in seeds(SEEDS) {
        storm(seed).await;
    }
}
