//! Signs of life.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// The sign of life of something long: the deadline counts from its last beat. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    own: Arc<Mutex<Instant>>,
    /// That of the whole of which this is a part.
    whole: Option<Arc<Mutex<Instant>>>,
}

impl Heartbeat {
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

    pub(super) fn own(&self) -> Instant {
        *self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last beat of the whole.
    pub(super) fn last(&self) -> Instant {
        *self.whole.as_ref().unwrap_or(&self.own).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::new()
    }
}
