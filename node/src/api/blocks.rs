//! Blocks: nights or hours that the host closes and opens again.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use meridian_consensus_core::{Block, Op, Unblock};
use meridian_regions::{BlockId, ListingId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{IdempotencyKey, JsonBody};
use super::calendar::{Calendar, When};
use super::id::Id;
use super::keyed::{Keyed, repeatable};
use super::listings::{find, founded};
use super::outcome::answer;
use super::owner;
use super::problem::{Problem, Slug};
use super::session::Session;
use crate::auth::Who;
use crate::node::Node;

/// What is closed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BlockBody {
    /// The first night or hour.
    from: When,
    /// Up to, and without.
    until: When,
}

/// `POST /v1/listings/{id}/blocks`: the host closes nights or hours.
pub(crate) async fn block(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
    session: Session,
    who: Who,
    key: IdempotencyKey,
    body: JsonBody<BlockBody>,
) -> Result<Response, Problem> {
    owner::of_listing(&node, &who, &id).await?;
    let request = Keyed::new("block", &id, &body.bytes, key, &who)?;
    let genesis = founded(&node, &id)?;
    let BlockBody { from, until } = body.value;
    let op = find(&node, &id).await.and_then(|listing| {
        let calendar = Calendar::of(listing.view());
        Ok(Op::Block(Block {
            nights: calendar.stay(("/from", from), ("/until", until), 0)?,
            units: listing.view().units,
        }))
    });
    let applied = request.propose(&node, session.errand(&genesis), op).await?;
    Ok(answer(&id, &applied))
}

/// `DELETE /v1/listings/{id}/blocks/{block}`: repeated, the same.
pub(crate) async fn unblock(
    State(node): State<Arc<Node>>,
    Id((listing, block)): Id<(ListingId, BlockId)>,
    session: Session,
    who: Who,
) -> Result<Response, Problem> {
    owner::of_listing(&node, &who, &listing).await?;
    if *block.listing() != listing {
        return Err(Problem::new(
            Slug::NotFound,
            "the block is another listing's",
        ));
    }
    let genesis = founded(&node, &listing)?;
    let op = Op::Unblock(Unblock {
        number: block.number(),
    });
    let applied = repeatable(&node, session.errand(&genesis), op).await?;
    Ok(answer(&listing, &applied))
}
