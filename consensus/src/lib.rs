//! The booking plane of one node: a Raft group for each listing that is in use.
//!
//! All groups share one database and one group-committing writer. A group starts
//! on first use, from the genesis record that comes with every request and every
//! message; only groups that are awake are in memory, and nothing lists the others.
//!
//! What it is not: it knows no network and no other plane. Messages leave through
//! the [`GroupTransport`] port, which the node fulfils.
//!
//! Invariants kept here:
//! - What is answered has been fsynced by a quorum (invariant 2): entries and votes
//!   are synced before they count.
//! - A timeout is unknown, never failed (invariant 3): [`ProposeError::Unknown`].
//! - A leader that has not heard from a quorum lately appends nothing before it has
//!   (invariant 7): [`ProposeError::NoQuorum`] means that nothing was done.
//! - Reads go through ReadIndex; leases are never used.
//! - An event is in the feed of every voter that has applied it, once (`events.rs`).
//! - A node that has lost its records gives no vote and confirms no entry in a group
//!   before it has been readmitted (`returning.rs`).
//! - A record is read with its checksum, or not at all (`records.rs`).
//! - A group is founded by its genesis record alone, and refuses any other.
//! - It goes to other voters by its own log alone: never two disjoint quorums
//!   (invariant 14).

mod applied_state;
mod awake;
mod changes;
mod clocks;
mod codec;
mod copies;
mod electorate;
mod envelope;
mod error;
mod events;
mod fence;
mod followed;
#[cfg(test)]
mod fuzz;
mod goals;
mod group;
mod groups;
mod guests;
mod illness;
mod key_uses;
mod keys;
mod leadership;
mod leaderships;
mod levelling;
mod log_pages;
mod log_store;
mod moves;
mod network;
mod options;
mod pace;
#[cfg(test)]
mod planted;
mod propose;
mod records;
mod returning;
mod saved;
mod shared;
mod sleeper;
mod state_machine;
mod stats;
#[cfg(test)]
mod tests;
mod todo;
mod transport;
mod types;
mod unsettled;
mod waking;
mod wishes;

pub use changes::Changes;
pub use electorate::Electorate;
pub use error::{OpenError, ProposeError, ReadError};
pub use events::{FeedPage, FeedRecord, Told};
pub use group::GroupDescription;
pub use groups::{Groups, Source};
pub use key_uses::KeyUse;
pub use leaderships::Leaderships;
pub use levelling::{BookingsCopy, Forwarded, LevelError, Levelled, Unread, Until, level};
pub use log_pages::{LOG_PAGE_MAX, LogEntry, LogPage, Logged};
pub use meridian_storage::Retention;
pub use moves::{Move, MoveError, Moving, TransferError};
pub use options::{GroupOptions, Past, WallClock};
pub use propose::LedgerView;
pub use stats::GroupStats;
pub use todo::{Due, DueCursor};
pub use transport::{Called, GroupTransport, TransportError};
pub use unsettled::{Unsettled, UnsettledCursor};
pub use wishes::{Aim, Wish};
