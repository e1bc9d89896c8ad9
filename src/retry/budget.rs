//! The budget of retries.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The shared budget of retries while the back end is unavailable: a token bucket, as in Marc Brooker, [Fixing retries
/// with token buckets and circuit breakers](https://brooker.co.za/blog/2022/02/28/retries.html). If the bucket is
/// empty, a retry waits instead of being refused: only the deadline ends its run.
#[derive(Debug)]
pub(super) struct Budget(Mutex<Tokens>);

#[derive(Debug)]
struct Tokens {
    /// The tokens left. Negative while retries wait for theirs.
    left: f64,
    at: Instant,
}

impl Budget {
    /// One retry for each part of a transfer, so that a momentary outage delays none.
    const MOST: f64 = 64.0;
    /// One in 2 s: half of the maximum rate of a single run.
    const A_SECOND: f64 = 0.5;

    /// Takes a token. Returns the time to wait for it.
    pub(super) fn take(&self) -> Duration {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let gained = now.duration_since(tokens.at).as_secs_f64() * Self::A_SECOND;
        tokens.left = (tokens.left + gained).min(Self::MOST) - 1.0;
        tokens.at = now;
        Duration::from_secs_f64((-tokens.left / Self::A_SECOND).max(0.0))
    }

    /// Returns a token after the back end has served a request.
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
