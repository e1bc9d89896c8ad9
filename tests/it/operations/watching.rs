//! Following logs: no event is left out and none comes twice, over restarts, crowds and outages.

use super::Site;
use crate::support::{
    faulty_table::{Fate, Faulty},
    warned::Warned,
    world::{Tables, World, add, adding, of, retry_policy, tag, try_add},
};
use futures_util::{StreamExt, TryStreamExt, future::join_all};
use sacker::{
    ledger::{Ledger, NotFound, TableLedger},
    model::{Cursor, PackageName, Revs},
    ops::{Client, Error, Watch, WatchScope, WatchedEvent},
    retry::{Cancellation, RetryPolicy},
    store::memory::MemoryStore,
    table::memory::MemoryTable,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

fn client(ledger: Arc<dyn Ledger>) -> Client {
    Client::new(ledger, Arc::new(MemoryStore::new()), retry_policy(), std::env::temp_dir())
}

fn all() -> WatchScope {
    WatchScope::Prefix(String::new())
}

/// The revisions of each log, as they came.
fn by_log(events: &[WatchedEvent]) -> BTreeMap<(PackageName, bool), Vec<u64>> {
    let mut logs: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for WatchedEvent { event, .. } in events {
        logs.entry((event.package.clone(), event.kind.is_of_tags())).or_default().push(event.rev);
    }
    logs
}

/// Follows from the kept cursors, and is killed after some events: what was not kept comes again.
async fn follow(client: &Client, kept: &mut Vec<Cursor>, most: usize) -> Vec<WatchedEvent> {
    let watch = Watch::new(all()).after(kept.clone()).once(true);
    let events: Vec<WatchedEvent> = client.watch(watch).take(most).try_collect().await.unwrap();
    kept.extend(events.iter().map(|it| it.cursor.clone()));
    events
}

async fn crowd(number: u64) {
    let world = Tables::interleaved(number);
    let writers = (0..4_u64).map(|writer| {
        let ledger = world.ledger();
        async move {
            for step in 0..6 {
                let package = format!("p{}", (writer + step) % 3);
                let content = format!("{writer} {step}");
                let request = adding(&package).tags([of("live")]);
                try_add(&*ledger, &request, &content).await.unwrap();
                tag(&*ledger, &package, "latest", if step % 2 == 0 { "canary" } else { "live" }).await;
            }
        }
    });
    let consumer = async {
        let (client, mut random) = (client(world.ledger()), fastrand::Rng::with_seed(number));
        let (mut kept, mut seen) = (Vec::new(), Vec::new());
        for _ in 0..40 {
            seen.extend(follow(&client, &mut kept, random.usize(1..9)).await);
        }
        (kept, seen)
    };
    let (_, (mut kept, mut seen)) = futures_util::future::join(join_all(writers), consumer).await;
    let ledger = world.ledger();
    seen.extend(follow(&client(Arc::clone(&ledger)), &mut kept, usize::MAX).await);
    let names: Vec<PackageName> = ["p0", "p1", "p2"].map(of).to_vec();
    let mut ends = BTreeMap::new();
    for (package, revs) in names.iter().zip(ledger.revs(&names).await.unwrap()) {
        ends.insert((package.clone(), false), (1..=revs.releases.unwrap()).collect::<Vec<_>>());
        ends.insert((package.clone(), true), (1..=revs.tags.unwrap()).collect());
    }
    assert_eq!(by_log(&seen), ends, "seed {number}");
}

#[tokio::test]
async fn a_consumer_that_is_killed_again_and_again_gets_each_event_once() {
    for seed in 0..20 {
        crowd(seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_neither_ends_it_nor_hides_an_event() {
    let table = Arc::new(MemoryTable::new());
    let sound = TableLedger::new(Arc::clone(&table) as _, retry_policy());
    add(&sound, "app", "one").await;
    let faulty = Arc::new(Faulty::new(table, |_, _| Fate::Arrives));
    let policy = RetryPolicy::seeded(Duration::from_secs(10), Cancellation::new(), 3);
    let ledger = Arc::new(TableLedger::new(Arc::clone(&faulty) as _, policy.clone()));
    let warned = Arc::new(Warned::default());
    let client = Client::new(ledger, Arc::new(MemoryStore::new()), policy, std::env::temp_dir());
    let client = client.with_observer(Arc::clone(&warned) as _);
    let mut events = client.watch(Watch::new(WatchScope::Package(of("app"))));
    assert_eq!(events.try_next().await.unwrap().unwrap().cursor.to_string(), "app=t0,r1");
    faulty.set_unreachable(true);
    let meanwhile = async {
        tokio::time::sleep(Duration::from_mins(5)).await;
        tag(&sound, "app", "1", "live").await;
        tokio::time::sleep(Duration::from_mins(5)).await;
        faulty.set_unreachable(false);
    };
    let (next, ()) = futures_util::future::join(events.try_next(), meanwhile).await;
    assert_eq!(next.unwrap().unwrap().cursor.to_string(), "app=t1,r1");
    let warned = warned.0.lock().unwrap().clone();
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(warned[0].starts_with("the ledger does not answer; still watching"), "{warned:?}");
    assert_eq!(warned[1], "the ledger answers again");
}

#[tokio::test]
async fn a_tag_is_followed_alone_and_its_position_skips_nothing() {
    let site = Site::memory();
    site.add("app", "one").await;
    let ledger = site.ledger();
    for (spec, name) in [("1", "live"), ("1", "canary"), ("1", "beta")] {
        tag(&*ledger, "app", spec, name).await;
    }
    site.add("app", "two").await;
    tag(&*ledger, "app", "2", "live").await;
    let scope = WatchScope::Tag(of("app"), of("live"));
    let watch = Watch::new(scope.clone()).once(true);
    let events: Vec<_> = site.client().watch(watch).try_collect().await.unwrap();
    let cursors: Vec<_> = events.iter().map(|it| it.cursor.to_string()).collect();
    assert_eq!(cursors, ["app=t1", "app=t4"]);
    let watch = Watch::new(scope).after([events[0].cursor.clone()]).once(true);
    let rest: Vec<_> = site.client().watch(watch).try_collect().await.unwrap();
    assert_eq!(rest, events[1..]);
}

#[tokio::test]
async fn a_ledger_that_went_back_is_reported() {
    let site = Site::memory();
    site.add("app", "one").await;
    let revs = Revs { tags: Some(0), releases: Some(9) };
    let watch = Watch::new(all()).after([Cursor { package: of("app"), revs }]);
    let error = site.client().watch(watch).try_next().await.unwrap_err();
    assert!(matches!(error, Error::Ledger(sacker::ledger::Error::NotFound(NotFound::Revision { .. }))));
}

#[tokio::test]
async fn the_cursors_of_now_leave_out_what_was() {
    let site = Site::memory();
    site.add("app", "one").await;
    site.add("lib", "one").await;
    let now = site.client().cursors(&all()).await.unwrap();
    site.add("lib", "two").await;
    site.add("new", "one").await;
    let watch = Watch::new(all()).after(now).once(true);
    let events: Vec<_> = site.client().watch(watch).try_collect().await.unwrap();
    let cursors: Vec<_> = events.iter().map(|it| it.cursor.to_string()).collect();
    assert_eq!(cursors, ["lib=t0,r2", "new=t0,r1"]);
}
