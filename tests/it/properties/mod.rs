//! Properties of pure code and of whole ledgers, tried on generated input.

mod garbage;
mod retention;
mod values;
