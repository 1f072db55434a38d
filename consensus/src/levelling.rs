//! Makes copies of the bookings of several nodes, taken at different moments, into one state
//! from which a new cluster can begin. For a restore: nothing of it runs on a node.
//!
//! Copies of a Raft cluster that are not of one moment are no state of it. An entry may have
//! been committed by two nodes between their copies: the one that has it has applied it, the
//! one that has not would vote as if it had never been, and another entry could come to stand
//! under its number. So of each group the copy with the last log is taken for what had
//! happened, to its end, and every member is given that log before any of them votes:
//!
//! - What was committed before the first copy was made stands in the log of a majority then,
//!   so in one of the copies; and the log that ends last has it (leader completeness, Raft,
//!   section 5.4).
//! - What any copy has applied was committed, and stands in the log that ends last, too.
//! - Every member has the same log, and a vote in a term that no copy has seen: no vote and no
//!   lead of the earlier life counts, and whoever is elected has everything.
//!
//! A group of which all copies are alike is left as it is: that is what a power cut of the
//! whole cluster leaves.
//!
//! With copies of a later backup, a group is taken forward first, to a moment between the two
//! (`forward.rs`).
//!
//! What it is not: a repair. It needs a copy of most voters of a group to promise that nothing
//! is missing, and says where it had not ([`Levelled::doubtful`]).

mod chain;
mod forward;
mod held;
mod lives;
mod taking;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use meridian_regions::{ListingId, NodeId};
use meridian_storage::{Batch, Durability, StorageError, Store, Writer};
use prost::Message;

use crate::GroupOptions;
use crate::changes::Announcer;
use crate::codec::LogIdRecord;
use crate::events::Feed;
use crate::keys::{FEED, FIRST_GROUP, GroupKey, LOG, STATE, StateKind, UNSETTLED, returned};
use crate::options::WallClock;
use crate::records::{Records, put};
use crate::types::{EntryOf, VoteOf};

use forward::{Later, Step};
use held::Held;
use taking::Taking;

pub use forward::{Forwarded, Unread, Until};

/// Entries read at once: a log has some hundreds at most.
const ENTRIES_PAGE: usize = 256;
/// Listings named of which the copies do not suffice: more than anybody reads.
const DOUBTFUL_MAX: usize = 100;
/// After every key of a group.
const LAST_GROUP: [u8; 1] = [u8::MAX];

/// The bookings' database of one node, as it was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingsCopy {
    /// Whose it is.
    pub node: NodeId,
    /// The database's folder: it is written to.
    pub folder: PathBuf,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Levelled {
    /// Groups found.
    pub groups: u64,
    /// Those whose copies differed.
    pub differed: u64,
    /// Entries that a copy was given.
    pub entries: u64,
    /// Groups of control, which are not taken over: a new cluster founds its own.
    pub control: u64,
    /// Listings of which most voters have no copy that can be read: something that had been
    /// acknowledged may be missing. The first hundred.
    pub doubtful: Vec<ListingId>,
    /// How many these are.
    pub doubtful_total: u64,
    /// What later copies have added.
    pub forward: Forwarded,
}

impl Levelled {
    fn doubt(&mut self, listing: Option<ListingId>) {
        self.doubtful_total += 1;
        if self.doubtful.len() < DOUBTFUL_MAX {
            self.doubtful.extend(listing);
        }
    }
}

/// Why there is no such state.
#[derive(Debug, thiserror::Error)]
pub enum LevelError {
    /// A database cannot be read or written.
    #[error("the bookings of node {node}: {cause}")]
    Storage {
        /// Whose copy.
        node: NodeId,
        /// What failed.
        cause: StorageError,
    },
    /// Copies that cannot come from one cluster.
    #[error(
        "node {node} has executed more of {listing} than any copy of its log tells: the copies \
         are not of one cluster"
    )]
    Foreign {
        /// Whose copy.
        node: NodeId,
        /// The listing.
        listing: String,
    },
    /// Later copies that go on from something else.
    #[error(
        "the later backup is of another life of the cluster, says node {node}{}: it was restored in \
         between under the same name. Restore one of the backups itself, by --backup",
        of_listing(listing.as_deref())
    )]
    AnotherLife {
        /// Whose copies differ.
        node: NodeId,
        /// The listing whose log tells; `None` where the node itself says of which life it is.
        listing: Option<String>,
    },
}

