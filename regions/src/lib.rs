//! Who, where and when: the vocabulary that every other crate speaks.
//!
//! Pure: nothing here reads a clock, a disk, a socket or a random number. Callers
//! hand in `now` and randomness, so that every decision can be replayed in a test.
//!
//! What it is not: it knows no document, no log and no network.
//!
//! Invariants kept here:
//! - A [`NodeId`] names one node for ever; an empty disk is a new node.
//! - A [`ListingId`] carries its home region, so that routing needs no look-up.
//! - Voters of a listing stand in distinct failure domains ([`place_voters`]).
//! - A hybrid clock never goes back, and refuses a clock that is far ahead
//!   ([`HybridClock`], invariant 9).

mod carrier;
mod clock;
mod format;
#[cfg(test)]
mod fuzz;
mod genesis;
mod goal;
mod hashing;
mod health;
mod ids;
mod layout;
mod listing_id;
mod phi;
mod placement;
mod round_trip;
mod shard;
mod survival;
mod time;
mod topology;

pub use carrier::{carrier, carriers};
pub use clock::{ClockDrift, HybridClock};
pub use format::{Dialect, Feature, FormatLevel, Formats, Levels, Unspoken};
pub use genesis::{Genesis, GenesisError, VOTERS_MAX};
pub use goal::Goal;
pub use health::{Probation, Pulse};
pub use ids::{
    BlockId, BookingId, ClusterName, EventId, HoldId, IdError, NodeId, RegionId, ZoneId,
};
pub use layout::{CHANGES_MAX, Change, LayoutError};
pub use listing_id::ListingId;
pub use phi::PhiAccrual;
pub use placement::{
    Holdings, PlacementError, Survival, balance_voters, control_voters, holders, owner_in_home,
    place_voters, replace_voters,
};
pub use round_trip::RoundTrip;
pub use shard::{SHARD_COUNT, ShardId, Shards};
pub use survival::{
    Loss, Margin, Member, Outlook, Placements, SETS_MAX, Standing, outlook, worst_losses,
};
pub use time::{Hlc, UnixNanos};
pub use topology::{Node, NodeState, Region, RegionVoters, Topology, TopologyError};
