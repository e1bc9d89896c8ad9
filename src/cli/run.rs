//! Running a command to its end, or to a signal.

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

/// How long what was dropped may take to tidy up after itself.
const TIDYING: Duration = Duration::from_millis(300);
/// How long a reader of stdout that doesn't read can hold up the end of what only reads.
const BLOCKED: Duration = Duration::from_secs(2);
/// More are of no use: transfers wait for the network or the disk.
const MOST_THREADS: usize = 4;

/// How many threads wait for the network and the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    /// One: nothing is handed from one to another, which is quickest for a request or two.
    One,
    /// As many as there are processors, within reason.
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

/// Runs `work` until it is done, or a signal comes and nothing has to be settled first. `changes` says whether it may
/// commit something.
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
    let runtime = running.0.as_ref().expect("it is taken when dropped");
    runtime.block_on(async {
        tokio::select! {
            // What is done is done, whatever was requested.
            biased;
            done = work => done,
            () = cancellation.may_drop() => Err(Failure::interrupted()),
        }
    })
}

/// A runtime that never waits for threads that are stuck in reading stdin or in hashing.
struct Running(Option<Runtime>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_timeout(TIDYING);
        }
    }
}

/// Obeys signals from now on, on a thread of its own: all others may be stuck.
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

    /// The first signal requests a stop, the second ends the process.
    async fn obey(mut self, cancellation: Cancellation, notices: Arc<Notices>, changes: bool) {
        self.next().await;
        cancellation.cancel();
        // Most work ends here. What goes on is settling a commit, or is stuck in writing to stdout.
        if tokio::time::timeout(BLOCKED, self.next()).await.is_err() && changes {
            notices.note(
                "finding out what became of the change, for at most 10 s; interrupt again to stop at once",
            );
            self.next().await;
        }
        cancellation.abort();
        if cancellation.is_committing() {
            // Whoever is finding out says under which key to go on. What is stuck in a call can't.
            let _ = tokio::time::timeout(TIDYING, self.next()).await;
            let failure = Failure::new(Kind::Unknown, "the outcome is unknown: interrupted again")
                .hint("run it again with its --key, if it had one; else look first at what is there");
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
