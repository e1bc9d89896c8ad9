//! The deadline inside an attempt: how long what an attempt waits for may stand still.
//!
//! A [`Patience`](super::Patience) counts its deadline from the last beat of a [`Pulse`]. It sleeps between attempts
//! and can end there. An attempt that waits for a server must end by itself, with an error of its own kind, since only
//! the place that waits knows if a request may have been carried out. So each attempt runs with a [`Limit`], which that
//! place asks for.

use super::Pulse;
use std::time::Duration;
use tokio::time::Instant;

/// What every attempt gets, so that the last one is a real one: 500 ms.
const LEAST: Duration = Duration::from_millis(500);

tokio::task_local! {
    static LIMIT: Limit;
}

/// The deadline of the attempt that runs on this task.
#[derive(Debug, Clone)]
pub struct Limit {
    pulse: Pulse,
    deadline: Duration,
    least: Instant,
}

impl Limit {
    pub(super) fn new(pulse: &Pulse, deadline: Duration) -> Self {
        Self { pulse: pulse.clone(), deadline, least: Instant::now() + LEAST }
    }

    /// The limit of the attempt that runs on this task; `None` outside of all attempts. A task that an attempt spawns
    /// has none.
    #[must_use]
    pub fn here() -> Option<Self> {
        LIMIT.try_with(Clone::clone).ok()
    }

    /// Runs an attempt with this limit.
    pub async fn on<F: Future>(self, attempt: F) -> F::Output {
        LIMIT.scope(self, attempt).await
    }

    /// The time at which an attempt has to end on which something last moved at `moved`, if ever: when the deadline has
    /// passed since then and since the last progress, and no sooner than 500 ms after its start. It changes with both.
    #[must_use]
    pub fn end(&self, moved: Option<Instant>) -> Instant {
        let beat = self.pulse.last();
        (moved.unwrap_or(beat).max(beat) + self.deadline).max(self.least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fault::{Fault, FaultKind},
        retry::{Patience, Stop},
    };
    use std::sync::Mutex;

    #[tokio::test(start_paused = true)]
    async fn an_attempt_knows_what_is_left_of_the_deadline() {
        let (deadline, pulse) = (Duration::from_secs(5), Pulse::new());
        let patience = Patience::new(deadline, Stop::new());
        let begun = Instant::now();
        assert!(Limit::here().is_none());
        let attempt = async || {
            let limit = Limit::here().unwrap();
            assert_eq!(limit.end(None), begun + deadline);
            tokio::time::advance(Duration::from_secs(2)).await;
            let now = Instant::now();
            assert_eq!(limit.end(Some(now)), now + deadline);
            assert_eq!(limit.end(None), begun + deadline);
            pulse.beat();
            assert_eq!(limit.end(None), now + deadline);
            Ok::<_, crate::fault::Fault>(())
        };
        patience.run_while(&pulse, "waiting", attempt).await.unwrap();
    }
    /// `backoff` asks for the next attempt before it sleeps.
    #[tokio::test(start_paused = true)]
    async fn the_time_of_an_attempt_begins_after_the_sleep_before_it() {
        let patience = Patience::new(Duration::from_secs(3), Stop::new());
        let least = Mutex::new(Vec::new());
        let attempt = async || {
            least.lock().unwrap().push(Limit::here().unwrap().end(None) - Instant::now());
            Err::<(), _>(Fault::new(FaultKind::Unavailable, "asking", "no answer"))
        };
        patience.run("asking", attempt).await.unwrap_err();
        let least = least.into_inner().unwrap();
        assert!(least.len() > 2, "{least:?}");
        assert!(least.iter().all(|least| *least >= LEAST), "{least:?}");
    }
}
