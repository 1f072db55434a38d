//! What a client has seen, carried from answer to request.

use std::sync::{Arc, Mutex, PoisonError};

/// A session that never goes back in time. Clones share it: hand a clone to a client
/// of another region, and that region waits until it has seen as much.
///
/// Every answer's token joins what its request's token had seen, so that remembering
/// the last one forgets nothing. It is one sequence of calls: of answers that overlap
/// in time, the one that came last is remembered. Calls that run at once take a session each.
#[derive(Debug, Clone, Default)]
pub struct Session(Arc<Mutex<Option<String>>>);

impl Session {
    /// A session that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The token to send, if there is one.
    #[must_use]
    pub fn token(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn remember(&self, token: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.to_owned());
    }
}
