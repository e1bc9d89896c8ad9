//! Pages of `docs/` whose commands and figures are run and measured.

mod capacity;
mod how_to;
mod pages;
mod trips;
mod workflows;
