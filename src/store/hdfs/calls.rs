//! Calls of the `NameNode` and the `DataNode`s, each of which ends within a limit.

use super::{HdfsStore, faults::fault};
use crate::{
    fault::{Fault, FaultKind},
    retry::Limit,
};
use hdfs_native::{HdfsError, client::FileStatus};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, debug_span};

/// The longest time without progress; less if the deadline is near.
const QUIET: Duration = Duration::from_secs(20);

/// The limit of the calls of one attempt.
#[derive(Clone)]
pub(super) struct Bound {
    limit: Option<Limit>,
    quiet: Duration,
    moved: Option<Instant>,
}

impl Bound {
    /// Returns the limit of the attempt that runs on this task.
    pub fn here() -> Self {
        let limit = Limit::here();
        let quiet = limit.as_ref().map_or(QUIET, |limit| limit.quiet(QUIET));
        Self { limit, quiet, moved: None }
    }

    /// Waits for a call. Bytes that moved before extend the limit of the attempt.
    pub fn call<T>(
        &mut self,
        doing: impl Fn() -> String,
        call: impl Future<Output = Result<T, HdfsError>>,
    ) -> impl Future<Output = Result<T, Fault>> {
        // On the heap: a call's state is large.
        let call = Box::pin(call);
        async move {
            let began = Instant::now();
            let quiet = began + self.quiet;
            let end = self.limit.as_ref().map(|limit| limit.end(self.moved, Duration::ZERO));
            let bounded = timeout_at(end.map_or(quiet, |end| end.min(quiet)), call);
            match bounded.instrument(debug_span!("hdfs", doing = doing())).await {
                Ok(Ok(value)) => {
                    self.moved = Some(Instant::now());
                    Ok(value)
                }
                Ok(Err(error)) => Err(fault(doing(), error)),
                Err(_) => {
                    let why = format!("no answer within {:.1} s", began.elapsed().as_secs_f64());
                    Err(Fault::new(FaultKind::Unavailable, doing(), why))
                }
            }
        }
    }
}

/// Returns `None` for the fault of a file or folder that does not exist.
pub(super) fn found<T>(result: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(fault) if fault.kind == FaultKind::Missing => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Waits for one call.
pub(super) fn call<T>(
    doing: impl Fn() -> String,
    call: impl Future<Output = Result<T, HdfsError>>,
) -> impl Future<Output = Result<T, Fault>> {
    let call = Box::pin(call);
    async move { Bound::here().call(doing, call).await }
}

impl HdfsStore {
    /// Returns the status of a file or folder; `None` if it does not exist.
    pub(super) async fn status(
        &self,
        path: &str,
        doing: impl Fn() -> String,
    ) -> Result<Option<FileStatus>, Fault> {
        found(call(doing, self.client.get_file_info(path)).await)
    }

    /// Returns the status of the store's folder. Its absence is a fault.
    pub(super) async fn root_status(&self, doing: impl Fn() -> String) -> Result<FileStatus, Fault> {
        let missing = || Fault::new(FaultKind::Missing, doing(), "the store's folder does not exist");
        self.status(self.folder(), &doing).await?.ok_or_else(missing)
    }

    /// Creates a folder of the store with the mode of the store's own folder: who may write there, may write here.
    pub(super) async fn make_folder(&self, path: &str, doing: impl Fn() -> String) -> Result<(), Fault> {
        let mode = u32::from(self.root_status(&doing).await?.permission) & 0o1777;
        call(doing, self.client.mkdirs(path, mode, true)).await
    }
}
