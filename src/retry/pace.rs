//! How long to wait between tries.

use super::hint::RetryHint;
use std::time::Duration;

/// What is known when a try has failed and there is to be another.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    /// What the failure was like: [`RetryHint::Soon`] or [`RetryHint::Later`].
    pub hint: RetryHint,
    /// How often it has slept since the last progress.
    pub sleeps: u32,
    /// How long it slept the last time that the back end could not ([`RetryHint::Later`]); zero before the first.
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

    /// The shortest and the longest sleep, in milliseconds.
    fn range(wait: &Wait) -> [u128; 2] {
        [0.0, 1.0].map(|share| pace(wait, share).as_millis())
    }

    #[test]
    fn after_a_lost_race_the_sleep_follows_what_a_try_takes() {
        assert_eq!(range(&wait(RetryHint::Soon, 0, 10, 0)), [30, 120]);
        assert_eq!(range(&wait(RetryHint::Soon, 7, 10, 0)), [60, 240]);
        assert_eq!(range(&wait(RetryHint::Soon, 0, 40, 0)), [120, 480]);
        // It neither grows without bound, nor is it ever too short or too long.
        assert_eq!(range(&wait(RetryHint::Soon, 31, 10, 0)), range(&wait(RetryHint::Soon, 1000, 10, 0)));
        assert_eq!(range(&wait(RetryHint::Soon, 0, 0, 0)), [15, 60]);
        assert_eq!(range(&wait(RetryHint::Soon, 1000, 100_000, 0)), [1000, 4000]);
    }

    #[test]
    fn while_the_back_end_can_not_the_sleep_doubles() {
        assert_eq!(range(&wait(RetryHint::Later, 0, 500, 0)), [10, 20]);
        assert_eq!(range(&wait(RetryHint::Later, 3, 500, 0)), [80, 160]);
        assert_eq!(range(&wait(RetryHint::Later, 1000, 500, 0)), [2000, 4000]);
        // It never gets shorter, neither by luck nor by age.
        let after =
            |last| Wait { last: Duration::from_millis(last), ..wait(RetryHint::Later, 1000, 500, 59) };
        assert_eq!(range(&after(3000)), [3000, 4000]);
        // But for one that was longer because the budget was used up.
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
