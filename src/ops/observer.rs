//! How an operation gets on, for who wants to know.

use std::{fmt, sync::Arc};

/// What takes a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Reading a file to hash it.
    Hashing,
    /// Sending a blob to the store.
    Uploading,
    /// Fetching a blob from the store.
    Downloading,
    /// Examining the ledger; counted in packages, not in bytes.
    Examining,
    /// Listing the store; counted in objects, not in bytes.
    Listing,
}

/// Is told how an operation gets on.
pub trait Observer: fmt::Debug + Send + Sync {
    /// A phase begins; so many bytes, or what else it is counted in, are to go through, where that is known.
    fn begin(&self, phase: Phase, bytes: Option<u64>);

    /// Some bytes of the phase need not go through: an earlier command, which was interrupted, has left them.
    fn resume(&self, bytes: u64);

    /// Some bytes went through. A try that is made again counts its bytes again.
    fn advance(&self, bytes: u64);

    /// The phase is over.
    fn end(&self);

    /// Something that a person should know.
    fn warn(&self, warning: &str);
}

/// An observer that does not care.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn begin(&self, _: Phase, _: Option<u64>) {}
    fn resume(&self, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
    fn warn(&self, _: &str) {}
}

/// A phase of an observer, which is over when this is dropped.
#[derive(Debug)]
pub(super) struct Within(Arc<dyn Observer>);

impl Within {
    pub fn begin(observer: &Arc<dyn Observer>, phase: Phase, total: Option<u64>) -> Self {
        observer.begin(phase, total);
        Self(Arc::clone(observer))
    }

    pub fn advance(&self, by: u64) {
        self.0.advance(by);
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        self.0.end();
    }
}
