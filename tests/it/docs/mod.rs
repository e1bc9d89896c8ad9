//! Pages of `docs/` whose commands and figures are run and measured.

mod capacity;
mod trips;
mod workflows;
