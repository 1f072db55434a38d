//! REST for clients: the contract of version 1, for listings, availability, holds,
//! bookings and regions.
//!
//! Handlers parse, ask the planes, and answer; they decide nothing themselves.

mod availability;
mod blocks;
mod body;
mod body_deadline;
mod bookings;
mod calendar;
mod conflicts;
mod consistency;
mod elsewhere;
mod entity_tags;
mod envelope;
mod events;
mod guests;
mod history;
mod holds;
mod id;
mod keyed;
mod listings;
mod me;
mod offer;
mod outcome;
mod outcomes;
pub(crate) mod problem;
mod regions;
mod search;
mod sender;
mod session;
#[cfg(test)]
mod tests;
mod watch;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{delete, get, post};

pub(crate) use body::{JsonBody, Params, page_limit};
pub(crate) use conflicts::described as described_conflict;
pub(crate) use envelope::SERVED_BY;
pub(crate) use events::told;
pub(crate) use history::{describe as described_change, region_of};
pub(crate) use id::Id;
pub(crate) use listings::founded_anywhere;
pub(crate) use outcome::{REPLAYED, booking, rejected, unanswered};
pub(crate) use regions::described as described_regions;
pub(crate) use search::mesh_routes as search_routes;
pub(crate) use watch::{Ending, ended};

use crate::admission::Door;
use crate::node::Node;

/// Every route of the client API.
pub(crate) fn router(node: Arc<Node>) -> Router {
    let body_bytes_max = node.config.limits.body_bytes.get();
    let routes = Router::new()
        .route("/v1/listings", get(search::search).post(listings::create))
        .route(
            "/v1/listings/{id}",
            get(listings::read)
                .patch(listings::patch)
                .delete(listings::remove),
        )
        .route("/v1/listings/{id}/edits", post(listings::edit))
        .route(
            "/v1/listings/{id}/conflicts",
            get(conflicts::read).post(conflicts::resolve),
        )
        .route("/v1/listings/{id}/history", get(history::read))
        .route("/v1/listings/{id}/watch", get(watch::watch))
        .route("/v1/listings/{id}/availability", get(availability::read))
        .route("/v1/listings/{id}/holds", post(holds::hold))
        .route("/v1/listings/{id}/blocks", post(blocks::block))
        .route("/v1/listings/{id}/bookings", get(bookings::of_listing))
        .route("/v1/listings/{id}/blocks/{block}", delete(blocks::unblock))
        .route("/v1/holds/{id}", delete(holds::release))
        .route("/v1/bookings", post(bookings::book))
        .route("/v1/bookings/{id}", get(bookings::read))
        .route("/v1/bookings/{id}/cancel", post(bookings::cancel))
        .route("/v1/me/bookings", get(me::bookings))
        .route("/v1/outcomes/{key}", get(outcomes::read))
        .route("/v1/events", get(events::read))
        .merge(webhook_routes())
        .route(
            "/v1/guests/{id}/preferences",
            get(guests::preferences).put(guests::prefer),
        )
        .route("/v1/guests/{id}/matches", get(guests::matches))
        .route("/v1/regions", get(regions::list))
        .route("/v1/regions/nearest", get(regions::nearest));
    let here = middleware::from_fn_with_state(Arc::clone(&node), elsewhere::or_elsewhere);
    enveloped(
        routes.route_layer(here),
        node,
        body_bytes_max,
        Door::Clients,
    )
}

fn webhook_routes() -> Router<Arc<Node>> {
    Router::new()
        .route(
            "/v1/webhook-endpoints",
            get(webhooks::list).post(webhooks::create),
        )
        .route(
            "/v1/webhook-endpoints/{id}",
            get(webhooks::read)
                .patch(webhooks::patch)
                .delete(webhooks::remove),
        )
        .route("/v1/webhook-endpoints/{id}/test", post(webhooks::test))
        .route("/v1/webhook-endpoints/{id}/replay", post(webhooks::replay))
        .route(
            "/v1/webhook-endpoints/{id}/deliveries",
            get(webhooks::deliveries),
        )
}

/// Puts routes into the envelope that every answer of this node shares.
pub(crate) fn enveloped(
    routes: Router<Arc<Node>>,
    node: Arc<Node>,
    body_bytes_max: usize,
    door: Door,
) -> Router {
    routes
        .fallback(envelope::not_found)
        .method_not_allowed_fallback(envelope::method_not_allowed)
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .layer(middleware::from_fn_with_state(
            (Arc::clone(&node), door),
            envelope::wrap,
        ))
        .with_state(node)
}