fn of_listing(listing: Option<&str>) -> String {
    listing.map_or_else(String::new, |listing| {
        format!(" by the log of {listing}, which has another entry where this one was executed")
    })
}

/// Makes the copies into the first state of a new cluster, which lives under the name `life`; with
/// later copies, into that of a moment behind them. Can be repeated after an interruption.
///
/// # Errors
/// [`LevelError`]; the copies are of no use then.
pub async fn level(
    copies: Vec<BookingsCopy>,
    until: Option<Until>,
    life: &str,
    now_ms: u64,
) -> Result<Levelled, LevelError> {
    if let Some(until) = &until {
        lives::check(&copies, &until.copies, life)?;
    }
    let desks = open_all(copies, life, now_ms).await?;
    let later = match until {
        Some(until) => Some(Later {
            desks: open_all(until.copies, life, now_ms).await?,
            at_ms: until.at_ms,
        }),
        None => None,
    };
    let mut levelled = Levelled::default();
    let mut from = FIRST_GROUP.to_vec();
    while let Some(group) = next_group(&desks, later.as_ref(), &from)? {
        levelled.groups += 1;
        level_group(&desks, later.as_ref(), &group, &mut levelled).await?;
        from = group.end();
    }
    for desk in &desks {
        desk.write(Batch::new(), Durability::Synced).await?;
    }
    Ok(levelled)
}

async fn open_all(
    copies: Vec<BookingsCopy>,
    life: &str,
    now_ms: u64,
) -> Result<Vec<Desk>, LevelError> {
    let mut desks = Vec::new();
    for copy in copies {
        desks.push(Desk::open(copy, life, now_ms).await?);
    }
    Ok(desks)
}

/// One copy, open.
struct Desk {
    node: NodeId,
    records: Records,
    writer: Writer,
    feed: Arc<Feed>,
    announcer: Announcer,
}

impl Desk {
    /// Opens a copy, and has it say that it lives again: no position of its feed is given
    /// twice, and it has been readmitted to every group that it has.
    async fn open(copy: BookingsCopy, life: &str, now_ms: u64) -> Result<Self, LevelError> {
        let node = copy.node;
        let failed = |cause| LevelError::Storage { node, cause };
        let store = Store::open(GroupOptions::new(copy.folder, node).store()).map_err(failed)?;
        let writer = Writer::start(&store).map_err(failed)?;
        let mut batch = Batch::new();
        meridian_storage::Feed::begin_anew(&mut batch, FEED, now_ms);
        batch.put(STATE, returned(), life.as_bytes().to_vec());
        let permit = writer.reserve().await.map_err(failed)?;
        let written = permit.submit(batch, Durability::Synced);
        written.await.map_err(failed)?;
        let feed = Feed::open(&store, WallClock::System, false).map_err(failed)?;
        Ok(Self {
            node,
            records: Records::over(store),
            writer,
            feed: Arc::new(feed),
            announcer: Announcer::new(),
        })
    }

    const fn failed(&self, cause: StorageError) -> LevelError {
        LevelError::Storage {
            node: self.node,
            cause,
        }
    }

    async fn write(&self, batch: Batch, durability: Durability) -> Result<(), LevelError> {
        let permit = self.writer.reserve().await;
        let permit = permit.map_err(|cause| self.failed(cause))?;
        let written = permit.submit(batch, durability).await;
        written.map_err(|cause| self.failed(cause))
    }

    fn next_group(&self, from: &[u8]) -> Result<Option<GroupKey>, LevelError> {
        let next = self.records.store().scan(STATE, from, &LAST_GROUP, 1);
        let next = next.map_err(|cause| self.failed(cause))?;
        Ok(next.first().and_then(|(key, _)| GroupKey::in_key(key)))
    }

    /// What this copy has of a group. A ledger that came whole, by a snapshot, stands ahead of the
    /// log until that is purged: a copy that was made in between is purged here, or entries that
    /// nobody has agreed on would be taken for a part of what stands.
    async fn held(&self, group: &GroupKey) -> Result<Held, LevelError> {
        let held = Held::read(&self.records, group).map_err(|cause| self.failed(cause))?;
        let Some(applied) = held.overtaken_by() else {
            return Ok(held);
        };
        let mut batch = Batch::new();
        batch.delete_range(LOG, group.start(), group.end());
        let record = LogIdRecord::from(&applied).encode_to_vec();
        put(&mut batch, STATE, group.state(StateKind::Purged), &record);
        self.write(batch, Durability::Buffered).await?;
        Held::read(&self.records, group).map_err(|cause| self.failed(cause))
    }

