//! Collectors: the product's own, and one that breaks the protocol where a mutant requires that.

use super::{mutants::Mutant, network::Link};
use futures_util::StreamExt;
use sacker::{
    model::{Address, Timestamp},
    ops::{Client, GcOptions},
    store::Store,
    table::{Action, Change, Condition, Key, Table, Transaction},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// Runs `gc` again and again, and kills it at any point.
pub async fn collect(client: &Client, link: &Link, mut random: fastrand::Rng, rounds: u32) -> usize {
    let mut deleted = 0;
    for _ in 0..rounds {
        link.time.pass(random.u64(1..600)).await;
        let now = Timestamp::from_millis(1);
        let mut garbage = client.gc(GcOptions::new().delete(true).min_age(Duration::ZERO).now(now));
        let run = async {
            // An error ends it: the next round collects what is left.
            while let Some(Ok(_)) = garbage.next().await {
                deleted += 1;
            }
        };
        if random.u8(0..4) == 0 {
            let crash = Duration::from_millis(random.u64(1..200));
            let _ = tokio::time::timeout(crash, run).await;
        } else {
            run.await;
        }
    }
    deleted
}

/// A collector written from the design alone, over the bare table and store.
pub struct Collector {
    pub table: Arc<dyn Table>,
    pub store: Arc<dyn Store>,
    pub link: Arc<Link>,
    pub random: fastrand::Rng,
    pub mutant: Mutant,
}

impl Collector {
    /// Goes over the store again and again; like a process that dies and is restarted, it forgets what failed.
    pub async fn run(mut self, rounds: u32) -> usize {
        let mut deleted = 0;
        for _ in 0..rounds {
            self.link.time.pass(self.random.u64(1..600)).await;
            let Ok(listing) = self.store.list(None).await else { continue };
            for (at, _) in listing.objects {
                if self.random.u8(0..6) == 0 {
                    // It dies here, and another begins.
                    break;
                }
                deleted += usize::from(self.collect(&at).await);
            }
        }
        deleted
    }

    async fn collect(&mut self, at: &Address) -> bool {
        let key = Key::new(format!("B#{}", at.sha256), "B");
        let Ok(blob) = self.table.get(&key).await else { return false };
        let condemn = match &blob {
            None => Some(Condition::Absent).filter(|_| at.generation == 0),
            Some(blob) => {
                let (generation, refs) = (blob["gen"].as_u64().unwrap(), blob["refs"].as_u64().unwrap());
                let kept = blob["state"] == "kept";
                let unneeded = refs == 0 || self.mutant == Mutant::CollectorIgnoresRefs;
                match (kept, at.generation) {
                    // Condemned before, and never to be used again.
                    (true, older) if older < generation => None,
                    (false, older) if older <= generation => None,
                    (true, same) if same == generation && unneeded => Some(self.unneeded(generation)),
                    (false, next) if next == generation + 1 => Some(is("condemned", generation)),
                    _ => return false,
                }
            }
        };
        if self.mutant == Mutant::DeletesBeforeCondemning {
            let deleted = self.store.delete(at).await.is_ok();
            self.link.stall().await;
            return deleted && self.condemn(condemn, &key, at.generation).await;
        }
        if !self.condemn(condemn, &key, at.generation).await {
            return false;
        }
        self.link.stall().await;
        self.store.delete(at).await.is_ok()
    }

    fn unneeded(&self, generation: u64) -> Condition {
        let mut all = vec![is("kept", generation)];
        if self.mutant != Mutant::CollectorIgnoresRefs {
            all.push(Condition::equals("refs", 0));
        }
        Condition::All(all)
    }

    /// Returns `true` if it is certain that this generation is condemned.
    async fn condemn(&self, condition: Option<Condition>, key: &Key, generation: u64) -> bool {
        let Some(condition) = condition else { return true };
        let set = json!({ "state": "condemned", "gen": generation }).as_object().cloned().unwrap();
        let change = Change::Update { set, add: [("refs", 0)].into() };
        let mut condemn = Transaction::new(format!("condemn {}", self.link.time.tick()));
        condemn.push(Action { key: key.clone(), condition, change });
        self.table.transact(&condemn).await.is_ok()
    }
}

fn is(state: &str, generation: u64) -> Condition {
    Condition::All(vec![Condition::equals("state", state), Condition::equals("gen", generation)])
}
