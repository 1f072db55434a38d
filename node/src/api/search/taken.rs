//! Which listings are known to be taken: by what this node has applied of their ledgers.

use meridian_consensus_core::Stay;
use meridian_replication::ReadListing;

use crate::api::problem::{Problem, Slug};
use crate::node::Node;

/// Whether some night of the stay is known to have no unit left. A node that does not vote
/// on the listing knows nothing, and an answer may be behind: whoever books asks the group.
pub(in crate::api) fn is_taken(
    node: &Node,
    listing: &ReadListing,
    stay: &Stay,
) -> Result<bool, Problem> {
    let view = listing.view();
    let ledger = node
        .groups
        .local(&view.id)
        .map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))?
        .ledger;
    if ledger.revision() == 0 {
        return Ok(false);
    }
    let now_ms = node.clock.now().as_millis();
    let nights = ledger.availability(stay, view.units, now_ms);
    Ok(nights.iter().any(|night| night.free == 0))
}
