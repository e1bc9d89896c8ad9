//! Functions shared by the back ends' `put`.

use super::{Content, Sending, Sent};
use crate::{
    fault::{Fault, FaultKind},
    model::Address,
};
use std::pin::pin;
use tokio::sync::mpsc;

/// The sender by which work that outlives a borrow reports what it sent; closed once no caller waits for the work.
pub(super) type ProgressSender = mpsc::UnboundedSender<Sent>;

/// Runs some work, and passes its reports on to `sent` as they arrive. `sent` is borrowed, while a request's body or
/// a blocking thread must own its sender.
pub(super) async fn relay_progress<T, F>(sent: Sending<'_>, work: impl FnOnce(ProgressSender) -> F) -> T
where
    F: Future<Output = T>,
{
    let (progress, mut relayed) = mpsc::unbounded_channel();
    let mut work = pin!(work(progress));
    loop {
        tokio::select! {
            Some(reported) = relayed.recv() => sent(reported),
            done = &mut work => {
                while let Ok(reported) = relayed.try_recv() {
                    sent(reported);
                }
                return done;
            }
        }
    }
}

/// Returns a fault if the content does not belong to the address, which is a mistake of the caller.
pub(super) fn belongs(at: &Address, content: &Content) -> Result<(), Fault> {
    if at.sha256 == *content.sha256() {
        return Ok(());
    }
    let why = format!("the content has the sha256 {}", content.sha256());
    Err(Fault::new(FaultKind::Unexpected, format!("storing the blob {at}"), why))
}

/// Returns the fault of a read beyond an object's end: the object is shorter than the caller expects.
pub(super) fn out_of_range(doing: String, end: u64, size: u64) -> Fault {
    let why = format!("bytes up to {end} were requested, but it has only {size}");
    Fault::new(FaultKind::Corrupt, doing, why)
}

/// Returns the fault of an object whose etag is not the requested one.
pub(super) fn replaced_while_read(doing: String) -> Fault {
    Fault::new(FaultKind::Contended, doing, "it was replaced while it was read")
}

/// Returns the fault of replacing the owner of a store that has none.
pub(super) fn without_owner(store: impl std::fmt::Display) -> Fault {
    Fault::new(FaultKind::Contended, format!("replacing the owner of {store}"), "it has no owner any more")
}
