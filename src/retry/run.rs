//! The loop that tries again.

use super::{
    again::{Again, Retry},
    limit::Limit,
    pace::Wait,
    patience::Patience,
    pulse::Pulse,
};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use tracing::{Instrument, debug, debug_span};

impl Patience {
    /// Tries until success, until an error that is not worth another try, or until the deadline passes with no
    /// success; the last error is returned. What is tried must be idempotent.
    ///
    /// While the back end can't ([`Again::Later`]), at most 40 tries begin in any minute, and the gap between two never
    /// shrinks, but for the last try, which is made at the deadline. All runs of one `Patience` and its clones share
    /// a budget: a retry takes one of 64 tokens, a success gives one back, and so do 2 s. Where there is none,
    /// the retry waits for it. So any number of concurrent runs of which none succeeds begin, in all, at most 64 retries
    /// and 30 more a minute, and one each at its deadline.
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
    /// not cut off. Each attempt runs with a [`Limit`], so that one which waits for a server ends by the deadline.
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
        let met = Mutex::new((Again::Later, Duration::ZERO));
        let attempt = || {
            tries += 1;
            let attempt = attempt();
            let number = tries;
            // What a back end says of its calls is said within: so it can be told which try they belong to.
            let attempt = attempt.instrument(debug_span!("attempt", number));
            // On the heap: what an attempt holds would else be in every future that waits for it.
            let attempt = Box::pin(attempt);
            let met = &met;
            async move {
                // Only here: `backoff` asks for the next attempt before it sleeps.
                let began = Instant::now();
                Limit::new(self, pulse).on(attempt).await.map_err(|error| match error.again() {
                    Again::Never => backoff::Error::Permanent(error),
                    // Still bounded: what is retried at once gives a different error the next time.
                    Again::Now => backoff::Error::retry_after(error, Duration::ZERO),
                    again => {
                        debug!(attempt = number, %error, "will try again: {doing}");
                        *met.lock().unwrap_or_else(PoisonError::into_inner) = (again, began.elapsed());
                        backoff::Error::transient(error)
                    }
                })
            }
        };
        let beat = pulse.own();
        let waits = Waits { patience: self, pulse, met: &met, beat, sleeps: 0, last: Duration::ZERO };
        let result = backoff::future::retry(waits, attempt).await;
        if result.is_ok() {
            self.budget.refund();
        }
        result
    }
}

struct Waits<'a> {
    patience: &'a Patience,
    pulse: &'a Pulse,
    /// The last failure, and how long its try took.
    met: &'a Mutex<(Again, Duration)>,
    beat: Instant,
    sleeps: u32,
    /// The last sleep while the back end could not.
    last: Duration,
}

impl backoff::backoff::Backoff for Waits<'_> {
    fn next_backoff(&mut self) -> Option<Duration> {
        let beat = self.pulse.own();
        if beat != self.beat {
            (self.beat, self.sleeps, self.last) = (beat, 0, Duration::ZERO);
        }
        let (age, deadline) = (self.pulse.last().elapsed(), self.patience.deadline);
        let left = deadline.checked_sub(age).filter(|left| !left.is_zero())?;
        if self.patience.stop.is_requested() {
            return None;
        }
        let (again, took) = *self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = Wait { again, sleeps: self.sleeps, last: self.last, took, age, deadline };
        let mut sleep = (self.patience.pace)(&wait, self.patience.share());
        if again == Again::Later {
            sleep = sleep.max(self.patience.budget.take());
            self.last = sleep;
        }
        self.sleeps += 1;
        Some(sleep.min(left))
    }
}
