//! Trying again: the only place that sleeps between tries.
//!
//! The loop is that of the crate `backoff`; its policy is our own, since that crate takes its clock and its
//! randomness from globals. Here time is tokio's (which a test can pause) and randomness comes from a seed, so that
//! a run replays. The crate's advisory RUSTSEC-2025-0012 (unmaintained) is accepted: this module is the only one
//! that names it, and where it would be replaced.

mod budget;
mod concurrency;
mod limit;
mod stop;

pub use concurrency::{Concurrency, Flow};
pub use limit::{Limit, part};
pub use stop::{Committing, Stop};

use crate::fault::{Fault, FaultKind};
use budget::Budget;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
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

/// How long trouble is tolerated, and what may end that early. Cloning shares the stop, the randomness and the budget
/// of retries.
#[derive(Debug, Clone)]
pub struct Patience {
    deadline: Duration,
    stop: Stop,
    random: Random,
    pace: Pace,
    budget: Arc<Budget>,
}

impl Patience {
    /// Tolerates contention, throttling and outages for `deadline` without progress, or until `stop` is requested.
    /// Randomness comes from the operating system.
    #[must_use]
    pub fn new(deadline: Duration, stop: Stop) -> Self {
        Self { deadline, stop, random: Random::default(), pace, budget: Arc::default() }
    }

    /// As [`new`](Self::new), with the randomness of a seed, so that a run replays.
    #[must_use]
    pub fn seeded(deadline: Duration, stop: Stop, seed: u64) -> Self {
        let seeded = Mutex::new(fastrand::Rng::with_seed(seed));
        let random = Random(Arc::new(move || seeded.lock().unwrap_or_else(PoisonError::into_inner).u128(..)));
        Self { deadline, stop, random, pace, budget: Arc::default() }
    }

    /// Of another length, with the same randomness and budget, and not to be stopped.
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
    /// How long it slept the last time that the back end could not ([`Again::Later`]); zero before the first.
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
/// **While the back end can't**, a half to all of a cap that doubles from 20 ms to 4 s, and never less than the time
/// before ("equal jitter" in Marc Brooker,
/// [Exponential Backoff And Jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)). Age
/// does not shorten it: a client that has waited for long must not add to what the back end can't serve.
///
/// **After a lost race**, a quarter to all of 12 times what the lost try took, and after the fourth sleep in a row of 3
/// times as much again for each, up to 96. What a try takes shows the distance and the queue before the back end, and
/// the number of sleeps shows how many there are where each is refused at once. Few need not sleep long: while they
/// do, one who has just won wins again and again. This shrinks with age, so that the longest-waiting writer tries
/// most often: nobody starves.
#[must_use]
pub fn pace(wait: &Wait, share: f64) -> Duration {
    const LEAST: Duration = Duration::from_millis(10);
    const FIRST: Duration = Duration::from_millis(20);
    const LATER: Duration = Duration::from_secs(4);
    const SOON: Duration = Duration::from_secs(4);
    if wait.again == Again::Soon {
        let youth = 1.0 - wait.age.as_secs_f64() / wait.deadline.as_secs_f64();
        let took = wait.took.clamp(Duration::from_millis(5), Duration::from_millis(500));
        let cap = SOON.min(took * 3 * (wait.sleeps + 1).clamp(4, 32));
        return cap.mul_f64(youth * youth).max(LEAST).mul_f64(0.25 + 0.75 * share);
    }
    let cap = LATER.min(FIRST.saturating_mul(1 << wait.sleeps.min(16)));
    cap.mul_f64(f64::midpoint(1.0, share)).max(wait.last.min(LATER))
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

/// The sign of life of something long: the deadline counts from its last beat. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Pulse {
    own: Arc<Mutex<Instant>>,
    /// That of the whole of which this is a part.
    whole: Option<Arc<Mutex<Instant>>>,
}

impl Pulse {
    /// Beats once, now.
    #[must_use]
    pub fn new() -> Self {
        Self { own: Arc::new(Mutex::new(Instant::now())), whole: None }
    }

    /// Returns the pulse of a part of what this is the pulse of. Its beats are beats of the whole, and the deadline counts
    /// from the last beat of any part. But the sleeps between the tries of a part get longer until that part itself moves:
    /// that others do does not make it worth more tries.
    #[must_use]
    pub fn of_part(&self) -> Self {
        let whole = Arc::clone(self.whole.as_ref().unwrap_or(&self.own));
        Self { own: Arc::new(Mutex::new(Instant::now())), whole: Some(whole) }
    }

    /// Something moved.
    pub fn beat(&self) {
        let now = Instant::now();
        for beat in std::iter::once(&self.own).chain(&self.whole) {
            *beat.lock().unwrap_or_else(PoisonError::into_inner) = now;
        }
    }

    fn own(&self) -> Instant {
        *self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last beat of the whole.
    fn last(&self) -> Instant {
        *self.whole.as_ref().unwrap_or(&self.own).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self::new()
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
        // It neither grows without bound, nor is it ever too short or too long.
        assert_eq!(range(&wait(Again::Soon, 31, 10, 0)), range(&wait(Again::Soon, 1000, 10, 0)));
        assert_eq!(range(&wait(Again::Soon, 0, 0, 0)), [15, 60]);
        assert_eq!(range(&wait(Again::Soon, 1000, 100_000, 0)), [1000, 4000]);
    }

    #[test]
    fn while_the_back_end_can_not_the_sleep_doubles() {
        assert_eq!(range(&wait(Again::Later, 0, 500, 0)), [10, 20]);
        assert_eq!(range(&wait(Again::Later, 3, 500, 0)), [80, 160]);
        assert_eq!(range(&wait(Again::Later, 1000, 500, 0)), [2000, 4000]);
        // It never gets shorter, neither by luck nor by age.
        let after = |last| Wait { last: Duration::from_millis(last), ..wait(Again::Later, 1000, 500, 59) };
        assert_eq!(range(&after(3000)), [3000, 4000]);
        // But for one that was longer because the budget was used up.
        assert_eq!(range(&after(30_000)), [4000, 4000]);
    }

    #[test]
    fn after_a_lost_race_those_who_have_waited_for_long_try_more_often() {
        let longest = [0, 20, 40, 59].map(|age| range(&wait(Again::Soon, 100, 100, age))[1]);
        assert!(longest.is_sorted_by(|before, after| before > after), "{longest:?}");
        assert_eq!(pace(&wait(Again::Soon, 100, 100, 60), 1.0), Duration::from_millis(10));
        let later = [0, 20, 40, 59].map(|age| range(&wait(Again::Later, 100, 100, age)));
        assert!(later.iter().all(|range| *range == later[0]), "{later:?}");
    }
}
