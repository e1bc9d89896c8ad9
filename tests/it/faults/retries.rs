//! The number of retries while everything is throttled or down, in paused time.

use sacker::{
    fault::{Fault, FaultKind},
    retry::{Cancellation, RetryPolicy},
};
use std::{
    cell::{Cell, RefCell},
    time::Duration,
};
use tokio::time::Instant;

const DEADLINE: Duration = Duration::from_mins(1);

fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, "testing", "a fault that was asked for")
}

fn retry_policy(seed: u64) -> RetryPolicy {
    RetryPolicy::seeded(DEADLINE, Cancellation::new(), seed)
}

/// Returns the times at which the tries of a run begin, each of which fails after `took`.
async fn tries(retry_policy: &RetryPolicy, kind: FaultKind, took: Duration) -> Vec<Duration> {
    let (began, tries) = (Instant::now(), RefCell::<Vec<_>>::default());
    let attempt = || async {
        tries.borrow_mut().push(began.elapsed());
        tokio::time::sleep(took).await;
        Err::<(), _>(fault(kind))
    };
    retry_policy.run("testing", attempt).await.unwrap_err();
    let settled = began.elapsed();
    assert!(settled >= DEADLINE && settled <= DEADLINE + took * 2, "it ends at {settled:?}");
    tries.into_inner()
}

#[tokio::test(start_paused = true)]
async fn while_all_is_throttled_the_gaps_never_shrink_and_the_tries_are_few() {
    for seed in 0..200 {
        for (kind, took) in [
            (FaultKind::Throttled, Duration::from_millis(5)),
            (FaultKind::Unavailable, Duration::from_millis(1)),
            (FaultKind::Unavailable, Duration::from_secs(2)),
        ] {
            let tries = tries(&retry_policy(seed), kind, took).await;
            let gaps: Vec<_> = tries.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
            // The last try is made at the deadline, whenever the one before was.
            let (_, gaps) = gaps.split_last().unwrap();
            assert!(gaps.is_sorted(), "seed {seed}, {kind:?}: {gaps:?}");
            // The deadline is the minute in which most are made: it begins with the shortest gaps.
            assert!(tries.len() <= 40, "seed {seed}, {kind:?}: {} tries", tries.len());
            assert!(tries.len() >= 12, "seed {seed}, {kind:?}: {} tries", tries.len());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn many_at_once_share_what_may_be_tried() {
    const RUNS: usize = 200;
    let retry_policy = retry_policy(1);
    let runs = (0..RUNS).map(|_| tries(&retry_policy, FaultKind::Throttled, Duration::from_millis(5)));
    let mut all = futures_util::future::join_all(runs).await.concat();
    all.sort_unstable();
    // Each run makes its first try and, at the deadline, its last; between them are the retries that all share.
    let retries = all.len() - 2 * RUNS;
    assert!(retries <= 64 + 30, "{retries} retries in a minute");
    // The clones of a retry policy share the budget too: it is used up, so a run that begins now waits for its first
    // retry.
    let began = Instant::now();
    let failed = Cell::new(false);
    let attempt = || async { if failed.replace(true) { Ok(()) } else { Err(fault(FaultKind::Throttled)) } };
    retry_policy.clone().run("testing", attempt).await.unwrap();
    assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_is_served_at_every_second_try_is_not_slowed_down() {
    let retry_policy = retry_policy(1);
    let began = Instant::now();
    for _ in 0..1000 {
        let failed = Cell::new(false);
        let attempt =
            || async { if failed.replace(true) { Ok(()) } else { Err(fault(FaultKind::Throttled)) } };
        retry_policy.run("testing", attempt).await.unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(21), "{:?}", began.elapsed());
}
