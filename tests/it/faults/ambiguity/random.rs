//! Many writers under many faults, from seeds: whatever happens, the ledger is right and every answer is true.

use super::{Scene, retry_policy};
use crate::support::{
    faulty_table::{Fate, Faulty},
    world::{adding, author, of, partition, sha256, tagging, try_add},
};
use sacker::{
    ledger::{AddRequest, ChangeRequest, Error, Ledger, TableLedger},
    model::{IdempotencyKey, OpId, ReleaseChange},
    retry::Cancellation,
    table::{Table, Transaction},
};
use std::{sync::Arc, time::Duration};

/// The probabilities of a fault, in percent: now and then, often, and nearly always.
const ODDS: [u8; 3] = [10, 40, 90];

fn fates(seed: u64) -> impl FnMut(usize, &Transaction) -> Fate + Send + 'static {
    let mut random = fastrand::Rng::with_seed(seed);
    let odds = ODDS[usize::try_from(seed).unwrap() % ODDS.len()];
    move |_, _| {
        if random.u8(0..100) >= odds {
            return Fate::Arrives;
        }
        let fates = [Fate::LosesReply, Fate::IsDelayed, Fate::IsThrottled, Fate::MeetsContention];
        fates[random.usize(0..fates.len())]
    }
}

struct Writer {
    ledger: TableLedger,
    faulty: Arc<Faulty>,
    number: usize,
    seed: u64,
}

impl Writer {
    fn request(&self, step: usize) -> AddRequest {
        // Some with a tag, some with a key of their own.
        let mut request = adding("app");
        if step % 2 == 1 {
            request.tags = vec![of("live")];
        }
        if (self.number + step).is_multiple_of(3) {
            request.author = author(Some(&format!("{} {step}", self.number)));
        }
        request
    }

    fn content(&self, step: usize) -> String {
        format!("content {} {step}", self.number)
    }

    /// Adds a few versions and moves a tag in between. Returns the reported outcome of each addition.
    async fn write(&self) -> Vec<(usize, Result<u64, Error>)> {
        let mut reported = Vec::new();
        for step in 0..4 {
            let added = try_add(&self.ledger, &self.request(step), &self.content(step)).await;
            reported.push((step, added.map(|(release, _)| release.version.get())));
            let _ = self.ledger.tag(&tagging("app", "latest", "canary")).await;
            let _ = self.ledger.tag(&tagging("app", "canary", "live")).await;
        }
        reported
    }

    /// Delivers what was delayed now and then, and cuts this writer off for a while.
    async fn inject_faults(&self) {
        let mut random = fastrand::Rng::with_seed(self.seed);
        loop {
            tokio::time::sleep(Duration::from_secs(random.u64(1..40))).await;
            self.faulty.set_unreachable(random.u8(0..4) == 0);
            if random.bool() {
                self.faulty.deliver_any().await;
            }
        }
    }
}

async fn run(seed: u64) {
    let scene = Scene::new(|_, _| Fate::Arrives).await;
    let writers: Vec<_> = (0..3)
        .map(|number| {
            let seed = seed * 3 + number as u64;
            let faulty = Arc::new(Faulty::new(Arc::clone(&scene.table), fates(seed)));
            let ledger =
                TableLedger::new(Arc::clone(&faulty) as Arc<dyn Table>, retry_policy(Cancellation::new()));
            Writer { ledger, faulty, number, seed }
        })
        .collect();
    let reported = futures_util::future::join_all(writers.iter().map(|writer| async move {
        tokio::select! {
            reported = writer.write() => reported,
            () = writer.inject_faults() => unreachable!("it never ends"),
        }
    }));
    let reported = reported.await;

    // In the phase without faults: every answer must be true, also after all that was delayed has arrived.
    let sound = scene.sound();
    let landed = async |content: &str| {
        let sha256 = sha256(content).to_string();
        let found = partition(&*scene.table, "P#app").await.into_iter().filter_map(|(sk, item)| {
            (sk.starts_with("V#") && item["sha256"] == *sha256).then(|| item["n"].as_u64().unwrap())
        });
        found.collect::<Vec<_>>()
    };
    let (mut done, mut failed, mut unknown) = (0, 0, 0);
    for (writer, reported) in writers.iter().zip(&reported) {
        for (step, reported) in reported {
            let content = writer.content(*step);
            match reported {
                Ok(version) => {
                    done += 1;
                    assert_eq!(landed(&content).await, [*version], "seed {seed}: {content}");
                }
                Err(Error::Unknown { key, .. }) => {
                    unknown += 1;
                    let again = writer.request(*step).author(author(None).key(key.clone()));
                    let (release, new) = try_add(&sound, &again, &content).await.unwrap();
                    assert!(new);
                    assert_eq!(landed(&content).await, [release.version.get()], "seed {seed}: {content}");
                }
                Err(error) => {
                    failed += 1;
                    assert_eq!(landed(&content).await, [0_u64; 0], "seed {seed}: {content}: {error:?}");
                }
            }
        }
    }
    let before = [partition(&*scene.table, "P#app").await, partition(&*scene.table, "T#app").await];
    scene.audit().await;
    // A late copy of a move may land if its writer got an unknown outcome; a late copy of an addition may not.
    for writer in &writers {
        writer.faulty.deliver_any().await;
    }
    assert_eq!(partition(&*scene.table, "P#app").await, before[0], "seed {seed}");
    scene.audit().await;
    assert_eq!(done + failed + unknown, 12);
}

#[tokio::test(start_paused = true)]
async fn every_answer_is_true_under_any_losses() {
    for seed in 0..60 {
        run(seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_invented_operation_is_not_found() {
    let scene = Scene::new(|_, _| Fate::Arrives).await;
    let key = IdempotencyKey::Resume { op: OpId::from(7), slot: 1 };
    let request = tagging("app", "2", "live").author(author(None).key(key));
    assert_eq!(scene.ledger.tag(&request).await.unwrap().version.unwrap().get(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_stays_unknown_as_long_as_nothing_can_be_found_out() {
    let scene = Scene::new(|_, _| Fate::Arrives).await;
    let key = IdempotencyKey::Resume { op: OpId::from(7), slot: 3 };
    let again = || author(None).key(key.clone());
    let stays = |error: Error| matches!(error, Error::Unknown { key: reported, .. } if reported == key);
    scene.faulty.set_unreachable(true);
    let adding = adding("app").author(again());
    assert!(stays(try_add(&scene.ledger, &adding, "new").await.unwrap_err()));
    let tagging = tagging("app", "2", "live").author(again());
    assert!(stays(scene.ledger.tag(&tagging).await.unwrap_err()));
    let yank = ReleaseChange::Yank;
    let version = 2.try_into().unwrap();
    let changing = ChangeRequest::new(of("app"), version, yank).author(again());
    assert!(stays(scene.ledger.change(&changing).await.unwrap_err()));
}
