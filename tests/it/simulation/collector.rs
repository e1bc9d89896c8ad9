//! A collector: exactly the protocol of the design, over the bare table and store, with the ways of getting it wrong.

use super::{mutants::Mutant, network::Link};
use sacker::{
    model::Address,
    store::Store,
    table::{Action, Change, Condition, Key, Table, Transaction},
};
use serde_json::json;
use std::sync::Arc;

pub struct Collector {
    pub table: Arc<dyn Table>,
    pub store: Arc<dyn Store>,
    pub link: Arc<Link>,
    pub random: fastrand::Rng,
    pub mutant: Option<Mutant>,
}

impl Collector {
    /// Goes over the store again and again; like a process that dies and is started anew, it forgets what failed.
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
                let unneeded = refs == 0 || self.mutant == Some(Mutant::CollectorIgnoresRefs);
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
        if self.mutant == Some(Mutant::DeletesBeforeCondemning) {
            let deleted = self.store.delete(at).await.is_ok();
            self.stall().await;
            return deleted && self.condemn(condemn, &key, at.generation).await;
        }
        if !self.condemn(condemn, &key, at.generation).await {
            return false;
        }
        self.stall().await;
        self.store.delete(at).await.is_ok()
    }

    fn unneeded(&self, generation: u64) -> Condition {
        let mut all = vec![is("kept", generation)];
        if self.mutant != Some(Mutant::CollectorIgnoresRefs) {
            all.push(Condition::equals("refs", 0));
        }
        Condition::All(all)
    }

    /// Whether it is certain that this generation is condemned.
    async fn condemn(&self, condition: Option<Condition>, key: &Key, generation: u64) -> bool {
        let Some(condition) = condition else { return true };
        let set = json!({ "state": "condemned", "gen": generation }).as_object().cloned().unwrap();
        let change = Change::Update { set, add: [("refs", 0)].into() };
        let mut condemn = Transaction::new(format!("condemn {}", self.link.time.tick()));
        condemn.push(Action { key: key.clone(), condition, change });
        self.table.transact(&condemn).await.is_ok()
    }

    /// Now and then it stands still between two steps, for longer than anyone waits.
    async fn stall(&mut self) {
        match self.random.u8(0..8) {
            0 => self.link.time.pass(self.random.u64(60_000..400_000)).await,
            1..=3 => self.link.time.pass(self.random.u64(1..2_000)).await,
            _ => {}
        }
    }
}

fn is(state: &str, generation: u64) -> Condition {
    Condition::All(vec![Condition::equals("state", state), Condition::equals("gen", generation)])
}
