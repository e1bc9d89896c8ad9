//! Trying again: the only place that sleeps between tries.
//!
//! The loop is that of the crate `backoff`; its policy is our own, since that crate takes its clock and its
//! randomness from globals. Here time is tokio's (which a test can pause) and randomness comes from a seed, so that
//! a run replays. The crate's advisory RUSTSEC-2025-0012 (unmaintained) is accepted: this module is the only one
//! that names it, and where it would be replaced.

use crate::fault::Fault;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};
use tracing::{Instrument, debug, debug_span};

/// Whether and when a failed try is worth another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Again {
    /// It would fail the same way.
    Never,
    /// At once: the failure brought what the next try needs.
    Now,
    /// After a while.
    Later,
}

/// An error that knows whether another try may help.
pub trait Retry: fmt::Display {
    /// Whether and when.
    fn again(&self) -> Again;
}

impl Retry for Fault {
    fn again(&self) -> Again {
        if self.kind.is_transient() { Again::Later } else { Again::Never }
    }
}

/// How long trouble is ridden out, and what may end that early. Cloning shares the stop and the randomness.
#[derive(Debug, Clone)]
pub struct Patience {
    deadline: Duration,
    stop: Stop,
    random: Random,
}

impl Patience {
    /// Rides out contention, throttling and outages for `deadline` without progress, or until `stop` is requested.
    /// Randomness comes from the operating system.
    #[must_use]
    pub fn new(deadline: Duration, stop: Stop) -> Self {
        Self { deadline, stop, random: Random::default() }
    }

    /// As [`new`](Self::new), with the randomness of a seed, so that a run replays.
    #[must_use]
    pub fn seeded(deadline: Duration, stop: Stop, seed: u64) -> Self {
        let seeded = Mutex::new(fastrand::Rng::with_seed(seed));
        let random = Random(Arc::new(move || seeded.lock().unwrap_or_else(PoisonError::into_inner).u128(..)));
        Self { deadline, stop, random }
    }

    /// Of another length, with the same randomness, and not to be stopped.
    pub(crate) fn for_settling(&self, deadline: Duration) -> Self {
        Self { deadline, stop: Stop::new(), random: self.random.clone() }
    }

    /// What may end it early.
    #[must_use]
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// How long it lasts without progress.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// A new random number, for identities and tokens: 122 random bits at least.
    #[must_use]
    pub fn random(&self) -> u128 {
        (self.random.0)()
    }

    /// Sleeps about so long, half of it more or less, so that many who wait for the same thing don't ask all at once.
    pub async fn pause(&self, about: Duration) {
        tokio::time::sleep(about.mul_f64(0.5 + self.share())).await;
    }

    /// A random number from 0 to 1.
    fn share(&self) -> f64 {
        // The low 32 bits are random in a version 4 UUID, too.
        let random = u32::try_from(self.random() & u128::from(u32::MAX)).unwrap_or_default();
        f64::from(random) / f64::from(u32::MAX)
    }

    /// Tries until success, until an error that is not worth another try, or until the deadline passes with no
    /// success; the last error is returned. What is tried must be idempotent.
    ///
    /// # Errors
    /// Those of the tries.
    pub async fn run<T, E, F>(&self, doing: &str, attempt: impl FnMut() -> F) -> Result<T, E>
    where
        E: Retry,
        F: Future<Output = Result<T, E>>,
    {
        self.run_while(&Pulse::new(), doing, attempt).await
    }

