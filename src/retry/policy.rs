//! The retry policy: deadline, cancellation, randomness and budget.

use super::{
    budget::Budget,
    cancellation::Cancellation,
    pace::{Pace, pace},
};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// A retry policy and its cancellation. Cloning shares the cancellation, the randomness and the budget of retries.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    pub(super) deadline: Duration,
    pub(super) cancellation: Cancellation,
    random: Random,
    pub(super) pace: Pace,
    pub(super) budget: Arc<Budget>,
}

impl RetryPolicy {
    /// Creates a policy that tolerates contention, throttling and outages for `deadline` without progress, or until
    /// `cancellation` is requested. Randomness comes from the operating system.
    #[must_use]
    pub fn new(deadline: Duration, cancellation: Cancellation) -> Self {
        Self { deadline, cancellation, random: Random::default(), pace, budget: Arc::default() }
    }

    /// Does the same as [`new`](Self::new) with the randomness of a seed, so that a run can be replayed.
    #[must_use]
    pub fn seeded(deadline: Duration, cancellation: Cancellation, seed: u64) -> Self {
        let seeded = Mutex::new(fastrand::Rng::with_seed(seed));
        let random = Random(Arc::new(move || seeded.lock().unwrap_or_else(PoisonError::into_inner).u128(..)));
        Self { deadline, cancellation, random, pace, budget: Arc::default() }
    }

    /// Returns a policy with another deadline, with the same randomness and budget, that can't be cancelled.
    pub(crate) fn for_settlement(&self, deadline: Duration) -> Self {
        Self { deadline, cancellation: Cancellation::new(), ..self.clone() }
    }

    /// Replaces the pace, to compare it with [`pace`].
    #[must_use]
    pub fn with_pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Returns the cancellation.
    #[must_use]
    pub fn cancellation(&self) -> &Cancellation {
        &self.cancellation
    }

    /// Returns the maximum time without progress.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Returns a new random number, for ids and tokens: at least 122 random bits.
    #[must_use]
    pub fn random(&self) -> u128 {
        (self.random.0)()
    }

    /// Sleeps for `about`, plus or minus up to a half, so that clients that wait for the same thing don't all ask at
    /// once.
    pub async fn pause(&self, about: Duration) {
        tokio::time::sleep(about.mul_f64(0.5 + self.share())).await;
    }

    /// Returns a random number from 0 to 1.
    pub(super) fn share(&self) -> f64 {
        // The low 32 bits are random in a version 4 UUID, too.
        let random = u32::try_from(self.random() & u128::from(u32::MAX)).unwrap_or_default();
        f64::from(random) / f64::from(u32::MAX)
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
