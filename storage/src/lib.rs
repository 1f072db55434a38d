//! RocksDB, opened one way, behind one group-committing writer.
//!
//! Both planes keep their state here, each in a database of its own: a
//! [`Store`] to read from and a [`Writer`] that owns every write. The writer is
//! the only place where durability is decided, so that "acknowledge only what is
//! durable" has one implementation.
//!
//! A [`Feed`] tells what happened, by records in the batches of what they tell of.
//!
//! What it is not: it knows no listing, no group and no record format.
//!
//! Invariants kept here:
//! - A [`Committed`] that resolves with `Ok` under [`Durability::Synced`] has been
//!   fsynced to the write-ahead log.
//! - A database that has lost what was fsynced is not opened ([`StorageError::Lost`]).
//! - Batches reach the database in the order of their submission, each atomically.
//! - A position in a feed is never given to two records.
//! - After the first failed write nothing is ever acknowledged again: the failure
//!   is announced and the process is expected to stop (a failed fsync may have
//!   dropped dirty pages, so that a retry would lie).

mod batch;
mod error;
mod feed;
mod store;
mod synced_mark;
mod writer;

pub use batch::Batch;
pub use error::StorageError;
pub use feed::{FEED_PAGE_MAX, Feed, FeedError, FeedPosition, FeedSlice, Retention};
pub use store::{CompactionStats, DiskStats, KeyValue, Store, StoreOptions};
pub use writer::{
    Committed, Durability, Queued, WRITE_BOUNDS_US, WritePermit, WriteQueue, WriteStats, Writer,
};
