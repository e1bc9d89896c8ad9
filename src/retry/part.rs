//! Trying a part of an attempt again by itself.

use super::{hint::Retryable, limit::Limit};

/// Tries a part of the attempt that runs on this task again by itself, so that the other parts need not be given up: at the
/// pace, by the deadline and with the budget of the [`RetryPolicy`](super::RetryPolicy) that made the attempt. Outside of all attempts it is
/// tried once. What is tried must be idempotent.
///
/// # Errors
/// Those of the tries.
pub async fn part<T, E, F>(doing: &str, mut attempt: impl FnMut() -> F) -> Result<T, E>
where
    E: Retryable,
    F: Future<Output = Result<T, E>>,
{
    match Limit::here() {
        Some(limit) => limit.retry_policy.run_while(&limit.heartbeat.of_part(), doing, attempt).await,
        None => attempt().await,
    }
}
