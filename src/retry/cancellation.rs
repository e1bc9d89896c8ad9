//! A request to stop, and what must be settled before it.

use std::sync::Arc;
use tokio::sync::watch;

/// A request to stop, as from Ctrl-C, and whether something must be settled before that can be done.
///
/// While a commit is under way its future must not be dropped: its outcome would be unknown. Everything else may
/// simply be dropped. Cloning shares the request.
#[derive(Debug, Clone)]
pub struct Cancellation(Arc<watch::Sender<CancellationState>>);

#[derive(Debug, Clone, Copy, Default)]
struct CancellationState {
    cancelled: bool,
    aborted: bool,
    commits: usize,
}

impl Cancellation {
    /// Nothing is requested.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(CancellationState::default())))
    }

    /// Requests a stop. Idempotent.
    pub fn cancel(&self) {
        self.0.send_modify(|state| state.cancelled = true);
    }

    /// Requests a stop at once: what became of a commit is not to be found out any more. Idempotent.
    pub fn abort(&self) {
        self.0.send_modify(|state| (state.cancelled, state.aborted) = (true, true));
    }

    /// Returns when a stop at once has been requested.
    pub async fn aborted(&self) {
        self.wait(|state| state.aborted).await;
    }

    /// Whether something has to be settled before a stop.
    #[must_use]
    pub fn is_committing(&self) -> bool {
        self.0.borrow().commits > 0
    }

    /// Whether a stop was requested.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.borrow().cancelled
    }

    /// Returns when a stop has been requested.
    pub async fn cancelled(&self) {
        self.wait(|state| state.cancelled).await;
    }

    /// Returns when a stop has been requested and nothing has to be settled first: the work may be dropped.
    pub async fn may_drop(&self) {
        self.wait(|state| state.cancelled && state.commits == 0).await;
    }

    /// Begins something that must be settled before a stop, or `None` if a stop was requested already.
    #[must_use]
    pub fn begin_commit(&self) -> Option<CommitGuard> {
        let mut began = false;
        self.0.send_modify(|state| {
            began = !state.cancelled;
            state.commits += usize::from(began);
        });
        began.then(|| CommitGuard(self.clone()))
    }

    async fn wait(&self, until: impl FnMut(&CancellationState) -> bool) {
        // The sender is `self`, so the channel can't close while we wait.
        let _ = self.0.subscribe().wait_for(until).await;
    }
}

impl Default for Cancellation {
    fn default() -> Self {
        Self::new()
    }
}

/// Something that must be settled before a stop; settled when dropped.
#[derive(Debug)]
pub struct CommitGuard(Cancellation);

impl Drop for CommitGuard {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.commits -= 1);
    }
}
