//! Pages of `docs/` whose commands and figures are run and measured.

mod capacity;
mod generated;
mod how_to;
mod pages;
mod reference;
mod runbooks;
mod summary;
mod trips;
mod tutorial;
mod workflows;
