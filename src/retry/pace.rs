//! The time to wait between attempts.

use super::hint::RetryHint;
use std::time::Duration;

/// The facts about a failed attempt that is to be retried.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    /// The kind of failure: [`RetryHint::Soon`] or [`RetryHint::Later`].
    pub hint: RetryHint,
    /// The number of sleeps since the last progress.
    pub sleeps: u32,
    /// The last sleep after [`RetryHint::Later`]; zero before the first.
    pub last: Duration,
    /// The duration of the failed attempt.
    pub took: Duration,
    /// The time since the last progress.
    pub age: Duration,
    /// The age at which the run gives up.
    pub deadline: Duration,
}

/// A function from these facts, and a random number from 0 to 1, to the time to sleep.
pub type Pace = fn(&Wait, f64) -> Duration;

/// Returns the time to sleep before any retry. `docs/capacity.md` has the measurements behind it.
///
/// **While the back end is unavailable**, a half to all of a cap that doubles from 20 ms to 4 s, and never less than
/// the previous sleep ("equal jitter" in Marc Brooker, [Exponential Backoff And
/// Jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)). Age does not shorten it: a
/// client that has waited for long must not add load that the back end can't serve.
///
/// **After a lost race**, a quarter to all of 12 times the duration of the lost attempt; each consecutive sleep after
/// the fourth adds 3 times that duration, up to 96 times. The duration of an attempt shows the distance and the queue
/// before the back end, and the number of sleeps shows the number of writers if each is refused at once. A few writers
/// need not sleep long: while they do, the one that has just won wins again and again. The sleep shrinks with age, so
/// that the longest-waiting writer tries most often: no writer starves.
#[must_use]
pub fn pace(wait: &Wait, share: f64) -> Duration {
    const LEAST: Duration = Duration::from_millis(10);
    const FIRST: Duration = Duration::from_millis(20);
    const LATER: Duration = Duration::from_secs(4);
    const SOON: Duration = Duration::from_secs(4);
    if wait.hint == RetryHint::Soon {
        let youth = 1.0 - wait.age.as_secs_f64() / wait.deadline.as_secs_f64();
        let took = wait.took.clamp(Duration::from_millis(5), Duration::from_millis(500));
        let cap = SOON.min(took * 3 * (wait.sleeps + 1).clamp(4, 32));
        return cap.mul_f64(youth * youth).max(LEAST).mul_f64(0.25 + 0.75 * share);
    }
    let cap = LATER.min(FIRST.saturating_mul(1 << wait.sleeps.min(16)));
    cap.mul_f64(f64::midpoint(1.0, share)).max(wait.last.min(LATER))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_mins(1);

    fn wait(hint: RetryHint, sleeps: u32, took: u64, age: u64) -> Wait {
        let (took, age) = (Duration::from_millis(took), Duration::from_secs(age));
        Wait { hint, sleeps, last: Duration::ZERO, took, age, deadline: DEADLINE }
    }

    /// Returns the shortest and the longest sleep, in milliseconds.
    fn range(wait: &Wait) -> [u128; 2] {
        [0.0, 1.0].map(|share| pace(wait, share).as_millis())
    }

    #[test]
    fn after_a_lost_race_the_sleep_follows_what_a_try_takes() {
        assert_eq!(range(&wait(RetryHint::Soon, 0, 10, 0)), [30, 120]);
        assert_eq!(range(&wait(RetryHint::Soon, 7, 10, 0)), [60, 240]);
        assert_eq!(range(&wait(RetryHint::Soon, 0, 40, 0)), [120, 480]);
        // The sleep neither grows without bound, nor is it ever too short or too long.
        assert_eq!(range(&wait(RetryHint::Soon, 31, 10, 0)), range(&wait(RetryHint::Soon, 1000, 10, 0)));
        assert_eq!(range(&wait(RetryHint::Soon, 0, 0, 0)), [15, 60]);
        assert_eq!(range(&wait(RetryHint::Soon, 1000, 100_000, 0)), [1000, 4000]);
    }

    #[test]
    fn while_the_back_end_can_not_the_sleep_doubles() {
        assert_eq!(range(&wait(RetryHint::Later, 0, 500, 0)), [10, 20]);
        assert_eq!(range(&wait(RetryHint::Later, 3, 500, 0)), [80, 160]);
        assert_eq!(range(&wait(RetryHint::Later, 1000, 500, 0)), [2000, 4000]);
        // The sleep never gets shorter, neither by luck nor by age.
        let after =
            |last| Wait { last: Duration::from_millis(last), ..wait(RetryHint::Later, 1000, 500, 59) };
        assert_eq!(range(&after(3000)), [3000, 4000]);
        // A sleep that was longer because the budget was used up is an exception.
        assert_eq!(range(&after(30_000)), [4000, 4000]);
    }

    #[test]
    fn after_a_lost_race_older_operations_retry_more_often() {
        let longest = [0, 20, 40, 59].map(|age| range(&wait(RetryHint::Soon, 100, 100, age))[1]);
        assert!(longest.is_sorted_by(|before, after| before > after), "{longest:?}");
        assert_eq!(pace(&wait(RetryHint::Soon, 100, 100, 60), 1.0), Duration::from_millis(10));
        let later = [0, 20, 40, 59].map(|age| range(&wait(RetryHint::Later, 100, 100, age)));
        assert!(later.iter().all(|range| *range == later[0]), "{later:?}");
    }
}
