//! The budget of retries.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The retries that all who share it may make while the back end can't: a token bucket, as in Marc Brooker,
/// [Fixing retries with token buckets and circuit breakers](https://brooker.co.za/blog/2022/02/28/retries.html). Where
/// it is empty a retry is not refused but waits: its run ends by the deadline alone.
#[derive(Debug)]
pub(super) struct Budget(Mutex<Tokens>);

#[derive(Debug)]
struct Tokens {
    /// Negative if that many retries wait for theirs.
    left: f64,
    at: Instant,
}

impl Budget {
    /// Enough for one retry of each of the parts of a transfer, so that an outage of a moment delays none.
    const MOST: f64 = 64.0;
    /// One in 2 s: half of what a single run would make at most.
    const A_SECOND: f64 = 0.5;

    /// Takes a token. Returns how long to wait for it.
    pub(super) fn take(&self) -> Duration {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let gained = now.duration_since(tokens.at).as_secs_f64() * Self::A_SECOND;
        tokens.left = (tokens.left + gained).min(Self::MOST) - 1.0;
        tokens.at = now;
        Duration::from_secs_f64((-tokens.left / Self::A_SECOND).max(0.0))
    }

    /// Gives a token back: the back end has served something.
    pub(super) fn refund(&self) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.left = (tokens.left + 1.0).min(Self::MOST);
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self(Mutex::new(Tokens { left: Self::MOST, at: Instant::now() }))
    }
}
