//! Cancellation requests, and commits that must be settled before they take effect.

use std::sync::Arc;
use tokio::sync::watch;

/// A cancellation request, as from Ctrl-C, and whether a commit must be settled before it takes effect.
///
/// While a commit is in progress its future must not be dropped: its outcome would be unknown. Everything else may
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
    /// Creates a cancellation that is not requested.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(CancellationState::default())))
    }

    /// Requests a cancellation. Idempotent.
    pub fn cancel(&self) {
        self.0.send_modify(|state| state.cancelled = true);
    }

    /// Requests an abort: unknown outcomes of commits are no longer waited for. Idempotent.
    pub fn abort(&self) {
        self.0.send_modify(|state| (state.cancelled, state.aborted) = (true, true));
    }

    /// Returns when an abort has been requested.
    pub async fn aborted(&self) {
        self.wait(|state| state.aborted).await;
    }

    /// Returns true if a commit must be settled before a cancellation takes effect.
    #[must_use]
    pub fn is_committing(&self) -> bool {
        self.0.borrow().commits > 0
    }

    /// Returns true if a cancellation was requested.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.borrow().cancelled
    }

    /// Returns when a cancellation has been requested.
    pub async fn cancelled(&self) {
        self.wait(|state| state.cancelled).await;
    }

    /// Returns when a cancellation has been requested and no commit has to be settled first: the work may be dropped.
    pub async fn may_drop(&self) {
        self.wait(|state| state.cancelled && state.commits == 0).await;
    }

    /// Begins a commit that must be settled before a cancellation; `None` if a cancellation was requested already.
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

/// A commit that must be settled before a cancellation; settled when dropped.
#[derive(Debug)]
pub struct CommitGuard(Cancellation);

impl Drop for CommitGuard {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.commits -= 1);
    }
}
