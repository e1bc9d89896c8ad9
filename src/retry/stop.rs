//! A request to stop, and what must be settled before it.

use std::sync::Arc;
use tokio::sync::watch;

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
