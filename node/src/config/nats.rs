//! The `[nats]` section.

use std::num::NonZeroU64;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A stream of NATS JetStream that is given the events of this region's listings. The same on
/// every node of a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NatsSection {
    /// Where the server is, as in `nats://nats.example.com:4222`; empty for none. Several, with
    /// commas in between, of one cluster.
    pub url: String,
    /// The stream; made if it is not there.
    pub stream: String,
    /// What subjects begin with; the type of event follows.
    pub subject_prefix: String,
    /// Credentials of NATS (`.creds`), read again at each connection; empty for none.
    pub credentials_file: PathBuf,
    /// For how long a stream that is made here knows an event again, in seconds.
    pub duplicate_window_seconds: NonZeroU64,
}

impl Default for NatsSection {
    /// An hour: longer than a node takes to come back.
    fn default() -> Self {
        Self {
            url: String::new(),
            stream: "MERIDIAN".to_owned(),
            subject_prefix: "meridian.events".to_owned(),
            credentials_file: PathBuf::new(),
            duplicate_window_seconds: NonZeroU64::new(3_600).expect("not zero"),
        }
    }
}
