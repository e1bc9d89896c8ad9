//! The time of a server, as its answers state it.
//!
//! Times in a ledger are compared with each other and with now, by clients on many machines. A client whose clock is
//! wrong would record times that no other client can correct. So if the server states its time, that bounds the
//! client's.

use crate::model::Timestamp;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The maximum difference of two clocks before one of them counts as wrong. Clocks that are set by NTP differ by less
/// than a second. A `Date` has whole seconds and is as old as its answer, so a measurement by it is accurate to about 3
/// s. And 30 s are short compared with the hours that people wait before they promote a version.
pub const CLOCKS_DIFFER: Duration = Duration::from_secs(30);

/// The time of a server. Cloning shares it.
///
/// An answer's [`Date`](https://www.rfc-editor.org/rfc/rfc9110#field.date) has whole seconds, and was written between
/// the sending of the request and the arrival of the answer. From then on the server's time is known to lie in a range
/// as long as one second and the round trip, which moves with a monotonic clock: this machine's calendar does not
/// matter.
#[derive(Debug, Clone, Default)]
pub struct ServerTime(Arc<Mutex<Option<Stated>>>);

#[derive(Debug, Clone, Copy)]
struct Stated {
    date: Timestamp,
    width: Duration,
    at: Instant,
}

impl ServerTime {
    /// Records the `Date` of an answer that has just arrived. The newest answer counts.
    pub fn note(&self, date: Timestamp, round_trip: Duration) {
        let stated =
            Stated { date, width: Duration::from_secs(1).saturating_add(round_trip), at: Instant::now() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(stated);
    }

    /// Returns the time of the server that is nearest to `local`, this machine's current time: `local` itself if the
    /// server may have the same time. `None` if no answer has stated a time yet.
    #[must_use]
    pub fn nearest(&self, local: Timestamp) -> Option<Timestamp> {
        let (earliest, width) = self.range()?;
        Some(local.clamp(earliest, earliest.later(width)))
    }

    /// Returns the earliest current time of the server. `None` if no answer has stated a time yet.
    #[must_use]
    pub fn earliest(&self) -> Option<Timestamp> {
        self.range().map(|(earliest, _)| earliest)
    }

    /// Returns the earliest current time of the server, and the width of the range above it.
    fn range(&self) -> Option<(Timestamp, Duration)> {
        let Stated { date, width, at } = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some((date.later(at.elapsed()), width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const YEAR: Duration = Duration::from_hours(365 * 24);

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_may_be_right_is_left_alone() {
        let server = ServerTime::default();
        assert_eq!(server.nearest(NOON), None);
        server.note(NOON, seconds(2));
        for millis in [0, 500, 3000] {
            let local = NOON.later(Duration::from_millis(millis));
            assert_eq!(server.nearest(local), Some(local));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_clock_is_corrected_for_any_offset() {
        let server = ServerTime::default();
        server.note(NOON, seconds(2));
        tokio::time::advance(seconds(10)).await;
        let (earliest, latest) = (NOON.later(seconds(10)), NOON.later(seconds(13)));
        assert_eq!(server.nearest(NOON.later(YEAR)), Some(latest));
        assert_eq!(server.nearest(Timestamp::from_millis(0)), Some(earliest));
        assert_eq!(server.nearest(NOON), Some(earliest));
        // The newest answer counts.
        server.clone().note(NOON.later(YEAR), seconds(0));
        assert_eq!(server.nearest(NOON), Some(NOON.later(YEAR)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_at_the_end_of_all_times_is_no_error() {
        let server = ServerTime::default();
        server.note(Timestamp::from_millis(u64::MAX), Duration::MAX);
        tokio::time::advance(seconds(10)).await;
        assert_eq!(server.nearest(NOON), Some(Timestamp::from_millis(u64::MAX)));
    }
}