    /// The entries of a group from `index` on, in pages.
    fn entries(&self, group: &GroupKey, index: u64) -> Result<Vec<EntryOf>, LevelError> {
        held::entries(&self.records, group, index, ENTRIES_PAGE).map_err(|cause| self.failed(cause))
    }
}

/// The first group at or behind `from` in any of the copies.
fn next_group(
    desks: &[Desk],
    later: Option<&Later>,
    from: &[u8],
) -> Result<Option<GroupKey>, LevelError> {
    let mut first: Option<GroupKey> = None;
    let later = later.map_or(&[][..], |later| &later.desks);
    for desk in desks.iter().chain(later) {
        let found = desk.next_group(from)?;
        first = match (first, found) {
            (Some(one), Some(other)) if other.start() < one.start() => Some(other),
            (one, other) => one.or(other),
        };
    }
    Ok(first)
}

async fn level_group(
    desks: &[Desk],
    later: Option<&Later>,
    group: &GroupKey,
    levelled: &mut Levelled,
) -> Result<(), LevelError> {
    let listing = group.listing();
    if listing.as_ref().is_some_and(ListingId::is_control) {
        levelled.control += 1;
        return forget(desks, group).await;
    }
    let mut held = Vec::new();
    for desk in desks {
        held.push(desk.held(group).await?);
    }
    let mut forward = Step::Stays;
    if let Some(later) = later {
        let forwarded = &mut levelled.forward;
        forward = later.take_forward(desks, &held, group, forwarded).await?;
    }
    let (mut taken, mut latest_term) = (None, 0);
    if let Step::Taken { at, term, .. } = forward {
        let desk = &desks[at];
        held[at] = desk.held(group).await?;
        (taken, latest_term) = (Some(at), term);
    }
    let ends = held.iter().enumerate();
    let ends = ends.filter(|(_, one)| one.last.is_some());
    let longest = ends.max_by_key(|(_, one)| one.last).map(|(at, _)| at);
    let Some(best) = taken.or(longest) else {
        // Somebody has heard who votes, and nobody who does is here; or who does cannot be read.
        if held.iter().any(|one| one.damaged) {
            levelled.doubt(listing);
        }
        return Ok(());
    };
    let (source, winner) = (&desks[best], &held[best]);
    let members = winner.members(source, group)?;
    if !members.suffice(desks.iter().zip(&held)) {
        levelled.doubt(listing);
    }
    let concerned = |at: usize| members.has(desks[at].node) || held[at].last.is_some();
    let concerned: Vec<usize> = (0..desks.len()).filter(|at| concerned(*at)).collect();
    let alike = |at: &usize| held[*at].last == winner.last && held[*at].vote == winner.vote;
    if taken.is_none() && concerned.iter().all(alike) {
        return Ok(());
    }
    levelled.differed += 1;
    let terms = held.iter().map(Held::latest_term);
    let term = terms.fold(latest_term, u64::max) + 1;
    let vote = VoteOf::new(term, source.node.get());
    for at in concerned {
        let taking = Taking {
            to: &desks[at],
            has: &held[at],
            from: source,
            winner,
        };
        levelled.entries += taking.take(group, &vote).await?;
    }
    Ok(())
}

/// Removes everything of a group: a new cluster founds its own.
async fn forget(desks: &[Desk], group: &GroupKey) -> Result<(), LevelError> {
    let voters: BTreeSet<u64> = desks.iter().map(|desk| desk.node.get()).collect();
    for desk in desks {
        let mut batch = Batch::new();
        erase(&mut batch, group);
        for voter in &voters {
            batch.delete(UNSETTLED, group.unsettled(*voter));
        }
        desk.write(batch, Durability::Buffered).await?;
    }
    Ok(())
}

fn erase(batch: &mut Batch, group: &GroupKey) {
    batch.delete_range(LOG, group.start(), group.end());
    batch.delete_range(STATE, group.start(), group.end());
}
