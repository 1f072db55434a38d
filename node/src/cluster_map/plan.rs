//! What a change of the map will cost, before it is made: counts, the first of the listings that
//! move, and an estimate of what new voters and new holders are sent. The other pages of those
//! that move are read without counting again (`moving.rs`).

use std::collections::BTreeMap;

use meridian_consensus::Groups;
use meridian_regions::{Genesis, Holdings, ListingId, NodeId, RegionId, ShardId, Topology};
use meridian_replication::Replica;
use serde::Serialize;

use super::moving::{Course, Fate, Moves, Page, in_order, is_quorum};
use crate::relay::Relay;

/// What is to be known before a change is applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Plan {
    /// Number of the map that comes.
    pub(crate) epoch: u64,
    /// Listings that were looked at: all of them.
    pub(crate) listings: u64,
    /// Those whose bookings move to other nodes.
    pub(crate) moving: u64,
    /// Those whose voters are removed in such a number that no quorum is left: nobody can book
    /// them any more, and no later change brings that back.
    pub(crate) lost: u64,
    /// Those that would move, and for whom there are not failure domains enough.
    pub(crate) unplaceable: u64,
    /// Why, for one of them.
    pub(crate) unplaceable_why: Option<String>,
    /// For each region, the listings whose bookings stop while it is lost.
    pub(crate) if_lost: BTreeMap<RegionId, Stops>,
    /// The first page of those that move.
    #[serde(flatten)]
    pub(crate) page: Page,
    /// Ledgers that new voters learn: one for each voter that comes to a listing.
    pub(crate) ledgers_sent: u64,
    /// What they come to, where those that were not measured are like those that were; `None`
    /// where none was.
    pub(crate) ledger_bytes_estimated: Option<u64>,
    /// How many of `ledgers_sent` were measured: those that this node has.
    pub(crate) ledgers_measured: u64,
    /// Documents that nodes are sent which do not hold them yet.
    pub(crate) documents_sent: u64,
    /// What they come to, where all are like those of this node; `None` where it has none.
    pub(crate) document_bytes_estimated: Option<u64>,
}

/// Listings whose bookings stop while a region is lost.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Stops {
    /// As it is.
    pub(crate) now: u64,
    /// As it will be once everything has moved.
    pub(crate) then: u64,
    /// The first of them, as it is.
    pub(crate) first_now: Option<ListingId>,
    /// The first of them, as it will be.
    pub(crate) first_then: Option<ListingId>,
}

/// Counts for a plan.
#[derive(Debug)]
pub(crate) struct Surveyed {
    now: Topology,
    course: Course,
    /// Bytes of the ledgers that were measured.
    bytes: u64,
    /// Who holds which documents, now and then.
    held: [Holdings; 2],
    plan: Plan,
}

impl Surveyed {
    /// Nothing counted yet. `held` says who holds which documents by a map.
    pub(crate) fn new(now: Topology, then: Topology, held: impl Fn(&Topology) -> Holdings) -> Self {
        let plan = Plan {
            epoch: then.epoch(),
            listings: 0,
            moving: 0,
            lost: 0,
            unplaceable: 0,
            unplaceable_why: None,
            if_lost: BTreeMap::new(),
            page: Page::default(),
            ledgers_sent: 0,
            ledger_bytes_estimated: None,
            ledgers_measured: 0,
            documents_sent: 0,
            document_bytes_estimated: None,
        };
        Self {
            held: [held(&now), held(&then)],
            now,
            course: Course::new(then),
            bytes: 0,
            plan,
        }
    }

    /// Counts one listing, by the goal that stands (`placing`, whose id is by its home) and who
    /// votes on it. `size` is that of its ledger, and asked for where it moves alone.
    pub(crate) fn note(
        &mut self,
        (listing, placing): (&ListingId, &Genesis),
        voters: &[NodeId],
        size: impl FnOnce() -> Option<u64>,
    ) {
        self.plan.listings += 1;
        self.note_stops(listing, voters, Side::Now);
        let mut then = voters.to_vec();
        match self.course.fate(placing, voters) {
            Fate::Stays => {}
            Fate::Moves(next) => {
                let home = placing.listing.home();
                self.note_move((listing, home), (voters, &next), size);
                then = next;
            }
            Fate::Lost => {
                self.plan.lost += 1;
                return;
            }
            Fate::Unplaceable(cause) => {
                self.plan.unplaceable += 1;
                self.plan.unplaceable_why.get_or_insert(cause.to_string());
            }
        }
        self.note_stops(listing, &then, Side::Then);
    }

