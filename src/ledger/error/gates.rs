//! Gates that refuse a move.

use crate::model::{Gate, GateCheck};

/// A gate that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateFailure {
    /// The gate.
    pub gate: Gate,
    /// The value that was found instead, for people.
    pub found: String,
    /// True for a gate that is kept with the tag; else the request named it.
    pub standing: bool,
}

impl From<GateCheck> for GateFailure {
    fn from(check: GateCheck) -> Self {
        let GateCheck { gate, standing, found, .. } = check;
        Self { gate, found, standing }
    }
}
