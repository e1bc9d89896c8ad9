//! An observer that keeps the warnings.

use sacker::ops::{Observer, Phase};
use std::sync::Mutex;

/// The warnings, in order.
#[derive(Debug, Default)]
pub struct Warned(pub Mutex<Vec<String>>);

impl Observer for Warned {
    fn begin(&self, _: Phase, _: Option<u64>) {}
    fn resume(&self, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
    fn warn(&self, warning: &str) {
        self.0.lock().unwrap().push(warning.to_owned());
    }
}
