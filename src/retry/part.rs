//! Retrying a part of an attempt by itself.

use super::{hint::Retryable, limit::Limit};

/// Retries a part of the attempt that runs on this task by itself, so that the other parts continue: with the pace,
/// deadline and budget of the [`RetryPolicy`](super::RetryPolicy) that made the attempt. Outside of all attempts it is
/// tried once. The part must be idempotent.
///
/// # Errors
/// The errors of the attempts.
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
