//! A freeze among eight movers on DynamoDB, whose answers are lost, late, repeated and refused: no move lands after it.

use super::storm::fault_schedule;
use crate::{
    conformance::ledger::freezing::freeze_among,
    simulation::seeds,
    support::{backends, proxy::Proxy, world::retry_policy},
};
use sacker::{
    ledger::{Ledger, TableLedger},
    table::{Table, dynamodb::DynamoTable},
};
use std::sync::Arc;

const MOVERS: usize = 8;

/// The number of seeds, unless `SACKER_SEEDS` sets it.
const SEEDS: u64 = 2;

async fn ledger(url: String, table: &str) -> Arc<dyn Ledger> {
    let client = backends::aws().dynamodb(&backends::at(url)).await.unwrap();
    let table = DynamoTable::new(client, table.to_owned());
    Arc::new(TableLedger::new(Arc::new(table), retry_policy()))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_move_lands_after_a_freeze_in_a_storm() {
    for seed in seeds(SEEDS) {
        let name = backends::unique("ledger");
        let client = backends::aws().dynamodb(&backends::at(backends::dynamodb())).await.unwrap();
        let table = DynamoTable::new(client, name.clone());
        retry_policy().run("making a table", || table.create()).await.unwrap();
        let proxy = Proxy::new(&backends::dynamodb(), fault_schedule(seed)).await;
        let mut movers = Vec::new();
        for _ in 0..MOVERS {
            movers.push(ledger(proxy.url.clone(), &name).await);
        }
        freeze_among(ledger(backends::dynamodb(), &name).await, movers).await;
    }
}
