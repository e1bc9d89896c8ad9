//! Running what blocks on a thread where it may.

/// Runs what blocks on a thread where it may.
pub(crate) async fn threaded<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that is shut down cancels it, and then nobody is there to be told.
            Err(_) => std::future::pending().await,
        },
    }
}
