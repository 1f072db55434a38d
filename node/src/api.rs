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
#[cfg(test)]
mod fuzz;
mod guests;
mod history;
mod holds;
mod id;
mod keyed;
mod listings;
mod me;
mod offer;
pub(crate) mod openapi;
mod outcome;
mod outcomes;
mod owner;
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
use axum::http::Method;
use axum::middleware;

pub(crate) use body::{JsonBody, PAGE_MAX, Params, page_limit};
pub(crate) use conflicts::described as described_conflict;
pub(crate) use envelope::SERVED_BY;
pub(crate) use history::{describe as described_change, region_of};
pub(crate) use id::Id;
pub(crate) use listings::founded_anywhere;
pub(crate) use openapi::written as description;
pub(crate) use outcome::{REPLAYED, booking, rejected, unanswered};
pub(crate) use regions::described as described_regions;
pub(crate) use search::mesh_routes as search_routes;
pub(crate) use session::network_of;
pub(crate) use watch::{Ending, ended};

use crate::admission::Door;
use crate::auth::{Access, Gate, Ownership, Routes, gate};
use crate::node::Node;

/// Every route of the client API, and who may use it.
pub(crate) fn routes() -> Routes {
    webhook_routes(market_routes())
}

fn market_routes() -> Routes {
    use Access::{Guest, Host, Open, Party, Proven, Reading};
    use Ownership::{Booking, Caller, Guest as Named, Listing, Reservation};
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PATCH: Method = Method::PATCH;
    const PUT: Method = Method::PUT;
    const DELETE: Method = Method::DELETE;
    const PREFERENCES: &str = "/v1/guests/{id}/preferences";
    const MATCHES: &str = "/v1/guests/{id}/matches";
    const LISTING: &str = "/v1/listings/{id}";
    const CONFLICTS: &str = "/v1/listings/{id}/conflicts";
    const BLOCK: &str = "/v1/listings/{id}/blocks/{block}";
    let (host, guest) = ((Host, Listing), (Guest, Reservation));
    Routes::new()
        .on(GET, "/v1/listings", Reading, search::search)
        .on(POST, "/v1/listings", Host, listings::create)
        .on(GET, LISTING, Reading, listings::read)
        .owned(PATCH, LISTING, host, listings::patch)
        .owned(DELETE, LISTING, host, listings::remove)
        .owned(POST, "/v1/listings/{id}/edits", host, listings::edit)
        .on(GET, CONFLICTS, Reading, conflicts::read)
        .owned(POST, CONFLICTS, host, conflicts::resolve)
        .on(GET, "/v1/listings/{id}/history", Reading, history::read)
        .on(GET, "/v1/listings/{id}/watch", Reading, watch::watch)
        .on(
            GET,
            "/v1/listings/{id}/availability",
            Reading,
            availability::read,
        )
        .on(POST, "/v1/listings/{id}/holds", Guest, holds::hold)
        .owned(POST, "/v1/listings/{id}/blocks", host, blocks::block)
        .owned(DELETE, BLOCK, host, blocks::unblock)
        .owned(
            GET,
            "/v1/listings/{id}/bookings",
            host,
            bookings::of_listing,
        )
        .owned(DELETE, "/v1/holds/{id}", guest, holds::release)
        .owned(POST, "/v1/bookings", guest, bookings::book)
        .owned(GET, "/v1/bookings/{id}", (Party, Booking), bookings::read)
        .owned(POST, "/v1/bookings/{id}/cancel", guest, bookings::cancel)
        .owned(GET, "/v1/me/bookings", (Proven, Caller), me::bookings)
        .owned(GET, "/v1/outcomes/{key}", (Proven, Caller), outcomes::read)
        .owned(GET, "/v1/events", host, events::read)
        .owned(GET, PREFERENCES, (Guest, Named), guests::preferences)
        .owned(PUT, PREFERENCES, (Guest, Named), guests::prefer)
        .owned(GET, MATCHES, (Guest, Named), guests::matches)
        .on(GET, "/v1/regions", Reading, regions::list)
        .on(GET, "/v1/regions/nearest", Reading, regions::nearest)
        .on(GET, "/openapi.json", Open, openapi::read)
        .on(GET, "/docs", Open, openapi::page)
        .on(GET, "/docs/style.css", Open, openapi::style)
}

/// Where events are delivered to: for operators, because an endpoint hears of every listing.
fn webhook_routes(routes: Routes) -> Routes {
    use Access::Operator;
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const ALL: &str = "/v1/webhook-endpoints";
    const ONE: &str = "/v1/webhook-endpoints/{id}";
    routes
        .on(GET, ALL, Operator, webhooks::list)
        .on(POST, ALL, Operator, webhooks::create)
        .on(GET, ONE, Operator, webhooks::read)
        .on(Method::PATCH, ONE, Operator, webhooks::patch)
        .on(Method::DELETE, ONE, Operator, webhooks::remove)
        .on(
            POST,
            "/v1/webhook-endpoints/{id}/test",
            Operator,
            webhooks::test,
        )
        .on(
            POST,
            "/v1/webhook-endpoints/{id}/replay",
            Operator,
            webhooks::replay,
        )
        .on(
            GET,
            "/v1/webhook-endpoints/{id}/deliveries",
            Operator,
            webhooks::deliveries,
        )
}

/// The client API.
pub(crate) fn router(node: Arc<Node>) -> Router {
    let body_bytes_max = node.config.limits.body_bytes.get();
    let here = middleware::from_fn_with_state(Arc::clone(&node), elsewhere::or_elsewhere);
    let routes = routes().inside(|router| router.route_layer(here));
    enveloped(routes, node, body_bytes_max, Door::Clients)
}

/// Puts routes behind the gate, and into the envelope that every answer of this node shares.
pub(crate) fn enveloped(
    routes: impl Into<Routes>,
    node: Arc<Node>,
    body_bytes_max: usize,
    door: Door,
) -> Router {
    let (routes, table) = routes.into().split();
    let behind = Arc::new(Gate::new(Arc::clone(&node), table, door));
    routes
        .fallback(envelope::not_found)
        .method_not_allowed_fallback(envelope::method_not_allowed)
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .layer(middleware::from_fn_with_state(behind, gate))
        .layer(middleware::from_fn_with_state(
            (Arc::clone(&node), door),
            envelope::wrap,
        ))
        .with_state(node)
}
