//! A bandwidth, shared by all that ask for it.

use std::sync::{Mutex, PoisonError};
use tokio::time::{Duration, Instant, sleep_until};

/// The delay that a link may catch up: timers are no finer than a millisecond, and a busy machine is late.
const SLACK: Duration = Duration::from_millis(10);

/// A bandwidth: bytes a second. Those who wait for it take turns, in the order in which they asked.
#[derive(Debug)]
pub struct Rate {
    bytes_a_second: u64,
    /// The time at which all that was granted until now has passed.
    free: Mutex<Instant>,
}

impl Rate {
    pub fn new(bytes_a_second: u64) -> Self {
        Self { bytes_a_second: bytes_a_second.max(1), free: Mutex::new(Instant::now()) }
    }

    /// Waits until this many bytes have passed, behind all that were asked for before.
    pub async fn pass(&self, bytes: u64) {
        let takes = Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / self.bytes_a_second);
        let passed = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let earliest = Instant::now().checked_sub(SLACK).unwrap_or_else(Instant::now);
            *free = (*free).max(earliest) + takes;
            *free
        };
        sleep_until(passed).await;
    }

    /// Returns the best amount for one request: 10 ms worth of bytes, so that turns are fair, and no more than a
    /// buffer.
    pub fn turn(&self) -> usize {
        usize::try_from(self.bytes_a_second / 100).unwrap_or(usize::MAX).max(1)
    }
}
