//! Collectors concurrent with everything else: no version is ever without its object.

use super::{Site, collect, gc};
use crate::support::{audit::audit, world::of};
use futures_util::TryStreamExt;
use sacker::{
    ledger::{Error as LedgerError, NotFound},
    model::{Release, State},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use tokio::task::JoinSet;

const PACKAGES: [&str; 2] = ["app", "other"];

async fn versions(site: &Site, package: &str) -> Vec<Release> {
    match site.ledger().versions(&of(package)).try_collect().await {
        Ok(versions) => versions,
        Err(LedgerError::NotFound(NotFound::Package(_))) => Vec::new(),
        Err(other) => panic!("{other:?}"),
    }
}

/// Panics if a version that is not deleted has no object.
async fn check(site: &Site) {
    for package in PACKAGES {
        for release in versions(site, package).await {
            if release.state == State::Deleted || site.holds(&release.blob.address).await {
                continue;
            }
            // Unless it was deleted since it was read.
            let spec = of(&release.version.to_string());
            match site.client().ledger().blob(&of(package), &spec).await {
                Err(LedgerError::NotFound(NotFound::Deleted { .. })) => {}
                other => panic!("{package} {} lacks {}: {other:?}", release.version, release.blob.address),
            }
        }
    }
}

/// Checks that after a last collection the store holds what is needed, and nothing else.
async fn ends_clean(site: &Site) {
    gc(&site.client(), collect(true)).await.unwrap();
    check(site).await;
    let mut needed: Vec<_> = Vec::new();
    for package in PACKAGES {
        let versions = versions(site, package).await;
        needed.extend(versions.into_iter().filter(|it| it.state != State::Deleted).map(|it| it.blob.address));
    }
    needed.sort();
    needed.dedup();
    let there: Vec<_> =
        site.store().list(None).await.unwrap().objects.into_iter().map(|(at, _)| at).collect();
    assert_eq!(there, needed);
}

/// Runs three adders, two deleters, two collectors and a checker over few contents, so that they conflict.
async fn race(site: Site, rounds: usize) {
    let site = Arc::new(site);
    for package in PACKAGES {
        site.add(package, "first").await;
    }
    let (over, collected) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let added = Arc::new(AtomicUsize::new(PACKAGES.len()));
    let mut writers = JoinSet::new();
    for number in 0..3_usize {
        let (site, added) = (Arc::clone(&site), Arc::clone(&added));
        writers.spawn(async move {
            for round in 0..rounds {
                added.fetch_add(1, Ordering::Relaxed);
                let content = format!("content {}", (number + round) % 3);
                let release = site.add(PACKAGES[(number + round) % 2], &content).await;
                assert_eq!(release.blob.size, content.len() as u64);
            }
        });
    }
    let mut others = JoinSet::new();
    for package in PACKAGES {
        let (site, over) = (Arc::clone(&site), Arc::clone(&over));
        others.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                for release in versions(&site, package).await {
                    if release.state != State::Deleted && release.version.get() > 1 {
                        site.delete(package, release.version.get()).await;
                    }
                }
                tokio::task::yield_now().await;
            }
        });
    }
    for _ in 0..2 {
        let (site, over, collected) = (Arc::clone(&site), Arc::clone(&over), Arc::clone(&collected));
        others.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                collected
                    .fetch_add(gc(&site.client(), collect(true)).await.unwrap().len(), Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
    }
    let (looking, looked) = (Arc::clone(&site), Arc::clone(&over));
    others.spawn(async move {
        while !looked.load(Ordering::Relaxed) {
            check(&looking).await;
            tokio::task::yield_now().await;
        }
    });
    writers.join_all().await;
    over.store(true, Ordering::Relaxed);
    others.join_all().await;

    check(&site).await;
    let mut there = 0;
    for package in PACKAGES {
        there += audit(&*site.table(), package).await.versions;
    }
    assert_eq!(there, added.load(Ordering::Relaxed));
    ends_clean(&site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collectors_run_concurrently_with_all_commands_in_memory() {
    race(Site::memory(), 120).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collectors_run_concurrently_with_all_commands_locally() {
    race(Site::local(), 25).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collectors_run_concurrently_with_all_commands_in_the_cloud() {
    race(Site::cloud(false).await, 8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collectors_run_concurrently_with_all_commands_on_a_versioned_bucket() {
    race(Site::cloud(true).await, 8).await;
}
