//! What replicas have written down of a listing's group.

use serde::{Deserialize, Serialize};

/// Entries of a group's log that a node has applied, one behind the other. A run reads them
/// as they come, and once more when all is at rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    /// `lst_…`
    pub listing: String,
    /// The node.
    pub node: u64,
    /// The entries.
    pub entries: Vec<LogEntry>,
}

/// An entry of a group's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Where it stands.
    pub index: u64,
    /// Term of the leader that has proposed it.
    pub term: u64,
    /// `command`, `nothing`, `voters`, `move-epoch`.
    pub kind: String,
    /// Of a command its bytes in base64; of others what they say.
    pub payload: String,
}

/// A listing's ledger, as one node has it at rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalCopy {
    /// `lst_…`
    pub listing: String,
    /// The node.
    pub node: u64,
    /// Index of the last entry that it has applied.
    pub index: u64,
    /// Its bytes in base64.
    pub bytes: String,
}