    /// Counts the documents of a shard.
    pub(crate) fn note_documents(&mut self, shard: ShardId, documents: u64) {
        let [now, then] = &self.held;
        let comes = |node: &NodeId| !now.of_node(*node).contains(shard);
        let come = then.holders_of(shard).filter(comes).count() as u64;
        self.plan.documents_sent += come * documents;
    }

    /// Takes note of how long a document is on average.
    pub(crate) fn note_length(&mut self, bytes: Option<u64>) {
        let sent = self.plan.documents_sent;
        self.plan.document_bytes_estimated = bytes.map(|bytes| bytes.saturating_mul(sent));
    }

    /// What has been counted.
    pub(crate) fn plan(mut self) -> Plan {
        let plan = &mut self.plan;
        let whole = u128::from(self.bytes) * u128::from(plan.ledgers_sent);
        let estimate = whole.checked_div(u128::from(plan.ledgers_measured));
        plan.ledger_bytes_estimated =
            estimate.map(|bytes| u64::try_from(bytes).unwrap_or(u64::MAX));
        self.plan
    }

    fn note_move(
        &mut self,
        (listing, home): (&ListingId, &RegionId),
        (from, to): (&[NodeId], &[NodeId]),
        size: impl FnOnce() -> Option<u64>,
    ) {
        let plan = &mut self.plan;
        let come = to.iter().filter(|voter| !from.contains(voter)).count() as u64;
        plan.ledgers_sent += come;
        if let Some(bytes) = size() {
            plan.ledgers_measured += come;
            self.bytes += bytes * come;
        }
        plan.page.push(Moves {
            listing_id: listing.clone(),
            home_region: home.clone(),
            from: from.to_vec(),
            to: to.to_vec(),
        });
        plan.moving += 1;
    }

    fn note_stops(&mut self, listing: &ListingId, voters: &[NodeId], side: Side) {
        let map = match side {
            Side::Now => &self.now,
            Side::Then => self.course.then(),
        };
        let mut by_region: BTreeMap<&RegionId, usize> = BTreeMap::new();
        for node in voters.iter().filter_map(|voter| map.node(*voter)) {
            *by_region.entry(&node.region).or_default() += 1;
        }
        for (region, lost) in by_region {
            if !is_quorum(voters.len().saturating_sub(lost), voters.len()) {
                let stops = self.plan.if_lost.entry(region.clone()).or_default();
                let (count, first) = match side {
                    Side::Now => (&mut stops.now, &mut stops.first_now),
                    Side::Then => (&mut stops.then, &mut stops.first_then),
                };
                *count += 1;
                first.get_or_insert_with(|| listing.clone());
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Now,
    Then,
}

/// Counts every listing, wherever it is held.
///
/// # Errors
/// What could not be read: a plan that has left something out would be believed.
pub(crate) async fn survey(
    (replica, relay, groups): (&Replica, &Relay, &Groups),
    mut surveyed: Surveyed,
) -> anyhow::Result<Plan> {
    for shard in ShardId::all() {
        let founded = in_order(replica, relay, shard, None).await?;
        surveyed.note_documents(shard, founded.len() as u64);
        let groups = groups.clone();
        let counted = tokio::task::spawn_blocking(move || {
            for genesis in &founded {
                let size = || {
                    let view = groups.local(&genesis.listing).ok()?;
                    let ledger = view.applied_index.map(|_index| view.ledger.encode());
                    ledger.map(|bytes| bytes.len() as u64)
                };
                let placing = groups.placing(genesis);
                let listing = (&genesis.listing, &placing);
                surveyed.note(listing, &groups.voters(genesis), size);
            }
            surveyed
        });
        surveyed = counted.await?;
    }
    surveyed.note_length(replica.document_bytes_estimated()?);
    Ok(surveyed.plan())
}
