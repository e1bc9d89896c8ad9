//! Measures many concurrent writers of one package: their throughput, and the latency of each addition.
//!
//! ```text
//! eval "$(scripts/backends start)"                # DynamoDB Local; or --dynamodb URL
//! cargo bench --locked --bench contention -- --writers 2,8,32,128 --seconds 5 --rounds 3
//! cargo bench --locked --bench contention -- --simulate --pace all
//! ```
//!
//! Each writer has a ledger of its own, with a client, connections and randomness of its own, as if on a machine of its
//! own, and adds one version after another to the package that all share, through the library's `Ledger`: `begin_add`,
//! `stage` and `add`. Nothing is uploaded: each addition names another blob, as if that had been stored before, so what
//! is measured is the ledger alone. Rounds of one writer alone ("solo") and of all of them alternate. An addition that
//! ends within the round counts for its rate; those that end later count for everything else. In the end the package
//! must have as many versions as there were additions that reported success.
//!
//! Prints one JSON object a line for each number of writers:
//!
//! | field | what |
//! |---|---|
//! | `server`, `pace` | what was written to, and by which policy tries follow each other |
//! | `writers`, `adds`, `seconds`, `adds_per_second` | all rounds together |
//! | `p50_ms`, `p99_ms`, `max_ms` | from the beginning of an addition to its end, waiting included |
//! | `attempts`, `requests` | transactions sent; requests of any kind |
//! | `failed` | additions that did not succeed, whatever the reason: the deadline is 60 s |
//! | `fewest`, `most` | additions of the writer that got the fewest done, and the most |
//! | `solo_adds_per_second`, `solo_p50_ms`, `share_of_solo` | one writer doing the same, and `adds_per_second` as a share of it |
//!
//! `--simulate` runs the same writers, on a clock that is jumped forward, against a server that is a table in memory
//! with the latencies of `simulate.rs`: the same line for the same seed, on any machine.

mod paces;
mod simulate;
mod trial;

use clap::Parser;
use sacker::{
    aws::{Aws, Endpoint},
    retry::{Cancellation, RetryPolicy},
    table::{Table, dynamodb::DynamoTable},
};
use serde_json::json;
use std::{env, sync::Arc, time::Duration};
use trial::{Trial, Writer};

#[derive(Parser)]
struct Arguments {
    /// The address of DynamoDB Local; otherwise that in `SACKER_TEST_DYNAMODB`
    #[arg(long)]
    dynamodb: Option<String>,
    /// Numbers of writers
    #[arg(long, value_delimiter = ',', default_values_t = [2, 8, 32, 128])]
    writers: Vec<usize>,
    /// Duration of a round
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Number of rounds, each once solo and once with all writers
    #[arg(long, default_value_t = 2)]
    rounds: u64,
    /// The policy by which tries follow each other: see `paces.rs`; `all` for one after another
    #[arg(long, default_value = "sacker")]
    pace: String,
    /// Simulate the server
    #[arg(long)]
    simulate: bool,
    /// The simulated server: see `simulate.rs`; `all` for one after another
    #[arg(long, default_value = "all")]
    server: String,
    /// Seed of the simulation's randomness
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Passed by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let arguments = Arguments::parse();
    let paces: Vec<_> =
        paces::ALL.iter().filter(|(name, _)| ["all", name].contains(&&*arguments.pace)).collect();
    assert!(!paces.is_empty(), "no such pace: see paces.rs");
    for writers in &arguments.writers {
        for (name, pace) in &paces {
            if arguments.simulate {
                for server in simulate::SERVERS {
                    if ["all", server.name].contains(&&*arguments.server) {
                        simulate::run(server, *writers, (name, *pace), &arguments);
                    }
                }
            } else {
                let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
                runtime.block_on(measure(*writers, (name, *pace), &arguments));
            }
        }
    }
}

/// Alternates rounds of one writer and of all, against a real server.
async fn measure(writers: usize, (name, pace): (&str, sacker::retry::Pace), arguments: &Arguments) {
    let window = Duration::from_secs(arguments.seconds);
    let server = arguments.dynamodb.clone().or_else(|| env::var("SACKER_TEST_DYNAMODB").ok());
    let server = server.expect("--dynamodb URL, or SACKER_TEST_DYNAMODB");
    let (mut solo, mut all) = (Trial::default(), Trial::default());
    for _ in 0..arguments.rounds {
        for (count, sum) in [(1, &mut solo), (writers, &mut all)] {
            let table = format!("contention-{}-{}", std::process::id(), uuid::Uuid::new_v4());
            let mut group = Vec::new();
            for _ in 0..count {
                let table = dynamodb(&server, &table).await;
                let retry_policy = RetryPolicy::new(trial::DEADLINE, Cancellation::new()).with_pace(pace);
                group.push(Writer::new(table, retry_policy, fastrand::u64(..)));
            }
            sum.add(trial::run(group, window).await);
        }
    }
    println!("{}", line("DynamoDB Local", name, writers, &solo, &all));
}

async fn dynamodb(url: &str, table: &str) -> Arc<dyn Table> {
    let variable = |name, otherwise: &str| env::var(name).unwrap_or_else(|_| otherwise.to_owned());
    let aws = Aws::with_credentials(
        &variable("AWS_ACCESS_KEY_ID", "sackertest"),
        &variable("AWS_SECRET_ACCESS_KEY", "sackertestsecret"),
    );
    let at = Endpoint { region: Some("us-east-1".to_owned()), url: Some(url.to_owned()) };
    Arc::new(DynamoTable::new(aws.dynamodb(&at).await.unwrap(), table))
}

fn line(server: &str, pace: &str, writers: usize, solo: &Trial, all: &Trial) -> serde_json::Value {
    let hundredths = |number: f64| (number * 100.0).round() / 100.0;
    json!({
        "server": server,
        "pace": pace,
        "writers": writers,
        "adds": all.latencies.len(),
        "seconds": hundredths(all.seconds),
        "adds_per_second": hundredths(all.rate()),
        "p50_ms": hundredths(all.percentile(50)),
        "p99_ms": hundredths(all.percentile(99)),
        "max_ms": hundredths(all.percentile(100)),
        "attempts": all.attempts,
        "requests": all.requests,
        "failed": all.failed,
        "fewest": all.fewest,
        "most": all.most,
        "solo_adds_per_second": hundredths(solo.rate()),
        "solo_p50_ms": hundredths(solo.percentile(50)),
        "share_of_solo": hundredths(all.rate() / solo.rate()),
    })
}
