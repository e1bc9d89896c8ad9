//! Runs a command until it is done or a signal arrives.

use super::{
    error::{Failure, Kind},
    notices::Notices,
};
use crate::retry::Cancellation;
use std::{io, process, sync::Arc, time::Duration};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};

/// The time that dropped work may take to clean up.
const TIDYING: Duration = Duration::from_millis(300);
/// The time that a blocked reader of stdout can delay the end of a command that only reads.
const BLOCKED: Duration = Duration::from_secs(2);
/// More threads are of no use: transfers wait for the network or the disk.
const MOST_THREADS: usize = 4;

/// The number of threads that wait for the network and the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    /// One thread: without switches between threads, which is fastest for one or two requests.
    One,
    /// One thread per processor, up to a limit.
    Many,
}

impl Threads {
    fn runtime(self) -> io::Result<Runtime> {
        match self {
            Self::One => Builder::new_current_thread().enable_all().build(),
            Self::Many => {
                let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
                Builder::new_multi_thread().worker_threads(threads).enable_all().build()
            }
        }
    }
}

/// Runs `work` until it is done, or until a signal arrives and no outcome has to be determined first. `changes` is
/// true if the work may commit something.
pub(super) fn run_until_done_or_signal<T>(
    cancellation: &Cancellation,
    notices: &Arc<Notices>,
    changes: bool,
    threads: Threads,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let internal = |error: io::Error| Failure::new(Kind::Internal, format!("can't start: {error}"));
    obey_signals(cancellation.clone(), Arc::clone(notices), changes).map_err(internal)?;
    let running = Running(Some(threads.runtime().map_err(internal)?));
    let runtime = running.0.as_ref().expect("the runtime is taken only on drop");
    runtime.block_on(async {
        tokio::select! {
            // A finished result is returned even if a stop was requested.
            biased;
            done = work => done,
            () = cancellation.may_drop() => Err(Failure::interrupted()),
        }
    })
}

/// A runtime that never waits for threads that are blocked in reading stdin or in hashing.
struct Running(Option<Runtime>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_timeout(TIDYING);
        }
    }
}

/// Handles signals on a separate thread: all others may be blocked.
fn obey_signals(cancellation: Cancellation, notices: Arc<Notices>, changes: bool) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let inside = runtime.enter();
    let signals = Signals::new()?;
    drop(inside);
    let obey = move || runtime.block_on(signals.obey(cancellation, notices, changes));
    std::thread::Builder::new().name("signals".to_owned()).spawn(obey)?;
    Ok(())
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Requests a stop on the first signal, and ends the process on the second.
    async fn obey(mut self, cancellation: Cancellation, notices: Arc<Notices>, changes: bool) {
        self.next().await;
        cancellation.cancel();
        // Most work ends here. Work that remains is determining the outcome of a commit, or is blocked in writing to
        // stdout.
        if tokio::time::timeout(BLOCKED, self.next()).await.is_err() && changes {
            notices
                .note("determining the outcome of the change, for at most 10 s; interrupt again to stop now");
            self.next().await;
        }
        cancellation.abort();
        if cancellation.is_committing() {
            // The operation prints the key for the next try if it still can; one that is blocked in a call can't.
            let _ = tokio::time::timeout(TIDYING, self.next()).await;
            let failure = Failure::new(Kind::Unknown, "the outcome is unknown: interrupted again")
                .hint("run it again with the same --key; if it had none, check the present state first");
            notices.failure(&failure);
            process::exit(Kind::Unknown.exit_code().into());
        }
        process::exit(Kind::Interrupted.exit_code().into());
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
