//! The totals of a run: requests, retries, units and bytes.

use super::fields::Fields;
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The calls of one operation of a back end.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::cli) struct Calls {
    pub count: u64,
    /// The time of all of them. Concurrent calls count in full.
    pub took: Duration,
}

/// The costs of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::cli) struct Totals {
    /// The calls of back ends, by back end and operation, such as `dynamodb` and `GetItem`; answered or not.
    pub calls: BTreeMap<(String, String), Calls>,
    /// The attempts after the first one of each operation.
    pub retries: u64,
    /// The units that DynamoDB reports. It reports none for a transaction that it refuses.
    pub read_units: f64,
    pub write_units: f64,
    /// The bytes in the bodies of requests that were answered, and of answers as far as they were read, over HTTP.
    pub sent_bytes: u64,
    pub received_bytes: u64,
}

impl Totals {
    pub fn requests(&self) -> u64 {
        self.calls.values().map(|calls| calls.count).sum()
    }

    /// Returns the totals as fields of a line of a log.
    pub fn fields(&self) -> Map<String, Value> {
        let fields = [
            ("requests", self.requests().into()),
            ("retries", self.retries.into()),
            ("read_units", self.read_units.into()),
            ("write_units", self.write_units.into()),
            ("sent_bytes", self.sent_bytes.into()),
            ("received_bytes", self.received_bytes.into()),
        ];
        fields.into_iter().map(|(name, value): (_, Value)| (name.to_owned(), value)).collect()
    }

    fn add_event(&mut self, fields: &Fields) {
        self.read_units += fields.number("read_units").unwrap_or_default();
        self.write_units += fields.number("write_units").unwrap_or_default();
        self.sent_bytes += fields.whole("sent_bytes").unwrap_or_default();
        self.received_bytes += fields.whole("received_bytes").unwrap_or_default();
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut calls = String::new();
        for ((system, operation), Calls { count, .. }) in &self.calls {
            let dot = if operation.is_empty() { "" } else { "." };
            let _ = write!(calls, ", {count} {system}{dot}{operation}");
        }
        let calls = calls.strip_prefix(", ").map_or_else(String::new, |calls| format!(" ({calls})"));
        let Self { retries, read_units, write_units, sent_bytes, received_bytes, .. } = self;
        write!(
            f,
            "{} requests{calls}, {retries} retries, {read_units} read units, {write_units} write units, \
             {sent_bytes} bytes sent, {received_bytes} bytes received",
            self.requests(),
        )
    }
}

/// The totals so far, shared by the threads.
#[derive(Debug, Default)]
pub(in crate::cli) struct Counts(Mutex<Totals>);

impl Counts {
    pub fn totals(&self) -> Totals {
        self.change(|totals| totals.clone())
    }

    /// Counts a call, by the name of its span, such as `dynamodb.GetItem`.
    pub(super) fn call(&self, span: &str, fields: &Fields, took: Duration) {
        let (system, operation) = span.split_once('.').unwrap_or((span, ""));
        let named = || fields.text("name").or_else(|| fields.text("command"));
        let operation = if operation.is_empty() { named().unwrap_or("") } else { operation };
        self.change(|totals| {
            let calls = totals.calls.entry((system.to_owned(), operation.to_owned())).or_default();
            calls.count += 1;
            calls.took += took;
        });
    }

    /// Counts an attempt after the first one.
    pub(super) fn retry(&self) {
        self.change(|totals| totals.retries += 1);
    }

    pub(super) fn event(&self, fields: &Fields) {
        self.change(|totals| totals.add_event(fields));
    }

    fn change<T>(&self, change: impl FnOnce(&mut Totals) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
