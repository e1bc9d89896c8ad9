//! The source of a ledger's time.

use crate::{
    clock::{CLOCKS_DIFFER, ServerTime},
    model::{Length, Timestamp},
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tracing::warn;

/// The source of a ledger's time.
pub(super) struct Clock {
    local: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    server: Option<ServerTime>,
    /// True once the correction of this machine's clock was reported.
    reported: AtomicBool,
}

/// The current time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    pub at: Timestamp,
    /// True if the time is the server's, which all clients of the ledger share; else it is only this machine's.
    pub of_server: bool,
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl Clock {
    pub(super) fn new(local: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        Self { local, server: None, reported: AtomicBool::new(false) }
    }

    pub(super) fn with_server(self, server: ServerTime) -> Self {
        Self { server: Some(server), ..self }
    }

    /// Returns the server's time as soon as one of its answers has stated it; before that, this machine's.
    pub(super) fn now(&self) -> Now {
        let local = (self.local)();
        let server = self.server.as_ref().and_then(|server| server.nearest(local));
        Now { at: server.unwrap_or(local), of_server: server.is_some() }
    }

    /// Reports once that this machine's clock is wrong, if that is known.
    pub(super) fn report(&self) {
        let (local, now) = ((self.local)(), self.now());
        let (ahead, behind) = (local.since(now.at), now.at.since(local));
        if ahead.max(behind) > CLOCKS_DIFFER && !self.reported.swap(true, Ordering::Relaxed) {
            let which = if ahead > behind { "ahead of" } else { "behind" };
            let length = shown(ahead.max(behind));
            warn!(
                "this machine's clock is {length} {which} the server's; the server's time is recorded instead"
            );
        }
    }
}

/// Returns a length of time for people, in whole seconds.
pub(super) fn shown(length: Duration) -> Length {
    Duration::from_secs(length.as_secs()).into()
}
