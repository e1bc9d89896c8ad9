//! The number of concurrent requests of one transfer.
//!
//! On most long or shared paths each connection has a bandwidth limit, and all of them together have another. Neither
//! is known in advance, so both are found by probing: the number doubles while each connection keeps its share, goes
//! back if doubling did not help, and is halved when a back end throttles, fails or stalls.

use super::hint::{RetryHint, Retryable};
use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// The initial number, and the maximum that it adapts to.
const FIRST: usize = 8;
const MOST: usize = 32;
/// A sample of a connection's speed covers at least this number of bytes, 2 MiB, and this time.
const SAMPLE: u64 = 2 << 20;
const SAMPLED: Duration = Duration::from_millis(100);
/// The minimum speed of a connection, in bytes a second, at which more connections are worth their buffers: 256 KiB.
const WORTHWHILE: f64 = 262_144.0;
/// The share of its speed that a connection keeps if others do not take it away.
const KEPT: f64 = 2.0 / 3.0;

/// The number of concurrent requests of a transfer, which adapts. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Concurrency(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    level: Mutex<Level>,
    /// The limit, and the number of requests in progress.
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    limit: usize,
    under_way: usize,
}

impl Concurrency {
    /// Begins with 8, and adapts up to 32; with `jobs`, begins with that number and never exceeds it.
    #[must_use]
    pub fn new(jobs: Option<NonZeroUsize>) -> Self {
        let level = match jobs {
            Some(jobs) => Level::new(jobs.get(), jobs.get()),
            None => Level::new(FIRST, MOST),
        };
        let state = watch::Sender::new(State { limit: level.limit, under_way: 0 });
        Self(Arc::new(Shared { level: Mutex::new(level), state }))
    }

    /// Returns the present number.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.state.borrow().limit
    }

    /// Returns the maximum number.
    #[must_use]
    pub fn most(&self) -> usize {
        self.0.level().most
    }

    /// Returns when the number differs from `seen`.
    pub async fn changed(&self, seen: usize) {
        // The channel can't close, since `self` has the sender.
        let _ = self.0.state.subscribe().wait_for(|state| state.limit != seen).await;
    }

    /// Makes one attempt of a request when it is its turn, and adapts to the result. The attempt reports the bytes that
    /// move to its [`Flow`]; the first `unsure` of them do not count for the connection's speed.
    ///
    /// # Errors
    /// The error of the attempt.
    pub async fn run<T, E, F>(&self, unsure: u64, attempt: impl FnOnce(Flow) -> F) -> Result<T, E>
    where
        E: Retryable,
        F: Future<Output = Result<T, E>>,
    {
        let permit = self.0.acquire().await;
        let round = self.0.level().round;
        let sample = Mutex::new(Sample { from: unsure, begun: None, is_taken: false });
        let flow =
            Flow(Arc::new(Flowing { shared: Arc::clone(&self.0), round, moved: AtomicU64::new(0), sample }));
        let result = attempt(flow).await;
        if result.as_ref().is_err_and(|error| error.retry_hint() == RetryHint::Later) {
            self.0.learn(|level| level.failed(round));
        }
        drop(permit);
        result
    }
}

impl Shared {
    fn level(&self) -> MutexGuard<'_, Level> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, change: impl FnOnce(&mut Level)) {
        let limit = {
            let mut level = self.level();
            change(&mut level);
            level.limit
        };
        self.state.send_if_modified(|state| std::mem::replace(&mut state.limit, limit) != limit);
    }

    /// Waits until fewer requests are in progress than the limit.
    async fn acquire(self: &Arc<Self>) -> Permit {
        let mut states = self.state.subscribe();
        loop {
            let entered = self.state.send_if_modified(|state| {
                let free = state.under_way < state.limit;
                state.under_way += usize::from(free);
                free
            });
            if entered {
                return Permit(Arc::clone(self));
            }
            // The channel can't close, since `self` has the sender.
            let _ = states.wait_for(|state| state.under_way < state.limit).await;
        }
    }
}

/// One of the requests in progress, until dropped.
struct Permit(Arc<Shared>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.state.send_modify(|state| state.under_way -= 1);
    }
}

/// The bytes of one attempt of a request. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Flow(Arc<Flowing>);

#[derive(Debug)]
struct Flowing {
    shared: Arc<Shared>,
    round: u64,
    moved: AtomicU64,
    sample: Mutex<Sample>,
}

/// The speed sample of an attempt. Each attempt gives one, so that samples of the same age are compared.
#[derive(Debug)]
struct Sample {
    from: u64,
    begun: Option<(Instant, u64)>,
    is_taken: bool,
}

impl Flow {
    /// Records that this number of bytes moved just now.
    pub fn moved(&self, bytes: u64) {
        let moved = self.0.moved.fetch_add(bytes, Relaxed) + bytes;
        let mut sample = self.0.sample.lock().unwrap_or_else(PoisonError::into_inner);
        if sample.is_taken || moved < sample.from {
            return;
        }
        let (begun, from) = *sample.begun.get_or_insert_with(|| (Instant::now(), moved));
        let took = begun.elapsed();
        if moved - from >= SAMPLE && took >= SAMPLED {
            sample.is_taken = true;
            // Exact up to 2^53.
            #[expect(clippy::cast_precision_loss, reason = "a speed")]
            let rate = (moved - from) as f64 / took.as_secs_f64();
            self.0.shared.learn(|level| level.sampled(self.0.round, rate));
        }
    }
}

