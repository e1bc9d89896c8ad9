//! The retry loop.

use super::{
    heartbeat::Heartbeat,
    hint::{RetryHint, Retryable},
    limit::Limit,
    pace::Wait,
    policy::RetryPolicy,
};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use tracing::{Instrument, debug, debug_span};

impl RetryPolicy {
    /// Repeats an attempt until it succeeds, until an error that a retry does not fix, or until the deadline passes
    /// with no success; the last error is returned. The attempt must be idempotent.
    ///
    /// While the back end is unavailable ([`RetryHint::Later`]), at most 40 attempts begin in any minute, and the gap
    /// between two never shrinks, except before the last attempt, which is made at the deadline. All runs of one
    /// `RetryPolicy` and its clones share a budget: a retry takes one of 64 tokens, a success returns one, and one
    /// returns every 2 s. If there is none, the retry waits for it. So any number of concurrent runs of which none
    /// succeeds begin, in total, at most 64 retries and 30 more a minute, and one each at its deadline.
    ///
    /// # Errors
    /// The errors of the attempts.
    pub async fn run<T, E, F>(&self, doing: &str, attempt: impl FnMut() -> F) -> Result<T, E>
    where
        E: Retryable,
        F: Future<Output = Result<T, E>>,
    {
        self.run_while(&Heartbeat::new(), doing, attempt).await
    }

    /// Does the same as [`run`](Self::run), with the deadline counted from the last beat of `heartbeat`: a long
    /// transfer that makes progress is not cut off. Each attempt runs with a [`Limit`], so that one which waits for a
    /// server ends by the deadline.
    ///
    /// # Errors
    /// The errors of the attempts.
    pub async fn run_while<T, E, F>(
        &self,
        heartbeat: &Heartbeat,
        doing: &str,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        E: Retryable,
        F: Future<Output = Result<T, E>>,
    {
        let mut tries = 0_u32;
        let last_failure = Mutex::new((RetryHint::Later, Duration::ZERO));
        let attempt = || {
            tries += 1;
            let attempt = attempt();
            let number = tries;
            // The span assigns the events of a back end's calls to their attempt.
            let attempt = attempt.instrument(debug_span!("attempt", number));
            // On the heap: otherwise every waiting future would contain the state of the attempt.
            let attempt = Box::pin(attempt);
            let last_failure = &last_failure;
            async move {
                // Started here, because `backoff` asks for the next attempt before it sleeps.
                let began = Instant::now();
                Limit::new(self, heartbeat).on(attempt).await.map_err(|error| match error.retry_hint() {
                    RetryHint::Never => backoff::Error::Permanent(error),
                    // Still bounded: after an immediate retry the error differs.
                    RetryHint::Now => backoff::Error::retry_after(error, Duration::ZERO),
                    again => {
                        debug!(attempt = number, %error, "retrying: {doing}");
                        *last_failure.lock().unwrap_or_else(PoisonError::into_inner) =
                            (again, began.elapsed());
                        backoff::Error::transient(error)
                    }
                })
            }
        };
        let beat = heartbeat.own();
        let waits = Waits {
            retry_policy: self,
            heartbeat,
            last_failure: &last_failure,
            beat,
            sleeps: 0,
            last: Duration::ZERO,
        };
        let result = backoff::future::retry(waits, attempt).await;
        if result.is_ok() {
            self.budget.refund();
        }
        result
    }
}

struct Waits<'a> {
    retry_policy: &'a RetryPolicy,
    heartbeat: &'a Heartbeat,
    /// The last failure, and the duration of its attempt.
    last_failure: &'a Mutex<(RetryHint, Duration)>,
    beat: Instant,
    sleeps: u32,
    /// The last sleep while the back end was unavailable.
    last: Duration,
}

impl backoff::backoff::Backoff for Waits<'_> {
    fn next_backoff(&mut self) -> Option<Duration> {
        let beat = self.heartbeat.own();
        if beat != self.beat {
            (self.beat, self.sleeps, self.last) = (beat, 0, Duration::ZERO);
        }
        let (age, deadline) = (self.heartbeat.last().elapsed(), self.retry_policy.deadline);
        let left = deadline.checked_sub(age).filter(|left| !left.is_zero())?;
        if self.retry_policy.cancellation.is_cancelled() {
            return None;
        }
        let (hint, took) = *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = Wait { hint, sleeps: self.sleeps, last: self.last, took, age, deadline };
        let mut sleep = (self.retry_policy.pace)(&wait, self.retry_policy.share());
        if hint == RetryHint::Later {
            sleep = sleep.max(self.retry_policy.budget.take());
            self.last = sleep;
        }
        self.sleeps += 1;
        Some(sleep.min(left))
    }
}
