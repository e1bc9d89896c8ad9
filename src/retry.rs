//! Trying again: the only place that sleeps between tries.
//!
//! The loop is that of the crate `backoff`; its policy is our own, since that crate takes its clock and its
//! randomness from globals. Here time is tokio's (which a test can pause) and randomness comes from a seed, so that
//! a run replays. The crate's advisory RUSTSEC-2025-0012 (unmaintained) is accepted: this module is the only one
//! that names it, and where it would be replaced.

use crate::fault::{Fault, FaultKind};
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
    /// Soon: someone else was first. Nothing is wrong, and waiting for long would be for nothing.
    Soon,
    /// After a while: the back end can't, or can't be reached.
    Later,
}

/// An error that knows whether another try may help.
pub trait Retry: fmt::Display {
    /// Whether and when.
    fn again(&self) -> Again;
}

impl Retry for Fault {
    fn again(&self) -> Again {
        match self.kind {
            FaultKind::Contended => Again::Soon,
            kind if kind.is_transient() => Again::Later,
            _ => Again::Never,
        }
    }
}

/// How long trouble is ridden out, and what may end that early. Cloning shares the stop and the randomness.
#[derive(Debug, Clone)]
pub struct Patience {
    deadline: Duration,
    stop: Stop,
    random: Random,
    pace: Pace,
}

impl Patience {
    /// Rides out contention, throttling and outages for `deadline` without progress, or until `stop` is requested.
    /// Randomness comes from the operating system.
    #[must_use]
    pub fn new(deadline: Duration, stop: Stop) -> Self {
        Self { deadline, stop, random: Random::default(), pace }
    }

    /// As [`new`](Self::new), with the randomness of a seed, so that a run replays.
    #[must_use]
    pub fn seeded(deadline: Duration, stop: Stop, seed: u64) -> Self {
        let seeded = Mutex::new(fastrand::Rng::with_seed(seed));
        let random = Random(Arc::new(move || seeded.lock().unwrap_or_else(PoisonError::into_inner).u128(..)));
        Self { deadline, stop, random, pace }
    }

    /// Of another length, with the same randomness, and not to be stopped.
    pub(crate) fn for_settling(&self, deadline: Duration) -> Self {
        Self { deadline, stop: Stop::new(), ..self.clone() }
    }