    /// As [`run`](Self::run), with the deadline counted from the last beat of `pulse`: a long transfer that moves is
    /// not cut off.
    ///
    /// # Errors
    /// Those of the tries.
    pub async fn run_while<T, E, F>(
        &self,
        pulse: &Pulse,
        doing: &str,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        E: Retry,
        F: Future<Output = Result<T, E>>,
    {
        let mut tries = 0_u32;
        let attempt = || {
            tries += 1;
            let attempt = attempt();
            let number = tries;
            // What a back end says of its calls is said within: so it can be told which try they belong to.
            let attempt = attempt.instrument(debug_span!("attempt", number));
            async move {
                attempt.await.map_err(|error| match error.again() {
                    Again::Never => backoff::Error::Permanent(error),
                    // Still bounded: what is retried at once gives a different error the next time.
                    Again::Now => backoff::Error::retry_after(error, Duration::ZERO),
                    Again::Later => {
                        debug!(attempt = number, %error, "will try again: {doing}");
                        backoff::Error::transient(error)
                    }
                })
            }
        };
        backoff::future::retry(Jitter { patience: self, pulse, exponent: 0, beat: pulse.last() }, attempt)
            .await
    }
}

#[derive(Clone)]
struct Random(Arc<dyn Fn() -> u128 + Send + Sync>);

impl Default for Random {
    fn default() -> Self {
        Self(Arc::new(|| uuid::Uuid::new_v4().as_u128()))
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

/// Full jitter under an exponential cap that shrinks with age, so that the longest-waiting writer tries most often:
/// under contention nobody starves.
///
/// Full jitter is from Marc Brooker,
/// [Exponential Backoff And Jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
struct Jitter<'a> {
    patience: &'a Patience,
    pulse: &'a Pulse,
    exponent: u32,
    beat: Instant,
}

impl Jitter<'_> {
    const FIRST: Duration = Duration::from_millis(20);
    const CAP: Duration = Duration::from_secs(2);
    const LEAST: Duration = Duration::from_millis(10);
}

impl backoff::backoff::Backoff for Jitter<'_> {
    fn next_backoff(&mut self) -> Option<Duration> {
        let beat = self.pulse.last();
        if beat != self.beat {
            (self.beat, self.exponent) = (beat, 0);
        }
        let elapsed = beat.elapsed();
        let left = self.patience.deadline.checked_sub(elapsed).filter(|left| !left.is_zero())?;
        if self.patience.stop.is_requested() {
            return None;
        }
        let cap = Self::CAP.min(Self::FIRST.saturating_mul(1 << self.exponent.min(16)));
        let youth = left.as_secs_f64() / self.patience.deadline.as_secs_f64();
        let cap = cap.mul_f64(youth).max(Self::LEAST);
        self.exponent += 1;
        Some(cap.mul_f64(self.patience.share()).min(left))
    }
}

/// The sign of life of something long: the deadline counts from its last beat.
#[derive(Debug)]
pub struct Pulse(Mutex<Instant>);

impl Pulse {
    /// Beats once, now.
    #[must_use]
    pub fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// Something moved.
    pub fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self::new()
    }
}

/// A request to stop, as from Ctrl-C, and whether something must be settled before that can be done.
///
/// While a commit is under way its future must not be dropped: its outcome would be unknown. Everything else may
/// simply be dropped. Cloning shares the request.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<Stopping>>);

#[derive(Debug, Clone, Copy, Default)]
struct Stopping {
    requested: bool,
    insisted: bool,
    commits: usize,
}

impl Stop {
    /// Nothing is requested.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Stopping::default())))
    }

    /// Requests a stop. Idempotent.
    pub fn request(&self) {
        self.0.send_modify(|stopping| stopping.requested = true);
    }

    /// Requests a stop at once: what became of a commit is not to be found out any more. Idempotent.
    pub fn insist(&self) {
        self.0.send_modify(|stopping| (stopping.requested, stopping.insisted) = (true, true));
    }

    /// Returns when a stop at once has been requested.
    pub async fn insisted(&self) {
        self.wait(|stopping| stopping.insisted).await;
    }

    /// Whether something has to be settled before a stop.
    #[must_use]
    pub fn is_committing(&self) -> bool {
        self.0.borrow().commits > 0
    }

    /// Whether a stop was requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.borrow().requested
    }

    /// Returns when a stop has been requested.
    pub async fn requested(&self) {
        self.wait(|stopping| stopping.requested).await;
    }

    /// Returns when a stop has been requested and nothing has to be settled first: the work may be dropped.
    pub async fn may_drop(&self) {
        self.wait(|stopping| stopping.requested && stopping.commits == 0).await;
    }

    /// Begins something that must be settled before a stop, or `None` if a stop was requested already.
    #[must_use]
    pub fn begin_commit(&self) -> Option<Committing> {
        let mut began = false;
        self.0.send_modify(|stopping| {
            began = !stopping.requested;
            stopping.commits += usize::from(began);
        });
        began.then(|| Committing(self.clone()))
    }

    async fn wait(&self, until: impl FnMut(&Stopping) -> bool) {
        // The sender is `self`, so the channel can't close while we wait.
        let _ = self.0.subscribe().wait_for(until).await;
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

/// Something that must be settled before a stop; settled when dropped.
#[derive(Debug)]
pub struct Committing(Stop);

impl Drop for Committing {
    fn drop(&mut self) {
        self.0.0.send_modify(|stopping| stopping.commits -= 1);
    }
}
