//! Which listings a change of the map moves, page by page in the order of shards. Nothing is
//! counted here, and no ledger is measured: that is done once, for the plan.
//!
//! A page begins behind a listing, not behind so many: those that move meanwhile shift no page,
//! and one that is asked for again is the same.

use std::collections::BTreeSet;

use meridian_consensus::Groups;
use meridian_regions::{
    Genesis, ListingId, NodeId, NodeState, PlacementError, RegionId, ShardId, Topology,
    replace_voters,
};
use meridian_replication::Replica;
use serde::Serialize;

use crate::relay::{Relay, Unfounded, of_shard};

/// Listings on a page: about a hundred kilobytes of JSON.
pub(super) const PAGE: usize = 1_000;

/// A listing that moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Moves {
    pub(crate) listing_id: ListingId,
    pub(crate) home_region: RegionId,
    pub(crate) from: Vec<NodeId>,
    pub(crate) to: Vec<NodeId>,
}

/// What becomes of a listing by the next map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    /// To these voters.
    Moves(Vec<NodeId>),
    /// So many of its voters are removed that no quorum is left.
    Lost,
    /// It should move, and there are not failure domains enough.
    Unplaceable(PlacementError),
}

/// The next map, and who goes by it.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    then: Topology,
    /// Nodes that are to vote on nothing.
    leaving: BTreeSet<NodeId>,
}

impl Course {
    pub(crate) fn new(then: Topology) -> Self {
        let leaving = then.nodes().iter().filter(|node| node.state.leaves());
        let leaving = leaving.map(|node| node.id).collect();
        Self { then, leaving }
    }

    pub(super) const fn then(&self) -> &Topology {
        &self.then
    }

    /// Of a listing by the goal that stands (`placing`, whose id is by its home) and who votes.
    pub(super) fn fate(&self, placing: &Genesis, voters: &[NodeId]) -> Fate {
        let removed = voters.iter().filter(|voter| self.is_removed(**voter));
        if !is_quorum(voters.len() - removed.count(), voters.len()) {
            return Fate::Lost;
        }
        if !voters.iter().any(|voter| self.leaving.contains(voter)) {
            return Fate::Stays;
        }
        let (id, goal) = (&placing.listing, placing.survival);
        match replace_voters(&self.then, id, goal, voters, &self.leaving) {
            Ok(next) => Fate::Moves(next),
            Err(cause) => Fate::Unplaceable(cause),
        }
    }

    fn is_removed(&self, node: NodeId) -> bool {
        let known = self.then.node(node);
        known.is_none_or(|node| node.state == NodeState::Removed)
    }
}

pub(super) const fn is_quorum(some: usize, of: usize) -> bool {
    some * 2 > of
}

/// A page of the listings that move.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Page {
    pub(crate) moves: Vec<Moves>,
    /// The last of them, behind which the next page begins; `None` at the end.
    pub(crate) moves_next: Option<ListingId>,
}

impl Page {
    /// Takes a listing that moves, if there is room; listings come in order.
    pub(super) fn push(&mut self, moves: Moves) {
        if self.moves.len() < PAGE {
            self.moves.push(moves);
        } else if self.moves_next.is_none() {
            self.moves_next = self.moves.last().map(|last| last.listing_id.clone());
        }
    }

    /// Whether it is known that others follow.
    const fn is_over(&self) -> bool {
        self.moves_next.is_some()
    }

    /// Notes what becomes of a listing.
    pub(super) fn note(
        &mut self,
        course: &Course,
        (listing, placing): (&ListingId, &Genesis),
        voters: &[NodeId],
    ) {
        if let Fate::Moves(to) = course.fate(placing, voters) {
            self.push(Moves {
                listing_id: listing.clone(),
                home_region: placing.listing.home().clone(),
                from: voters.to_vec(),
                to,
            });
        }
    }
}

/// The listings of a shard behind one, in the order of pages.
///
/// # Errors
/// [`Unfounded`]: nothing has been left out otherwise.
pub(super) async fn in_order(
    replica: &Replica,
    relay: &Relay,
    shard: ShardId,
    after: Option<&ListingId>,
) -> Result<Vec<Genesis>, Unfounded> {
    let mut founded = of_shard(replica, relay, shard).await?;
    founded.retain(|genesis| is_behind(&genesis.listing, after));
    founded.sort_unstable_by(|one, other| one.listing.cmp(&other.listing));
    Ok(founded)
}

/// Whether a listing comes behind another, which need not exist any more.
pub(super) fn is_behind(listing: &ListingId, after: Option<&ListingId>) -> bool {
    after.is_none_or(|after| (after.shard(), after) < (listing.shard(), listing))
}

/// The page behind a listing.
///
/// # Errors
/// What could not be read.
pub(crate) async fn moves_after(
    (replica, relay, groups): (&Replica, &Relay, &Groups),
    course: Course,
    after: &ListingId,
) -> anyhow::Result<Page> {
    let mut page = Page::default();
    let mut course = course;
    for shard in ShardId::all().filter(|shard| *shard >= after.shard()) {
        let founded = in_order(replica, relay, shard, Some(after)).await?;
        let groups = groups.clone();
        let noted = tokio::task::spawn_blocking(move || {
            for genesis in &founded {
                if page.is_over() {
                    break;
                }
                let placing = groups.placing(genesis);
                let listing = (&genesis.listing, &placing);
                page.note(&course, listing, &groups.voters(genesis));
            }
            (page, course)
        });
        (page, course) = noted.await?;
        if page.is_over() {
            break;
        }
    }
    Ok(page)
}
