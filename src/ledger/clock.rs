//! Where a ledger takes its time from.

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

/// Where a ledger takes its time from.
pub(super) struct Clock {
    local: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    server: Option<ServerTime>,
    /// Whether the correction of this machine's clock was reported.
    reported: AtomicBool,
}

/// The time now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    pub at: Timestamp,
    /// Whether it is the server's, to which every client of the ledger keeps. Otherwise it is this machine's alone.
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

    /// Returns the server's time, as soon as an answer of it has stated one, or else this machine's.
    pub(super) fn now(&self) -> Now {
        let local = (self.local)();
        let server = self.server.as_ref().and_then(|server| server.nearest(local));
        Now { at: server.unwrap_or(local), of_server: server.is_some() }
    }

    /// Reports, once, that this machine's clock is wrong, if that is known.
    pub(super) fn report(&self) {
        let (local, now) = ((self.local)(), self.now());
        let (ahead, behind) = (local.since(now.at), now.at.since(local));
        if ahead.max(behind) > CLOCKS_DIFFER && !self.reported.swap(true, Ordering::Relaxed) {
            let which = if ahead > behind { "ahead of" } else { "behind" };
            let length = shown(ahead.max(behind));
            warn!("this machine's clock is {length} {which} the server's, whose time is recorded instead");
        }
    }
}

/// A length of time for people: in whole seconds.
pub(super) fn shown(length: Duration) -> Length {
    Duration::from_secs(length.as_secs()).into()
}
