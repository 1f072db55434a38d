//! On whose behalf, and until when, a listing's group is asked.

use meridian_consensus::Source;
use meridian_regions::Genesis;
use tokio::time::Instant;

use crate::request_id::RequestId;

/// What goes with every question to a group, to whichever node it travels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Errand<'a> {
    /// The listing and who votes on it.
    pub(crate) genesis: &'a Genesis,
    /// The request that it serves: ties together the log lines of all nodes that work
    /// on it.
    pub(crate) request: &'a RequestId,
    /// Who wants it: a group that sleeps is woken in their turn.
    pub(crate) source: Source,
    /// Until when an answer is of use.
    pub(crate) deadline: Instant,
}