/// The growth of the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Growth {
    /// Doubling, as long as a connection keeps its speed.
    Doubling,
    /// None, since more did not help.
    Done,
    /// One at a time, after a failure.
    Careful,
}

/// The number, and the measurements behind it. It does not depend on time. A round begins when the number changes; a
/// request that began in an earlier round has no effect on the present number.
#[derive(Debug)]
struct Level {
    limit: usize,
    most: usize,
    round: u64,
    /// The round that the last failure began.
    halved: u64,
    growth: Growth,
    /// The number of the previous round.
    before: usize,
    /// The highest speed of a connection, in bytes a second.
    best: f64,
}

impl Level {
    fn new(limit: usize, most: usize) -> Self {
        Self { limit, most, round: 0, halved: 0, growth: Growth::Doubling, before: limit, best: 0.0 }
    }

    fn set(&mut self, limit: usize) {
        (self.before, self.limit) = (self.limit, limit.clamp(1, self.most));
        self.round += 1;
    }

    /// Records the speed of a connection, in bytes a second.
    fn sampled(&mut self, round: u64, rate: f64) {
        if round != self.round || self.growth == Growth::Done {
            return;
        }
        if self.growth == Growth::Doubling && rate < self.best * KEPT {
            self.growth = Growth::Done;
            self.set(self.before);
        } else if rate >= WORTHWHILE && self.limit < self.most {
            self.best = self.best.max(rate);
            let more = if self.growth == Growth::Doubling { self.limit } else { 1 };
            self.set(self.limit + more);
        }
    }

    /// Records a transient failure of a request: throttled, no answer, or stalled. A request that began before the
    /// number was last halved has no effect.
    fn failed(&mut self, round: u64) {
        if round >= self.halved {
            self.growth = Growth::Careful;
            self.set(self.limit / 2);
            self.halved = self.round;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Fault, FaultKind};

    const MB: f64 = 1e6;

    /// Returns the numbers on a link on which a connection has `own` bytes a second and all together `all`.
    fn numbers(level: &mut Level, own: f64, all: f64) -> Vec<usize> {
        let mut seen = vec![level.limit];
        for _ in 0..100 {
            // Exact: it is small.
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let share = all / level.limit as f64;
            level.sampled(level.round, own.min(share));
            if seen.last() != Some(&level.limit) {
                seen.push(level.limit);
            }
        }
        seen
    }

    fn adaptive() -> Level {
        Level::new(FIRST, MOST)
    }

    #[test]
    fn connections_are_added_while_each_keeps_its_speed() {
        assert_eq!(numbers(&mut adaptive(), 10.0 * MB, 1e12), [8, 16, 32]);
        assert_eq!(numbers(&mut adaptive(), 10.0 * MB, 200.0 * MB), [8, 16, 32, 16]);
        assert_eq!(numbers(&mut adaptive(), 1e12, 125.0 * MB), [8, 16, 8]);
        // Too slow to be worth more.
        assert_eq!(numbers(&mut adaptive(), 1e12, 256.0 * 1024.0), [8]);
        // A requested number does not change.
        assert_eq!(numbers(&mut Level::new(3, 3), 10.0 * MB, 1e12), [3]);
    }

    #[test]
    fn what_fails_halves_it_once_a_round_and_then_it_grows_by_one() {
        let mut level = adaptive();
        let round = level.round;
        for _ in 0..8 {
            level.failed(round);
        }
        assert_eq!(level.limit, 4);
        // A request that began before has no effect.
        level.sampled(round, 100.0 * MB);
        assert_eq!(level.limit, 4);
        assert_eq!(numbers(&mut level, 10.0 * MB, 1e12)[..4], [4, 5, 6, 7]);
        for _ in 0..10 {
            level.failed(level.round);
        }
        assert_eq!(level.limit, 1);
        assert_eq!(numbers(&mut level, MB, 1e12)[..3], [1, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn concurrency_is_limited_and_every_request_runs() {
        let concurrency = Concurrency::new(None);
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let transfer = |fails: bool| {
            let (now, most) = (&now, &most);
            concurrency.run(0, async move |flow: Flow| {
                most.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
                for _ in 0..80 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    flow.moved(100_000);
                }
                now.fetch_sub(1, Relaxed);
                if fails { Err(Fault::new(FaultKind::Throttled, "testing", "slow down")) } else { Ok(()) }
            })
        };
        let all =
            async |count, fails| futures_util::future::join_all((0..count).map(|_| transfer(fails))).await;
        all(8, true).await;
        assert_eq!((most.swap(0, Relaxed), concurrency.limit()), (8, 8), "it grew and was halved");
        all(200, false).await;
        assert_eq!(most.swap(0, Relaxed), 32);
        let began = Instant::now();
        let _ = tokio::time::timeout(Duration::from_millis(50), all(100, false)).await;
        all(32, false).await;
        assert_eq!(began.elapsed().as_millis(), 50 + 800, "a dropped request makes room");
    }
}
