//! Retries: the only place that sleeps between attempts.
//!
//! The loop is that of the crate `backoff`; its policy is our own, since that crate takes its clock and its randomness
//! from globals. Here time is tokio's (which a test can pause) and randomness comes from a seed, so that a run can be
//! replayed. The crate's advisory RUSTSEC-2025-0012 (unmaintained) is accepted: this module is the only one that uses
//! it, and the place to replace it.

mod budget;
mod cancellation;
mod concurrency;
mod heartbeat;
mod hint;
mod limit;
mod pace;
mod part;
mod policy;
mod run;

pub use cancellation::{Cancellation, CommitGuard};
pub use concurrency::{Concurrency, Flow};
pub use heartbeat::Heartbeat;
pub use hint::{RetryHint, Retryable};
pub use limit::Limit;
pub use pace::{Pace, Wait, pace};
pub use part::part;
pub use policy::RetryPolicy;
