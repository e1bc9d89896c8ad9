//! The deadline inside an attempt: the time that an attempt may wait without progress.
//!
//! A [`RetryPolicy`](RetryPolicy) counts its deadline from the last beat of a [`Heartbeat`]. It sleeps between attempts
//! and can end there. An attempt that waits for a server must end by itself, with an error of its own kind, since only
//! the waiting code knows if a request may have been carried out. So each attempt runs with a [`Limit`], which that
//! code reads.

use super::{heartbeat::Heartbeat, policy::RetryPolicy};
use std::time::Duration;
use tokio::time::Instant;

/// The minimum time of an attempt, so that the last one has a chance: 500 ms.
const LEAST: Duration = Duration::from_millis(500);

/// The minimum time that an attempt may go without progress, whatever the deadline.
const SHORTEST: Duration = Duration::from_secs(2);

tokio::task_local! {
    static LIMIT: Limit;
}

/// The deadline of the attempt that runs on this task.
#[derive(Debug, Clone)]
pub struct Limit {
    pub(super) retry_policy: RetryPolicy,
    pub(super) heartbeat: Heartbeat,
    least: Instant,
}

impl Limit {
    pub(super) fn new(retry_policy: &RetryPolicy, heartbeat: &Heartbeat) -> Self {
        Self {
            retry_policy: retry_policy.clone(),
            heartbeat: heartbeat.clone(),
            least: Instant::now() + LEAST,
        }
    }

    /// Returns the limit of the attempt that runs on this task; `None` outside of all attempts. A task that an attempt
    /// spawns has none.
    #[must_use]
    pub fn here() -> Option<Self> {
        LIMIT.try_with(Clone::clone).ok()
    }

    /// Runs an attempt with this limit.
    pub async fn on<F: Future>(self, attempt: F) -> F::Output {
        LIMIT.scope(self, attempt).await
    }

    /// Returns the time at which an attempt whose last movement was at `moved` has to end: when the deadline has passed
    /// since the last progress and a third of it since that movement, and no sooner than 500 ms after its start.
    /// `buffered`, at most half of the deadline, is added: for that long a movement may not be visible. The result
    /// changes with each of these. So an attempt on which only bytes move that were sent before ends at most five
    /// sixths of the deadline late once they stop, and usually a third.
    #[must_use]
    pub fn end(&self, moved: Option<Instant>, buffered: Duration) -> Instant {
        let deadline = self.retry_policy.deadline;
        let since_progress = self.heartbeat.last() + deadline;
        let end = moved.map_or(since_progress, |moved| since_progress.max(moved + deadline / 3));
        (end + buffered.min(deadline / 2)).max(self.least)
    }

    /// Returns the time that an attempt may go without progress, if it is `quiet` without a deadline: at most half of
    /// the deadline, so that one dead connection does not use all of it up; but this rule allows at least 2 s.
    #[must_use]
    pub fn quiet(&self, quiet: Duration) -> Duration {
        quiet.min((self.retry_policy.deadline / 2).max(SHORTEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::part;
    use crate::{
        fault::{Fault, FaultKind},
        retry::Cancellation,
    };
    use std::{cell::Cell, sync::Mutex};

    #[tokio::test(start_paused = true)]
    async fn an_attempt_knows_what_is_left_of_the_deadline() {
        let (deadline, heartbeat) = (Duration::from_secs(5), Heartbeat::new());
        let retry_policy = RetryPolicy::new(deadline, Cancellation::new());
        let begun = Instant::now();
        assert!(Limit::here().is_none());
        let attempt = async || {
            let limit = Limit::here().unwrap();
            assert_eq!(limit.end(None, Duration::ZERO), begun + deadline);
            tokio::time::advance(Duration::from_secs(2)).await;
            let now = Instant::now();
            assert_eq!(limit.end(Some(now), Duration::ZERO), begun + deadline);
            assert_eq!(limit.end(None, Duration::ZERO), begun + deadline);
            heartbeat.beat();
            assert_eq!(limit.end(None, Duration::ZERO), now + deadline);
            // Bytes that were sent before moved late.
            let late = now + Duration::from_millis(4900);
            assert_eq!(limit.end(Some(late), Duration::ZERO), late + deadline / 3);
            assert_eq!(limit.end(None, Duration::from_secs(1)), now + deadline + Duration::from_secs(1));
            assert_eq!(limit.end(None, Duration::from_mins(1)), now + deadline + deadline / 2);
            Ok::<_, crate::fault::Fault>(())
        };
        retry_policy.run_while(&heartbeat, "waiting", attempt).await.unwrap();
    }

    /// Pins that `backoff` asks for the next attempt before it sleeps.
    #[tokio::test(start_paused = true)]
    async fn the_time_of_an_attempt_begins_after_the_sleep_before_it() {
        let retry_policy = RetryPolicy::new(Duration::from_secs(3), Cancellation::new());
        let least = Mutex::new(Vec::new());
        let attempt = async || {
            least.lock().unwrap().push(Limit::here().unwrap().end(None, Duration::ZERO) - Instant::now());
            Err::<(), _>(Fault::new(FaultKind::Unavailable, "asking", "no answer"))
        };
        retry_policy.run("asking", attempt).await.unwrap_err();
        let least = least.into_inner().unwrap();
        assert!(least.len() > 2, "{least:?}");
        assert!(least.iter().all(|least| *least >= LEAST), "{least:?}");
    }

    /// Checks that while one part fails permanently and another makes progress, the failing one is tried less and less
    /// often, within the budget, and that both end.
    #[tokio::test(start_paused = true)]
    async fn parts_are_tried_by_themselves_until_the_whole_stands_still() {
        let (deadline, heartbeat) = (Duration::from_secs(10), Heartbeat::new());
        let retry_policy = RetryPolicy::seeded(deadline, Cancellation::new(), 1);
        let (tries, wholes) = (Cell::new(0), Cell::new(0));
        let fails = || async {
            tries.set(tries.get() + 1);
            Err::<(), _>(Fault::new(FaultKind::Unavailable, "testing", "injected"))
        };
        let moves = async {
            for _ in 0..60 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                heartbeat.beat();
            }
            Ok(())
        };
        let begun = Instant::now();
        let mut moves = Some(moves);
        let whole = || {
            wholes.set(wholes.get() + 1);
            let moves = moves.take().expect("the whole is tried once");
            async { tokio::try_join!(part("failing", fails), moves).map(|_| ()) }
        };
        retry_policy.run_while(&heartbeat, "testing", whole).await.unwrap_err();
        let took = begun.elapsed().as_secs();
        assert!((70..75).contains(&took), "{took} s");
        assert_eq!(wholes.get(), 1);
        assert!((15..40).contains(&tries.get()), "{} tries", tries.get());
    }

    #[tokio::test]
    async fn outside_of_an_attempt_a_part_is_tried_once() {
        let tries = Cell::new(0);
        let fails = || async {
            tries.set(tries.get() + 1);
            Err::<(), _>(Fault::new(FaultKind::Unavailable, "testing", "injected"))
        };
        part("failing", fails).await.unwrap_err();
        assert_eq!(tries.get(), 1);
    }
}
