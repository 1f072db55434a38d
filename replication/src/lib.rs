//! The listing plane of one node: its documents, its change log, and the streams
//! that keep it and its peers alike.
//!
//! Every node takes writes for every listing that it holds: those of its shards, which may
//! be all. A write becomes an entry of the node's own log, numbered without gaps in its shard; peers pull entries from a
//! version vector on, and any node serves any log that it has.
//!
//! Invariants kept here:
//! - An acknowledged write is durable, and nothing leaves the node, or is shown to a
//!   reader, before it is (invariant 2).
//! - An entry is seen only together with its durable application: both stand in one
//!   batch.
//! - A session never goes back in time (invariant 5): what an answer saw is in its
//!   token, and a read waits until the watermarks cover it.
//! - A change that is part of a document here is in this node's feed, once (`events.rs`).
//! - A change that cannot be applied is set aside and announced; the rest flows.
//! - A node whose own log is shorter than what a peer has of it takes no writes, and one
//!   that comes back without a part of it fetches it first (`returning.rs`): no number is
//!   ever given to two changes that anybody has.
//!
//! - What a log has lost is found by comparing documents, and mended by their changes
//!   (`repair.rs`): numbers, vectors and watermarks speak for entries, and stay.
//!
//! - The beginning of a log is trimmed once every node has it, or when the logs are past
//!   their bound (`trimming.rs`); numbers are kept, and who lacks what is gone compares its
//!   documents (`left_behind.rs`).
//!
//! - A document whose history is long begins anew (`renewing.rs`, ADR 38): what was written
//!   meanwhile is carried over by every replica alike, and what was before is kept until
//!   nothing of it can come any more.

mod adopting;
mod apply;
mod backlog;
mod blocking;
mod chance;
mod changes;
mod counters;
mod digests;
mod documents;
mod error;
mod events;
mod floors;
mod followed;
mod freshness;
#[cfg(test)]
mod fuzz;
mod held_up;
mod history;
mod intake;
mod keys;
mod left_behind;
mod marks;
mod neighbours;
mod options;
#[cfg(test)]
mod planted;
mod progress;
mod puller;
mod read;
mod recover;
mod rendered;
mod renewing;
mod repair;
mod replaying;
mod replica;
mod resolve;
mod returning;
mod sent;
mod sequencer;
mod server;
mod settled;
mod sources;
mod submit;
mod telling;
#[cfg(test)]
mod tests;
mod told;
mod trimming;
mod wall_clock;
mod write;

#[cfg(test)]
// Who waits is woken in the order in which he began to: a simulation repeats itself.
use meridian_simulation::watch;
#[cfg(not(test))]
use tokio::sync::watch;

pub use backlog::{Backlog, BacklogStream};
pub use changes::{Change, Changes, GatheredChanges};
pub use digests::{ListingDigest, ShardDigest};
pub use error::{LogLost, OpenError, ReadError, SessionBehind, WriteError};
pub use events::{ListingEvent, ListingEvents};
pub use left_behind::CatchingUp;
pub use options::{Forgotten, Member, ReplicaOptions};
pub use progress::OriginLag;
pub use read::{ReadListing, Survey};
pub use rendered::ReadStats;
pub use renewing::{Burial, RenewalStats};
pub use repair::{
    AskedBy, RepairRound, RepairScope, RepairTotals, RepairsFull, RoundProgress, RoundState,
};
pub use replaying::{Awaited, ReplayError, Replayed};
pub use replica::{Replica, ReplicaStats};
pub use returning::Waiting;
pub use sent::SentTo;
pub use settled::LogMark;
pub use trimming::{Follower, LogStats};
pub use wall_clock::WallClock;
pub use write::{BatchSummary, Precondition, Written};
