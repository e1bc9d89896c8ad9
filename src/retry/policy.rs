//! How long trouble is tolerated.

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

/// How long trouble is tolerated, and what may end that early. Cloning shares the stop, the randomness and the budget
/// of retries.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    pub(super) deadline: Duration,
    pub(super) cancellation: Cancellation,
    random: Random,
    pub(super) pace: Pace,
    pub(super) budget: Arc<Budget>,
}

impl RetryPolicy {
    /// Tolerates contention, throttling and outages for `deadline` without progress, or until `cancellation` is requested.
    /// Randomness comes from the operating system.
    #[must_use]
    pub fn new(deadline: Duration, cancellation: Cancellation) -> Self {
        Self { deadline, cancellation, random: Random::default(), pace, budget: Arc::default() }
    }

    /// As [`new`](Self::new), with the randomness of a seed, so that a run replays.
    #[must_use]
    pub fn seeded(deadline: Duration, cancellation: Cancellation, seed: u64) -> Self {
        let seeded = Mutex::new(fastrand::Rng::with_seed(seed));
        let random = Random(Arc::new(move || seeded.lock().unwrap_or_else(PoisonError::into_inner).u128(..)));
        Self { deadline, cancellation, random, pace, budget: Arc::default() }
    }

    /// Of another length, with the same randomness and budget, and not to be stopped.
    pub(crate) fn for_settlement(&self, deadline: Duration) -> Self {
        Self { deadline, cancellation: Cancellation::new(), ..self.clone() }
    }

    /// With another pace, to compare it with [`pace`].
    #[must_use]
    pub fn with_pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// What may end it early.
    #[must_use]
    pub fn cancellation(&self) -> &Cancellation {
        &self.cancellation
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
