//! How a client behaves.

use std::time::Duration;

use crate::{Credential, Trust};

/// How a client of given endpoints behaves.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// URLs of the API, as in `http://127.0.0.1:7400`: the first one that can be reached
    /// is used.
    pub endpoints: Vec<String>,
    /// Time for a whole call, repetitions included.
    pub deadline: Duration,
    /// Time for one attempt at one endpoint. Longer than a node takes to say that it
    /// has no quorum.
    pub attempt: Duration,
    /// Whether what may be repeated is repeated.
    pub retry: bool,
    /// What every call proves itself with.
    pub credential: Option<Credential>,
    /// Whose certificates are believed where an endpoint's URL begins with `https`.
    pub trust: Trust,
}

impl ClientOptions {
    /// The defaults for one endpoint: 10 s for a call, 8 s for an attempt.
    #[must_use]
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self::of(vec![endpoint.into()])
    }

    pub(crate) const fn of(endpoints: Vec<String>) -> Self {
        Self {
            endpoints,
            deadline: Duration::from_secs(10),
            attempt: Duration::from_secs(8),
            retry: true,
            credential: None,
            trust: Trust::machine(),
        }
    }
}