    /// With another pace, to compare it with [`pace`].
    #[must_use]
    pub fn paced(self, pace: Pace) -> Self {
        Self { pace, ..self }
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
        let met = Mutex::new((Again::Later, Duration::ZERO));
        let attempt = || {
            tries += 1;
            let attempt = attempt();
            let number = tries;
            // What a back end says of its calls is said within: so it can be told which try they belong to.
            let attempt = attempt.instrument(debug_span!("attempt", number));
            let met = &met;
            async move {
                let began = Instant::now();
                attempt.await.map_err(|error| match error.again() {
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
        let beat = pulse.last();
        let waits = Waits { patience: self, pulse, met: &met, beat, sleeps: 0, last: Duration::ZERO };
        backoff::future::retry(waits, attempt).await
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

/// What is known when a try has failed and there is to be another.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    /// What the failure was like: [`Again::Soon`] or [`Again::Later`].
    pub again: Again,
    /// How often it has slept since the last progress.
    pub sleeps: u32,
    /// How long it slept the last time; zero before the first.
    pub last: Duration,
    /// How long the try took that has failed.
    pub took: Duration,
    /// Since the last progress.
    pub age: Duration,
    /// At which age it will be given up.
    pub deadline: Duration,
}

/// How long to sleep, given what is known, and a random number from 0 to 1.
pub type Pace = fn(&Wait, f64) -> Duration;

/// The pace of everything that tries again. `docs/capacity.md` has the measurements behind it.
///
/// **While the back end can't**, full jitter under a cap that doubles from 20 ms to 2 s: see Marc Brooker,
/// [Exponential Backoff And Jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
///
/// **After a lost race**, a quarter to all of 12 times what the lost try took, and after the fourth sleep in a row of 3
/// times as much again for each, up to 96. What a try takes tells of the distance and of the queue before the back end,
/// and the number of sleeps of how many there are where each is refused at once. Few need not sleep long: while they
/// do, one who has just won wins again and again.
///
/// Both shrink with age, the latter faster, so that the longest-waiting writer tries most often: nobody starves.
#[must_use]
pub fn pace(wait: &Wait, share: f64) -> Duration {
    const LEAST: Duration = Duration::from_millis(10);
    const FIRST: Duration = Duration::from_millis(20);
    const LATER: Duration = Duration::from_secs(2);
    const SOON: Duration = Duration::from_secs(4);
    let youth = 1.0 - wait.age.as_secs_f64() / wait.deadline.as_secs_f64();
    if wait.again == Again::Soon {
        let took = wait.took.clamp(Duration::from_millis(5), Duration::from_millis(500));
        let cap = SOON.min(took * 3 * (wait.sleeps + 1).clamp(4, 32));
        return cap.mul_f64(youth * youth).max(LEAST).mul_f64(0.25 + 0.75 * share);
    }
    let cap = LATER.min(FIRST.saturating_mul(1 << wait.sleeps.min(16)));
    cap.mul_f64(youth).max(LEAST).mul_f64(share)
}

struct Waits<'a> {
    patience: &'a Patience,
    pulse: &'a Pulse,
    /// The last failure, and how long its try took.
    met: &'a Mutex<(Again, Duration)>,
    beat: Instant,
    sleeps: u32,
    last: Duration,
}

impl backoff::backoff::Backoff for Waits<'_> {
    fn next_backoff(&mut self) -> Option<Duration> {
        let beat = self.pulse.last();
        if beat != self.beat {
            (self.beat, self.sleeps, self.last) = (beat, 0, Duration::ZERO);
        }
        let (age, deadline) = (beat.elapsed(), self.patience.deadline);
        let left = deadline.checked_sub(age).filter(|left| !left.is_zero())?;
        if self.patience.stop.is_requested() {
            return None;
        }
        let (again, took) = *self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = Wait { again, sleeps: self.sleeps, last: self.last, took, age, deadline };
        self.last = (self.patience.pace)(&wait, self.patience.share()).min(left);
        self.sleeps += 1;
        Some(self.last)
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

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_mins(1);

    fn wait(again: Again, sleeps: u32, took: u64, age: u64) -> Wait {
        let (took, age) = (Duration::from_millis(took), Duration::from_secs(age));
        Wait { again, sleeps, last: Duration::ZERO, took, age, deadline: DEADLINE }
    }

    /// The shortest and the longest sleep, in milliseconds.
    fn range(wait: &Wait) -> [u128; 2] {
        [0.0, 1.0].map(|share| pace(wait, share).as_millis())
    }

    #[test]
    fn after_a_lost_race_the_sleep_follows_what_a_try_takes() {
        assert_eq!(range(&wait(Again::Soon, 0, 10, 0)), [30, 120]);
        assert_eq!(range(&wait(Again::Soon, 7, 10, 0)), [60, 240]);
        assert_eq!(range(&wait(Again::Soon, 0, 40, 0)), [120, 480]);
        // It neither grows for ever, nor is it ever too short or too long.
        assert_eq!(range(&wait(Again::Soon, 31, 10, 0)), range(&wait(Again::Soon, 1000, 10, 0)));
        assert_eq!(range(&wait(Again::Soon, 0, 0, 0)), [15, 60]);
        assert_eq!(range(&wait(Again::Soon, 1000, 100_000, 0)), [1000, 4000]);
    }

    #[test]
    fn while_the_back_end_can_not_the_sleep_doubles() {
        assert_eq!(range(&wait(Again::Later, 0, 500, 0)), [0, 20]);
        assert_eq!(range(&wait(Again::Later, 3, 500, 0)), [0, 160]);
        assert_eq!(range(&wait(Again::Later, 1000, 500, 0)), [0, 2000]);
    }

    #[test]
    fn who_has_waited_for_long_tries_more_often() {
        for again in [Again::Soon, Again::Later] {
            let longest = [0, 20, 40, 59].map(|age| range(&wait(again, 100, 100, age))[1]);
            assert!(longest.is_sorted_by(|before, after| before > after), "{again:?}: {longest:?}");
            assert_eq!(pace(&wait(again, 100, 100, 60), 1.0), Duration::from_millis(10), "{again:?}");
        }
    }
}
