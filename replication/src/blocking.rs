//! Work that reads much from disk, away from the threads that serve requests.

use tokio::task::JoinError;

/// Does it where blocking is allowed; an error is its panic. In a simulation here and now: a
/// thread would be ready when it likes.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    #[cfg(test)]
    if crate::chance::is_seeded() {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await
}
