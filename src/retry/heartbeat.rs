//! Heartbeats of long-running work.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// The heartbeat of long-running work: the deadline counts from its last beat. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    own: Arc<Mutex<Instant>>,
    /// The heartbeat of the whole, if this is a part.
    whole: Option<Arc<Mutex<Instant>>>,
}

impl Heartbeat {
    /// Creates a heartbeat that beats once, now.
    #[must_use]
    pub fn new() -> Self {
        Self { own: Arc::new(Mutex::new(Instant::now())), whole: None }
    }

    /// Returns the heartbeat of a part of this work. Its beats are beats of the whole, and the deadline counts from the
    /// last beat of any part. But the sleeps between the attempts of a part get longer until that part itself makes
    /// progress: progress of the others does not make it worth more attempts.
    #[must_use]
    pub fn of_part(&self) -> Self {
        let whole = Arc::clone(self.whole.as_ref().unwrap_or(&self.own));
        Self { own: Arc::new(Mutex::new(Instant::now())), whole: Some(whole) }
    }

    /// Records progress.
    pub fn beat(&self) {
        let now = Instant::now();
        for beat in std::iter::once(&self.own).chain(&self.whole) {
            *beat.lock().unwrap_or_else(PoisonError::into_inner) = now;
        }
    }

    pub(super) fn own(&self) -> Instant {
        *self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the last beat of the whole.
    pub(super) fn last(&self) -> Instant {
        *self.whole.as_ref().unwrap_or(&self.own).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::new()
    }
}
