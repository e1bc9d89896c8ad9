//! Tables and texts for people that span several packages.

mod found;
mod plan;
mod status;

pub(super) use found::{changes_header, changes_row, found_header, found_row};
pub(super) use plan::plan;
pub(super) use status::StatusTable;
