//! The program as users run it: its output and exit codes.
//!
//! Snapshots show the exit code, then stdout as `1|` lines and stderr as `2|` lines. To see and accept changes:
//! `cargo insta test --review`.

mod add;
mod adopt;
mod apply;
mod change;
mod check;
mod clocks;
mod completion;
mod configuration;
mod doctor;
mod download;
mod drill;
#[cfg(feature = "failpoints")]
mod errno;
mod everywhere;
mod git;
mod global_options;
pub mod help;
mod history;
#[cfg(feature = "failpoints")]
mod hosts;
mod identity;
mod importers;
mod incident;
mod list;
mod lost_answers;
mod network;
mod observed;
#[cfg(feature = "otlp")]
mod otlp;
mod processes;
mod protect;
mod prune;
mod python_sacker;
mod python_tables;
mod requests;
mod rollback;
mod schema;
mod servers;
mod show;
mod signals;
mod status;
#[cfg(any(feature = "azure", feature = "hdfs"))]
pub mod stores;
mod streams;
mod tag;
mod transfer;
mod trouble;
mod usage;
mod users;
mod wait;
mod watch;
