//! The outcome of a trace's batches: how many spans have arrived, and why the others have not.

use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

/// The numbers of spans so far, shared by the threads.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    ended: AtomicUsize,
    arrived: AtomicUsize,
    rejected: AtomicUsize,
    failure: Mutex<Option<String>>,
}

impl Outcome {
    /// Counts a span that has ended. It may be dropped then, since a batch is full or not taken.
    pub fn ended(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// Records why a batch was not taken.
    pub fn failed(&self, why: String) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// Counts spans of an arrived batch that the collector rejects.
    pub fn rejected(&self, spans: usize, why: String) {
        self.rejected.fetch_add(spans, Ordering::Relaxed);
        self.failed(why);
    }

    /// Returns the reason why the last batch that was not taken was not.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the number of spans that the collector does not have, and of all.
    pub fn lost(&self) -> (usize, usize) {
        let [all, arrived, rejected] =
            [&self.ended, &self.arrived, &self.rejected].map(|number| number.load(Ordering::Relaxed));
        (all.saturating_sub(arrived) + rejected, all)
    }
}

/// An exporter that counts the spans that arrive.
#[derive(Debug)]
pub(super) struct Counted<E> {
    pub exporter: E,
    pub outcome: Arc<Outcome>,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.exporter.export(batch).await?;
        self.outcome.arrived.fetch_add(spans, Ordering::Relaxed);
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
