//! Policies by which tries may follow each other, to be compared.

use sacker::retry::{Pace, Wait, pace};
use std::time::Duration;

pub const ALL: &[(&str, Pace)] = &[
    ("sacker", pace),
    ("full jitter", full_jitter),
    ("decorrelated", decorrelated),
    ("constant", constant),
    ("took, doubling", doubling),
    ("took, linear to 4", linear::<8, 4>),
    ("took, linear to 8", linear::<8, 8>),
    ("took, linear to 16", linear::<8, 16>),
    ("took, linear", linear::<8, 1000>),
    ("took, flat 16", linear::<16, 1>),
    ("took, flat 32", linear::<32, 1>),
    ("took, 16, to 4", linear::<16, 4>),
    ("took, 4, to 16", linear::<4, 16>),
    ("took, flat 16, full jitter", flat),
];

fn youth(wait: &Wait) -> f64 {
    1.0 - wait.age.as_secs_f64() / wait.deadline.as_secs_f64()
}

fn took(wait: &Wait) -> Duration {
    wait.took.clamp(Duration::from_millis(5), Duration::from_millis(500))
}

/// Exponential from 20 ms to 2 s, shrinking as the deadline comes nearer.
fn full_jitter(wait: &Wait, share: f64) -> Duration {
    let cap = Duration::from_secs(2).min(Duration::from_millis(20).saturating_mul(1 << wait.sleeps.min(16)));
    cap.mul_f64(youth(wait)).max(Duration::from_millis(10)).mul_f64(share)
}

/// Between 10 ms and three times the last sleep.
fn decorrelated(wait: &Wait, share: f64) -> Duration {
    const BASE: Duration = Duration::from_millis(10);
    let most = (wait.last.max(BASE) * 3).min(Duration::from_secs(2));
    BASE + most.saturating_sub(BASE).mul_f64(share)
}

/// No growth at all.
fn constant(_: &Wait, share: f64) -> Duration {
    Duration::from_millis(100).mul_f64(share)
}

/// Exponential from twice what the try took.
fn doubling(wait: &Wait, share: f64) -> Duration {
    let cap = Duration::from_secs(4).min(took(wait) * 2 * (1 << wait.sleeps.min(16)));
    cap.mul_f64(youth(wait)).max(Duration::from_millis(10)).mul_f64(share)
}

/// `STEP` times what the try took, and as much more with each sleep, up to `MOST` times as much.
fn linear<const STEP: u32, const MOST: u32>(wait: &Wait, share: f64) -> Duration {
    let cap = Duration::from_secs(4).min(took(wait) * STEP * (wait.sleeps + 1).min(MOST));
    cap.mul_f64(youth(wait).powi(2)).max(Duration::from_millis(10)).mul_f64(f64::midpoint(1.0, share))
}

/// Anything up to 16 times what the try took.
fn flat(wait: &Wait, share: f64) -> Duration {
    (took(wait) * 16).max(Duration::from_millis(10)).mul_f64(share)
}
