//! `wait` while the ledger is away.

use super::Scene;
use crate::support::{
    faulty_table::Fate,
    warned::Warned,
    world::{of, tag, version},
};
use sacker::{
    fault::FaultKind,
    ledger,
    ops::{Client, Error, LAST_POLL, Observer, Wait},
    store::memory::MemoryStore,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

const TIMEOUT: Duration = Duration::from_mins(30);

/// Waits for `live` to be newer than 1, while the ledger is away and others do something. Returns the warnings, how it
/// ended and how long it took.
async fn wait<F: Future<Output = ()>>(
    scene: Scene,
    timeout: Option<Duration>,
    meanwhile: impl FnOnce(Arc<Scene>) -> F,
) -> (Vec<String>, Result<u64, Error>, Duration) {
    let scene = Arc::new(scene);
    let ledger = super::TableLedger::new(
        Arc::clone(&scene.faulty) as Arc<dyn sacker::table::Table>,
        super::retry_policy(scene.cancellation.clone()),
    );
    let retry_policy = super::retry_policy(scene.cancellation.clone());
    let client =
        Client::new(Arc::new(ledger), Arc::new(MemoryStore::new()), retry_policy, std::env::temp_dir());
    let warned = Arc::new(Warned::default());
    let client = client.with_observer(Arc::clone(&warned) as Arc<dyn Observer>);
    let (package, spec, newer_than) = (of("app"), of("live"), Some(version(1)));
    let wait = {
        let mut it = Wait::new(package, spec);
        it.newer_than = newer_than;
        it.timeout = timeout;
        it
    };
    let began = Instant::now();
    let (ended, ()) = futures_util::future::join(
        async { (client.wait(&wait).await.map(|release| release.version.get()), began.elapsed()) },
        meanwhile(scene),
    )
    .await;
    (warned.0.lock().unwrap().clone(), ended.0, ended.1)
}

async fn outage(scene: &Scene, lasts: Duration) {
    sleep(Duration::from_secs(10)).await;
    scene.faulty.set_unreachable(true);
    sleep(lasts).await;
    scene.faulty.set_unreachable(false);
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_any_length_does_not_end_it() {
    for timeout in [Some(TIMEOUT), None] {
        for minutes in [1, 2, 20] {
            let scene = Scene::new(|_, _| Fate::Arrives).await;
            let (warned, ended, took) = wait(scene, timeout, |scene| async move {
                outage(&scene, Duration::from_secs(minutes * 60 + 5)).await;
                sleep(Duration::from_secs(20)).await;
                tag(&scene.sound(), "app", "2", "live").await;
            })
            .await;
            assert_eq!(ended.unwrap(), 2, "{minutes} minutes");
            assert!(took < Duration::from_secs(minutes * 60 + 40), "{took:?}");
            // Once, however long it lasts: and when it is over.
            assert_eq!(warned.len(), 2, "{warned:?}");
            assert!(warned[0].starts_with("the ledger does not answer; still waiting"), "{warned:?}");
            assert_eq!(warned[1], "the ledger answers again");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn its_timeout_is_its_deadline() {
    let timeout = Some(TIMEOUT);
    let scene = Scene::new(|_, _| Fate::Arrives).await;
    let (_, ended, took) =
        wait(scene, timeout, |scene| async move { outage(&scene, Duration::from_mins(5)).await }).await;
    assert!(matches!(ended, Err(Error::TimedOut { found: Some(on), .. }) if on == version(1)), "{ended:?}");
    assert!(took >= TIMEOUT && took < TIMEOUT + LAST_POLL, "{took:?}");
    // Away at the end: nothing is known of what is there.
    for timeout in [Duration::from_secs(11), Duration::from_mins(3)] {
        let scene = Scene::new(|_, _| Fate::Arrives).await;
        let (_, ended, took) = wait(scene, Some(timeout), |scene| async move {
            outage(&scene, Duration::from_hours(1)).await;
        })
        .await;
        match ended.unwrap_err() {
            Error::Ledger(ledger::Error::Fault(fault)) => assert_eq!(fault.kind, FaultKind::Unavailable),
            other => panic!("{other:?}"),
        }
        assert!(took >= timeout && took <= timeout + LAST_POLL, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn cancellation_ends_it() {
    let scene = Scene::new(|_, _| Fate::Arrives).await;
    let (_, ended, took) = wait(scene, None, |scene| async move {
        sleep(Duration::from_secs(10)).await;
        scene.faulty.set_unreachable(true);
        sleep(Duration::from_secs(5)).await;
        scene.cancellation.cancel();
    })
    .await;
    assert!(ended.is_err());
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_denial_after_an_outage_ends_it() {
    let scene = Scene::new(|_, _| Fate::Arrives).await;
    let (warned, ended, took) = wait(scene, Some(TIMEOUT), |scene| async move {
        scene.faulty.set_unreachable(true);
        sleep(Duration::from_mins(2)).await;
        scene.faulty.deny_reads();
        scene.faulty.set_unreachable(false);
    })
    .await;
    match ended.unwrap_err() {
        Error::Ledger(ledger::Error::Fault(fault)) => assert_eq!(fault.kind, FaultKind::Denied),
        other => panic!("{other:?}"),
    }
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(took < Duration::from_mins(3), "{took:?}");
}
