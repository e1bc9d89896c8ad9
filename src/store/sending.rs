//! What all back ends share when a blob is put.

use super::{Content, Sending, Sent};
use crate::{
    fault::{Fault, FaultKind},
    model::Address,
};
use std::pin::pin;
use tokio::sync::mpsc;

/// Where work that outlives a borrow tells of what it sent; closed once nobody waits for the work any more.
pub(super) type ProgressSender = mpsc::UnboundedSender<Sent>;

/// Does some work and passes on to `sent` what the work tells, as it is told: a `Sending` is borrowed, while a
/// request's body or a blocking thread must own what it uses.
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

/// Refuses to put a content under another's address: a mistake of the caller.
pub(super) fn belongs(at: &Address, content: &Content) -> Result<(), Fault> {
    if at.sha256 == *content.sha256() {
        return Ok(());
    }
    let why = format!("the content has the sha256 {}", content.sha256());
    Err(Fault::new(FaultKind::Unexpected, format!("storing the blob {at}"), why))
}

/// A read of bytes that an object doesn't have: it is shorter than whoever named the range was told.
pub(super) fn out_of_range(doing: String, end: u64, size: u64) -> Fault {
    let why = format!("bytes up to {end} were asked for, but there are only {size}");
    Fault::new(FaultKind::Corrupt, doing, why)
}

/// An object whose etag is not the one asked for.
pub(super) fn replaced_while_read(doing: String) -> Fault {
    Fault::new(FaultKind::Contended, doing, "it was replaced while it was read")
}

/// A store without an owner, where one was to be replaced.
pub(super) fn without_owner(store: impl std::fmt::Display) -> Fault {
    Fault::new(FaultKind::Contended, format!("replacing the owner of {store}"), "it has none any more")
}
