//! Why a read, a write or an opening failed.

use std::path::PathBuf;

/// An operating error of the store. Cloneable, because one failed group commit
/// answers many waiting writers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// The database could not be opened.
    #[error(
        "cannot open the database at {path}: {cause} (is another process using it, or is it damaged?)"
    )]
    Open {
        /// Directory of the database.
        path: PathBuf,
        /// RocksDB's own words.
        cause: String,
    },
    /// Acknowledged changes are missing: the disk has lied or rotted.
    #[error(
        "the database at {path} has lost acknowledged changes: synced through {synced}, \
         recovered through {recovered}. This node must not go on with what is left: set it aside \
         by `meridian rejoin` (runbook `A node has lost its records`)"
    )]
    Lost {
        /// Directory of the database.
        path: PathBuf,
        /// RocksDB's number of the last change that was synced.
        synced: u64,
        /// Number of the last change that could be recovered.
        recovered: u64,
    },
    /// No copy of the database could be made; the database itself goes on.
    #[error(
        "cannot make a checkpoint in {path}: {cause} (is there room, and is it the same disk?)"
    )]
    Checkpoint {
        /// Folder of the copy.
        path: PathBuf,
        /// RocksDB's own words.
        cause: String,
    },
    /// A read failed: a checksum did not match, or the disk answered with an error.
    #[error("cannot read from the database: {0}")]
    Read(String),
    /// A record does not match a checksum of its owner's: what it belongs to is damaged, and
    /// nothing else.
    #[error("{0}")]
    Damaged(String),
    /// A write or an fsync failed. Final: the store accepts nothing after it.
    #[error("cannot write to the database, nothing more is acknowledged: {0}")]
    Write(String),
    /// The write queue is full.
    #[error("the write queue is full ({limit} batches wait for the disk)")]
    Overloaded {
        /// Length of the queue.
        limit: usize,
    },
    /// The writer has stopped: the node is shutting down.
    #[error("the writer has stopped")]
    Stopped,
}
